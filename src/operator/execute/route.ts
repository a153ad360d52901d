/**
 * Reads and writes of a group's route. What fails is remembered, with when it is tried again, and holds nothing else up: the label is the truth that
 * everything else reads.
 */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import type { AddressFamily, Slice, SliceContent, SliceEndpoint } from '../../api/route.ts';
import type { NewSlice, Refresh, Show, Withdraw } from '../../election/actions.ts';
import {
  basicsOf,
  FAMILIES,
  isOwn,
  isSlice,
  type RouteProblem,
  type RouteReading,
  type SliceFound,
  sliceName,
} from '../../election/route.ts';
import { fencingVersion } from '../../election/trust.ts';
import { KubernetesError, type WriteOutcome } from '../../ports/kubernetes.ts';
import type { RememberedRoute } from '../observe/memory.ts';
import { refusalWords } from '../observe/refusals.ts';
import { leftAloneUntilMs } from '../observe/remember-route.ts';
import { again, later, notePod, OK, type Proof, type Run, type Step } from './run.ts';

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
function noteReading(run: Run, error: unknown): void {
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

export async function makeSlices(run: Run, slices: readonly NewSlice[]): Promise<Step> {
  const { ports, group, signal } = run;
  const { namespace } = group;
  const make = async ({ name, family, content }: NewSlice): Promise<void> => {
    const outcome = await ports.routing.createSlice({ namespace, name, family }, content, signal);
    const sent = { ...content, token: 0, fenced: '', endpoint: null };
    noteWrite(run, { name, family, sent, made: true }, `making EndpointSlice ${name}`, outcome);
  };
  await Promise.all(slices.map(make));
  return OK;
}

/** With the token of the transaction, at the versions that were read before it. Only what has changed since is planned anew at once. */
export async function show(run: Run, { token }: Proof, { slices }: Show): Promise<Step> {
  const steps = await Promise.all(
    slices.map(({ slice, content }) => {
      const fenced = content.endpoint === null ? run.ports.random.unique() : '';
      return replace(run, slice, { ...content, token, fenced });
    }),
  );
  return steps.find(({ kind }) => kind !== 'ok') ?? OK;
}

/** Step `again` where it is not known to be done, and may be tried once more. */
export async function withdraw(run: Run, { slices, remove, confirm }: Withdraw): Promise<Step> {
  const seen = confirm ? await asSeen(run, slices) : OK;
  if (seen.kind !== 'ok') return seen;
  const steps = await Promise.all(slices.map((slice) => (remove ? removeSlice(run, slice) : empty(run, slice))));
  return steps.find(({ kind }) => kind !== 'ok') ?? OK;
}

/** Whatever a plan says, it is whoever stands there already that is shown. */
export async function refresh(run: Run, { slices, confirm }: Refresh): Promise<Step> {
  const seen = confirm
    ? await asSeen(
        run,
        slices.map(({ slice }) => slice),
      )
    : OK;
  if (seen.kind !== 'ok') return seen;
  const steps = await Promise.all(
    slices.map(({ slice, content }) => {
      const there = slice.endpoint;
      const endpoint = there === null || content.endpoint === null ? null : { ...content.endpoint, pod: there.pod };
      return replace(run, slice, { ...content, token: slice.token, fenced: '', endpoint });
    }),
  );
  return steps.find(({ kind }) => kind !== 'ok') ?? OK;
}

/** A watch that is behind looks again so soon. */
const UNSEEN_MS = 5000;

/** Whether the pods that stand in the slices are as the plan saw them. Who has no lock to go by may be behind. */
async function asSeen(run: Run, slices: readonly Slice[]): Promise<Step> {
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

async function empty(run: Run, slice: Slice): Promise<Step> {
  const step = await replace(run, slice, emptied(run, slice));
  if (step.kind !== 'ok') return step;
  const version = fencingVersion(run.observation.keys, run.observation.lock);
  run.memory.learn({ kind: 'sliceFenced', family: slice.family, version });
  return OK;
}

/** The value is never used before, so that the slice changes whatever it shows. */
const emptied = (run: Run, slice: Slice): SliceContent => ({
  ...basics(run.group, slice),
  ports: slice.ports,
  token: slice.token,
  fenced: run.ports.random.unique(),
  endpoint: null,
});

/** Of another group what it says stays. */
const basics = (group: LeaderGroup, slice: Slice): Pick<SliceContent, 'service' | 'headless' | 'group'> =>
  isOwn(group, slice) ? basicsOf(group, { name: slice.service, headless: slice.headless }) : slice;

async function removeSlice(run: Run, slice: Slice): Promise<Step> {
  const { routing } = run.ports;
  let version = slice;
  if (slice.endpoint !== null) {
    const step = await replace(run, slice, emptied(run, slice), { toGo: true });
    const left = run.memory.now.route?.slices[slice.family] ?? null;
    if (step.kind !== 'ok' || !isSlice(left)) return step;
    version = left;
  }
  const outcome = await routing.deleteSlice(version, run.signal);
  return outcome.kind === 'done'
    ? await noteDeletion(run, slice)
    : noteWrite(run, { ...slice, sent: null }, `deleting EndpointSlice ${slice.name}`, outcome);
}

/** What has a finalizer of somebody else's stays for as long as that likes, and nothing can be made in its place: tried again, and not waited for. */
async function noteDeletion(run: Run, { namespace, name, family, uid }: Slice): Promise<Step> {
  try {
    const left = await run.ports.routing.getSlice(namespace, name, run.signal);
    if (!isSlice(left) || left.uid !== uid) return noteRemoved(run, family);
    run.ports.sliceWritten('refused');
    run.memory.learn({ kind: 'sliceKept', slice: left });
    const ask = `kubectl -n ${namespace} get endpointslice ${name} -o jsonpath={.metadata.finalizers}`;
    const message = `EndpointSlice ${name} is deleted, and stays, empty, since somebody else has set a finalizer on it, and none can be made in its place. Have whoever set it take it off: ${ask}`;
    noteFailure(run, family, 'refused', message);
  } catch (error) {
    run.memory.learn({ kind: 'routeVoid' });
    noteReading(run, error);
  }
  return OK;
}

function noteRemoved(run: Run, family: AddressFamily): Step {
  const { clock } = run.ports;
  run.ports.sliceWritten('done');
  run.memory.learn({ kind: 'sliceRemoved', family, atMs: clock.nowMs(), atWallMs: clock.wallMs() });
  return OK;
}

async function replace(run: Run, slice: Slice, content: SliceContent, { toGo = false } = {}): Promise<Step> {
  const what = `writing EndpointSlice ${slice.name}`;
  const { name, family } = slice;
  const outcome = await run.ports.routing.replaceSlice(slice, content, run.signal);
  return noteWrite(run, { name, family, sent: content, toGo }, what, outcome);
}

/** `sent`: what the slice should be by now; null: gone. `made`, `toGo`: see RouteOutcome; default false. */
type Written = Pick<Slice, 'name' | 'family'> & {
  readonly sent: SliceContent | null;
  readonly made?: boolean;
  readonly toGo?: boolean;
};

function noteWrite(
  run: Run,
  { name, family, sent, made = false, toGo = false }: Written,
  what: string,
  outcome: WriteOutcome<Slice | null>,
): Step {
  const { clock } = run.ports;
  run.ports.sliceWritten(outcome.kind);
  switch (outcome.kind) {
    case 'done':
      if (outcome.object === null || sent === null) run.memory.learn({ kind: 'sliceGone', family });
      else {
        const when = { atMs: clock.nowMs(), atWallMs: clock.wallMs() };
        run.memory.learn({ kind: 'sliceWritten', slice: outcome.object, content: sent, made, toGo, ...when });
      }
      return OK;
    case 'gone':
      run.memory.learn({ kind: 'sliceGone', family });
      return OK;
    case 'conflict':
      noteConflict(run, { name, family });
      return again(`EndpointSlice ${name} has changed since it was read`);
    case 'refused':
      noteFailure(run, family, outcome.status === 403 ? 'denied' : 'refused', refusalWords(what, outcome));
      return OK;
    case 'unknown':
      run.memory.learn({ kind: 'routeVoid' });
      noteFailure(run, family, 'silent', `${what}: ${outcome.message}`);
      return again(outcome.message);
  }
}

function noteConflict(run: Run, { name, family }: Pick<Slice, 'name' | 'family'>): void {
  const message = `another client keeps writing EndpointSlice ${name}, each time after the operator has read it and before the operator writes it; the operator tries it again every few seconds. Stop that client from writing it`;
  const { clock } = run.ports;
  run.memory.learn({ kind: 'sliceConflict', family, message, atMs: clock.nowMs(), atWallMs: clock.wallMs() });
}

const noteFailure = (run: Run, of: RouteProblem['of'], how: 'denied' | 'refused' | 'silent', message: string): void =>
  run.memory.learn({ kind: 'routeFailed', of, how, message, atMs: run.ports.clock.nowMs() });
