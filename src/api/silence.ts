/** The annotation that says that work on a group is planned, at the border: `until=<RFC 3339> by=<who> reason=<text>`. */
import { type WallMs, wallMs } from './clocks.ts';
import { show } from './raw.ts';
import { isTime, LAST_MS } from './time.ts';

export type Silence =
  | {
      readonly kind: 'silence';
      /** When it ends by itself. */
      readonly untilMs: WallMs;
      /** Who has written it, as they say. */
      readonly by: string;
      /** Empty: none is given. */
      readonly reason: string;
    }
  /** It silences nothing. `problem`: a sentence without its end. */
  | { readonly kind: 'malformed'; readonly problem: string };

export const MAX_SILENCE_LENGTH = 400;
const FORM = /^until=(?<until>\S+)\s+by=(?<by>\S+)(?:\s+reason=(?<reason>.*))?$/;
/** Printable, in one line: it is shown in alerts and terminals. */
const TEXT = /^[^\p{Cc}\p{Cf}]*$/u;

const REMEDY = 'it must be "until=TIME by=WHO reason=TEXT", with a time such as 2026-11-29T03:00:00Z';

/** null: nobody has asked for silence. Never throws, whatever stands there. */
export function parseSilence(text: unknown): Silence | null {
  if (text === undefined || text === null || text === '') return null;
  return typeof text === 'string' ? parseText(text.trim()) : malformed(`is ${show(text)}`);
}

function parseText(text: string): Silence {
  if (text.length > MAX_SILENCE_LENGTH) return malformed('is too long');
  const { until, by, reason = '' } = FORM.exec(text)?.groups ?? {};
  if (until === undefined || by === undefined || !TEXT.test(text)) return malformed(`is ${show(text)}`);
  const untilMs = Date.parse(until);
  if (!isTime(until) || untilMs < 0 || untilMs > LAST_MS) return malformed(`has the time ${show(until)}`);
  return { kind: 'silence', untilMs: wallMs(untilMs), by, reason: reason.trim() };
}

const malformed = (what: string): Silence => ({
  kind: 'malformed',
  problem: `the annotation leadergroup.dev/silence ${what}, but ${REMEDY}`,
});

/** As the annotation is written. `by` loses its spaces, by which its end is known. */
export function silenceText(until: string, by: string, reason: string): string {
  return `until=${until} by=${by.replaceAll(/\s+/g, '_')} reason=${reason.trim()}`;
}

/** For how long it still lasts, in milliseconds; 0: nothing is silenced (any more). */
export const silencedForMs = (silence: Silence | null, nowMs: number): number =>
  silence?.kind === 'silence' ? Math.max(0, silence.untilMs - nowMs) : 0;
