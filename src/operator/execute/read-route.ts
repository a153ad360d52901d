/** What a group's route is. What fails is remembered, with when it is read again, and holds nothing else up: the label is the truth that everything else reads. */
import type { AddressFamily, Slice, SliceEndpoint } from '../../api/route.ts';
import { FAMILIES, isOwn, isSlice, sliceName } from '../../election/route.ts';
import type { RouteProblem, RouteReading, SliceFound } from '../../election/route-view.ts';
import { KubernetesError } from '../../ports/kubernetes.ts';
import type { RememberedRoute } from '../observe/memory.ts';
import { leftAloneUntilMs } from '../observe/remember-route.ts';
import { again, later, notePod, OK, type Run, type Step } from './run.ts';

/** What others do to a Service is found so soon. Groups that were read together are not for ever: chance takes up to a quarter off. */
const AGAIN_MS = 60_000;
/** So long a pass waits for what people are only warned of: a list may be long, or hang, and the leader may fail meanwhile. */
const OTHERS_MS = 1000;
/** What has come too late serves whoever looks again within FRESH_MS of foreign-lists.ts. */
const LATE_AGAIN_MS = 5000;

export async function readRoute(run: Run, serviceName: string, hurry: boolean): Promise<Step> {
  try {
    const reading = await readAll(run, serviceName, hurry);
    run.memory.learn({ kind: 'routeRead', reading });
  } catch (error) {
    noteReading(run, error);
  }
  return OK;
}

export async function readOthers(run: Run, serviceName: string): Promise<Step> {
  const { foreign, late } = await foreignEndpoints(run, serviceName);
  const againAtMs = run.ports.clock.nowMs() + (late ? LATE_AGAIN_MS : AGAIN_MS);
  run.memory.learn({ kind: 'othersRead', foreign, againAtMs });
  return OK;
}

/** Of a read that threw. Rethrows what is a defect. */
export function noteReading(run: Run, error: unknown): void {
  run.signal.throwIfAborted();
  if (!(error instanceof KubernetesError)) throw error;
  noteFailure(run, 'read', error.kind === 'denied' ? 'denied' : 'silent', error.message);
}

async function readAll(run: Run, serviceName: string, hurry: boolean): Promise<RememberedRoute> {
  const { ports, group, signal } = run;
  const { routing, clock, random } = ports;
  const mark = ports.routeNews.mark();
  const [service, ipv4, ipv6, others] = await Promise.all([
    routing.getService(group.namespace, serviceName, signal),
    readSlice(run, serviceName, 'IPv4'),
    readSlice(run, serviceName, 'IPv6'),
    hurry ? null : foreignEndpoints(run, serviceName),
  ]);
  const nowMs = clock.nowMs();
  const late = others?.late === true;
  const dueMs = late ? LATE_AGAIN_MS : AGAIN_MS * (1 - random.next() / 4);
  const againAtMs = Math.min(nowMs + dueMs, ...leftAloneUntilMs(run.memory.now, nowMs));
  const foreign = others?.foreign ?? null;
  const reading = { serviceName, service, slices: { IPv4: ipv4, IPv6: ipv6 }, foreign, againAtMs };
  return { ...reading, mark, calm: !late && isCalm(reading, run.memory.now.route) };
}

/** Slices that Kubernetes makes by a selector may come some time after the Service has got it, and nobody tells of them. */
const isCalm = ({ service, slices, foreign }: RouteReading, before: RouteReading | null): boolean =>
  service?.group != null &&
  !service.hasSelector &&
  service.uid === before?.service?.uid &&
  service.resourceVersion === before.service.resourceVersion &&
  FAMILIES.every((family) => slices[family] === null || isSlice(slices[family])) &&
  (foreign === null || (before.foreign !== null && isNone(foreign)));

const isNone = (foreign: Exclude<RouteReading['foreign'], null>): boolean =>
  typeof foreign === 'object' && !foreign.endpoints && foreign.slices.length === 0;

type Others = { readonly foreign: Exclude<RouteReading['foreign'], null>; readonly late: boolean };

/** That it failed is not that there are none. What is late is as it was when it was last known. */
async function foreignEndpoints(run: Run, service: string): Promise<Others> {
  const { ports, group, signal, memory } = run;
  const over = new AbortController();
  const listed = Promise.all([
    ports.foreignLists.of(group.namespace, service),
    ports.routing.hasEndpoints(group.namespace, service, signal),
  ]);
  const late = ports.clock.sleep(OTHERS_MS, AbortSignal.any([signal, over.signal]));
  try {
    const found = await Promise.race([listed, late]);
    if (found !== undefined) return { foreign: { slices: found[0], endpoints: found[1] }, late: false };
    // What becomes of it is in the list that others of the namespace ask for.
    const message = `the list of the EndpointSlices of namespace ${group.namespace} has not come within ${OTHERS_MS} ms`;
    return { foreign: memory.now.route?.foreign ?? message, late: true };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof KubernetesError) return { foreign: error.message, late: false };
    throw error;
  } finally {
    over.abort();
  }
}

async function readSlice(run: Run, service: string, family: AddressFamily): Promise<SliceFound> {
  const { ports, group, signal } = run;
  const found = await ports.routing.getSlice(group.namespace, sliceName(service, family), signal);
  if (found === null || found === 'foreign') return found;
  if (found.family !== family || found.service !== service) return 'foreign';
  return isOwn(group, found) || !(await isThere(run, found)) ? found : 'rival';
}

/** The group that a slice names, by name and uid. */
async function isThere({ ports, group, signal }: Run, { group: { name, uid } }: Slice): Promise<boolean> {
  if (name === '') return false;
  const found = await ports.kubernetes.getGroup(group.namespace, name, signal);
  return found?.group.uid === uid;
}

/** A watch that is behind looks again so soon. */
const UNSEEN_MS = 5000;

/** Whether the pods that stand in the slices are as the plan saw them. Who has no lock to go by may be behind. */
export async function asSeen(run: Run, slices: readonly Slice[]): Promise<Step> {
  const uids = new Map(slices.flatMap(({ endpoint }) => (endpoint === null ? [] : [[endpoint.pod.uid, endpoint.pod]])));
  const steps = await Promise.all([...uids.values()].map((pod) => podAsSeen(run, pod)));
  return steps.find(({ kind }) => kind !== 'ok') ?? OK;
}

async function podAsSeen(run: Run, { name, uid }: SliceEndpoint['pod']): Promise<Step> {
  const known = run.podsByUid.get(uid)?.pod;
  try {
    const found = await run.ports.kubernetes.getPod(run.group.namespace, name, run.signal);
    const now = found?.uid === uid ? found : null;
    if (now?.resourceVersion === known?.resourceVersion) return OK;
    if (now === null) run.memory.learn({ kind: 'podGone', uid });
    else notePod(run, now);
    return known === undefined
      ? later(`the watch has not yet delivered pod ${name}`, UNSEEN_MS)
      : again(`pod ${name} has changed since the watch has shown it`);
  } catch (error) {
    noteReading(run, error);
    return again('the pod that is shown could not be read');
  }
}

export const noteFailure = (
  run: Run,
  of: RouteProblem['of'],
  how: 'denied' | 'refused' | 'silent',
  message: string,
): void => run.memory.learn({ kind: 'routeFailed', of, how, message, atMs: run.ports.clock.nowMs() });
