/** The promises as checks: each takes what happened to one group and returns the breaches. */
import { type Breach, type CheckOptions, DEFAULT_TOLERANCE_MS, type PromiseName, podName } from './breach.ts';
import { groupKey, type KeyState, type Moment, surelyAfter, type WatchedPod } from './history.ts';
import { type LockState, lockName } from './locks.ts';
import type { Change, Step } from './steps.ts';
import type { Act, Promotion, Trace } from './trace.ts';

export type Case = {
  readonly trace: Trace;
  readonly locks: readonly LockState[];
  /** Lists after the first: what happened in them is not known in order. */
  readonly gaps: readonly Step[];
  readonly options: CheckOptions;
};

const breach = (
  checked: Case,
  promise: PromiseName,
  pods: readonly WatchedPod[],
  at: { readonly step?: Step; readonly state?: KeyState },
  message: string,
): Breach => ({
  promise,
  group: groupKey(checked.trace.group),
  resourceVersion: at.step?.resourceVersion ?? null,
  index: at.state?.modifyIndex ?? null,
  pods: pods.map(podName),
  message,
});

const tolerance = (checked: Case): number => checked.options.toleranceMs ?? DEFAULT_TOLERANCE_MS;

/** I1: at every resourceVersion at most one member carries the leader label by the operator's doing. */
export const oneLabel = (checked: Case): readonly Breach[] =>
  checked.trace.doubles.map(({ step, pods }) =>
    breach(checked, 'I1', pods, { step }, `${pods.map(podName).join(' and ')} carry the leader label at once`),
  );

/**
 * I2: each promotion has a state of the lock in which the promoted member's own session held it, with the promotion's
 * token in the record, and which did not surely come after the promotion. Not checked: that the state was still current
 * when the promotion was sent; nobody but a proxy sees that (see wire.ts). A token that only fits between two
 * seen states may have stood in a state nobody saw, unless every state is in the history.
 */
export const backedByLock = (checked: Case): readonly Breach[] =>
  checked.trace.promotions.flatMap((promotion) => {
    const problem = unbacked(checked, promotion);
    return problem === null
      ? []
      : [breach(checked, problem.promise, [promotion.pod], { step: promotion.step }, problem.message)];
  });

function unbacked(
  checked: Case,
  promotion: Promotion,
): { readonly promise: PromiseName; readonly message: string } | null {
  const { token, pod, step } = promotion;
  const name = podName(pod);
  if (token === null) return { promise: 'I2', message: `${name} was promoted without a token` };
  const withToken = checked.locks.filter(({ record }) => record?.token === token);
  const own = withToken.find(({ holder }) => holder === pod.uid);
  if (own !== undefined) {
    return surelyAfter(own.state, step, tolerance(checked))
      ? { promise: 'I2', message: `${name} was promoted with token ${token} before its session held the lock` }
      : null;
  }
  const other = withToken.find(({ holder }) => holder !== null);
  const otherName = checked.trace.known.get(other?.holder ?? '')?.name;
  if (otherName === pod.name) {
    return { promise: 'I6', message: `${name} got token ${token}, meant for an earlier pod of the same name` };
  }
  if (other === undefined && withToken.length === 0 && mayBeUnseen(checked, token)) return null;
  return {
    promise: 'I2',
    message: `${name} was promoted with token ${token}, but its session never held the lock with it`,
  };
}

/** What the first record of a group says of how often it was written. */
const FIRST_WRITE = 1;

/** Whether a state with this token fits between two consecutive records that were seen, or before the first, and one may be missing there. */
function mayBeUnseen(checked: Case, token: number): boolean {
  if (checked.options.everyKeyState === true) return false;
  const records = checked.locks.flatMap(({ record }) => (record ? [record] : []));
  return records.some((later, at) => {
    const earlier = records[at - 1];
    if (later.token <= token) return false;
    if (earlier === undefined) return later.writes !== null && later.writes > FIRST_WRITE;
    if (earlier.token >= token) return false;
    return earlier.writes === null || later.writes === null || later.writes - earlier.writes !== 1;
  });
}

/**
 * I4: before the lock passes from one member to another, the old one is fenced: a `fenced` value never used
 * before and no label, or its deletion, or where it was never promoted its end. The fencing patch must come after every promotion of the old holder with a lower
 * token and before the new holder's promotion, both in resourceVersion order; and, by arrival times, not surely before
 * the old holder's last state of the lock (a verification in between would allow a promotion that nobody has written
 * off) and not surely after the lock's passing. A gap of the watch that
 * hides writes to the old holder leaves nothing to check. Where writes were refused, whoever was not promoted before, nor
 * later by what was given before, was no leader (ADR 0013).
 */
