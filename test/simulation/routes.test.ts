/** What the simulated world does to Services and slices, and how a world at rest is judged by its routes. */
import { describe, expect, it } from 'vitest';
import { aGroup, aPod } from '../kit/fakes/builders.ts';
import { podUid } from '../kit/fakes/ids.ts';
import { createWorldApiServer } from '../kit/model/world-api-server.ts';
import type { WorldRouting } from '../kit/model/world-routing.ts';
import { type Act, type GroupPlan, scenarioOf } from '../kit/simulation/acts.ts';
import { createFaults } from '../kit/simulation/faults.ts';
import { createLoop } from '../kit/simulation/loop.ts';
import { stream } from '../kit/simulation/random.ts';
import { unrouted } from '../kit/simulation/routed.ts';
import { createRoutes, type RouteAct } from '../kit/simulation/routes.ts';
import { runHistory } from '../kit/simulation/run.ts';
import { openStage } from '../kit/simulation/stage.ts';

const base = scenarioOf(1).groups[0] as GroupPlan;
const plan: GroupPlan = { ...base, name: 'g', route: { service: 'svc', families: ['IPv4'], dual: false } };

const LACKING = { service: 'svc', families: ['IPv4', 'IPv6'], dual: true, lacking: true } as const;

type ServiceAct = Pick<Extract<RouteAct, { act: 'service' }>, 'act' | 'how'>;
type IntrudeAct = Pick<Extract<RouteAct, { act: 'intrude' }>, 'act' | 'what'>;

function aWorld() {
  const loop = createLoop();
  const api = createWorldApiServer();
  const faults = createFaults(loop);
  const routes = createRoutes(api, loop, faults, stream('routes'));
  routes.open(plan);
  const group = api.foreign.addGroup(aGroup({ name: 'g', finalizers: [], spec: { route: { serviceName: 'svc' } } }));
  const slice = { namespace: 'default', name: 'svc-leadergroup-ipv4', family: 'IPv4' } as const;
  const content = { service: 'svc', headless: false, group: { name: 'g', uid: group.uid }, ports: [] };
  api.routing.requests.createSlice('one', slice, content);
  const act = (given: ServiceAct | IntrudeAct): void => routes.do({ ...given, atMs: 0, group: 0, forMs: 100 }, plan);
  return { loop, api, faults, group, act, service: () => api.routing.services().find(({ name }) => name === 'svc') };
}

it('a Service that is gone for a while comes back as another one, and one that was changed as it was', async () => {
  const { loop, act, service } = aWorld();
  const before = service();
  act({ act: 'service', how: 'anothers' });
  expect(service()).toMatchObject({ uid: before?.uid, group: 'of-nobody' });
  await loop.runUntil(200);
  expect({ ...service(), resourceVersion: '' }).toEqual({ ...before, resourceVersion: '' });
  act({ act: 'service', how: 'removed' });
  expect(service()).toBeUndefined();
  await loop.runUntil(400);
  expect(service()).toMatchObject({ group: 'g', hasSelector: false });
  expect(service()?.uid).not.toBe(before?.uid);
});

it('whatever else leads to a Service is gone when everything is healed, and takes no slice of the operator with it', () => {
  const { api, faults, act } = aWorld();
  act({ act: 'service', how: 'both' });
  for (const what of ['slice', 'endpoints', 'name'] as const) act({ act: 'intrude', what });
  const { requests } = api.routing;
  const elsewhere = () => [requests.foreignSlices('default').get('svc') ?? [], requests.hasEndpoints('default', 'svc')];
  expect(elsewhere()).toEqual([['svc-by-selector', 'svc-of-others'], true]);
  faults.end();
  expect(elsewhere()).toEqual([[], false]);
  expect(api.routing.slices().map(({ name }) => name)).toEqual(['svc-leadergroup-ipv4']);
});

it('a slice that somebody keeps stays when it is deleted, and what a webhook alters is touched when that has gone', async () => {
  const { loop, api, act } = aWorld();
  const slice = () => api.routing.slice('svc-leadergroup-ipv4');
  act({ act: 'intrude', what: 'finalizer' });
  act({ act: 'intrude', what: 'webhook' });
  const before = slice();
  if (before === null) throw new Error('there is no slice');
  api.routing.requests.replaceSlice('one', before, { ...before, token: 3 });
  expect(slice()).toMatchObject({ token: 3, altered: true });
  const written = slice()?.resourceVersion;
  api.routing.foreign.removeSlice('svc-leadergroup-ipv4');
  expect(slice()).not.toBeNull();
  await loop.runUntil(200);
  expect(slice()).toBeNull();
  expect(Number(api.routing.sliceLog.at(-1)?.before?.resourceVersion)).toBeGreaterThan(Number(written));
});

