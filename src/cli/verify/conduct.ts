/** Makes the throwaway group, does what its prober asks for until that is through, and takes everything away again. */
import { VERIFY_LABEL } from '../../api/names.ts';
import { asObject, listField, type RawObject, textField } from '../../api/raw.ts';
import { projectPod } from '../../kubernetes/objects/pod.ts';
import type { End, Phase } from '../../verify/lines.ts';
import type { ApiServer, Ref } from '../api-server.ts';
import { nameOf, section } from '../doctor/objects.ts';
import { ApiError, CliError, EXIT } from '../errors.ts';
import { JOBS, LEADER_GROUPS, PODS } from '../resources.ts';
import type { Session } from '../session.ts';
import { dependentsOf, GROUP_NAME, jobOf, type Made, MEMBERS, selectorOf, type Wish } from './objects.ts';
import { createProberLog, type ProberLog } from './prober-log.ts';

const LOOK_MS = 300;
/** So long a pod may take to start: an image may have to be pulled. */
const START_MS = 90_000;
/** Until the member that the last fault took has come back. */
const WHOLE_MS = 20_000;
const GONE_MS = 60_000;

export type Job = { readonly ref: Ref; readonly uid: string };

/** Returns what the others are owned by. Rejects with what the API server says, and nothing is left then. */
export async function makeJob({ api }: Session, wish: Wish): Promise<Job> {
  const { namespace, name } = wish;
  const { resource, content } = jobOf(wish);
  const made = await api.create(resource, namespace, content);
  return { ref: { resource: JOBS, namespace, name }, uid: textField(section(made, 'metadata'), 'uid') };
}

export async function makeDependents({ api }: Session, wish: Wish, { uid }: Job): Promise<void> {
  for (const { resource, content } of dependentsOf(wish, uid))
    await api.create(resource, wish.namespace, content).catch((error: unknown) => {
      if (resource !== LEADER_GROUPS || !(error instanceof ApiError) || error.kind !== 'conflict') throw error;
      throw new CliError(
        `Another run of verify goes on in namespace ${wish.namespace}, or an earlier one is being taken away: try again once LeaderGroup ${GROUP_NAME} is gone.`,
        EXIT.failed,
        { cause: error },
      );
    });
}

/** The API server judges each of them, admission included, and stores none. Returns them. */
export async function tryAll({ api }: Session, wish: Wish): Promise<readonly RawObject[]> {
  const all: readonly Made[] = [jobOf(wish), ...dependentsOf(wish, 'UID-OF-THE-JOB')];
  for (const { resource, content } of all) await api.create(resource, wish.namespace, content, { dryRun: true });
  return all.map(({ content }) => content);
}

/** What the prober came to. `why`: one sentence, empty where it is through. */
export type Ended = { readonly log: ProberLog | null; readonly why: string };

/** Until the prober is through or gone. `onPhase` hears of each as it begins. */
export async function follow(session: Session, wish: Wish, job: Job, onPhase: (phase: Phase) => void): Promise<Ended> {
  const { clock, signal } = session;
  const started = await untilStarted(session, wish);
  if (started.pod === null) return { log: null, why: started.why };
  const log = createProberLog(session, wish.namespace, started.pod);
  for (;;) {
    for (const { line } of await log.read()) {
      if (line.kind === 'end') return { log, why: endOf(line, log) };
      if (line.kind !== 'phase') continue;
      onPhase(line);
      await act(session, wish, line);
    }
    if (!(await isThere(session, job)))
      return { log, why: `its Job is gone, by its deadline or because somebody deleted it${said(log)}` };
    await clock.sleep(LOOK_MS, signal);
  }
}

const endOf = ({ why }: End, log: ProberLog): string => (why === '' ? '' : `${why}${said(log)}`);
const said = (log: ProberLog): string => (log.foreign() === '' ? '' : ` (its log: ${log.foreign()})`);

/** This very one: another of its name would be somebody else's. */
async function isThere({ api }: Session, { ref, uid }: Job): Promise<boolean> {
  const found = await api.get(ref);
  return found !== null && textField(section(found, 'metadata'), 'uid') === uid;
}

