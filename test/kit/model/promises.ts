/**
 * The promises, checked at every single write of the operator while it happens. Breaches are collected, not thrown: a
 * throw inside a request would look like the server's.
 */

import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import {
  costAnnotation,
  DELETION_COST,
  fencedAnnotation,
  sinceAnnotation,
  tokenAnnotation,
} from '../../../src/api/names.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { matches } from '../../../src/api/selector.ts';
import { finished } from '../../../src/election/candidates.ts';
import { bucketKey, bucketOf, groupKeys, parseSessionName } from '../../../src/election/keys.ts';
import { parseRecord } from '../../../src/election/record.ts';
import { parseToken } from '../../../src/election/token.ts';
import type { TxnOp } from '../../../src/ports/consul.ts';
import { costProblem } from './costs.ts';
import type { PatchRequest } from './link.ts';
import { preemptionsOf } from './preemptions.ts';
import { SPACE } from './replica.ts';
import { switchoversOf } from './switchovers.ts';
import type { PodWrite, WorldApiServer } from './world-api-server.ts';
import type { TxnReport, WorldConsul } from './world-consul.ts';

export type Promises = {
  /** What was broken, in words, oldest first. */
  readonly breaches: readonly string[];
  /** Another promise was broken, as somebody else has seen. */
  readonly breach: (text: string) => void;
  /** Consul was restored from a backup while nothing was under way: it need not know who held the lock since. */
  restored(): void;
  /** The link tells of each patch as it leaves the replica. */
  readonly patchSent: (request: PatchRequest) => void;
  /** Names of the pods that carry the leader label now. */
  labelled(): readonly string[];
  /** Pods whose leader label an operator has taken off, in order. */
  readonly demotions: readonly string[];
  /** Each promotion that has landed, in order. */
  readonly promotions: readonly { readonly pod: string; readonly uid: string; readonly token: number }[];
};

/** What a committed transaction of a replica gave to whom. `version`: the API server's highest resourceVersion then. */
type Grant = { readonly uid: string; readonly token: number; readonly version: number; readonly podLog: number };

/** Its answers to patches count from this many requests about one pod: a fencing patch may then go by uid alone. */
const CONFLICTS_BEFORE_FORCE = 5;

