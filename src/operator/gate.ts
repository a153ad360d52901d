/** Answers applications from what is known; no request is sent for an answer. */
import type { LeaderGroup } from '../api/leadergroup.ts';
import type { Pod } from '../api/pod.ts';
import { answerGate, type GateAnswer, MAX_YES_MS } from '../election/gate.ts';
import type { Changes, ChangeWatch } from './changes.ts';
import type { Reconciler } from './reconciler.ts';
import type { BucketOwnership } from './replicas/ownership.ts';
import { groupKey, type Store } from './store.ts';
import type { Yeses } from './yeses.ts';

export type GroupName = { readonly namespace: string; readonly name: string };

/** Who can answer for a group. */
export type Answerer =
  | { readonly kind: 'self' }
  | { readonly kind: 'other'; readonly id: string; readonly url: string | null }
  | { readonly kind: 'nobody' };

export type Gate = {
  /**
   * May this pod act as the leader of the group now? A yes is noted: no hand-over begins before it has run out. Without a pod the
   * answer is never a yes, but tells who leads.
   */
  ask(group: GroupName, podUid: string | null): GateAnswer;
  /** As the watches show it; null: there is no such LeaderGroup, or it cannot be acted on. */
  group(group: GroupName): LeaderGroup | null;
  /** Whether the caches are full; before that nothing is known to be missing. */
  synced(): boolean;
  /**
   * A pod that the group selects, or that leads it; null: none of this name, or another than the one of this uid. A name alone (`uid`
   * null) does not tell the old process of a StatefulSet's pod, on a node that is cut off, from the new pod.
   */
  member(group: GroupName, pod: string, uid: string | null): Pod | null;
  /** The pod that has this address for itself; null: none, or several. */
  podAt(address: string): Pod | null;
  /** The groups that select the pod. */
  groupsOf(pod: Pod): readonly LeaderGroup[];
  answerer(group: GroupName): Answerer;
  /** Whether the address is another replica's. */
  isReplica(address: string): boolean;
  /** Tells when an answer about the group may be another. */
  watch(group: GroupName): ChangeWatch;
};

export type GateParts = {
  readonly ask: Gate['ask'];
  readonly store: Store;
  readonly ownership: Pick<BucketOwnership, 'of' | 'ownerOf' | 'live'>;
  readonly changes: Changes;
  readonly synced: () => boolean;
  /** Id of this replica. */
  readonly self: string;
};

/** `validityMs`: a yes is good for so long at most; never longer than MAX_YES_MS. */
export function createAsk(reconciler: Reconciler, yeses: Yeses, validityMs: number): Gate['ask'] {
  const maxMs = Math.min(validityMs, MAX_YES_MS);
  return (group, podUid) => {
    const key = groupKey(group);
    const observation = reconciler.asked(key);
    if (observation === null)
      return { kind: 'unknown', reason: 'there is no such LeaderGroup, or it cannot be acted on' };
    const answer = answerGate(observation, podUid, maxMs);
    if (answer.kind === 'yes') yeses.give(key, answer.leader.uid, observation.nowMs + answer.validForMs);
    return answer;
  };
}

export function createGate({ ask, store, ownership, changes, synced, self }: GateParts): Gate {
  function groupNamed(name: GroupName): LeaderGroup | null {
    const parsed = store.group(groupKey(name));
    return parsed?.kind === 'valid' ? parsed.group : null;
  }

  function answerer(group: GroupName): Answerer {
    if (ownership.of(group).kind === 'owned') return { kind: 'self' };
    const owner = ownership.ownerOf(group);
    if (owner === null) return { kind: 'nobody' };
    return owner.id === self ? { kind: 'self' } : { kind: 'other', id: owner.id, url: owner.url };
  }

  return {
    ask,
    synced,
    group: groupNamed,
    member: (group, pod, uid) => {
      if (groupNamed(group) === null) return null;
      const found = store.podsConcerning(groupKey(group)).find((stored) => stored.pod.name === pod)?.pod ?? null;
      return uid === null || found?.uid === uid ? found : null;
    },
    podAt: (address) => {
      const [pod, another] = store.podsAt(address);
      return pod === undefined || another !== undefined ? null : pod;
    },
    groupsOf: store.groupsSelecting,
    answerer,
    isReplica: (address) => ownership.live().some(({ url }) => url !== null && hostOf(url) === address),
    watch: (group) => changes.watch(groupKey(group)),
  };
}

const hostOf = (url: string): string => new URL(url).hostname.replaceAll(/[[\]]/g, '');
