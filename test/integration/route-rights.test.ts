/** deploy/overlays/route on the real API server: the rights of routing, and what its policies let the operator's account do with them. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { podUid } from '../../src/api/ids.ts';
import type { Slice, SliceContent } from '../../src/api/route.ts';
import { createClock } from '../../src/clock.ts';
import { createCredentials } from '../../src/kubernetes/client/credentials.ts';
import { openKubeConfig } from '../../src/kubernetes/client/kubeconfig.ts';
import { createPools } from '../../src/kubernetes/client/pools.ts';
import { createRouting } from '../../src/kubernetes/client/routing.ts';
import { createTransport } from '../../src/kubernetes/client/transport.ts';
import type { EmptySlice, Routing, SliceName, WriteOutcome } from '../../src/ports/kubernetes.ts';
import { noLog } from '../kit/model/sinks.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import { readKubeconfig } from '../kit/rig/kubeconfig.ts';
import { kubeRest, MERGE_PATCH, type Rest } from '../kit/rig/rest.ts';
import { accountKubeconfig, giveRights } from '../kit/rig/workloads.ts';

const OVERLAY = 'deploy/overlays/route';
const OPERATOR = 'system:serviceaccount:leadergroup-system:leadergroup';
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
/** Policies are compiled by the API server some time after they are made. */
const SETTLED = { timeout: 30_000, interval: 250 };
const signal = new AbortController().signal;

let h: Harness;
let namespace: string;
/** A group that is there, or the garbage collector takes what it owns. */
let owner: EmptySlice['group'];
/** With the operator's token. */
let account: Rest;
let routing: Routing;
const made = new AsyncDisposableStack();

const can = async (question: string): Promise<string> =>
  (await h.kubectl.run(['auth', 'can-i', `--as=${OPERATOR}`, ...question.split(' ')])).stdout.trim();

const RIGHTS = [
  'get services -n default',
  'list services -A',
  'watch services -A',
  'get endpointslices.discovery.k8s.io -n default',
  'list endpointslices.discovery.k8s.io -A',
  'watch endpointslices.discovery.k8s.io -A',
  'create endpointslices.discovery.k8s.io -n default',
  'update endpointslices.discovery.k8s.io -n default',
  'delete endpointslices.discovery.k8s.io -n default',
  'get endpoints -n default',
  'create pods --subresource=eviction -n default',
] as const;

beforeAll(async () => {
  h = made.use(await startHarness());
  await giveRights(h);
});

afterAll(() => made.disposeAsync());

beforeEach(async () => {
  namespace = await h.world.namespace('route');
  const { metadata } = await h.world.applyGroup({ namespace, name: 'web' });
  owner = { name: 'web', uid: metadata.uid };
});

it.each(RIGHTS)('without the overlay the operator may not %s', async (right) => {
  expect(await can(right)).toBe('no');
});

async function applied(overlay: string): Promise<void> {
  const { code, stderr } = await h.kubectl.run(['apply', '--validate=strict', '-k', overlay]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}

describe('with the overlay as it is first applied', () => {
  it('the operator is warned of what it had better not do, and not hindered', async () => {
    await applied(OVERLAY);
    const slice = JSON.stringify({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      ...raw('probe', 'somebody-else'),
    });
    const make = async (dryRun: boolean) =>
      await h.kubectl.run(
        ['create', '-n', namespace, '-f', '-', `--as=${OPERATOR}`, ...(dryRun ? ['--dry-run=server'] : [])],
        slice,
      );
    await vi.waitFor(async () => expect((await make(true)).stderr).toContain('leadergroup-route-slices'), SETTLED);
    expect(await make(false)).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^Warning: .*leadergroup-route-slices/),
    });
  });
});

