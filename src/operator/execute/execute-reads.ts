/** Reads that a plan asks for before it decides, and the sessions it wants opened or given up. */
import type { OwnerRef, PodRef } from '../../api/pod.ts';
import { parseSessionName } from '../../election/keys.ts';
import { versionOf } from '../../election/trust.ts';
import { ConsulError, type ConsulSession } from '../../ports/consul.ts';
import type { LabelManagers } from '../../ports/kubernetes.ts';
import { groupKey } from '../cache/store.ts';
import { inParallel } from '../common/in-parallel.ts';
import { newer, rememberPod } from '../observe/memory.ts';
import { later, OK, progressOf, type Run, type Step } from './run.ts';

const SESSIONS_AT_ONCE = 8;
/** Of the time since the last read of a group that is being deleted no more counts; a pass whose writes hang takes some seconds. */
const UNSEEN_MS = 10_000;

export async function readLock({ ports, group, memory, signal }: Run): Promise<Step> {
  await ports.locks.read(group, signal);
  for (const [id, { kind }] of memory.externalHolders) if (kind === 'gone') memory.externalHolders.delete(id);
  return OK;
}

/** Who holds the lock: one of ours from an earlier life is adopted, anyone else is remembered as an external holder. */
export async function readHolderSession(run: Run, id: string): Promise<Step> {
  const { consul, sessionManager, locks } = run.ports;
  const session = await consul.sessionInfo(id, run.signal).catch((error: unknown) => hidden(run, id, error));
  if (session === 'hidden') return OK;
  await locks.read(run.group, run.signal);
  const known = run.memory.externalHolders;
  if (session === null) known.set(id, { kind: 'gone' });
  else if (!ofThisGroup(run, session)) known.set(id, { kind: 'external', name: session.name, node: session.node });
  else if (!(await sessionManager.adopt(session, run.signal))) known.set(id, { kind: 'gone' });
  return OK;
}

/**
 * A shared lock may be held by a session on a node that our token may not read. Ours are all on our own node, so it is a
 * external's, whoever that is.
 */
function hidden(run: Run, id: string, error: unknown): 'hidden' {
  const shared = run.group.spec.lockKey !== null;
  if (!shared || !(error instanceof ConsulError) || error.kind !== 'denied') throw error;
  run.memory.externalHolders.set(id, { kind: 'external', name: '', node: 'that the Consul token may not read' });
  return 'hidden';
}

/** A session of another group in our lock is as foreign as anyone's. */
function ofThisGroup(run: Run, session: ConsulSession): boolean {
  const named = parseSessionName(session.name);
  // One without a TTL was made by hand: nobody renews it, and it never ends by itself.
  if (named === null || session.node !== run.ports.syntheticNode || session.ttlMs <= 0) return false;
  return named.namespace === run.group.namespace && named.group === run.group.name;
}

/** The record says that the group is older or newer than our cache shows: only the API server knows. */
export async function readGroup(run: Run): Promise<Step> {
  const { group, memory } = run;
  const found = await run.ports.kubernetes.getGroup(group.namespace, group.name, run.signal);
  memory.groupKnown ||= found?.group.uid === group.uid;
  if (found === null || found.group.uid !== group.uid || found.group.generation !== group.generation) {
    return later(`the watch has not yet delivered the present LeaderGroup ${group.name}`, 1000);
  }
  if (newer(found.group, group) && found.kind === 'valid') memory.newerGroup = found.group;
  noteDeletion(run, found.group.deleting);
  memory.groupConfirmedAt = versionOf(run.ports.locks.view(group));
  return OK;
}

/** While the API server was away, or this process stood still, nothing could be undone: that does not count among what a deletion may take. */
function noteDeletion({ memory, ports }: Run, deleting: boolean): void {
  const nowMs = ports.clock.nowMs();
  const unseenMs = nowMs - (memory.deletionConfirmedMs ?? nowMs);
  memory.deletingSinceMs = deleting ? (memory.deletingSinceMs ?? nowMs) + Math.max(0, unseenMs - UNSEEN_MS) : null;
  memory.deletionConfirmedMs = deleting ? nowMs : null;
}

