/** `kubectl leadergroup route` and `unroute` on a real API server with the real controllers and a real operator: every version of the EndpointSlices is looked at. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import { type Matcher, type Proxy, startKubeProxy } from '../kit/rig/proxy.ts';
import { type Served, watchServed } from '../kit/rig/served.ts';

const ROOT = join(import.meta.dirname, '../..');
const PODS = ['web-0', 'web-1', 'web-2'];
const SERVICE = 'web';

let h: Harness;
let proxy: Proxy;
let namespace: string;
let leader: string;
let served: Served;

beforeAll(async () => {
  h = await startHarness();
  proxy = await startKubeProxy(h.cluster.kubeconfigPath, join(h.dir, 'proxied.kubeconfig'));
  await h.startOperator();
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
});

beforeEach(async () => {
  namespace = await h.world.namespace('moved');
  await h.group(namespace, 'web');
  leader = (await h.led(namespace, 'web')).name;
  await h.world.create(`/api/v1/namespaces/${namespace}/services`, {
    metadata: { name: SERVICE },
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  });
  served = await watchServed(h.cluster.kubeconfigPath, namespace, SERVICE);
  await served.until(PODS);
  // Kubernetes may fill the endpoints of a new Service after the first list of them.
  served.begin();
  return () => served[Symbol.asyncDispose]();
});

type Ended = { readonly code: number | null; readonly out: string; readonly err: string };

function start(...args: readonly string[]) {
  const child = spawn(process.execPath, ['src/kubectl-leadergroup.ts', ...args, '-n', namespace], {
    cwd: ROOT,
    env: { ...process.env, KUBECONFIG: join(h.dir, 'proxied.kubeconfig') },
  });
  const closed = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  const ended = Promise.all([closed, text(child.stdout), text(child.stderr)]).then(
    ([code, out, err]): Ended => ({ code, out, err }),
  );
  return { ended, kill: () => child.kill('SIGKILL') };
}

const run = (...args: readonly string[]): Promise<Ended> => start(...args).ended;

async function done(...args: readonly string[]): Promise<string> {
  const { code, out, err } = await run(...args);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return out;
}

const service = () =>
  h.world.rest.must<{
    readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
    readonly spec: { readonly selector?: Readonly<Record<string, string>> };
  }>('GET', `/api/v1/namespaces/${namespace}/services/${SERVICE}`);

/** Names of what else the Service has than the operator's slice. */
async function leftovers(): Promise<readonly string[]> {
  const names = await h.kubectl.must([
    '-n',
    namespace,
    'get',
    'endpointslices,endpoints',
    '-l',
    'endpointslice.kubernetes.io/managed-by!=leadergroup.dev',
    '-o',
    'name',
  ]);
  return names.split('\n').filter((name) => name.includes(`/${SERVICE}`));
}

/** What `unroute` leaves at the Service: that the route of the group, if it has one, is not followed on purpose. */
async function note(): Promise<Readonly<Record<string, string>>> {
  const group = await h.world.readGroup(namespace, 'web');
  const { route } = (group?.spec ?? {}) as { readonly route?: object };
  return route === undefined ? {} : { 'leadergroup.dev/unrouted': group?.metadata.uid ?? '' };
}

const empty = () => served.moments.filter((pods) => pods.length === 0);

describe('by label', () => {
  it('a Service leads to the leader, and back, and at every moment to somebody', async () => {
    await done('route', SERVICE, '--by', 'label', '--wait');
    await served.until([leader]);
    expect((await service()).spec.selector).toEqual({ app: 'web', 'leadergroup.dev/role': 'leader' });
    await done('unroute', SERVICE, '--wait');
    await served.until(PODS);
    expect(empty()).toEqual([]);
    const { metadata, spec } = await service();
    expect([spec.selector, metadata.annotations ?? {}]).toEqual([{ app: 'web' }, {}]);
  });
});

