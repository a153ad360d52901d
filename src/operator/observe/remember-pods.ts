/** What writes and reads of pods leave in memory. */
import type { MonotonicMs, WallMs } from '../../api/clocks.ts';
import type { PodUid } from '../../api/ids.ts';
import type { Pod } from '../../api/pod.ts';
import type { OwedEvictions } from '../../election/observation.ts';
import { entriesThat, minus, plus, plusNewest, put, removed } from './collections.ts';
import { type AcceptedReleases, type GroupMemory, MOST_NOTED, newer, type Trial, type WriteRefusal } from './memory.ts';
import { repairedAgain } from './refusals.ts';

/** `trial`: it can show whether the controller keeps it. One that is being deleted is replaced whatever is written. */
type LabelWrite = { readonly label: string | null; readonly trial: boolean; readonly atMs: MonotonicMs };
type LabelAttempt = { readonly uid: PodUid; readonly owner: string; readonly before: LabelMemory };

/** What is remembered of the label of a pod: uid of the controller that it had when that was written, and the trial of its present one. */
export type LabelMemory = { readonly under: string | null; readonly trial: Trial | null };

export const labelMemory = ({ writtenUnder, trials }: GroupMemory, uid: PodUid, owner: string): LabelMemory => ({
  under: writtenUnder.get(uid) ?? null,
  trial: trials.get(owner) ?? null,
});

export type PodOutcome =
  /** An answer has shown it; the observation prefers it until the watch has caught up. */
  | { readonly kind: 'podRead'; readonly pod: Pod }
  /** By us. */
  | { readonly kind: 'podWritten'; readonly pod: Pod }
  /** The label of a pod is about to be changed, or may have been. `owner`: uid of its controller. `before`: what was remembered before. */
  | (LabelAttempt & LabelWrite & { readonly kind: 'labelSent' })
  /** It certainly was not. */
  | (LabelAttempt & { readonly kind: 'labelNotSent' })
  /** A pod is about to be written that has lost its controller already: this write is not why. */
  | { readonly kind: 'orphanWritten'; readonly uid: PodUid }
  /** A read of the pod by which a controller is tried. `kept`: it is as we wrote it, and that controller has it. */
  | { readonly kind: 'trialRead'; readonly owner: string; readonly kept: boolean }
  /** The API server says so. */
  | { readonly kind: 'podGone'; readonly uid: PodUid }
  /** Made while the lock had this version. */
  | { readonly kind: 'podsListed'; readonly version: string | null; readonly pods: readonly Pod[] }
  /** A list is good for one pass, and so is a GET that has shown the deletion: the group may be made anew under its name at any moment. */
  | { readonly kind: 'passEnded' }
  /** Counts for this version of the lock. */
  | { readonly kind: 'podFenced'; readonly uid: PodUid; readonly version: string | null }
  /** A fencing patch was sent, and nobody knows what became of it. */
  | { readonly kind: 'perhapsFenced'; readonly uid: PodUid }
  | { readonly kind: 'fencingMetConflict'; readonly uid: PodUid }
  | { readonly kind: 'fencingRefused'; readonly uid: PodUid; readonly refusal: WriteRefusal }
  /** All labels that the Consul outage asked for are off. */
  | { readonly kind: 'demotedForOutage' }
  | { readonly kind: 'promotionSent'; readonly uid: PodUid }
  /** `first`: no promotion of the pod was sent before, so none can be under way. */
  | { readonly kind: 'promotionRefused'; readonly uid: PodUid; readonly refusal: WriteRefusal; readonly first: boolean }
  | { readonly kind: 'promoted'; readonly uid: PodUid; readonly token: number }
  /** A handover is about to be sent. null: nobody is to be evicted for it. */
  | { readonly kind: 'evictionsOwed'; readonly evictions: OwedEvictions | null }
  /** The eviction of this pod is about to be asked for. */
  | { readonly kind: 'evictionAsked'; readonly uid: PodUid }
  /** null: none of them was refused. */
  | { readonly kind: 'followersLabelled'; readonly refusal: WriteRefusal | null }
  /** What somebody else had written is put right. */
  | { readonly kind: 'podRepaired'; readonly uid: PodUid; readonly atMs: MonotonicMs; readonly atWallMs: WallMs }
  | { readonly kind: 'contesterRead'; readonly uid: PodUid; readonly by: string }
  /** The group is as it should be. */
  | { readonly kind: 'settled' };

