/** What routing relies on the API server for, as cases that the simulated and the real one must both pass. */
import { expect, it } from 'vitest';
import { podUid } from '../../src/api/ids.ts';
import type { SliceContent } from '../../src/api/route.ts';
import type { EmptySlice, Kubernetes, Routing, SliceName, WriteOutcome } from '../../src/ports/kubernetes.ts';

export type ContractRouting = {
  readonly routing: Routing;
  readonly kubernetes: Pick<Kubernetes, 'getPod'>;
  readonly namespace: string;
  /** What others do; each resolves when the server has done it. */
  createService(name: string, group: string | null): Promise<void>;
  createForeignSlice(name: string, service: string): Promise<void>;
  createEndpoints(service: string): Promise<void>;
  createPod(name: string): Promise<void>;
  /** Changes the pod. */
  setReady(name: string, ready: boolean): Promise<void>;
};

const signal = new AbortController().signal;
const ANOTHER_UID = '00000000-0000-4000-8000-000000000000';
let used = 0;

function done<T>(outcome: WriteOutcome<T>): T {
  if (outcome.kind === 'done') return outcome.object;
  throw new Error(`not done: ${JSON.stringify(outcome)}`);
}

const empty = (service: string): EmptySlice => ({
  service,
  headless: false,
  group: { name: 'g', uid: ANOTHER_UID },
  ports: [{ name: 'http', protocol: 'TCP', appProtocol: null, port: 8080 }],
});

const endpoint = {
  address: '10.1.2.3',
  pod: { name: 'a', uid: podUid('uid-of-a') },
  node: 'node-1',
  zone: null,
  ready: true,
  serving: true,
  terminating: false,
};

const showing = (service: string, token: number): SliceContent => ({ ...empty(service), token, fenced: '', endpoint });
const emptied = (service: string, fenced: string): SliceContent => ({
  ...empty(service),
  token: 1,
  fenced,
  endpoint: null,
});

export function routingContract(given: () => ContractRouting): void {
  const test = (name: string, body: (c: ContractRouting, slice: SliceName) => Promise<void>): void =>
    it.concurrent(name, async () => {
      used += 1;
      const c = given();
      return body(c, { namespace: c.namespace, name: `slice-${used}-leadergroup-ipv4`, family: 'IPv4' });
    });

  test('a slice is made empty, and once', async ({ routing }, slice) => {
    expect(await routing.getSlice(slice.namespace, slice.name, signal)).toBeNull();
    const made = done(await routing.createSlice(slice, empty(slice.name), signal));
    expect(made).toMatchObject({
      ...slice,
      ...empty(slice.name),
      token: 0,
      fenced: '',
      endpoint: null,
      altered: false,
    });
    expect((await routing.createSlice(slice, empty(slice.name), signal)).kind).toBe('conflict');
    expect(await routing.getSlice(slice.namespace, slice.name, signal)).toEqual(made);
  });

  test('a slice is replaced under uid and version, as a whole', async ({ routing }, slice) => {
    const made = done(await routing.createSlice(slice, empty(slice.name), signal));
    const shown = done(await routing.replaceSlice(made, showing(slice.name, 7), signal));
    expect(shown).toMatchObject({ ...showing(slice.name, 7), altered: false });
    expect((await routing.replaceSlice(made, showing(slice.name, 8), signal)).kind).toBe('conflict');
    const another = { ...shown, uid: ANOTHER_UID };
    expect((await routing.replaceSlice(another, showing(slice.name, 8), signal)).kind).toBe('conflict');
    expect(await routing.getSlice(slice.namespace, slice.name, signal)).toEqual(shown);
  });

  test('an empty slice that is fenced has another version, so that what was planned before is a conflict', async ({
    routing,
  }, slice) => {
    const made = done(await routing.createSlice(slice, empty(slice.name), signal));
    const one = done(await routing.replaceSlice(made, emptied(slice.name, 'one'), signal));
    const two = done(await routing.replaceSlice(one, emptied(slice.name, 'two'), signal));
    expect(new Set([made, one, two].map(({ resourceVersion }) => resourceVersion)).size).toBe(3);
    expect((await routing.replaceSlice(one, showing(slice.name, 9), signal)).kind).toBe('conflict');
  });

  test('a replacement that arrives after the deletion makes nothing', async ({ routing }, slice) => {
    const made = done(await routing.createSlice(slice, empty(slice.name), signal));
    const later = done(await routing.replaceSlice(made, emptied(slice.name, 'x'), signal));
    expect((await routing.deleteSlice(made, signal)).kind).toBe('conflict');
    expect((await routing.deleteSlice({ ...later, uid: ANOTHER_UID }, signal)).kind).toBe('conflict');
    done(await routing.deleteSlice(later, signal));
    expect((await routing.replaceSlice(later, showing(slice.name, 9), signal)).kind).toBe('gone');
    expect((await routing.deleteSlice(later, signal)).kind).toBe('gone');
    expect(await routing.getSlice(slice.namespace, slice.name, signal)).toBeNull();
  });

  test('a Service tells its ports, families and whom it lets lead its traffic', async (c, { name }) => {
    const service = name.replace('-leadergroup-ipv4', '');
    await c.createService(service, 'g');
    expect(await c.routing.getService(c.namespace, service, signal)).toMatchObject({
      name: service,
      group: 'g',
      hasSelector: false,
      headless: false,
      families: ['IPv4'],
      ports: [{ name: 'http', protocol: 'TCP', appProtocol: null, target: 'web' }],
    });
    expect(await c.routing.getService(c.namespace, `${service}-no`, signal)).toBeNull();
  });

  test('whatever else leads to a Service is found: slices of others, and its Endpoints', async (c, slice) => {
    const service = slice.name;
    const others = async () => (await c.routing.foreignSlices(c.namespace, signal)).get(service);
    done(await c.routing.createSlice(slice, empty(service), signal));
    expect(await others()).toBeUndefined();
    expect(await c.routing.hasEndpoints(c.namespace, service, signal)).toBe(false);
    await c.createForeignSlice(`${service}-other`, service);
    expect(await others()).toEqual([`${service}-other`]);
    expect(await c.routing.getSlice(c.namespace, `${service}-other`, signal)).toBe('foreign');
    await c.createEndpoints(service);
    expect(await c.routing.hasEndpoints(c.namespace, service, signal)).toBe(true);
  });

  test('an eviction that is late does not hit what the pod has become', async (c, { name }) => {
    await c.createPod(name);
    const before = await podOf(c, name);
    await c.setReady(name, false);
    expect((await c.routing.evict(before, before.resourceVersion, signal)).kind).toBe('conflict');
    const now = await podOf(c, name);
    const another = { ...now, uid: podUid(ANOTHER_UID) };
    expect((await c.routing.evict(another, now.resourceVersion, signal)).kind).toBe('conflict');
    expect((await podOf(c, name)).deleting).toBe(false);
    done(await c.routing.evict(now, now.resourceVersion, signal));
    expect((await c.kubernetes.getPod(c.namespace, name, signal))?.deleting ?? true).toBe(true);
  });
}

async function podOf({ kubernetes, namespace }: ContractRouting, name: string) {
  const pod = await kubernetes.getPod(namespace, name, signal);
  if (pod === null) throw new Error(`there is no pod ${name}`);
  return pod;
}
