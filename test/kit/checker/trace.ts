/** What the operator did to each group's pods, read off the differences. */
import { existsAt, fencedKey, isLabelled, isMember, tokenKey, tokenOf } from './groups.ts';
import type { WatchedGroup, WatchedPod } from './history.ts';
import type { Change, Step } from './steps.ts';

export type Act = { readonly step: Step; readonly pod: WatchedPod };

/** The label goes on, or a labelled pod gets another token. */
export type Promotion = Act & {
  /** null: no token annotation; NaN: one that is no token. */
  readonly token: number | null;
  readonly labelWentOn: boolean;
};

/** A new `fenced` value. `labelStayed`, of a label that is this group's, is a breach of its own. */
export type Fencing = Act & { readonly fenced: string; readonly labelStayed: boolean };

export type Trace = {
  readonly group: WatchedGroup;
  readonly promotions: readonly Promotion[];
  readonly fencings: readonly Fencing[];
  /** The operator took the label away without a `fenced` value, from a pod that keeps other keys of the group. */
  readonly bareDemotions: readonly Act[];
  /** Also before the group came: its operator may not have heard of them yet. */
  readonly deletions: readonly Act[];
  /** A pod succeeds or fails: a promotion that is under way names an earlier version. */
  readonly ends: readonly Act[];
  /** Steps after which more than one member carried a label of the operator's. */
  readonly doubles: readonly { readonly step: Step; readonly pods: readonly WatchedPod[] }[];
  /** Names by uid of every pod ever seen in the namespace. */
  readonly known: ReadonlyMap<string, WatchedPod>;
  /** Whether any pod was ever seen with the label. */
  readonly led: boolean;
};

type Draft = {
  readonly group: WatchedGroup;
  readonly promotions: Promotion[];
  readonly fencings: Fencing[];
  readonly bareDemotions: Act[];
  readonly deletions: Act[];
  readonly ends: Act[];
  readonly doubles: { step: Step; pods: readonly WatchedPod[] }[];
  readonly known: Map<string, WatchedPod>;
  readonly labelled: Map<string, WatchedPod>;
  led: boolean;
};

export function traceOf(group: WatchedGroup, steps: readonly Step[], groups: readonly WatchedGroup[]): Trace {
  const draft: Draft = {
    group,
    promotions: [],
    fencings: [],
    bareDemotions: [],
    deletions: [],
    ends: [],
    doubles: [],
    known: new Map(),
    labelled: new Map(),
    led: false,
  };
  const rivals = groups.filter((other) => other !== group && other.namespace === group.namespace);
  for (const step of steps) {
    for (const change of step.changes) if (change.pod.namespace === group.namespace) meet(draft, step, change);
    if (existsAt(group, step.resourceVersion)) follow(draft, step, rivals);
  }
  return draft;
}

function meet({ known, deletions, ends }: Draft, step: Step, { before, after, pod }: Change): void {
  known.set(pod.uid, pod);
  if (after === null) deletions.push({ step, pod });
  else if (isOver(after) && (before === null || !isOver(before))) ends.push({ step, pod });
}

const isOver = ({ phase }: WatchedPod): boolean => phase === 'Succeeded' || phase === 'Failed';

function follow(draft: Draft, step: Step, rivals: readonly WatchedGroup[]): void {
  const before = draft.labelled.size;
  let touched = false;
  for (const change of step.changes) {
    if (change.pod.namespace !== draft.group.namespace) continue;
    touched = followPod(draft, step, change, rivals) || touched;
  }
  if (draft.labelled.size > 0) draft.led = true;
  if (draft.labelled.size > 1 && (touched || before < 2)) {
    draft.doubles.push({ step, pods: [...draft.labelled.values()] });
  }
}

/** Returns whether a label of the operator's went on. */
function followPod(draft: Draft, step: Step, change: Change, rivals: readonly WatchedGroup[]): boolean {
  const { before, after, pod } = change;
  if (after === null) {
    draft.labelled.delete(pod.uid);
    return false;
  }
  if (step.kind !== 'first') noteFencing(draft, step, change);
  if (isLabelled(draft.group, after)) return noteLabelled(draft, step, { ...change, after }, rivals);
  draft.labelled.delete(pod.uid);
  const lost = isLabelled(draft.group, before) && change.by === 'operator';
  if (lost && bare(draft.group, before, after)) draft.bareDemotions.push({ step, pod });
  return false;
}

function noteLabelled(
  draft: Draft,
  step: Step,
  change: Change & { readonly after: WatchedPod },
  rivals: readonly WatchedGroup[],
): boolean {
  const { group } = draft;
  const { before, after, pod } = change;
  if (draft.labelled.has(pod.uid)) draft.labelled.set(pod.uid, after);
  const was = isLabelled(group, before);
  const sameToken = before?.annotations[tokenKey(group)] === after.annotations[tokenKey(group)];
  if ((was && sameToken) || !operators(group, change) || !concerns(group, change, rivals)) return false;
  draft.labelled.set(pod.uid, after);
  if (step.kind !== 'first') draft.promotions.push({ step, pod, token: tokenOf(group, after), labelWentOn: !was });
  return true;
}

const bare = (group: WatchedGroup, before: WatchedPod | null, after: WatchedPod): boolean =>
  before?.annotations[fencedKey(group)] === after.annotations[fencedKey(group)] &&
  after.annotations[tokenKey(group)] !== undefined;

function noteFencing(draft: Draft, step: Step, change: Change): void {
  const { group } = draft;
  const { before, after } = change;
  const fenced = after?.annotations[fencedKey(group)];
  if (after === null || fenced === undefined || fenced === before?.annotations[fencedKey(group)]) return;
  if (change.by === 'foreign') return;
  draft.fencings.push({
    step,
    pod: after,
    fenced,
    labelStayed: group.labelsStay !== true && isLabelled(group, after) && draft.labelled.has(after.uid),
  });
}

/** Of a label that a list found, the field manager tells whose it is; where that is unknown it counts as the operator's. */
const operators = (group: WatchedGroup, change: Change): boolean =>
  change.by === 'operator' ||
  (change.by === 'unseen' && change.pod.operatorOwns?.includes(`metadata.labels[${group.labelKey}]`) !== false);

/** Several groups of a namespace may share a label key: the token annotation tells whose promotion it is, else the selector. */
function concerns(group: WatchedGroup, change: Change, rivals: readonly WatchedGroup[]): boolean {
  const wrote = (candidate: WatchedGroup): boolean => change.changedAnnotations.includes(tokenKey(candidate));
  if (change.before !== null && wrote(group)) return true;
  if (change.before !== null && rivals.some(wrote)) return false;
  return isMember(group, change.pod);
}
