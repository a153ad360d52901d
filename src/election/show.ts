/** The leader stays, and what its slices show is put right. */
import type { Show } from './actions.ts';
import { labelled } from './candidates.ts';
import type { LockView, Observation, ObservedPod } from './observation.ts';
import { recordedToken } from './observed-tokens.ts';
import { dueOf, showingOf } from './route.ts';

/** What the slices show is not how the leader is by now, or somebody else has written them. Only after a verification. */
export function shownAnew(o: Observation, lock: LockView, holder: ObservedPod): readonly Show[] {
  if (o.route === null || !labelled(o.group, holder)) return [];
  const slices = dueOf(o, o.route, showingOf(o, holder), recordedToken(lock));
  return slices.length === 0 ? [] : [{ do: 'show', slices }];
}