it('whoever deletes a slice again and again does so until that is over', async () => {
  const { loop, api, group, act } = aWorld();
  const name = { namespace: 'default', name: 'svc-leadergroup-ipv4', family: 'IPv4' } as const;
  const content = { service: 'svc', headless: false, group: { name: 'g', uid: group.uid }, ports: [] };
  act({ act: 'intrude', what: 'remover' });
  expect(api.routing.slices()).toEqual([]);
  api.routing.requests.createSlice('one', name, content);
  await loop.runUntil(60);
  expect(api.routing.slices()).toEqual([]);
  await loop.runUntil(200);
  api.routing.requests.createSlice('one', name, content);
  await loop.runUntil(400);
  expect(api.routing.slices()).toHaveLength(1);
});

it('slices go when the group that owns them has gone, and no others', async () => {
  const { loop, api } = aWorld();
  api.foreign.deleteGroup('g');
  const again = api.foreign.addGroup(aGroup({ name: 'g', uid: 'uid-of-the-next', finalizers: [] }));
  expect(api.routing.slices()).toHaveLength(1);
  await loop.runUntil(10_000);
  expect(api.routing.slices()).toEqual([]);
  expect(api.group('g')?.uid).toBe(again.uid);
});

it('of a replica that knows no routes the others know that, until it is upgraded', async () => {
  const scenario = { ...scenarioOf(5), groups: [plan], replicas: 2, acts: [], olderUntilMs: 8000, probed: [] };
  const { loop, api } = openStage(scenario, () => undefined);
  const saidAt = async (ms: number): Promise<string | undefined> => {
    await loop.runUntil(ms);
    return api.group('g')?.status?.conditions.find(({ type }) => type === 'Routed')?.reason;
  };
  expect([undefined, 'OlderReplica', 'NotChecked']).toContain(await saidAt(7900));
  expect(api.routing.slices()).toEqual([]);
  expect(await saidAt(90_000)).toBe('LeaderShown');
  expect(api.routing.slices()).toHaveLength(1);
});

it('a world at rest is not in order where a slice shows somebody else, or Routed does not say so', () => {
  const { api, group } = aWorld();
  const leader = aPod({ name: 'g-0', addresses: ['10.0.0.1'], annotations: { 'token.leadergroup.dev/g': '3' } });
  const ports = [{ name: 'http', protocol: 'TCP', appProtocol: null, port: 8080 }];
  const endpoint = {
    address: '10.0.0.1',
    pod: { name: 'g-0', uid: leader.uid },
    node: null,
    zone: null,
    ready: true,
    serving: true,
    terminating: false,
  };
  const show = (change: object): void =>
    api.routing.foreign.editSlice('svc-leadergroup-ipv4', () => ({
      altered: false,
      token: 3,
      ports,
      endpoint,
      ...change,
    }));
  const said = (): string | null => unrouted(api, api.group('g') ?? group, leader);
  expect(said()).toContain('it shows nobody');
  show({ endpoint: { ...endpoint, pod: { name: 'g-1', uid: podUid('uid-of-g-1') } } });
  expect(said()).toContain('should be');
  show({ token: 2 });
  expect(said()).toContain('should be');
  show({});
  expect(said()).toBe('Routed of g is not there, and all is right');
});

it('a leader without an address in a family is right where nobody is shown, by this lead, and Routed says so', () => {
  const { api, group } = aWorld();
  const annotations = { 'token.leadergroup.dev/g': '3' };
  const leader = aPod({ name: 'g-0', addresses: ['fd00::1'], annotations });
  const said = (token: number): string | null => {
    api.routing.foreign.editSlice('svc-leadergroup-ipv4', () => ({ altered: false, token, endpoint: null }));
    return unrouted(api, api.group('g') ?? group, leader);
  };
  expect(said(2)).toContain('written last with token 2');
  expect(said(3)).toContain('not in each family');
});

