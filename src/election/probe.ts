/** What a leader probe has brought, and whether the leader is to be replaced for it. Pure; src/operator/probe asks and listens. */
import type { MonotonicMs } from '../api/clocks.ts';
import type { PodUid } from '../api/ids.ts';
import type { LeaderProbe } from '../api/leader-probe.ts';

/** What one replica has learnt of a group since it got its bucket. All times are monotonic milliseconds. */
export type ProbeView = {
  /** Since when it listens. What came before it had the bucket another one has heard. */
  readonly sinceMs: MonotonicMs;
  /** Whom it has seen lead last, and since when; null: nobody. */
  readonly leader: { readonly uid: PodUid; readonly sinceMs: MonotonicMs } | null;
  /** Why nothing that it learns can be trusted now; null: it can. */
  readonly blind: string | null;
  /** The node of this replica; null: it has none, or nobody knows. */
  readonly ownNode: string | null;
  /** When this process last went on after it had stood still for half a period; null: it has not. */
  readonly stalledMs: MonotonicMs | null;
  /** How often the threshold has doubled. */
  readonly level: number;
  /** By uid, when questions of the member arrived. */
  readonly heard: ReadonlyMap<PodUid, Arrivals>;
  /** Uid of the leader whom a replica had judged before this one had the bucket, as the status says: it asked in its rhythm. null: nobody. */
  readonly judgedBefore: string | null;
  /** By uid, what the member answered when it was asked. */
  readonly answers: ReadonlyMap<PodUid, Answers>;
  /** Since when it asks who may lead next: what is answered since then counts for that, and nothing else does. null: it does not. */
  readonly searchSinceMs: MonotonicMs | null;
};

/** When the questions of a member arrived: as little as judging takes, whatever the threshold. */
export type Arrivals = {
  /** Rising; those of the `failureThreshold` periods before the last one. Empty: none. */
  readonly recentMs: readonly MonotonicMs[];
  /** Since when, until the last one, it was never silent for longer than a period. */
  readonly steadySinceMs: MonotonicMs;
};

/** `failures`: in a row, the first of them asked for at `sinceMs`; 0: it passed. */
export type Answers = {
  readonly failures: number;
  readonly sinceMs: MonotonicMs;
  /** When it was last asked, or was to be, and what it answered when it was. */
  readonly lastMs: MonotonicMs;
  readonly failure: ProbeFailure | null;
  /** Since when and why this replica could not ask it, for something of its own; null: it could, the last time. */
  readonly notAsked: { readonly why: string; readonly sinceMs: MonotonicMs } | null;
  /** When it was last asked, and passed, in one round with the leader, whatever that answered. null: it has failed since, or was never asked so. */
  readonly besideMs: MonotonicMs | null;
};

/** How a probe fails: nothing else is told of a pod. */
export type ProbeFailure = 'Silent' | 'Timeout' | 'Refused' | 'Reset' | 'Status4xx' | 'Status5xx';

export type Judgement =
  | { readonly kind: 'passing' }
  /** Its readiness decides. */
  | { readonly kind: 'notJudged'; readonly why: 'NotJudged' | 'NoRhythm' | 'ProbeBlind'; readonly detail: string }
  /** `successors`: those who passed all the while, in the order given; empty: it is kept. */
  | { readonly kind: 'failing'; readonly failure: ProbeFailure; readonly successors: readonly PodUid[] };

/** Who is judged, and who else may lead. `addressed`: the pod has an address of its own. */
export type Judged = {
  readonly nowMs: MonotonicMs;
  readonly leader: { readonly uid: PodUid; readonly addressed: boolean };
  readonly others: readonly PodUid[];
  /** By uid, of these pods. */
  readonly nodes: ReadonlyMap<PodUid, string | null>;
};

/** Doubles no further. */
export const MAX_LEVEL = 6;

/** So often must a leader fail. */
export const thresholdAt = ({ failureThreshold }: LeaderProbe, level: number): number =>
  failureThreshold * 2 ** Math.min(level, MAX_LEVEL);

/** For so long must a leader fail. */
export const limitMs = (probe: LeaderProbe, level: number): number => probe.periodMs * thresholdAt(probe, level);

const NEVER: Arrivals = { recentMs: [], steadySinceMs: Number.POSITIVE_INFINITY };

/** Clients that could reach no replica for a while ask no more often than each half minute, some of them. */
const UNHEARD_MS = 30_000;