export const fencedFirst = (checked: Case): readonly Breach[] => [
  ...passings(checked).flatMap((passing) => {
    const message = notFenced(checked, passing);
    if (message === null || (checked.options.refusals === true && neverPromotedBy(checked, passing))) return [];
    const pods = [passing.from, passing.to].flatMap((uid) => checked.trace.known.get(uid) ?? []);
    return [breach(checked, 'I4', pods, { state: passing.state.state }, message)];
  }),
  ...fencedAnew(checked),
];

export type Passing = {
  readonly from: string;
  readonly to: string;
  /** The last state in which `from` held the lock. */
  readonly held: LockState;
  /** The first state in which `to` holds it. */
  readonly state: LockState;
};

/** Each time the lock went from one member to another, with nobody or externalHolders in between or not. */
export function passings(checked: Pick<Case, 'locks'>): readonly Passing[] {
  const found: Passing[] = [];
  let owed = new Map<string, LockState>();
  let highest = 0;
  for (const state of checked.locks) {
    const restored = state.firstOfIncarnation && state.record !== null && state.record.token <= highest;
    highest = Math.max(highest, state.record?.token ?? 0);
    if (state.holder === null) continue;
    if (restored) {
      owed.set(state.holder, state);
      continue;
    }
    for (const [from, held] of owed) {
      if (from !== state.holder) found.push({ from, to: state.holder, held, state });
    }
    owed = new Map([[state.holder, state]]);
  }
  return found;
}

function notFenced(checked: Case, passing: Passing): string | null {
  const { trace } = checked;
  const old = trace.known.get(passing.from);
  const promoted = trace.promotions.find(
    (act) => act.pod.uid === passing.to && act.token === passing.state.record?.token,
  );
  if (old === undefined || hiddenByGap(checked, passing, promoted) || leftInTime(checked, passing, promoted))
    return null;
  const newName = trace.known.get(passing.to)?.name ?? passing.to;
  return `${lockName(trace.group)} passed from ${podName(old)} to ${newName}, but ${old.name} was not fenced in between`;
}

function hiddenByGap(checked: Case, { from, held, state }: Passing, promoted: Promotion | undefined): boolean {
  const bound: Moment = promoted?.step ?? state.state;
  const between = (gap: Step): boolean =>
    !surelyAfter(held.state, gap, 0) && !surelyAfter(gap, bound, tolerance(checked));
  return checked.gaps.some((gap) => between(gap) && gap.changes.some((change) => hides(change, from)));
}

/** Whether the old holder was fenced or deleted between its last promotion and what followed; of one that was never promoted its end is enough. */
function leftInTime(checked: Case, { from, held, state }: Passing, promoted: Promotion | undefined): boolean {
  const { promotions, fencings, deletions, ends } = checked.trace;
  const toleranceMs = tolerance(checked);
  const token = state.record?.token ?? Number.POSITIVE_INFINITY;
  const last = promotions.findLast((act) => act.pod.uid === from && (act.token ?? 0) < token);
  const [after, until] = [last?.step.position ?? -1, promoted?.step.position ?? Number.POSITIVE_INFINITY];
  const inTime = ({ pod, step }: Act): boolean =>
    pod.uid === from && step.position > after && step.position < until && !surelyAfter(step, state.state, toleranceMs);
  return (
    deletions.some(inTime) ||
    (last === undefined && ends.some(inTime)) ||
    fencings.some((act) => inTime(act) && !surelyAfter(held.state, act.step, toleranceMs))
  );
}

/** With a token above that of the passing it was given the lock anew; any other promotion, however late, may have been under way. */
const neverPromotedBy = ({ trace }: Case, { from, state }: Passing): boolean =>
  trace.promotions.every(({ pod, token }) => pod.uid !== from || (token ?? 0) > (state.record?.token ?? Infinity));

/** Whether a list shows a pod in another version than the one known before: its writes in between are lost. */
const hides = ({ before, after, pod }: Change, uid: string): boolean =>
  pod.uid === uid && before?.resourceVersion !== after?.resourceVersion;

function fencedAnew(checked: Case): readonly Breach[] {
  const used = new Set<string>();
  const { trace } = checked;
  return [
    ...trace.fencings.flatMap(({ step, pod, fenced, labelStayed }) => {
      const again = used.has(fenced);
      used.add(fenced);
      if (again) return [breach(checked, 'I4', [pod], { step }, `the fenced value ${fenced} was used before`)];
      return labelStayed
        ? [breach(checked, 'I4', [pod], { step }, `${podName(pod)} was fenced but kept the label`)]
        : [];
    }),
    ...trace.bareDemotions.map(({ step, pod }) =>
      breach(checked, 'I4', [pod], { step }, `${podName(pod)} lost the label without a new fenced value`),
    ),
  ];
}