it('every other write of a slice meets a conflict while somebody races with it', async () => {
  const { loop, api, act } = aWorld();
  act({ act: 'intrude', what: 'racer' });
  const slice = () => api.routing.slice('svc-leadergroup-ipv4') ?? expect.fail('there is no slice');
  const write = (token: number): string => {
    const now = slice();
    return api.routing.requests.replaceSlice('one', now, { ...now, token }).kind;
  };
  expect([write(1), write(2), write(3), write(4), slice().token]).toEqual(['conflict', 'done', 'conflict', 'done', 4]);
  await loop.runUntil(200);
  expect([write(5), write(6)]).toEqual(['done', 'done']);
});

it('in some histories pods lack an address of one family', () => {
  const plans = Array.from({ length: 200 }, (_, seed) => scenarioOf(seed).groups).flat();
  expect(plans.filter(({ route }) => route?.lacking === true).length).toBeGreaterThan(10);
  const groups = Array.from({ length: 5 }, (_, at) => ({ ...plan, name: `g${at}`, pods: 3, route: LACKING }));
  const { api } = openStage({ ...scenarioOf(5), groups, acts: [], probed: [] }, () => undefined);
  const families = new Set(api.pods().map(({ addresses }) => addresses.length));
  expect(families).toEqual(new Set([1, 2]));
});

it('half of the histories have routes, some of them every act that is about them', () => {
  const scenarios = Array.from({ length: 400 }, (_, seed) => scenarioOf(seed));
  const routed = scenarios.filter(({ groups }) => groups.some(({ route }) => route !== undefined));
  expect(routed.length).toBeGreaterThan(120);
  const met = new Set(routed.flatMap(({ acts }) => acts.map(({ act }: Act) => act)));
  expect([...met]).toEqual(expect.arrayContaining(['service', 'spoil', 'intrude', 'deny']));
  expect(routed.some(({ olderUntilMs = 0 }) => olderUntilMs > 0)).toBe(true);
});

it('a history with routes meets what Routed says', async () => {
  const seed = Array.from({ length: 100 }, (_, at) => at).find((at) =>
    scenarioOf(at).groups.every(({ route }) => route !== undefined),
  );
  const { met } = await runHistory(seed ?? 0);
  expect(met).toContain('routed LeaderShown');
});

