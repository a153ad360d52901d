/** Reads that a plan asks for before it decides, and the sessions it wants opened or given up. */
import type { WallMs } from '../../api/clocks.ts';
import type { SessionId } from '../../api/ids.ts';
import type { OwnerRef, PodRef } from '../../api/pod.ts';
import { parseSessionName } from '../../election/keys.ts';
import type { ExternalSession } from '../../election/observation.ts';
import { versionOf } from '../../election/trust.ts';
import { ConsulError, type ConsulSession } from '../../ports/consul.ts';
import type { LabelManagers } from '../../ports/kubernetes.ts';
import { groupKey } from '../cache/store.ts';
import { inParallel } from '../common/in-parallel.ts';
import { newer } from '../observe/memory.ts';
import { later, notePod, OK, progressOf, type Run, type Step } from './run.ts';

const SESSIONS_AT_ONCE = 8;

export async function readLock({ ports, group, memory, signal }: Run): Promise<Step> {
  await ports.locks.read(group, signal);
  memory.learn({ kind: 'lockRead' });
  return OK;
}

/** Who holds the lock: one of ours from a previous incarnation is adopted, anyone else is remembered as an external holder. */
export async function readHolderSession(run: Run, id: SessionId): Promise<Step> {
  const { consul, sessionManager, locks } = run.ports;
  const session = await consul.sessionInfo(id, run.signal).catch((error: unknown) => hidden(run, id, error));
  if (session === 'hidden') return OK;
  await locks.read(run.group, run.signal);
  const known = (of: ExternalSession): void => run.memory.learn({ kind: 'externalHolder', id, session: of });
  if (session === null) known({ kind: 'gone' });
  else if (!ofThisGroup(run, session)) known({ kind: 'external', name: session.name, node: session.node });
  else if (!(await sessionManager.adopt(session, run.signal))) known({ kind: 'gone' });
  return OK;
}

/**
 * A shared lock may be held by a session on a node that our token may not read. Ours are all on our own node, so it is a
 * external's, whoever that is.
 */
function hidden(run: Run, id: SessionId, error: unknown): 'hidden' {
  const shared = run.group.spec.lockKey !== null;
  if (!shared || !(error instanceof ConsulError) || error.kind !== 'denied') throw error;
  const external = { kind: 'external', name: '', node: 'that the Consul token may not read' } as const;
  run.memory.learn({ kind: 'externalHolder', id, session: external });
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
  if (found?.group.uid === group.uid) memory.learn({ kind: 'groupShown' });
  if (found === null || found.group.uid !== group.uid || found.group.generation !== group.generation) {
    return later(`the watch has not yet delivered the present LeaderGroup ${group.name}`, 1000);
  }
  memory.learn({
    kind: 'groupConfirmed',
    newer: newer(found.group, group) && found.kind === 'valid' ? found.group : null,
    deleting: found.group.deleting,
    atMs: run.ports.clock.nowMs(),
    at: versionOf(run.ports.locks.view(group)),
    switchover: found.group.switchover?.text ?? null,
  });
  return OK;
}

/** For people only: failing to report it holds nothing up. */
export async function readContester({ ports, group, memory, signal }: Run, pod: PodRef): Promise<Step> {
  const read = ports.kubernetes.getLabelManagers(pod.namespace, pod.name, group.spec.label.key, signal);
  const found = await read.catch(() => null);
  signal.throwIfAborted();
  const repairs = memory.now.repairs.get(pod.uid);
  if (repairs !== undefined)
    memory.learn({ kind: 'contesterRead', uid: pod.uid, by: contesterIn(found, repairs.sinceWallMs) });
  return OK;
}

/** Times of field managers have whole seconds. Whoever wrote before the fight began is not accused of it. */
function contesterIn(found: LabelManagers | null, sinceWallMs: WallMs): string {
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
  if (uid !== null) memory.learn({ kind: 'rivalRead', uid, there: found?.group.uid === uid });
  return OK;
}

/** Made after the lock was read, and noted with its version: once the lock moves, the list is void. */
export async function listPods(run: Run): Promise<Step> {
  const { ports, group, memory, signal } = run;
  const version = versionOf(ports.locks.view(group));
  memory.learn({ kind: 'podsListed', version, pods: await ports.listPods(group.namespace, signal, progressOf(run)) });
  return OK;
}

/** What cannot be read is noted as such: a label is not held up for good by a right that is missing. */
export async function readOwners(
  { ports, group, signal }: Run,
  owners: readonly OwnerRef[],
  hurry: boolean,
): Promise<Step> {
  await ports.owners.read(group.namespace, owners, hurry, signal);
  return OK;
}

const TRIALS_AT_ONCE = 8;

/** A GET is newer than the write that it follows, whatever the watch has delivered. */
export async function readTrials(
  run: Run,
  trials: readonly { readonly pod: PodRef; readonly owner: string }[],
): Promise<Step> {
  await inParallel(trials, TRIALS_AT_ONCE, ({ pod, owner }) => readTrial(run, pod, owner), progressOf(run));
  return OK;
}

async function readTrial(run: Run, { namespace, name, uid }: PodRef, owner: string): Promise<void> {
  const { ports, memory, group, signal } = run;
  const found = await ports.kubernetes.getPod(namespace, name, signal);
  const there = found?.uid === uid ? found : null;
  if (there === null) memory.learn({ kind: 'podGone', uid });
  else notePod(run, there);
  const asWritten = (there?.labels[group.spec.label.key] ?? null) === memory.now.trials.get(owner)?.label;
  const kept = there?.owner?.uid === owner && !there.deleting && asWritten;
  memory.learn({ kind: 'trialRead', owner, kept });
}

/** The pass is over meanwhile, so that groups whose candidates hang hold no other up. The answers wake the group; this is for what nobody thought of. */
const ANSWERS_MS = 1000;

export function askCandidates({ ports, group }: Run, pods: readonly PodRef[]): Step {
  const begun = ports.prober.search(
    groupKey(group),
    pods.map(({ uid }) => uid),
  );
  return begun ? later('the candidates are being asked', ANSWERS_MS) : later('the candidates cannot be asked now');
}

/** As `askCandidates`. A pod that this pass does not show any more is not asked. */
export function askBeforePromotion({ ports, group, podsByUid }: Run, pods: readonly PodRef[]): Step {
  const { beforePromotion } = group.spec;
  const shown = pods.flatMap(({ uid }) => podsByUid.get(uid)?.pod ?? []);
  const begun = beforePromotion !== null && ports.prober.promotions.ask(groupKey(group), beforePromotion, shown);
  return begun ? later('the nominee is being asked', ANSWERS_MS) : later('the nominee cannot be asked now');
}

export async function openSessions(run: Run, pods: readonly PodRef[]): Promise<Step> {
  const { ports, group, signal } = run;
  await inParallel(pods, SESSIONS_AT_ONCE, (pod) => ports.sessionManager.open(group, pod, signal), progressOf(run));
  return OK;
}

export async function destroySessions(run: Run, sessions: readonly SessionId[]): Promise<Step> {
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