export function ofPods(memory: GroupMemory, outcome: PodOutcome): GroupMemory {
  switch (outcome.kind) {
    case 'podRead':
      return { ...memory, newerPods: withPod(memory.newerPods, outcome.pod) };
    case 'podWritten':
      return written(memory, outcome.pod);
    case 'labelSent':
      return labelSent(memory, outcome);
    case 'labelNotSent':
      return labelNotSent(memory, outcome);
    case 'orphanWritten': {
      const { acceptedReleases } = memory;
      return { ...memory, acceptedReleases: { ...acceptedReleases, uids: plus(acceptedReleases.uids, outcome.uid) } };
    }
    case 'trialRead':
      return trialRead(memory, outcome.owner, outcome.kept);
    case 'podGone':
      return { ...memory, goneUids: put(memory.goneUids, outcome.uid, true) };
    case 'podsListed': {
      const { version, pods } = outcome;
      return { ...memory, listed: { version, pods }, newerPods: withPods(memory.newerPods, pods) };
    }
    case 'passEnded':
      return { ...memory, listed: null, deletionShown: false };
    case 'podFenced':
      return withFence(fenced(memory, outcome.uid, outcome.version), outcome.uid);
    case 'perhapsFenced':
      return withFence(memory, outcome.uid);
    case 'fencingMetConflict': {
      const count = (memory.conflicts.get(outcome.uid) ?? 0) + 1;
      return { ...memory, conflicts: put(memory.conflicts, outcome.uid, count) };
    }
    case 'fencingRefused':
      return { ...memory, fencingRefusals: put(memory.fencingRefusals, outcome.uid, outcome.refusal) };
    case 'demotedForOutage':
      return { ...memory, demotedForOutage: true };
    case 'promotionSent':
      return promotionSent(memory, outcome.uid);
    case 'promotionRefused':
      return {
        ...memory,
        perhapsPromoted: outcome.first ? minus(memory.perhapsPromoted, outcome.uid) : memory.perhapsPromoted,
        promotionRefusals: put(memory.promotionRefusals, outcome.uid, outcome.refusal),
      };
    case 'promoted': {
      const { uid, token } = outcome;
      return {
        ...memory,
        promotionRefusals: removed(memory.promotionRefusals, uid),
        promoted: { uid, token, fenced: false },
      };
    }
    case 'evictionsOwed':
      return { ...memory, owedEvictions: outcome.evictions };
    case 'evictionAsked':
      return { ...memory, owedEvictions: withoutEviction(memory.owedEvictions, outcome.uid) };
    case 'followersLabelled':
      return { ...memory, followersRefused: outcome.refusal };
    case 'podRepaired': {
      const { uid, atMs, atWallMs } = outcome;
      return { ...memory, repairs: put(memory.repairs, uid, repairedAgain(memory.repairs.get(uid), atMs, atWallMs)) };
    }
    case 'contesterRead': {
      const repairs = memory.repairs.get(outcome.uid);
      if (repairs === undefined) return memory;
      return { ...memory, repairs: put(memory.repairs, outcome.uid, { ...repairs, by: outcome.by }) };
    }
    case 'settled':
      return memory.conflicts.size === 0 ? memory : { ...memory, conflicts: new Map() };
  }
}

/** Of whom nothing is remembered any more a promotion may be under way: then of nobody it is known that there is none. */
const promotionSent = (memory: GroupMemory, uid: PodUid): GroupMemory => ({
  ...memory,
  wholeIncarnation: memory.wholeIncarnation && memory.perhapsPromoted.size < MOST_NOTED,
  perhapsPromoted: plusNewest(memory.perhapsPromoted, uid, MOST_NOTED),
});

function withoutEviction(owed: OwedEvictions | null, asked: PodUid): OwedEvictions | null {
  const formers = (owed?.formers ?? []).filter(({ uid }) => uid !== asked);
  return owed === null || formers.length === 0 ? null : { ...owed, formers };
}

function withPod(pods: ReadonlyMap<PodUid, Pod>, pod: Pod): ReadonlyMap<PodUid, Pod> {
  const known = pods.get(pod.uid);
  return known === undefined || newer(pod, known) ? put(pods, pod.uid, pod) : pods;
}

