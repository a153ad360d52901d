/** Answers applications from what is known; no request is sent for an answer. */

import type { GateAnswer } from '../../api/gate.ts';
import type { PodUid } from '../../api/ids.ts';
import type { GroupName, LeaderGroup } from '../../api/leadergroup.ts';
import type { Pod } from '../../api/pod.ts';
import { neverAgain } from '../../election/candidates.ts';
import { answerGate, MAX_GRANT_MS } from '../../election/gate.ts';
import type { Answerer, Gate } from '../../ports/gate.ts';
import { type Kubernetes, KubernetesError } from '../../ports/kubernetes.ts';
import { groupKey, type Store } from '../cache/store.ts';
import type { Changes } from '../reconcile/changes.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import type { BucketOwnership } from '../sharding/ownership.ts';
import type { Grants } from './grants.ts';
import type { Heard } from './heard.ts';

/** Reads of pods for /v1/self that go at a time: whoever asks the gate must not become a load on the API server. */
const CONFIRMED_AT_ONCE = 16;

export type GateParts = {
  readonly ask: Gate['ask'];
  readonly release: Gate['release'];
  readonly claims: Gate['claims'];
  readonly store: Store;
  readonly ownership: Pick<BucketOwnership, 'of' | 'ownerOf' | 'live'>;
  readonly changes: Changes;
  readonly heard: Pick<Heard, 'note'>;
  readonly synced: () => boolean;
  readonly getPod: Kubernetes['getPod'];
  readonly unwatched: Gate['unwatched'];
  /** Id of this replica. */
  readonly self: string;
};

/** `validityMs`: a grant is good for so long at most; never longer than MAX_GRANT_MS. */
export function createAsk(reconciler: Reconciler, grants: Grants, validityMs: number): Gate['ask'] {
  const maxMs = Math.min(validityMs, MAX_GRANT_MS);
  return (group, podUid, secret = null) => {
    const key = groupKey(group);
    const observation = reconciler.asked(key);
    if (observation === null)
      return { kind: 'unknown', reason: 'there is no such LeaderGroup, or it cannot be acted on' };
    const answer = answerGate(observation, podUid, maxMs);
    if (answer.kind !== 'grant') return answer;
    const { leader, validForMs } = answer;
    if (secret !== null && grants.isReleased(key, leader.uid, secret)) return { kind: 'released', leader };
    const term = secret === null ? null : { secret, token: leader.token };
    grants.give(key, leader.uid, observation.nowMs + validForMs, term);
    return answer;
  };
}

/**
 * Equal for as long as nobody's answer is news: who leads, with which token, and whether that is known at all. (Until when an answer may be
 * believed is no news.)
 */
const signatureOf = (answer: GateAnswer): string =>
  answer.kind === 'unknown' ? `unknown ${answer.reason}` : `${answer.leader?.uid ?? ''} ${answer.leader?.token ?? 0}`;

/** How things stand after a pass; null: there is no such group. */
export function gateSignature(reconciler: Pick<Reconciler, 'glance'>, key: string): string | null {
  const view = reconciler.glance(key);
  return view === null ? null : signatureOf(answerGate(view, null, MAX_GRANT_MS));
}

export function createGate({
  ask,
  release,
  claims,
  store,
  ownership,
  changes,
  heard,
  synced,
  getPod,
  unwatched,
  self,
}: GateParts): Gate {
  let confirming = 0;

  async function confirmAddress(pod: Pod, address: string, signal: AbortSignal): Promise<boolean> {
    if (confirming >= CONFIRMED_AT_ONCE) return false;
    confirming += 1;
    try {
      const now = await getPod(pod.namespace, pod.name, signal);
      return now?.uid === pod.uid && now.addresses.includes(address) && !neverAgain(now);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof KubernetesError) return false;
      throw error;
    } finally {
      confirming -= 1;
    }
  }

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

  /**
   * Whoever waits is woken when somebody is answered otherwise than all were told last. So a state that comes and goes between two passes
   * is told as well: else whoever had seen it would not be woken when all is as before.
   */
  function askAndTell(group: GroupName, podUid: PodUid | null, secret: string | null = null): GateAnswer {
    const answer = ask(group, podUid, secret);
    changes.notifyNews(groupKey(group), () => signatureOf(answer));
    return answer;
  }

  return {
    ask: askAndTell,
    release,
    heard: (group, podUid, arrivedMs) => heard.note(groupKey(group), podUid, arrivedMs),
    synced,
    unwatched,
    group: groupNamed,
    member: (group, pod, uid) => {
      if (groupNamed(group) === null) return null;
      const found = store.concerns(groupKey(group), pod) ? (store.pod(group.namespace, pod)?.pod ?? null) : null;
      return uid === null || found?.uid === uid ? found : null;
    },
    pod: ({ namespace, name, uid }) => {
      const found = store.pod(namespace, name)?.pod ?? null;
      return found?.uid === uid ? found : null;
    },
    podsAt: store.podsAt,
    confirmAddress,
    groupsOf: store.groupsSelecting,
    answerer,
    signatureOf: (replica) => {
      const found = ownership.live().find(({ id }) => id === replica);
      if (found === undefined) return { kind: 'unknown' };
      return found.publicKey === null ? { kind: 'none' } : { kind: 'key', publicKey: found.publicKey };
    },
    isReplica: (address) => ownership.live().some(({ url }) => url !== null && hostOf(url) === address),
    watch: (group) => changes.watch(groupKey(group)),
    claims,
  };
}

const hostOf = (url: string): string => new URL(url).hostname.replaceAll(/[[\]]/g, '');
