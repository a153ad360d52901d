/** What the owner would see if something happened to a group: its own observation, with that changed. Pure, and nothing is performed by it. */
import type { Supposition } from '../api/diagnostics.ts';
import type { Pod } from '../api/pod.ts';
import type { Observation, ObservedPod } from './observation.ts';

export type Supposed = {
  readonly o: Observation;
  /** Names of the pods that it is about; of an outage of Consul none. */
  readonly touches: readonly string[];
  /** How long after it has happened the observation is, in milliseconds. */
  readonly afterMs: number;
};

export function suppose(o: Observation, what: Supposition): Supposed {
  switch (what.kind) {
    case 'drain':
      return without(drained(o, what.node), (observed) => goesByDrain(observed, what.node));
    case 'delete':
      return without(o, ({ pod }) => pod.name === what.pod);
    case 'consulDown':
      return cutOff(o);
  }
}

/** `kubectl drain` leaves pods of DaemonSets and mirrors of static pods, and tells every other one to end. */
const goesByDrain = ({ pod }: ObservedPod, node: string): boolean =>
  pod.node === node && pod.owner?.kind !== 'DaemonSet' && !pod.mirror;

const drained = (o: Observation, node: string): Observation => ({
  ...o,
  pods: o.pods.map((observed) => (observed.pod.node === node ? { ...observed, cordoned: true } : observed)),
});

/** These are told to end: they run on for a while, and can never lead again. */
function without(o: Observation, goes: (observed: ObservedPod) => boolean): Supposed {
  const touched = o.pods.filter((observed) => goes(observed) && !isGone(observed.pod));
  const uids = new Set(touched.map(({ pod }) => pod.uid));
  const ending = (observed: ObservedPod): ObservedPod =>
    uids.has(observed.pod.uid) ? { ...observed, pod: { ...observed.pod, deleting: true } } : observed;
  return { o: { ...o, pods: o.pods.map(ending) }, touches: touched.map(({ pod }) => pod.name), afterMs: 0 };
}

const isGone = ({ phase }: Pod): boolean => phase === 'Succeeded' || phase === 'Failed';

/** At the deadline of the lock: what is to happen by then has happened. */
function cutOff(o: Observation): Supposed {
  const afterMs = Math.max(0, o.lockDeadlineMs - o.nowMs);
  const nowMs = o.nowMs + afterMs;
  const wallSeconds = o.wallSeconds + Math.ceil(afterMs / 1000);
  return { o: { ...o, nowMs, wallSeconds, consulUnreachable: true }, touches: [], afterMs };
}
