/** The controllers of a group's pods, as an observation shows them. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { LeaderGroup } from '../../api/leadergroup.ts';
import type { OwnerRef, Pod } from '../../api/pod.ts';
import { type Backoff, backoffMs } from '../../common/backoff.ts';
import { TRIAL_MS } from '../../election/label-trial.ts';
import type { LabelStop, ObservedPod, OwnerView, TrialView } from '../../election/observation.ts';
import { LABEL_STOP, labelStopOf, released } from '../../election/owners.ts';
import type { AcceptedReleases, GroupMemory, RememberedStop } from './memory.ts';
import type { OwnerReading, Owners } from './owners.ts';
import type { View } from './view.ts';

/** Where a group waits for another answer its controllers are read again so often. */
const AGAIN_MS = 60_000;
/** A read that failed is repeated by the next plan that needs it. */
const FAILED_AGAIN_MS = 1000;

export function ownerView(
  owners: Pick<Owners, 'of'>,
  { group, nowMs }: Pick<View, 'group' | 'nowMs'>,
  memory: GroupMemory,
  { owner }: Pod,
): OwnerView {
  if (owner === null) return { kind: 'none' };
  const reading = owners.of(owner);
  if (reading === null || isVoid(memory, owner, reading)) return { kind: 'unread' };
  if (outdated(saidBefore(group, memory), reading, nowMs)) return { kind: 'unread' };
  const { key } = group.spec.label;
  switch (reading.kind) {
    case 'read': {
      const { kind, name, selectorKeys, templateKeys, placementKeys } = reading.workload;
      const workload = `${kind} ${name}`;
      if (selectorKeys.includes(key)) return { kind: 'selects', workload };
      return { kind: 'clear', workload, template: templateKeys.includes(key), placement: placementKeys.includes(key) };
    }
    case 'gone':
      return { kind: 'none' };
    case 'unreadable':
    case 'failed':
      return { kind: 'unreadable', workload: `${owner.kind} ${owner.name}`, trial: trialOf(memory, owner.uid, nowMs) };
  }
}

/** A pod of it was released after that: whatever was read, its selector may have been edited since. */
const isVoid = ({ lossSeenMs }: GroupMemory, { uid }: OwnerRef, { atMs }: OwnerReading): boolean =>
  atMs < (lossSeenMs.get(uid) ?? atMs);

const outdated = (stopped: string | null, { kind, atMs }: OwnerReading, nowMs: MonotonicMs): boolean =>
  kind === 'failed' ? nowMs - atMs >= FAILED_AGAIN_MS : stopped !== null && nowMs >= atMs + AGAIN_MS;

/**
 * Where pods went again and again before a read could show whether they had been kept, the next one waits for longer each time, 4 s, 8 s and so
 * on without an end: a controller that releases them costs a few pods then (fifteen in a day), and a group that is well is never stopped.
 */
const UNSEEN: Backoff = { firstMs: 2 * TRIAL_MS, lastMs: Number.POSITIVE_INFINITY };

function trialOf(memory: GroupMemory, owner: string, nowMs: MonotonicMs): TrialView | null {
  const trial = memory.trials.get(owner);
  if (trial === undefined) return null;
  const { podUid, atMs, state } = trial;
  const pauseMs = state === 'gone' ? backoffMs(trial.unseen, UNSEEN) : TRIAL_MS;
  const leftMs = Math.max(0, atMs + pauseMs - nowMs);
  return state === 'gone' && leftMs === 0 ? null : { podUid, leftMs, kept: state === 'kept' };
}

/** The last stop: as the status has it, which outlives the process, or as this process remembers it, which needs no write. */
function lastStop({ status }: LeaderGroup, { labelStop: remembered }: GroupMemory): RememberedStop | null {
  const said = status?.conditions.find(({ type }) => type === 'Stalled');
  const stands = said?.status === 'True' && said.reason === LABEL_STOP;
  const written = stands ? { generation: said.observedGeneration, message: said.message } : null;
  return (written?.generation ?? 0) > (remembered?.generation ?? 0) ? written : (remembered ?? written);
}

/** What was said of a stop since the last edit, which ends it. A deletion raises the generation as well, by one. */
function saidBefore(group: LeaderGroup, memory: GroupMemory): string | null {
  const stop = lastStop(group, memory);
  const edited = group.deleting ? group.generation - 1 : group.generation;
  return stop !== null && stop.generation >= edited ? stop.message : null;
}

/** A group that was edited since it was stopped goes on: pods that had been released by then (`accepted`) do not count again. */
export function labelStop(
  owners: Pick<Owners, 'of'>,
  { group }: Pick<View, 'group'>,
  memory: GroupMemory,
  { pods, accepted }: { readonly pods: readonly ObservedPod[]; readonly accepted: AcceptedReleases },
): LabelStop | null {
  const fresh = releasesOf(group, memory, pods).filter(({ pod }) => !accepted.uids.has(pod.uid));
  const stop = labelStopOf(group, pods, fresh, saidBefore(group, memory));
  const readMs = stop === null ? [] : pods.flatMap(({ pod }) => (pod.owner && owners.of(pod.owner)?.atMs) ?? []);
  return stop === null || readMs.length === 0 ? stop : { ...stop, readAgainAtMs: Math.min(...readMs) + AGAIN_MS };
}

/**
 * The pods that had lost their controller before the group was edited. Looked for once for each edit: until the status says that the stop is
 * over, which may take long, whatever is released is released by what was written since.
 */
export function acceptedReleases(
  group: LeaderGroup,
  memory: GroupMemory,
  pods: readonly ObservedPod[],
): AcceptedReleases {
  const { acceptedReleases } = memory;
  const stop = lastStop(group, memory);
  const edited = stop !== null && stop.generation < group.generation && !group.deleting;
  if (!edited || acceptedReleases.generation === group.generation) return acceptedReleases;
  const uids = releasesOf(group, memory, pods).map(({ pod }) => pod.uid);
  return { generation: group.generation, uids: new Set([...acceptedReleases.uids, ...uids]) };
}

/** Some were seen with our own eyes: of a controller that leaves no mark on its pods nothing else tells. */
const releasesOf = (group: LeaderGroup, memory: GroupMemory, pods: readonly ObservedPod[]): readonly ObservedPod[] =>
  pods.filter(({ member, pod }) => member && (released(group, pod) || memory.lostOwners.has(pod.uid)));