export const judge = (probe: LeaderProbe, view: ProbeView, judged: Judged): Judgement =>
  probe.by.kind === 'gate' ? judgeSilence(probe, view, judged) : judgeAnswers(probe, view, judged);

/** An address may be another pod's by now, so a replica that is blind neither asks nor judges. What failed while this process stood still began anew. */
function judgeAnswers(probe: LeaderProbe, view: ProbeView, judged: Judged): Judgement {
  const { nowMs, leader } = judged;
  if (!leader.addressed) return blind('its pod has no address of its own');
  if (view.blind !== null) return blind(view.blind);
  const answers = view.answers.get(leader.uid);
  if (answers === undefined || !hasLedFor(view, leader.uid, limitMs(probe, view.level), nowMs)) return early;
  const { failure, failures, notAsked, sinceMs } = answers;
  const fails = failures >= thresholdAt(probe, view.level);
  if (notAsked !== null && (fails || nowMs - notAsked.sinceMs >= limitMs(probe, view.level)))
    return blind(notAsked.why);
  if (failure === null || !fails) return { kind: 'passing' };
  if (view.stalledMs !== null && view.stalledMs >= sinceMs) return early;
  return judgeFailing(probe, view, judged, failure);
}

/** By whom it can be replaced that has failed so often. */
function judgeFailing(probe: LeaderProbe, view: ProbeView, judged: Judged, failure: ProbeFailure): Judgement {
  const successors = judged.others.filter((uid) => answeredWell(probe, view, uid, judged));
  if (reachesOwnNodeAlone(view, judged, successors)) return blind(OWN_NODE_ALONE);
  return { kind: 'failing', failure, successors };
}

const OWN_NODE_ALONE =
  'of the pods that the operator asked only those on its own node have answered, so that node may be cut off from the pods of others';

/**
 * A node whose way to the pods of others is broken reaches the API server all the same, and every leader elsewhere fails. It shows where pods of a third
 * node fail as well. With two nodes nothing tells which of them is cut off, and whoever reaches the API server is believed.
 */
function reachesOwnNodeAlone(
  { ownNode, answers }: ProbeView,
  { leader, others, nodes }: Judged,
  successors: readonly PodUid[],
): boolean {
  const isNear = (uid: PodUid): boolean => nodes.get(uid) === ownNode;
  if (ownNode === null || successors.length === 0 || isNear(leader.uid) || !successors.every(isNear)) return false;
  const sinceMs = answers.get(leader.uid)?.sinceMs ?? 0;
  const fails = ({ failures, lastMs }: Answers): boolean => failures > 0 && lastMs >= sinceMs;
  return others.some((uid) => {
    const found = answers.get(uid);
    return found !== undefined && fails(found) && !isNear(uid) && nodes.get(uid) !== nodes.get(leader.uid);
  });
}

/** Silence is the time since the last question arrived; a question that waits counts when it arrives. */
function judgeSilence(probe: LeaderProbe, view: ProbeView, judged: Judged): Judgement {
  const { nowMs, leader } = judged;
  const silenceMs = limitMs(probe, view.level);
  const { recentMs } = view.heard.get(leader.uid) ?? NEVER;
  const lastMs = recentMs.at(-1);
  if (!hasLedFor(view, leader.uid, silenceMs, nowMs)) return early;
  if (lastMs === undefined) return judgeUnheard(probe, view, judged);
  if (!heardInEach(recentMs, lastMs, probe.failureThreshold, probe.periodMs))
    return noRhythm(`it did not ask in each of the ${probe.failureThreshold} periods before its last question`);
  if (nowMs - lastMs < silenceMs) return { kind: 'passing' };
  return judgeSilent(probe, view, judged, silenceMs);
}

/**
 * One that this replica has not heard once, and another had judged, may have fallen silent while its group got another owner. It may also be a client
 * that could reach nobody then, and waits for a while before it asks again: so the silence must be longer.
 */
function judgeUnheard(probe: LeaderProbe, view: ProbeView, judged: Judged): Judgement {
  const { nowMs, leader } = judged;
  if (!leader.addressed) return blind('its pod has no address of its own');
  if (view.judgedBefore !== leader.uid) return noRhythm('it has not asked the gate');
  const silenceMs = Math.max(limitMs(probe, view.level), UNHEARD_MS);
  return hasLedFor(view, leader.uid, silenceMs, nowMs) ? judgeSilent(probe, view, judged, silenceMs) : early;
}

