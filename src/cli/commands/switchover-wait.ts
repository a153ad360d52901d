/** Waits for what becomes of a switchover, and measures for how long nobody carried the label, as it is seen from here. */
import { asObject, field, type RawObject, textField } from '../../api/raw.ts';
import type { Change } from '../api-server.ts';
import { ApiError } from '../errors.ts';
import { type Group, groupOf } from '../groups.ts';
import { LEADER_GROUPS, PODS } from '../resources.ts';
import type { Session } from '../session.ts';

export type Outcome =
  | {
      readonly kind: 'moved';
      readonly to: string;
      readonly token: number | null;
      /** Without a leader label, by the watch of this program; null: it was not seen. */
      readonly gapMs: number | null;
      /** What the operator says that the change took; null: it does not say. */
      readonly tookMs: number | null;
    }
  | { readonly kind: 'refused'; readonly reason: string; readonly message: string }
  /** The time was over, or the group went. */
  | { readonly kind: 'unanswered'; readonly why: string };

export type Waiting = { readonly at: string; readonly ask: () => Promise<RawObject>; readonly waitMs: number };

/** Watches before it asks, so that nothing is missed. */
export async function waitForSwitchover(
  session: Session,
  group: Group,
  { at, ask, waitMs }: Waiting,
): Promise<Outcome> {
  const over = new AbortController();
  const signal = AbortSignal.any([session.signal, over.signal]);
  const cancel = session.clock.after(waitMs, () => over.abort());
  const gap = gapMeter(session, group);
  const measuring = gap.run(signal);
  try {
    await gap.ready;
    const asked = await ask();
    return await answered(session, group, { at, from: asked, signal, waitMs, gap: gap.ms });
  } finally {
    cancel();
    over.abort();
    await measuring;
  }
}

type Answering = {
  readonly at: string;
  readonly from: RawObject;
  readonly signal: AbortSignal;
  readonly waitMs: number;
  readonly gap: () => number | null;
};

async function answered(
  session: Session,
  { namespace, name }: Group,
  { at, from, signal, waitMs, gap }: Answering,
): Promise<Outcome> {
  const selection = { namespace, fieldSelector: `metadata.name=${name}` };
  let resourceVersion = versionOf(from);
  while (!signal.aborted) {
    for await (const { type, object } of session.api.watch(LEADER_GROUPS, selection, { resourceVersion, signal })) {
      if (type === 'DELETED') return { kind: 'unanswered', why: 'the group was deleted meanwhile' };
      if (type === 'ERROR') break;
      resourceVersion = versionOf(object);
      const outcome = outcomeIn(object, at, gap());
      if (outcome !== null) return outcome;
    }
    if (isOver(signal)) break;
    const listed = await session.api.list(LEADER_GROUPS, selection);
    resourceVersion = listed.resourceVersion;
    const outcome = listed.items.map((item) => outcomeIn(item, at, gap())).find((found) => found !== null);
    if (outcome !== undefined) return outcome;
  }
  session.signal.throwIfAborted();
  return { kind: 'unanswered', why: `no operator has answered within ${waitMs / 1000} s` };
}

const isOver = ({ aborted }: AbortSignal): boolean => aborted;

const versionOf = (object: RawObject): string =>
  textField(asObject(field(object, 'metadata')) ?? {}, 'resourceVersion');

/** null: it says nothing of this one. */
function outcomeIn(object: RawObject, at: string, gapMs: number | null): Outcome | null {
  const last = asObject(field(asObject(field(object, 'status')) ?? {}, 'lastSwitchover'));
  if (last === null || Date.parse(textField(last, 'at')) !== Date.parse(at)) return null;
  if (textField(last, 'result') === 'Refused')
    return { kind: 'refused', reason: textField(last, 'reason'), message: textField(last, 'message') };
  const to = textField(last, 'to');
  const { status } = groupOf(object) ?? { status: null };
  const change = status?.recentTransitions.find((each) => each.to === to);
  const tookMs = change?.durationMilliseconds ?? null;
  return { kind: 'moved', to, token: change?.token ?? null, gapMs, tookMs };
}

/** Without the right to watch pods there is no measurement, and nothing else is lost. */
function gapMeter(session: Session, group: Group) {
  const { promise: ready, resolve: begun } = Promise.withResolvers<void>();
  let lostMs: number | null = null;
  let gapMs: number | null = null;
  const note = ({ type }: Change): void => {
    if (type === 'DELETED') lostMs = session.clock.nowMs();
    else if (type === 'ADDED' && lostMs !== null) gapMs = session.clock.nowMs() - lostMs;
  };
  const run = async (signal: AbortSignal): Promise<void> => {
    const label = group.valid?.spec.label ?? { key: '', leader: '' };
    const selection = { namespace: group.namespace, labelSelector: `${label.key}=${label.leader}` };
    try {
      const { resourceVersion } = await session.api.list(PODS, selection);
      begun();
      for await (const change of session.api.watch(PODS, selection, { resourceVersion, signal }))
        if (isOf(group, change)) note(change);
    } catch (error) {
      if (!(error instanceof ApiError) && !signal.aborted) throw error;
    } finally {
      begun();
    }
  };
  return { run, ready, ms: (): number | null => gapMs };
}

/** Other groups of the namespace may use the same label. */
function isOf({ name, status }: Group, { object }: Change): boolean {
  const metadata = asObject(field(object, 'metadata')) ?? {};
  const keys = Object.keys(asObject(field(metadata, 'annotations')) ?? {});
  return keys.includes(`token.leadergroup.dev/${name}`) || status.leader === textField(metadata, 'name');
}

export function sentenceOf(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'moved': {
      const token = outcome.token === null ? '' : ` with token ${outcome.token}`;
      const took = outcome.tookMs === null ? '' : `; the change took ${outcome.tookMs} ms by the operator`;
      const gap =
        outcome.gapMs === null
          ? ''
          : `, and nobody carried the label for ${Math.round(outcome.gapMs)} ms as seen from here`;
      return `${outcome.to} leads${token}${took}${gap}.`;
    }
    case 'refused':
      return `Refused (${outcome.reason}): ${outcome.message}`;
    case 'unanswered':
      return `Unknown: ${outcome.why}. It may still be done, up to ten minutes after it was asked for; removing the annotation leadergroup.dev/switchover withdraws it while nothing has begun.`;
  }
}