describe('by slice', () => {
  it('a Service leads to the leader, and back, and at every moment to somebody', async () => {
    await done('route', SERVICE, '--by', 'slice', '--wait');
    await served.until([leader]);
    await h.condition(namespace, 'web', 'Routed', 'True', 'LeaderShown');
    expect([(await service()).spec.selector, await leftovers()]).toEqual([undefined, []]);
    const before = served.moments.length;
    await done('unroute', SERVICE, '--wait');
    await served.until(PODS);
    const { metadata, spec } = await service();
    expect([spec.selector, metadata.annotations]).toEqual([{ app: 'web' }, await note()]);
    await h.condition(namespace, 'web', 'Routed', 'False', 'ServiceHasSelector');
    expect((await run('doctor', '--once', '-o', 'json')).out).not.toMatch(/"(?:not-routed|route-[a-z-]+)"/);
    expect([before, empty()]).toEqual([2, []]);
  });

  it('a Service that is led by label is moved on, and back to the label', async () => {
    await done('route', SERVICE, '--wait');
    await done('route', SERVICE, '--by', 'slice');
    expect([(await service()).spec.selector, await leftovers()]).toEqual([undefined, []]);
    await done('route', SERVICE, '--by', 'label', '--wait');
    await served.until([leader]);
    expect(served.moments).toEqual([PODS, [leader]]);
    await done('unroute', SERVICE, '--wait');
    expect((await service()).spec.selector).toEqual({ app: 'web' });
  });
});

const isWrite: Matcher = ({ method, path }) =>
  ['PATCH', 'DELETE'].includes(method) &&
  /\/(?:services|endpoints|endpointslices|leadergroups)\/[^/]+$/.test(path.split('?')[0] ?? '');

/** Each process writes once, and is killed at its next write, which never arrives; until one ends by itself. Returns how many were killed. */
async function killedAtEach(...args: readonly string[]): Promise<number> {
  for (let killed = 0; killed < 20; killed += 1) {
    using writes = proxy.hold(isWrite, { mode: 'beforeForwarding' });
    const cli = start(...args);
    const first = await Promise.race([writes.held(1, { timeoutMs: 60_000 }), cli.ended]);
    if ('release' in first) first.release();
    const second = await Promise.race([writes.held(2, { timeoutMs: 60_000 }), cli.ended]);
    if (!('release' in second)) {
      expect(second).toMatchObject({ code: 0, err: '' });
      return killed;
    }
    cli.kill();
    await cli.ended;
    second.drop();
  }
  throw new Error('it does not end');
}

describe('a laptop that is closed after any step', () => {
  it('goes on where it was: to the leader by slice, and back', async () => {
    expect(await killedAtEach('route', SERVICE, '--by', 'slice')).toBeGreaterThan(3);
    await served.until([leader]);
    expect(await leftovers()).toEqual([]);
    expect(await killedAtEach('unroute', SERVICE, '--wait')).toBe(1);
    await served.until(PODS);
    expect(empty()).toEqual([]);
  });

  it('goes back from wherever it was', async () => {
    for (let steps = 1; ; steps += 1) {
      using writes = proxy.hold(isWrite, { mode: 'beforeForwarding' });
      const cli = start('route', SERVICE, '--by', 'slice');
      for (let at = 1; at <= steps; at += 1) {
        const write = await Promise.race([writes.held(at, { timeoutMs: 60_000 }), cli.ended]);
        if ('release' in write) write.release();
      }
      const next = await Promise.race([writes.held(steps + 1, { timeoutMs: 60_000 }), cli.ended]);
      cli.kill();
      await cli.ended;
      writes.drop();
      await done('unroute', SERVICE, '--wait');
      await served.until(PODS);
      const { metadata, spec } = await service();
      const wanted = [steps, { app: 'web' }, await note(), []];
      expect([steps, spec.selector, metadata.annotations ?? {}, empty()]).toEqual(wanted);
      if (!('release' in next)) break;
    }
  });
});