async function untilStarted({ api, clock, signal }: Session, { namespace, name }: Wish) {
  let why = 'the Job has made no pod';
  for (const endMs = clock.nowMs() + START_MS; clock.nowMs() < endMs; await clock.sleep(LOOK_MS, signal)) {
    const { items } = await api.list(PODS, { namespace, labelSelector: selectorOf(name, 'prober') });
    const [pod] = items;
    if (pod === undefined) continue;
    const phase = textField(section(pod, 'status'), 'phase');
    if (phase !== 'Pending' && phase !== '') return { pod: nameOf(pod), why: '' };
    why = waitsFor(pod);
  }
  return { pod: null, why: `its pod did not start within ${START_MS / 1000} s: ${why}` };
}

function waitsFor(pod: RawObject): string {
  const [container] = listField(section(pod, 'status'), 'containerStatuses', asObject);
  const { reason, message } = { reason: '', message: '', ...section(container ?? {}, 'state', 'waiting') } as Record<
    string,
    string
  >;
  const conditions = listField(section(pod, 'status'), 'conditions', asObject);
  const unscheduled = conditions.find(
    (each) => textField(each, 'type') === 'PodScheduled' && textField(each, 'status') === 'False',
  );
  return (
    [reason, message, unscheduled === undefined ? '' : textField(unscheduled, 'message')]
      .filter((text) => text !== '')
      .join(': ') || 'it is pending'
  );
}

/** Only ever to a pod of this run, known by its uid; when all members are back from what befell them before. */
async function act(session: Session, wish: Wish, { phase, leader }: Phase): Promise<void> {
  if (phase !== 'delete' && phase !== 'evict') return;
  const { api } = session;
  const { namespace } = wish;
  const own = await untilWhole(session, wish);
  const found = own.find(({ uid }) => uid === leader.uid);
  if (found === undefined) return;
  if (phase === 'delete') await api.delete({ resource: PODS, namespace, name: found.name }, { uid: found.uid });
  else await api.evict(namespace, found.name, found.uid);
}

async function untilWhole({ api, clock, signal }: Session, { namespace, name }: Wish) {
  for (const endMs = clock.nowMs() + WHOLE_MS; ; await clock.sleep(LOOK_MS, signal)) {
    const { items } = await api.list(PODS, { namespace, labelSelector: selectorOf(name, 'member') });
    const pods = items.map(projectPod).filter((pod) => pod !== null);
    if (pods.filter(({ ready, deleting }) => ready && !deleting).length >= MEMBERS || clock.nowMs() > endMs)
      return pods;
  }
}

/** Takes the Job away, upon which the cluster takes the rest, and waits for that. Returns what is still there, as a sentence; null: nothing. Also after Ctrl-C. */
export async function takeAway(session: Session, { namespace, name }: Wish, { ref, uid }: Job): Promise<string | null> {
  const limit = AbortSignal.timeout(GONE_MS);
  const api = session.api.until(limit);
  try {
    await api.delete(ref, { uid }).catch(unlessGone);
    for (
      const endMs = session.clock.nowMs() + GONE_MS;
      session.clock.nowMs() < endMs;
      await session.clock.sleep(LOOK_MS, limit)
    )
      if (await isGone(api, namespace, name)) return null;
    return `The Job ${name} is deleted, and the cluster is still taking away what it owns. If it stays (a Job that somebody deletes with --cascade=orphan leaves it): kubectl delete leadergroups,deployments,services -n ${namespace} -l ${VERIFY_LABEL}=${name}`;
  } catch (error) {
    return `The Job ${name} could not be deleted, and ends by itself at its deadline: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Another object of the name, so the Job itself was deleted by somebody else. */
function unlessGone(error: unknown): void {
  if (!(error instanceof ApiError && error.kind === 'conflict')) throw error;
}

async function isGone(api: ApiServer, namespace: string | null, name: string): Promise<boolean> {
  const group = await api.get({ resource: LEADER_GROUPS, namespace, name: GROUP_NAME });
  if (group !== null && textField(section(group, 'metadata', 'labels'), VERIFY_LABEL) === name) return false;
  for (const role of ['member', 'prober'] as const)
    if ((await api.list(PODS, { namespace, labelSelector: selectorOf(name, role) })).items.length > 0) return false;
  return true;
}