/** By whom it can be replaced that has been silent for so long. */
function judgeSilent(probe: LeaderProbe, view: ProbeView, { nowMs, others }: Judged, silenceMs: number): Judgement {
  if (view.blind !== null) return blind(view.blind);
  if (view.stalledMs !== null && nowMs - view.stalledMs < silenceMs) return early;
  const passed = (uid: PodUid) => heardThroughout(view.heard.get(uid) ?? NEVER, nowMs - silenceMs, nowMs, probe);
  return { kind: 'failing', failure: 'Silent', successors: others.filter(passed) };
}

const early: Judgement = {
  kind: 'notJudged',
  why: 'NotJudged',
  detail: 'it is judged once it has led for as long as it may fail',
};
const noRhythm = (detail: string): Judgement => ({ kind: 'notJudged', why: 'NoRhythm', detail });
const blind = (detail: string): Judgement => ({ kind: 'notJudged', why: 'ProbeBlind', detail });

/** Under this replica: what it did not hear itself it cannot miss. */
function hasLedFor({ sinceMs, leader }: ProbeView, uid: PodUid, forMs: number, nowMs: MonotonicMs): boolean {
  return leader?.uid === uid && nowMs - Math.max(sinceMs, leader.sinceMs) >= forMs;
}

/** In each of `periods` periods before `endMs`, which itself does not count. */
function heardInEach(heardMs: readonly MonotonicMs[], endMs: MonotonicMs, periods: number, periodMs: number): boolean {
  const found = new Set(heardMs.filter((atMs) => atMs < endMs).map((atMs) => Math.ceil((endMs - atMs) / periodMs)));
  return Array.from({ length: periods }, (_, at) => at + 1).every((period) => found.has(period));
}

/**
 * In every period between the two moments, wherever it begins: where all were cut off for a while, one may have been heard right before and right
 * after, in two periods that meet in between.
 */
function heardThroughout(
  { recentMs, steadySinceMs }: Arrivals,
  fromMs: MonotonicMs,
  toMs: MonotonicMs,
  { periodMs }: LeaderProbe,
): boolean {
  const lastMs = recentMs.at(-1) ?? Number.NEGATIVE_INFINITY;
  return steadySinceMs - fromMs <= periodMs && toMs - lastMs <= periodMs;
}

/** Whoever asks the gate is heard twice in each period; who is asked has answered in the search for whoever may lead next. */
export const passesNow = (probe: LeaderProbe, view: ProbeView, uid: PodUid, nowMs: MonotonicMs): boolean =>
  probe.by.kind === 'gate'
    ? nowMs - (view.heard.get(uid)?.recentMs.at(-1) ?? Number.NEGATIVE_INFINITY) < probe.periodMs
    : wasSearched(view, uid) && passed(view.answers.get(uid));

/** Asked since somebody is looked for who may lead next. */
export const wasSearched = ({ answers, searchSinceMs }: ProbeView, uid: PodUid): boolean =>
  searchSinceMs !== null && (answers.get(uid)?.lastMs ?? Number.NEGATIVE_INFINITY) >= searchSinceMs;

const passed = (answers: Answers | undefined): boolean => answers?.failure === null && answers.notAsked === null;

/** What came out of asking counts for so long after the last answer to it. */
export const JUST_NOW_MS = 1000;

/**
 * Asked with the leader when that failed, and no failure since. One that was asked alone, as a preemption or a switchover has it asked, shows nothing: where both
 * were cut off together the leader may pass again by then. Nor does one that was asked in a round in which the leader passed, too: all may have been cut off
 * since. An answer counts for as long as the others may take that were asked with it, too.
 */
function answeredWell({ by }: LeaderProbe, { answers }: ProbeView, uid: PodUid, { nowMs, leader }: Judged): boolean {
  const found = answers.get(uid);
  const failsSinceMs = answers.get(leader.uid)?.sinceMs ?? Number.POSITIVE_INFINITY;
  const besideMs = found?.besideMs ?? Number.NEGATIVE_INFINITY;
  const isLate = nowMs - besideMs > JUST_NOW_MS + (by.kind === 'httpGet' ? by.timeoutMs : 0);
  return passed(found) && besideMs >= failsSinceMs && !isLate;
}