describe('with the overlay that enforces it the operator', () => {
  beforeAll(async () => {
    await applied(`${OVERLAY}-enforced`);
    const kubeconfig = await accountKubeconfig(h);
    account = made.use(kubeRest(await readKubeconfig(kubeconfig)));
    routing = openRouting(kubeconfig);
    const probing = await h.world.namespace('route');
    await vi.waitFor(async () => {
      const { status, body } = await account.send('POST', slicesOf(probing), raw('probe', 'somebody-else'));
      expect([status, JSON.stringify(body)]).toEqual([403, expect.stringContaining('leadergroup-route-slices')]);
      const eviction = await account.send('POST', evictionOf(probing, 'nobody'), anEviction('nobody', {}));
      expect(JSON.stringify(eviction.body)).toContain('leadergroup-route-evictions');
    }, SETTLED);
  });

  it.each(RIGHTS)('may %s', async (right) => {
    expect(await can(right)).toBe('yes');
  });

  it.each([
    'patch services -n default',
    'update services -n default',
    'patch endpointslices.discovery.k8s.io -n default',
    'deletecollection endpointslices.discovery.k8s.io -n default',
    'list endpoints -n default',
    'create endpoints -n default',
    'delete endpoints -n default',
    'delete pods -n default',
  ])('may not %s', async (right) => {
    expect(await can(right)).toBe('no');
  });

  it('makes a slice empty, shows a pod in it, empties and deletes it', async () => {
    const name = nameOf('web');
    const empty = done(await routing.createSlice(name, content(), signal));
    const shown = done(await routing.replaceSlice(empty, showing('a'), signal));
    const next = done(await routing.replaceSlice(shown, showing('b'), signal));
    const emptied = done(await routing.replaceSlice(next, { ...showing('b'), endpoint: null, fenced: 'x' }, signal));
    expect((await routing.deleteSlice(emptied, signal)).kind).toBe('done');
    expect(await routing.getSlice(namespace, name.name, signal)).toBeNull();
  });

  it('repairs what others made of a slice of its own', async () => {
    const slice = done(await routing.createSlice(nameOf('web'), content(), signal));
    const path = `${slicesOf(namespace)}/${slice.name}`;
    await h.world.rest.must('PATCH', path, { endpoints: [anEndpoint('x'), anEndpoint('y')] }, MERGE_PATCH);
    const altered = await routing.getSlice(namespace, slice.name, signal);
    if (altered === null || altered === 'foreign') throw new Error(`not its own any more: ${String(altered)}`);
    expect(altered.altered).toBe(true);
    expect(done(await routing.replaceSlice(altered, showing('a'), signal)).altered).toBe(false);
  });

  it.each([
    ['without a manager', null],
    ['of the endpoint controller', 'endpointslice-controller.k8s.io'],
  ])('is refused every write to a slice %s', async (_whose, manager) => {
    const { body } = await h.world.rest.send<Body>('POST', slicesOf(namespace), raw('theirs', manager));
    const path = `${slicesOf(namespace)}/theirs`;
    const mine = { ...body, metadata: { ...body.metadata, labels: labels('leadergroup.dev') } };
    expect(await refusal('PUT', path, body)).toContain("is not the LeaderGroup operator's");
    expect(await refusal('PUT', path, mine)).toContain("is not the LeaderGroup operator's");
    expect(await refusal('DELETE', path)).toContain("is not the LeaderGroup operator's");
    expect(await h.world.rest.must<Body>('GET', path)).toEqual(body);
  });

  it.each([
    ['take its label off', null],
    ['give a slice to another manager', 'endpointslice-controller.k8s.io'],
  ])('is refused to %s', async (_what, manager) => {
    const slice = done(await routing.createSlice(nameOf('web'), content(), signal));
    const path = `${slicesOf(namespace)}/${slice.name}`;
    const before = await h.world.rest.must<Body>('GET', path);
    const after = { ...before, metadata: { ...before.metadata, labels: labels(manager) } };
    expect(await refusal('PUT', path, after)).toContain('must leave its label');
    expect(await h.world.rest.must('GET', path)).toEqual(before);
  });

  it('is refused to make a slice without its label, or one that shows a pod already', async () => {
    const own = raw('made', 'leadergroup.dev');
    expect(await refusal('POST', slicesOf(namespace), raw('made', null))).toContain('must leave its label');
    const shows = { ...own, endpoints: [anEndpoint('a')] };
    expect(await refusal('POST', slicesOf(namespace), shows)).toContain(
      'may only make an EndpointSlice without endpoints',
    );
  });

  it.each([
    ['two endpoints', () => [anEndpoint('a'), anEndpoint('b')], 'may have one address'],
    ['two addresses', () => [{ ...anEndpoint('a'), addresses: ['10.9.0.1', '10.9.0.2'] }], 'may have one address'],
    ['an address that is no pod', () => [{ addresses: ['10.9.0.1'] }], 'must be a pod of its namespace'],
    ['a pod of another namespace', () => [anEndpoint('a', 'kube-system')], 'must be a pod of its namespace'],
  ])('is refused to show %s', async (_what, endpoints, words) => {
    const slice = done(await routing.createSlice(nameOf('web'), content(), signal));
    const path = `${slicesOf(namespace)}/${slice.name}`;
    const before = await h.world.rest.must<Body>('GET', path);
    expect(await refusal('PUT', path, { ...before, endpoints: endpoints() })).toContain(words);
  });

  it('evicts the pod that it has read, and no other way', async () => {
    const pod = await h.world.pod({ namespace, name: 'a', labels: { app: 'web' } });
    const { uid, resourceVersion } = pod.metadata;
    const path = evictionOf(namespace, 'a');
    const without = (options: object): Promise<string> => refusal('POST', path, anEviction('a', options));
    expect(await without({})).toContain("must name the pod's uid and resourceVersion");
    expect(await without({ preconditions: { uid } })).toContain("must name the pod's uid and resourceVersion");
    const preconditions = { uid, resourceVersion };
    expect(await without({ preconditions, gracePeriodSeconds: 0 })).toContain('must leave the pod');
    const ref = { namespace, name: 'a', uid: podUid(uid) };
    expect((await routing.evict(ref, resourceVersion, signal)).kind).toBe('done');
  });

  it('is the only one whose writes are looked at', async () => {
    const { rest } = h.world;
    expect((await rest.send('POST', slicesOf(namespace), raw('theirs', null))).status).toBe(201);
    expect((await rest.send('DELETE', `${slicesOf(namespace)}/theirs`)).status).toBe(200);
    await h.world.pod({ namespace, name: 'a', labels: { app: 'web' } });
    expect((await rest.send('POST', evictionOf(namespace, 'a'), anEviction('a', {}))).status).toBe(201);
  });
});