/** For people only: that it cannot be told holds nothing up. */
export async function readContester({ ports, group, memory, signal }: Run, pod: PodRef): Promise<Step> {
  const read = ports.kubernetes.getLabelManagers(pod.namespace, pod.name, group.spec.label.key, signal);
  const found = await read.catch(() => null);
  signal.throwIfAborted();
  const repairs = memory.repairs.get(pod.uid);
  if (repairs !== undefined) memory.repairs.set(pod.uid, { ...repairs, by: contesterIn(found, repairs.sinceWallMs) });
  return OK;
}

/** Times of field managers have whole seconds. Whoever wrote before the fight began is not accused of it. */
function contesterIn(found: LabelManagers | null, sinceWallMs: number): string {
  if (found?.owner != null) return `field manager ${found.owner.manager}, last at ${found.owner.time}`;
  const last = found?.last ?? null;
  if (last !== null && Date.parse(last.time) >= Math.floor(sinceWallMs / 1000) * 1000)
    return `perhaps field manager ${last.manager}, the last to write the pod, at ${last.time}`;
  return "metadata.managedFields does not show which; see the API server's audit log";
}

/** A cache may show an older group that is gone; for such a one nobody is fenced. */
export async function readRival({ ports, group, observation, memory, signal }: Run, name: string): Promise<Step> {
  const uid = observation.overlapUid;
  const found = await ports.kubernetes.getGroup(group.namespace, name, signal);
  if (found !== null && found.group.uid === uid) memory.rivalConfirmed = uid;
  else if (uid !== null) memory.goneRivals.add(uid);
  return OK;
}

/** Made after the lock was read, and noted with its version: once the lock moves, the list is void. */
export async function listPods({ ports, group, memory, signal }: Run): Promise<Step> {
  const version = versionOf(ports.locks.view(group));
  memory.listed = { version, pods: await ports.kubernetes.listPods(group.namespace, signal) };
  for (const pod of memory.listed.pods) rememberPod(memory, pod);
  return OK;
}

/** What cannot be read is noted as such: a label is not held up for good by a right that is missing. */
export async function readOwners({ ports, group, signal }: Run, owners: readonly OwnerRef[]): Promise<Step> {
  await ports.owners.read(group.namespace, owners, signal);
  return OK;
}

export async function openSessions(run: Run, pods: readonly PodRef[]): Promise<Step> {
  const { ports, group, signal } = run;
  await inParallel(pods, SESSIONS_AT_ONCE, (pod) => ports.sessionManager.open(group, pod, signal), progressOf(run));
  return OK;
}

export async function destroySessions(run: Run, sessions: readonly string[]): Promise<Step> {
  const { ports, signal } = run;
  await inParallel(sessions, SESSIONS_AT_ONCE, (id) => ports.sessionManager.retire(id, signal), progressOf(run));
  return OK;
}

/**
 * Sessions of an earlier group of this name, whose deletion Consul did not hear of, and which may have had another lockKey: whoever renewed
 * them any longer, this replica or the next owner of the bucket, would keep that lock from everybody, for good. They end before the finalizer
 * is on: from then on none is left, whatever interrupts what follows.
 */
export async function endPreviousIncarnation(run: Run): Promise<Step> {
  const { ports, group, signal } = run;
  const lock = ports.locks.view(group);
  if (lock === null) return later('the lock must be read again');
  const traces = lock.versions.some(({ index }) => index > 0);
  if (!traces || lock.record?.groupUid === group.uid) return OK;
  const sessions = await ports.consul.listSessions(ports.syntheticNode, signal);
  const earlier = sessions.filter((session) => session.id !== lock.session && ofThisGroup(run, session));
  const leftMs = ports.grants.untilMs(groupKey(group), null, []) - ports.clock.nowMs();
  if (earlier.length > 0 && leftMs > 0) return later('a grant of the gate has not expired', Math.ceil(leftMs));
  const end = async ({ id }: ConsulSession): Promise<void> => {
    ports.sessionManager.lost(id);
    await ports.consul.destroySession(id, signal);
  };
  await inParallel(earlier, SESSIONS_AT_ONCE, end, progressOf(run));
  return OK;
}