describe('what others do to a Service or a slice', () => {
  async function aLedWorld({ watched = true, of = plan } = {}) {
    const scenario = {
      ...scenarioOf(5),
      groups: [of],
      replicas: 1,
      acts: [],
      gate: false,
      probed: [],
      olderUntilMs: 0,
    };
    const { loop, api, defects, replicas } = openStage(scenario, () => undefined);
    api.routing.forbidWatches(!watched);
    const said = () => api.group('g')?.status?.conditions.find(({ type }) => type === 'Routed');
    const pass = (ms: number): Promise<void> => loop.runUntil(loop.nowMs() + ms);
    const { foreign } = api.routing;
    const service = () => api.routing.services()[0] ?? expect.fail('there is no Service');
    const shown = () => api.routing.slices().map(({ endpoint }) => endpoint?.pod.name ?? null);
    await pass(200_000);
    const each = of.route?.families.map(() => expect.any(String));
    expect([shown(), said()?.reason]).toEqual([each, watched ? 'LeaderShown' : 'PermissionDenied']);
    return { api, defects, said, pass, foreign, service, shown, replica: () => replicas[0] };
  }
  const SOON_MS = 3000;

  it('is acted on at once', async () => {
    const { said, pass, foreign, service, shown, defects } = await aLedWorld();
    const [leader] = shown();
    foreign.putService({ ...service(), group: null });
    await pass(SOON_MS);
    expect(shown()).toEqual([null]);
    foreign.putService({ ...service(), group: 'g' });
    await pass(SOON_MS);
    expect(shown()).toEqual([leader]);
    foreign.editSlice('svc-leadergroup-ipv4', () => ({ endpoint: null }));
    await pass(SOON_MS);
    expect(shown()).toEqual([leader]);
    foreign.removeSlice('svc-leadergroup-ipv4');
    await pass(SOON_MS);
    expect(shown()).toEqual([leader]);
    foreign.removeService('svc');
    await pass(SOON_MS);
    expect(shown()).toEqual([null]);
    await pass(60_000);
    expect([said()?.reason, defects]).toEqual(['ServiceNotFound', []]);
  });

  const IPV4 = 'svc-leadergroup-ipv4';

  it.each<[string, (foreign: WorldRouting['foreign'], turn: number) => void]>([
    ['deletes it', (foreign) => foreign.removeSlice(IPV4)],
    [
      'makes it another group’s',
      (foreign) => foreign.editSlice(IPV4, ({ group }) => ({ group: { ...group, uid: '' } })),
    ],
    ['empties it', (foreign) => foreign.editSlice(IPV4, () => ({ endpoint: null }))],
    [
      'deletes and empties it in turn',
      (foreign, turn) =>
        turn % 2 === 0 ? foreign.removeSlice(IPV4) : foreign.editSlice(IPV4, () => ({ endpoint: null })),
    ],
  ])('to a slice again and again is undone after growing pauses, and named: it %s', async (_, undo) => {
    const { api, said, pass, foreign, shown } = await aLedWorld();
    const [leader] = shown();
    const shownBy = () => api.routing.slice(IPV4)?.endpoint?.pod.name ?? null;
    for (let turn = 0; turn < 2; turn += 1) {
      undo(foreign, turn);
      await pass(1000);
      expect(shownBy()).toBe(leader);
    }
    const before = api.routing.writes();
    for (let turn = 0; turn < 400; turn += 1) {
      undo(foreign, turn);
      await pass(50);
    }
    expect(api.routing.writes() - before).toBeLessThan(60);
    expect(said()?.reason).toBe('SliceAltered');
    api.foreign.changePod(leader ?? '', () => ({ deleting: true, ready: false }));
    await pass(SOON_MS);
    expect([null, leader]).not.toContain(shownBy());
    await pass(70_000);
    expect(said()?.reason).toBe('LeaderShown');
  });

  it('to the slice of one family leaves the other one right: an earlier group’s is in the way, and a finalizer keeps it', async () => {
    const of: GroupPlan = { ...plan, route: { service: 'svc', families: ['IPv4', 'IPv6'], dual: true } };
    const { api, said, pass, foreign } = await aLedWorld({ of });
    const [ipv4, ipv6] = ['svc-leadergroup-ipv4', 'svc-leadergroup-ipv6'];
    const shownBy = (name = '') => api.routing.slice(name)?.endpoint?.pod.name;
    const leader = shownBy(ipv4);
    foreign.keepSlice(ipv6, true);
    foreign.editSlice(ipv6, ({ group }) => ({ group: { ...group, uid: 'uid-of-an-earlier-one' } }));
    foreign.removeSlice(ipv4);
    await pass(SOON_MS);
    expect([shownBy(ipv4), shownBy(ipv6), said()?.reason]).toEqual([leader, undefined, 'WriteRefused']);
    foreign.keepSlice(ipv6, false);
    await pass(60_000);
    expect([shownBy(ipv6), said()?.reason]).toEqual([leader, 'LeaderShown']);
  });

  it('is told of slices that lead elsewhere as soon as they are there', async () => {
    const { said, pass, foreign } = await aLedWorld();
    foreign.addSlice('elsewhere', 'svc');
    await pass(15_000);
    expect(said()?.reason).toBe('ForeignEndpoints');
    foreign.removeSlice('elsewhere');
    await pass(15_000);
    expect(said()?.reason).toBe('LeaderShown');
  });

  it('is found within a minute where nobody may watch, and Routed says what is missing; with the right it is found at once', async () => {
    const { api, said, pass, foreign, service, shown } = await aLedWorld({ watched: false });
    expect(said()).toMatchObject({ status: 'False', message: expect.stringContaining('services is forbidden') });
    expect(api.group('g')?.status?.conditions.find(({ type }) => type === 'Ready')?.reason).toBe('Led');
    foreign.putService({ ...service(), group: null });
    await pass(61_000);
    expect(shown()).toEqual([null]);
    api.routing.forbidWatches(false);
    await pass(15_000);
    foreign.putService({ ...service(), group: 'g' });
    await pass(SOON_MS);
    expect(shown()).toEqual([expect.any(String)]);
    await pass(60_000);
    expect(said()?.reason).toBe('LeaderShown');
  });

  it('is found within a minute once the watch has lost its right, though it was to be found later', async () => {
    const { api, pass, foreign, service, shown, replica } = await aLedWorld();
    await pass(120_000);
    api.routing.forbidWatches(true);
    replica()?.watches.cut();
    await pass(1000);
    foreign.putService({ ...service(), group: null });
    await pass(75_000);
    expect(shown()).toEqual([null]);
  });
});