/** `nowMs`: by the monotonic clock of the world. */
export function watchPromises(
  api: WorldApiServer,
  consul: WorldConsul,
  group: LeaderGroup,
  nowMs: () => number,
): Promises {
  const { label, lockKey } = group.spec;
  const keys = groupKeys(SPACE, group, lockKey);
  const bucket = bucketKey(SPACE, bucketOf(group.namespace, group.name));
  const allKeys = [keys.lock, keys.record, keys.token].filter((key) => key !== null);
  const fenced = fencedAnnotation(group.name);
  const { name } = group;
  const ours = [fenced, tokenAnnotation(name), sinceAnnotation(name), costAnnotation(name), DELETION_COST];
  const breaches: string[] = [];
  const demotions: string[] = [];
  const promotions: { pod: string; uid: string; token: number }[] = [];
  /** The last committed transaction of each replica, null when it gave the lock to nobody. */
  const proofs = new Map<string, Grant | null>();
  const fences = new Set<string>();
  /** By uid, promotions that were sent and not refused: they may have been applied, or may yet be. Without any the pod is no leader. */
  const promotionsSent = new Map<string, number>();
  const forceable = new Map<string, number>();
  /** By uid, how often it has got the lock; and how often it had by its last eviction. */
  const grants = new Map<string, number>();
  const evictedAt = new Map<string, number>();
  const switchovers = switchoversOf(keys.lock);
  const { policy, delayMs } = group.spec.preemption;
  let preemptions = preemptionsOf(keys.lock, policy === 'Never' ? null : delayMs);
  let granted: Grant | null = null;

  const labelled = (): readonly string[] =>
    api
      .pods()
      .filter((pod) => pod.labels[label.key] === label.leader && (isMember(pod) || promotedByUs(pod)))
      .map(({ name }) => name);

  const isMember = (pod: Pod): boolean =>
    matches(group.spec.selector, pod.labels) && !pod.mirror && !['Succeeded', 'Failed'].includes(pod.phase);

  /** Else a label on a pod that is no member is somebody else's. */
  const promotedByUs = ({ annotations }: Pod): boolean =>
    annotations[tokenAnnotation(group.name)] !== undefined &&
    (annotations[fenced] === undefined || annotations[fenced].startsWith('label-kept '));

  const breach = (text: string): void => void breaches.push(text);

  const podOfSession = (session: string): string => parseSessionName(consul.nameOf(session))?.podUid ?? session;

  function patchSent(request: PatchRequest): void {
    const { patch, pod, by } = request;
    const wrong = [
      ...Object.keys(patch.labels).filter((key) => key !== label.key),
      ...Object.keys(patch.annotations).filter((key) => !ours.includes(key)),
    ];
    if (wrong.length > 0) breach(`I6: ${by} writes ${wrong.join(', ')} to ${pod.name}`);
    if (patch.labels[label.key] === label.leader) promotionSent(request);
    if (typeof patch.annotations[fenced] === 'string') fencingSent(request, patch.annotations[fenced]);
  }

  function promotionSent({ by, pod, resourceVersion, patch }: PatchRequest): void {
    promotionsSent.set(pod.uid, (promotionsSent.get(pod.uid) ?? 0) + 1);
    const proof = proofs.get(by) ?? null;
    const token = parseToken(patch.annotations[tokenAnnotation(group.name)]);
    if (proof === null || proof.uid !== pod.uid) {
      breach(`I2: ${by} promotes ${pod.name} without a verification that its session holds the lock`);
    } else if (proof.token !== token) {
      breach(`I2: ${by} promotes ${pod.name} with token ${token}, but locked with ${proof.token}`);
    } else if (resourceVersion === null || Number(resourceVersion) > proof.version) {
      breach(`I2: ${by} promotes ${pod.name} at a version that it read after the verification`);
    }
  }

  function fencingSent({ by, pod, resourceVersion }: PatchRequest, value: string): void {
    if (fences.has(value)) breach(`I4: ${by} fences ${pod.name} with a value used before: ${value}`);
    fences.add(value);
    const sent = (forceable.get(pod.uid) ?? 0) + 1;
    forceable.set(pod.uid, sent);
    const now = api.pods().find(({ uid }) => uid === pod.uid);
    const over = now === undefined || now.deleting || ['Succeeded', 'Failed'].includes(now.phase);
    if (resourceVersion === null && !over && sent <= CONFLICTS_BEFORE_FORCE) {
      breach(`I8: ${by} fences ${pod.name} whatever its version: late, that would take down a healthy leader`);
    }
  }

  const concernsGroup = (before: Pod, after: Pod): boolean =>
    matches(group.spec.selector, after.labels) || promotedByUs(before) || promotedByUs(after);

  function podWritten(write: PodWrite): void {
    const { by, before, after, patch } = write;
    const isOurs = Object.keys(patch.annotations).some((key) => key.endsWith(`.leadergroup.dev/${name}`));
    const cost = isOurs ? costProblem(api.group(name) ?? group, write) : null;
    if (cost !== null) breach(`I6: ${by} ${cost}: ${after.name}`);
    if (!concernsGroup(before, after)) return;
    const was = before.labels[label.key] === label.leader;
    const is = after.labels[label.key] === label.leader;
    if (was && !is) demotions.push(after.name);
    if (patch.labels[label.key] !== label.leader) return;
    const now = labelled();
    if (now.length > 1) breach(`I1: ${now.join(' and ')} carry the label after ${by} promoted ${after.name}`);
    const token = parseToken(after.annotations[tokenAnnotation(group.name)]);
    const known = parseToken(before.annotations[tokenAnnotation(group.name)]);
    if (token < known && known < 10 ** 15)
      breach(`I5: ${after.name} was promoted with token ${token} over its annotation ${known}`);
    checkOrder(after, token);
    promotions.push({ pod: after.name, uid: after.uid, token });
  }

  /** Whoever led before, once it is fenced; never one that leads, or leads again. */
  function evicted(pod: Pod, by: string): void {
    if (!isMember(pod)) return;
    if (group.spec.formerLeader !== 'Evict')
      breach(`I6: ${by} evicts ${pod.name}, though the group keeps former leaders`);
    if (pod.labels[label.key] === label.leader) breach(`I8: ${by} evicts ${pod.name}, which leads`);
    else if (pod.annotations[fenced] === undefined) breach(`I8: ${by} evicts ${pod.name}, which has not been fenced`);
    const leads = grants.get(pod.uid) ?? 0;
    if (evictedAt.get(pod.uid) === leads) breach(`I8: ${by} evicts ${pod.name} once more for the same lead`);
    evictedAt.set(pod.uid, leads);
  }

  function checkOrder(after: Pod, token: number): void {
    for (const earlier of promotions) {
      if (token < earlier.token || (token === earlier.token && after.uid !== earlier.uid)) {
        breach(`I5: ${after.name} was promoted with token ${token} after ${earlier.pod} with ${earlier.token}`);
      }
    }
  }

  function countLead(uid: string): void {
    if (granted?.uid !== uid) grants.set(uid, (grants.get(uid) ?? 0) + 1);
  }

  function txnDone({ by, ops, result }: TxnReport): void {
    const change = ops.filter((op) => op.key === keys.lock && ['lock', 'unlock', 'delete'].includes(op.verb));
    if (change.length === 0) return;
    if (result.kind === 'rejected') return;
    checkRecord(ops);
    checkGuards(by, ops, change);
    const lock = change.findLast((op) => op.verb === 'lock');
    if (lock === undefined) return void proofs.set(by, null);
    const uid = podOfSession(lock.session);
    if (granted !== null && granted.uid !== uid) checkPassing(by, granted, uid);
    const record = parseRecord(lock.value);
    if (record?.holder.uid !== uid) breach(`${by} locked for ${uid} with a record that names ${record?.holder.uid}`);
    countLead(uid);
    granted = { uid, token: record?.token ?? 0, version: api.version(), podLog: api.podLog.length };
    proofs.set(by, granted);
  }

  /** Promises I14 and I15. */
  function checkRecord(ops: readonly TxnOp[]): void {
    for (const wrong of [switchovers(ops), preemptions(ops, nowMs())]) if (wrong !== null) breach(wrong);
  }

  /** Rule (c): under the bucket, and at the version the plan saw, of every key. */
  function checkGuards(by: string, ops: readonly TxnOp[], change: readonly TxnOp[]): void {
    if (ops[0]?.verb !== 'check-session' || ops[0].key !== bucket) {
      breach(`${by} changed the lock without its bucket as the first guard`);
    }
    const guarded = ops.filter(({ verb }) => verb === 'check-index' || verb === 'check-not-exists');
    const deleting = change.every(({ verb }) => verb === 'delete');
    const open = allKeys.filter((key) => !deleting && !guarded.some((guard) => guard.key === key));
    if (open.length > 0) breach(`${by} changed the lock without checking the version of ${open.join(', ')}`);
  }

  /** Promise I4: whoever held the lock before has been fenced since, or is gone, or has finished without the label. */
  function checkPassing(by: string, before: Grant, to: string): void {
    const old = api.pods().find(({ uid }) => uid === before.uid);
    if (old === undefined) return;
    const offSince = api.podLog.slice(before.podLog).some((change) => {
      const value = change.after?.annotations[fenced];
      return change.after?.uid === before.uid && value !== undefined && value !== change.before?.annotations[fenced];
    });
    if (!offSince && !finished(old) && promotionsSent.get(before.uid) !== 0)
      breach(`I4: ${by} passed the lock from ${old.name} to ${to} without fencing ${old.name}`);
    if (old.labels[label.key] === label.leader) breach(`I4: the lock passed to ${to} while ${old.name} was labelled`);
  }

  api.onRefusal(({ uid }, patch) => {
    if (patch.labels[label.key] === label.leader) promotionsSent.set(uid, (promotionsSent.get(uid) ?? 0) - 1);
  });
  api.onPodWrite(podWritten);
  api.routing.onEviction(evicted);
  consul.onTxn(txnDone);
  const restored = (): void => {
    granted = null;
    preemptions = preemptionsOf(keys.lock, policy === 'Never' ? null : delayMs);
  };

  return { breaches, breach, restored, patchSent, labelled, demotions, promotions };
}
