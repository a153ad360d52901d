/**
 * Who is asked before it gets the lead (spec.beforePromotion), and when.
 *
 * **Guarantees** While `askedFirst` returns a plan nothing is revoked, fenced or locked for the nominee. Whoever leads already is not asked: giving it back its
 * label is no promotion. **Assumptions** Whoever plans to give the lock or the label to a pod asks this before.
 */
import type { PodUid } from '../api/ids.ts';
import type { LeaderGroup } from '../api/leadergroup.ts';
import { fencedAnnotation, sinceAnnotation } from '../api/names.ts';
import type { Pod } from '../api/pod.ts';
import { isTime, millisecondsOf } from '../api/time.ts';
import type { Idle, Look } from './actions.ts';
import { promotedByLabel, rankedCandidates } from './candidates.ts';
import { refOf } from './fencing.ts';
import type { Observation, ObservedPod } from './observation.ts';
import { recordedToken } from './observed-tokens.ts';
import { look, nothing } from './plans.ts';
import { failedAnswer, isAsked, mayBePromoted } from './promotion-answers.ts';
import { holderAmong } from './sessions.ts';
import { tokenOf } from './token.ts';
import { trustOf } from './trust.ts';

/** The answer wakes the group; this is for what nobody thought of. */
const LOOK_MS = 1000;
const ASKED_MOST = 64;

/** null: the first of these may be promoted. Of the others as many are asked with it as have failed so far: a few rounds reach all. */
export function askedFirst(o: Observation, nominees: readonly ObservedPod[]): Idle | Look | null {
  const { beforePromotion: view } = o;
  const [nominee] = nominees;
  if (view === null || nominee === undefined || leads(o, nominee) || mayBePromoted(o, nominee)) return null;
  if (view.blind !== null) return nothing(`nobody can be asked before a promotion: ${view.blind}`, LOOK_MS);
  if (isAsked(o, nominee)) return nothing('waiting for what the nominee answers', LOOK_MS);
  const failed = [...view.answers.values()].filter(({ kind }) => kind === 'failed').length;
  const pods = nominees
    .slice(0, Math.min(Math.max(1, failed), ASKED_MOST))
    .filter((each) => each.pod.addresses.length > 0 && !mayBePromoted(o, each) && !isAsked(o, each));
  return look(
    [{ do: 'askBeforePromotion', pods: pods.map(refOf) }],
    `asking ${nominee.pod.name} before it is promoted`,
  );
}

/**
 * It carries the label of a promotion, or was promoted with the very token that the record names it with, and asked for that: somebody else has taken off
 * what the promotion wrote, or we have, and it has not been started anew since.
 */
export function leads(o: Observation, observed: ObservedPod): boolean {
  if (promotedByLabel(o.group, observed)) return true;
  const { lock } = o;
  const { pod } = observed;
  if (lock?.record?.holder.uid !== pod.uid) return false;
  if (trustOf(o, lock, holderAmong(o.sessions, lock)) !== 'good') return false;
  const token = recordedToken(lock);
  if (pod.annotations[fencedAnnotation(o.group.name)] === undefined)
    return tokenOf(pod, o.group.name) === token || isShownWith(o.group, pod.uid, token);
  return tokenOf(pod, o.group.name) === token && runsSince(pod, pod.annotations[sinceAnnotation(o.group.name)] ?? '');
}

/** Whatever somebody has taken off the pod. */
const isShownWith = ({ status }: LeaderGroup, uid: PodUid, token: number): boolean =>
  status?.leaders.some((shown) => shown.uid === uid && shown.token === token) === true;

/**
 * Its containers had started before that time, by the clocks of its node and of the replica that wrote it. Starts are told in whole seconds: one within the same
 * second may have been after it.
 */
const runsSince = ({ runningSinceMs }: Pod, since: string): boolean =>
  runningSinceMs !== null && isTime(since) && runningSinceMs < Math.floor(millisecondsOf(since) / 1000) * 1000;

/** It holds the lock, was never promoted with it, and has failed: others go first, also when it may be asked again. */
export function yieldsLock(o: Observation, holder: ObservedPod): boolean {
  if (o.group.spec.beforePromotion?.onFailure !== 'NextCandidate' || leads(o, holder)) return false;
  const failed = failedAnswer(o, holder);
  if (failed === null) return false;
  return o.nowMs < failed.retryAtMs || rankedCandidates(o).some((each) => isBetter(o, each, holder));
}

/** Of these candidates, those that need not yield to one that has passed: they have not failed, or lead. */
export function unyielding(o: Observation, candidates: readonly ObservedPod[]): readonly ObservedPod[] {
  if (o.group.spec.beforePromotion?.onFailure !== 'NextCandidate') return candidates;
  if (!candidates.some((each) => mayBePromoted(o, each))) return candidates;
  return candidates.filter((each) => leads(o, each) || failedAnswer(o, each) === null);
}

/** It passed, where the holder did not. */
const isBetter = (o: Observation, each: ObservedPod, holder: ObservedPod): boolean =>
  each.pod.uid !== holder.pod.uid && mayBePromoted(o, each);