type Body = { readonly metadata: { readonly name: string; readonly resourceVersion: string } };

const slicesOf = (where: string): string => `/apis/discovery.k8s.io/v1/namespaces/${where}/endpointslices`;
const evictionOf = (where: string, pod: string): string => `/api/v1/namespaces/${where}/pods/${pod}/eviction`;
const nameOf = (service: string): SliceName => ({ namespace, name: `${service}-leadergroup-ipv4`, family: 'IPv4' });

const labels = (manager: string | null): Readonly<Record<string, string>> => ({
  'kubernetes.io/service-name': 'web',
  ...(manager === null ? {} : { [MANAGED_BY]: manager }),
});

const raw = (name: string, manager: string | null): object => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name, labels: labels(manager) },
  addressType: 'IPv4',
  endpoints: [],
});

const anEndpoint = (pod: string, where = namespace): object => ({
  addresses: ['10.9.0.1'],
  targetRef: { kind: 'Pod', namespace: where, name: pod, uid: `uid-of-${pod}` },
});

const anEviction = (name: string, deleteOptions: object): object => ({
  apiVersion: 'policy/v1',
  kind: 'Eviction',
  metadata: { name },
  deleteOptions,
});

const content = (): EmptySlice => ({
  service: 'web',
  headless: false,
  group: owner,
  ports: [{ name: 'http', protocol: 'TCP', appProtocol: null, port: 8080 }],
});

const showing = (pod: string): SliceContent => ({
  ...content(),
  token: 1,
  fenced: '',
  endpoint: {
    address: '10.9.0.1',
    pod: { name: pod, uid: podUid(`uid-of-${pod}`) },
    node: null,
    zone: null,
    ready: true,
    serving: true,
    terminating: false,
  },
});

function done(outcome: WriteOutcome<Slice>): Slice {
  if (outcome.kind === 'done') return outcome.object;
  throw new Error(`not done: ${JSON.stringify(outcome)}`);
}

/** What the API server says to the operator's account, which it must refuse. */
async function refusal(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: object): Promise<string> {
  const answer = await account.send<{ readonly message: string }>(method, path, body);
  expect(answer.status).toBe(403);
  return answer.body.message;
}

function openRouting(kubeconfig: string): Routing {
  process.env['KUBECONFIG'] = kubeconfig;
  const clock = createClock();
  const credentials = createCredentials({ open: async () => openKubeConfig(), clock, log: noLog });
  const transport = createTransport({ credentials, pools: createPools(5000), clock });
  made.defer(() => transport.close());
  return createRouting({ transport, requestTimeoutMs: 5000 });
}
