/** Which labels a plan changes. */
import type { PodUid } from '../api/ids.ts';
import type { PodRef } from '../api/pod.ts';
import { type Action, actionsOf, type FencingTarget, nextHolder, type Plan } from './actions.ts';
import type { Observation, ObservedPod } from './observation.ts';

/** What a fencing patch makes of the label (null: it comes off); undefined: the label stays as it is. */
export function labelAfter({ label }: FencingTarget, follower: string | null): string | null | undefined {
  if (label === 'keep' || label === 'foreign') return undefined;
  return label === 'follower' ? follower : null;
}

/** What is left of an action whose writes do not depend on one another. */
export function withoutPods<Some extends Action>(action: Some, uids: ReadonlySet<PodUid>): readonly Some[] {
  const left = <T extends { readonly pod: PodRef }>(all: readonly T[]): readonly T[] =>
    all.filter(({ pod }) => !uids.has(pod.uid));
  const some = <T>(all: readonly T[], make: (left: readonly T[]) => Some): readonly Some[] =>
    all.length === 0 ? [] : [make(all)];
  if (action.do === 'fence') return some(left(action.targets), (targets) => ({ ...action, targets }));
  if (action.do === 'cleanUp') return some(left(action.pods), (pods) => ({ ...action, pods }));
  if (action.do !== 'labelFollowers') return [];
  return some(
    action.pods.filter(({ uid }) => !uids.has(uid)),
    (pods) => ({ ...action, pods }),
  );
}

/** Pods whose label the plan changes. */
export const writesOf = (o: Observation, plan: Plan): readonly ObservedPod[] =>
  actionsOf(plan).flatMap((action) => labelWrites(o, action, nextHolder(plan)));

/**
 * Pods whose label the action changes. One that belongs to an outage is left out: its deadline does not wait. `next`: uid of whom a promotion
 * is for.
 */
export function labelWrites(o: Observation, action: Action, next: PodUid | null): readonly ObservedPod[] {
  const { key, leader, follower } = o.group.spec.label;
  const known = new Map(o.pods.map((observed) => [observed.pod.uid, observed]));
  const changed = (uid: PodUid, to: string | null | undefined): readonly ObservedPod[] => {
    const observed = known.get(uid);
    const stays = to === undefined || (observed?.pod.labels[key] ?? null) === to;
    return observed === undefined || stays ? [] : [observed];
  };
  if (action.do === 'promote') return next === null ? [] : changed(next, leader);
  if (action.do === 'labelFollowers') return action.pods.flatMap(({ uid }) => changed(uid, follower));
  if (action.do === 'cleanUp')
    return action.pods.flatMap(({ pod, label }) => (label === 'keep' ? [] : changed(pod.uid, null)));
  if (action.do !== 'fence' || action.because === 'outage') return [];
  return action.targets.flatMap((target) => changed(target.pod.uid, labelAfter(target, follower)));
}