function withPods(pods: ReadonlyMap<PodUid, Pod>, more: readonly Pod[]): ReadonlyMap<PodUid, Pod> {
  const all = new Map(pods);
  for (const pod of more) {
    const known = all.get(pod.uid);
    if (known === undefined || newer(pod, known)) all.set(pod.uid, pod);
  }
  return all;
}

/** A refusal is about the pod as it was: our own write is no reason to try again. */
const written = (memory: GroupMemory, pod: Pod): GroupMemory => ({
  ...memory,
  newerPods: withPod(memory.newerPods, pod),
  promotionRefusals: stillRefused(memory.promotionRefusals, pod),
  fencingRefusals: stillRefused(memory.fencingRefusals, pod),
});

/** The first pod of a controller whose label is written is its trial, which begins anew with each write to that pod. */
function labelSent(memory: GroupMemory, outcome: Extract<PodOutcome, { kind: 'labelSent' }>): GroupMemory {
  const { uid, owner, label, atMs } = outcome;
  const next = { ...memory, writtenUnder: put(memory.writtenUnder, uid, owner) };
  const known = memory.trials.get(owner);
  const another = known?.state === 'kept' || (known?.state === 'waiting' && known.podUid !== uid);
  if (!outcome.trial || another) return next;
  const trial: Trial = { podUid: uid, label, atMs, state: 'waiting', unseen: known?.unseen ?? 0 };
  return { ...next, trials: put(memory.trials, owner, trial) };
}

function trialRead(memory: GroupMemory, owner: string, kept: boolean): GroupMemory {
  const trial = memory.trials.get(owner);
  if (trial?.state !== 'waiting') return memory;
  return {
    ...memory,
    trials: put(memory.trials, owner, kept ? { ...trial, state: 'kept', unseen: 0 } : unseen(trial)),
  };
}

/** It shows nothing: the next pod waits for longer. */
export const unseen = (trial: Trial): Trial => ({ ...trial, state: 'gone', unseen: trial.unseen + 1 });

function labelNotSent(memory: GroupMemory, { uid, owner, before }: LabelAttempt): GroupMemory {
  const writtenUnder = restored(memory.writtenUnder, uid, before.under);
  if (memory.trials.get(owner)?.podUid !== uid) return { ...memory, writtenUnder };
  return { ...memory, writtenUnder, trials: restored(memory.trials, owner, before.trial) };
}

const restored = <Key extends string, Value>(
  map: ReadonlyMap<Key, Value>,
  key: Key,
  value: Value | null,
): ReadonlyMap<Key, Value> => (value === null ? removed(map, key) : put(map, key, value));

function stillRefused(
  refusals: ReadonlyMap<PodUid, WriteRefusal>,
  { uid, resourceVersion }: Pod,
): ReadonlyMap<PodUid, WriteRefusal> {
  const refusal = refusals.get(uid);
  return refusal === undefined ? refusals : put(refusals, uid, { ...refusal, resourceVersion });
}

function fenced(memory: GroupMemory, uid: PodUid, version: string | null): GroupMemory {
  const before = memory.fenced.version === version ? memory.fenced.uids : new Map<PodUid, true>();
  return {
    ...memory,
    fenced: { version, uids: put(before, uid, true) },
    conflicts: removed(memory.conflicts, uid),
    fencingRefusals: removed(memory.fencingRefusals, uid),
  };
}

/** What its last promotion has written may have been undone by us. */
const withFence = (memory: GroupMemory, uid: PodUid): GroupMemory =>
  memory.promoted?.uid === uid ? { ...memory, promoted: { ...memory.promoted, fenced: true } } : memory;

/**
 * A trial whose pod was released shows nothing but that: the controller is tried again with another pod. A loss that is accepted is forgotten,
 * so that the next one of the same pod is another.
 */
export function withAccepted(memory: GroupMemory, acceptedReleases: AcceptedReleases): GroupMemory {
  if (acceptedReleases === memory.acceptedReleases) return memory;
  const counts = (uid: PodUid): boolean => !acceptedReleases.uids.has(uid);
  const trials = entriesThat(memory.trials, (_, { podUid }) => counts(podUid));
  return { ...memory, acceptedReleases, trials, lostOwners: entriesThat(memory.lostOwners, counts) };
}
