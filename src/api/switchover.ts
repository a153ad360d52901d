/** The annotation that asks for a switchover, at the border: `to=<pod>|any at=<RFC 3339>`. */
import { type WallMs, wallMs } from './clocks.ts';
import { show } from './raw.ts';
import { isTime, LAST_MS } from './time.ts';

/** `text`: the annotation as it stands. */
export type SwitchoverAsked =
  | {
      readonly kind: 'asked';
      readonly text: string;
      /** Name of the pod that is to lead; null: any other one. */
      readonly to: string | null;
      /** When it was asked for. It tells one request from the next. */
      readonly atMs: WallMs;
    }
  | { readonly kind: 'malformed'; readonly text: string; readonly problem: string };

/** The name of a pod, a space and a time are shorter. */
const MAX_LENGTH = 400;
const POD_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const FORM = /^to=(?<to>\S+)\s+at=(?<at>\S+)$/;
const ANY = 'any';

const REMEDY = 'it must be "to=POD at=TIME", with the name of a pod or any, and a time such as 2026-11-29T03:00:00Z';

/** null: nothing is asked for. Never throws, whatever stands there. */
export function parseSwitchover(text: unknown): SwitchoverAsked | null {
  if (text === undefined || text === null || text === '') return null;
  return typeof text === 'string' ? parseText(text) : malformed('', `is ${show(text)}`);
}

function parseText(text: string): SwitchoverAsked {
  if (text.length > MAX_LENGTH) return malformed(text, 'is too long');
  const { to, at } = FORM.exec(text.trim())?.groups ?? {};
  if (to === undefined || at === undefined) return malformed(text, `is ${show(text)}`);
  if (!POD_NAME.test(to)) return malformed(text, `names ${show(to)}, which no pod can be called`);
  const atMs = Date.parse(at);
  if (!isTime(at) || atMs < 0 || atMs > LAST_MS) return malformed(text, `has the time ${show(at)}`);
  return { kind: 'asked', text, to: to === ANY ? null : to, atMs: wallMs(atMs) };
}

const malformed = (text: string, what: string): SwitchoverAsked => ({
  kind: 'malformed',
  text,
  problem: `the annotation leadergroup.dev/switchover ${what}, but ${REMEDY}`,
});

/** As `at` is shown: RFC 3339 in UTC, with milliseconds only where it has some. */
export const switchoverTime = (atMs: number): string => new Date(atMs).toISOString().replace('.000Z', 'Z');

/** As `to` is shown. */
export const switchoverTarget = (to: string | null): string => to ?? ANY;
