/** The slices of a route follow the lead in one write, whatever is late, lost or in the way. (Promise I11.) */
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { CANDIDATE_ANNOTATION } from '../../src/api/names.ts';
import type { Pod } from '../../src/api/pod.ts';
import type { Slice } from '../../src/api/route.ts';
import { groupKeys } from '../../src/election/keys.ts';
import { aGroup, aPod, aService, type GroupOverrides } from '../kit/fakes/builders.ts';
import { anEndpoint, WEB_PORT } from '../kit/fakes/builders-route.ts';
import { settle } from '../kit/fakes/clock.ts';
import type { HeldRequest, Request } from '../kit/model/link.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import { type Replica, SPACE } from '../kit/model/replica.ts';
import { trying } from '../kit/model/seed.ts';
import { shownIn, sliceBreaches } from '../kit/model/slices.ts';
import {
  arrive,
  giveUpAll,
  INTERRUPTIONS,
  interruptedPass,
  ownedAtRest,
  seeAndPass,
  stall,
  timeOut,
  tokenOn,
  untilGone,
} from '../kit/model/stage.ts';
import { actsOn, calm, groupOn, walk } from '../kit/model/walk.ts';

const SLICE = 'notifier-leader-leadergroup-ipv4';
const SLICE6 = 'notifier-leader-leadergroup-ipv6';
const ROUTE = { serviceName: 'notifier-leader' };
const MINUTE_MS = 60_000;

let model: Model;

const member = (name: string, more: Partial<Pod> = {}): Pod =>
  aPod({ name, addresses: [`10.0.0.${name.charCodeAt(0)}`], namedPorts: [WEB_PORT], ...more });

const slice = (): Slice | null => model.api.routing.slice(SLICE);
const shownBy = (name: string): string | null => model.api.routing.slice(name)?.endpoint?.pod.name ?? null;
const shown = (): string | null => shownBy(SLICE);
const versions = (): number => model.api.routing.sliceLog.length;
const condition = (): string =>
  model.api.group()?.status?.conditions.find(({ type }) => type === 'Routed')?.reason ?? '';

/** A group whose route is to `notifier-leader`, with these pods. */
function aRoutedModel(names: readonly string[] = ['a', 'b'], spec: GroupOverrides['spec'] = {}): void {
  model = aModel({ group: { spec: { route: ROUTE, ...spec } }, pods: names.map((name) => member(name)) });
  model.api.routing.foreign.putService(aService());
}

async function led(names: readonly string[] = ['a', 'b'], spec: GroupOverrides['spec'] = {}): Promise<Replica> {
  aRoutedModel(names, spec);
  const owner = await ownedAtRest(model);
  expect([model.leaders(), shown(), condition()]).toEqual([['a'], 'a', 'LeaderShown']);
  return owner;
}

const terminates = (name: string): void => model.api.foreign.changePod(name, () => ({ deleting: true, ready: false }));
const ready = (name: string, is: boolean): void => model.api.foreign.changePod(name, () => ({ ready: is }));

const lockSession = () => model.consul.entry(groupKeys(SPACE, aGroup(), null).lock)?.session ?? null;

async function minuteLater(owner: Replica): Promise<void> {
  await model.clock.advance(MINUTE_MS);
  await model.rest(owner);
}

/** Everything that is on its way arrives, the latest owner sees all of it, and the slice shows who leads, with its token. */
async function comesRight(): Promise<void> {
  for (const { link } of model.replicas) for (const held of link.held()) held.deliver();
  await settle();
  const last = model.replica('last');
  await model.own(last);
  await model.rest(last, 20);
  await minuteLater(last);
  const [leader] = model.leaders();
  expect([shown(), slice()?.token]).toEqual([leader, tokenOn(model, leader ?? '')]);
}

afterEach(() => {
  expect([model.promises.breaches, sliceBreaches(model.api.routing.sliceLog)]).toEqual([[], []]);
});

describe('an election', () => {
  it('finds the slice made before it, and empty', async () => {
    aRoutedModel();
    const owner = model.replica('O1');
    await model.own(owner);
    const promotion = await stall(owner, { operation: 'patchPod', about: 'a' });
    expect([slice()?.token, shown()]).toEqual([tokenOn(model, 'a') + 1, 'a']);
    expect(model.api.routing.sliceLog[0]?.after).toMatchObject({ endpoint: null, token: 0 });
    await arrive(promotion);
    await model.rest(owner);
    expect([model.leaders(), shown(), versions()]).toEqual([['a'], 'a', 2]);
  });

  it('waits for no list of what others have: that is read once the label is on, and named then', async () => {
    aRoutedModel();
    model.api.routing.foreign.addSlice('left-over', 'notifier-leader');
    const owner = model.replica('O1');
    await model.own(owner);
    const list = await stall(owner, { operation: 'foreignSlices' });
    expect([model.leaders(), shown()]).toEqual([['a'], 'a']);
    await arrive(list);
    await model.rest(owner);
    expect(condition()).toBe('ForeignEndpoints');
  });

  it('waits for no list that hangs: what it said before holds until it has come', async () => {
    const owner = await led();
    model.api.routing.foreign.addSlice('left-over', 'notifier-leader');
    owner.link.decide(({ operation }) => (operation === 'foreignSlices' ? 'held' : 'arrives'));
    await model.clock.advance(MINUTE_MS);
    owner.see.all();
    owner.pass();
    await settle();
    terminates('a');
    owner.see.all();
    await model.clock.advance(1000);
    expect([model.leaders(), shown(), condition()]).toEqual([['b'], 'b', 'LeaderShown']);
    for (const held of owner.link.held()) await arrive(held);
    await model.clock.advance(5000);
    await model.rest(owner);
    expect(condition()).toBe('ForeignEndpoints');
  });

  it('of a group without a leader waits for no list either, and a slice is made and read by its name', async () => {
    aRoutedModel([]);
    model.api.foreign.addPod(member('a', { ready: false }));
    const owner = await ownedAtRest(model);
    owner.link.decide(({ operation }) => (operation === 'foreignSlices' ? 'held' : 'arrives'));
    await minuteLater(owner);
    ready('a', true);
    owner.see.all();
    owner.pass();
    await settle();
    expect([model.leaders(), shown()]).toEqual([['a'], 'a']);
    for (const held of owner.link.held()) await arrive(held);
    await model.rest(owner);
    expect(condition()).toBe('LeaderShown');
  });

  it('goes on where the API server refuses slices, and says so', async () => {
    aRoutedModel();
    model.api.routing.forbid(true);
    const owner = await ownedAtRest(model);
    expect([model.leaders(), slice(), condition()]).toEqual([['a'], null, 'PermissionDenied']);
    model.api.routing.forbid(false);
    await minuteLater(owner);
    expect([shown(), condition()]).toEqual(['a', 'LeaderShown']);
  });

  it('has a token above the one that the slice alone still knows', async () => {
    const owner = await led();
    const token = slice()?.token ?? 0;
    owner.kill();
    model.consul.foreign.wipe();
    for (const name of ['a', 'b']) model.api.foreign.removePod(name);
    model.api.foreign.addPod(member('c'));
    model.api.foreign.changeGroup('notifier', () => ({ status: null }));
    const next = model.replica('O2');
    await model.own(next);
    await model.rest(next);
    expect(shown()).toBe('c');
    expect(slice()?.token).toBeGreaterThan(token);
  });
});

describe('a handover', () => {
  it.each([
    ['it terminates', terminates],
    ['it is not ready', (name: string) => ready(name, false)],
    ['it has gone', (name: string) => model.api.foreign.removePod(name)],
  ])('is one write, from the former leader to the next: %s', async (_, how) => {
    const owner = await led();
    const before = versions();
    how('a');
    await model.rest(owner);
    expect([shown(), versions() - before, slice()?.token]).toEqual(['b', 1, tokenOn(model, 'b')]);
  });

  it('sends slice and label together: neither waits for the other', async () => {
    const owner = await led();
    terminates('a');
    owner.see.all();
    await stall(owner, { operation: 'patchPod', about: 'b' });
    expect(shown()).toBe('b');
    const [held] = owner.link.held();
    if (held !== undefined) await arrive(held);
  });

  it('whose write met a conflict is put right before anything else is read', async () => {
    const owner = await led();
    terminates('a');
    owner.see.all();
    model.api.routing.foreign.editSlice(SLICE, () => ({ altered: false }));
    const list = await stall(owner, { operation: 'hasEndpoints' });
    expect([model.leaders(), shown(), slice()?.token]).toEqual([['b'], 'b', tokenOn(model, 'b')]);
    await arrive(list);
    await model.rest(owner);
    expect(condition()).toBe('LeaderShown');
  });

  it('comes to its end whatever becomes of each request', async () => {
    for (const fate of INTERRUPTIONS) {
      for (let at = 0, met = true; met; at += 1) {
        const owner = await led();
        terminates('a');
        owner.see.all();
        met = await interruptedPass(owner, at, fate);
        await giveUpAll(owner);
        await model.rest(owner, 20);
        await comesRight();
        expect(sliceBreaches(model.api.routing.sliceLog), `${fate} at ${at}`).toEqual([]);
      }
    }
  });
});

describe('a handover to a pod without an address', () => {
  const IPV6 = SLICE.replace('ipv4', 'ipv6');
  const FD = 'fd00::1';
  const shownAt = (name: string): string | null => model.api.routing.slice(name)?.endpoint?.pod.name ?? null;

  /** The write that shows a is under way, and a ends: O2 has c to lead, which has no address in the family of the slice. */
  async function overtaken(name: string): Promise<[HeldRequest, Replica]> {
    model = aModel({ group: { spec: { route: ROUTE } }, pods: [member('a', { addresses: ['10.0.0.1', FD] })] });
    model.api.routing.foreign.putService(aService({ families: ['IPv4', 'IPv6'] }));
    const o1 = model.replica('O1');
    await model.own(o1);
    const late = await stall(o1, { operation: 'replaceSlice', about: name });
    const o2 = model.replica('O2');
    await model.own(o2, { unnoticed: true });
    model.api.foreign.addPod(member('c', { addresses: name === SLICE ? ['fd00::3'] : ['10.0.0.3'] }));
    terminates('a');
    return [late, o2];
  }

  it.each([SLICE, IPV6])('a write that is late does not show the former leader: %s', async (name) => {
    const [late, o2] = await overtaken(name);
    await model.rest(o2);
    expect([model.leaders(), shownAt(name), condition()]).toEqual([['c'], null, 'NoAddress']);
    await arrive(late);
    expect(shownAt(name)).toBeNull();
  });

  it.each(['lost', 'answerLost'] as const)('nor where the write of the handover is %s', async (fate) => {
    const [late, o2] = await overtaken(IPV6);
    let met = false;
    o2.link.decide(({ operation, about }) => {
      if (met || operation !== 'replaceSlice' || about !== IPV6) return 'arrives';
      met = true;
      return fate;
    });
    await model.rest(o2);
    await minuteLater(o2);
    expect([met, model.leaders()]).toEqual([true, ['c']]);
    await arrive(late);
    expect(shownAt(IPV6)).toBeNull();
    expect(model.api.routing.slice(IPV6)?.token).toBe(tokenOn(model, 'c'));
  });

  it('writes each slice once, and at rest nothing', async () => {
    const [late, o2] = await overtaken(IPV6);
    const before = versions();
    await model.rest(o2);
    expect(versions() - before).toBe(2);
    await minuteLater(o2);
    expect(versions() - before).toBe(2);
    await arrive(late);
  });
});

describe('a write that is late', () => {
  it('of an owner that is none any more changes nothing once the next one has shown its leader', async () => {
    const o1 = await led();
    terminates('a');
    o1.see.all();
    const late = await stall(o1, { operation: 'replaceSlice' });
    const o2 = model.replica('O2');
    await model.own(o2, { unnoticed: true });
    model.api.foreign.changePod('b', () => ({ deleting: true, ready: false }));
    model.api.foreign.addPod(member('c'));
    await model.rest(o2);
    expect(shown()).toBe('c');
    await arrive(late);
    expect(shown()).toBe('c');
  });

  it('of a promotion whose verification is older than what stands there changes nothing', async () => {
    const o1 = await led();
    terminates('a');
    o1.see.all();
    const verified = await stall(o1, { operation: 'txn' }, 'answerHeld');
    const o2 = model.replica('O2');
    await model.own(o2, { unnoticed: true });
    model.api.foreign.removePod('b');
    model.api.foreign.addPod(member('c'));
    await model.rest(o2);
    const token = slice()?.token;
    await arrive(verified);
    expect([shown(), slice()?.token]).toEqual(['c', token]);
  });

  it('finds a slice that was empty already fenced once the lock was given up', async () => {
    aRoutedModel(['a']);
    const o1 = model.replica('O1');
    await model.own(o1);
    const late = await stall(o1, { operation: 'replaceSlice' });
    const o2 = model.replica('O2');
    await model.own(o2, { unnoticed: true });
    model.api.foreign.removePod('a');
    await model.rest(o2);
    expect([model.leaders(), shown()]).toEqual([[], null]);
    await arrive(late);
    expect(shown()).toBeNull();
  });

  it('of a creation shows nobody, and is used', async () => {
    aRoutedModel();
    const o1 = model.replica('O1');
    await model.own(o1);
    const late = await stall(o1, { operation: 'createSlice' });
    await timeOut(late);
    await arrive(late);
    expect(shown()).toBeNull();
    await minuteLater(o1);
    expect(shown()).toBe('a');
  });
});

describe('a slice', () => {
  it('is emptied where nobody can lead, before the lock is given up, and again for no version of the lock', async () => {
    const owner = await led(['a']);
    model.api.foreign.removePod('a');
    owner.see.all();
    const emptying = await stall(owner, { operation: 'replaceSlice' });
    expect(lockSession()).not.toBeNull();
    await arrive(emptying);
    await model.rest(owner);
    expect(lockSession()).toBeNull();
    const written = versions();
    await minuteLater(owner);
    expect([shown(), slice()?.fenced === '', versions()]).toEqual([null, false, written]);
  });

  it('follows the readiness of a leader that stays, and nothing is written at rest', async () => {
    const owner = await led(['a']);
    ready('a', false);
    await model.rest(owner);
    expect(slice()?.endpoint).toMatchObject({ ready: false, serving: false });
    ready('a', true);
    await model.rest(owner);
    expect(slice()?.endpoint).toMatchObject({ ready: true, serving: true });
    const written = versions();
    await minuteLater(owner);
    expect(versions()).toBe(written);
  });

  it('of a leader that terminates while nobody else can lead says so', async () => {
    const owner = await led(['a']);
    model.api.foreign.changePod('a', () => ({ deleting: true }));
    await model.rest(owner);
    expect(slice()?.endpoint).toMatchObject({ ready: false, serving: true, terminating: true });
  });

  it('follows the address of the leader, with the same token', async () => {
    const owner = await led();
    const token = slice()?.token;
    model.api.foreign.changePod('a', () => ({ addresses: ['10.9.9.9'] }));
    await model.rest(owner);
    expect([slice()?.endpoint?.address, slice()?.token]).toEqual(['10.9.9.9', token]);
  });

  it('is put right when somebody has edited or deleted it', async () => {
    const owner = await led();
    model.api.routing.foreign.editSlice(SLICE, () => ({ endpoint: null }));
    await minuteLater(owner);
    expect(shown()).toBe('a');
    model.api.routing.foreign.removeSlice(SLICE);
    await minuteLater(owner);
    expect([shown(), condition()]).toEqual(['a', 'LeaderShown']);
  });

  it('of a group that is gone is emptied and deleted before one is made', async () => {
    aRoutedModel();
    const { routing } = model.api;
    const stale = { ...aService(), service: 'notifier-leader' };
    const made = routing.requests.createSlice(
      'earlier',
      { namespace: 'default', name: SLICE, family: 'IPv4' },
      {
        service: stale.service,
        headless: false,
        group: { name: 'notifier', uid: 'uid-of-an-earlier-one' },
        ports: [],
      },
    );
    if (made.kind !== 'done') throw new Error(made.kind);
    await ownedAtRest(model);
    expect(slice()?.uid).not.toBe(made.object.uid);
    expect([shown(), slice()?.group.uid]).toEqual(['a', 'uid-of-notifier']);
  });

  it('of a group that is gone that somebody else keeps holds up no election, and is named', async () => {
    aRoutedModel();
    const { routing } = model.api;
    const group = { name: 'notifier', uid: 'uid-of-an-earlier-one' };
    const content = { service: 'notifier-leader', headless: false, group, ports: [] };
    routing.requests.createSlice('earlier', { namespace: 'default', name: SLICE, family: 'IPv4' }, content);
    routing.foreign.keepSlice(SLICE, true);
    const owner = await ownedAtRest(model);
    expect([model.leaders(), shown(), condition()]).toEqual([['a'], null, 'WriteRefused']);
    expect(model.api.group()?.status?.conditions.find(({ type }) => type === 'Routed')?.message).toContain(SLICE);
    const sent = owner.link.sent.length;
    await minuteLater(owner);
    expect(owner.link.sent.length - sent).toBeLessThan(80);
    terminates('a');
    await model.rest(owner);
    expect(model.leaders()).toEqual(['b']);
    routing.foreign.keepSlice(SLICE, false);
    await minuteLater(owner);
    expect([shown(), condition()]).toEqual(['b', 'LeaderShown']);
  });

  it('of a group that is gone that somebody else keeps leaves the slice of the other family alone, which shows whoever leads', async () => {
    for (const kept of ['IPv4', 'IPv6'] as const) {
      const [stuck, well] = kept === 'IPv4' ? [SLICE, SLICE6] : [SLICE6, SLICE];
      aRoutedModel();
      model.api.routing.foreign.putService(aService({ families: ['IPv4', 'IPv6'] }));
      for (const name of ['a', 'b'])
        model.api.foreign.changePod(name, ({ addresses }) => ({ addresses: [...addresses, `fd00::${name}`] }));
      const { requests, foreign } = model.api.routing;
      const group = { name: 'notifier', uid: 'uid-of-an-earlier-one' };
      const content = { service: 'notifier-leader', headless: false, group, ports: [] };
      requests.createSlice('earlier', { namespace: 'default', name: stuck, family: kept }, content);
      foreign.keepSlice(stuck, true);
      const owner = await ownedAtRest(model);
      expect([model.leaders(), shownBy(well), shownBy(stuck)], kept).toEqual([['a'], 'a', null]);
      const said = model.api.group()?.status?.conditions.find(({ type }) => type === 'Routed');
      expect([said?.reason, said?.message]).toEqual([
        'WriteRefused',
        expect.stringContaining(`get endpointslice ${stuck}`),
      ]);
      terminates('a');
      await model.rest(owner);
      expect(shownBy(well)).toBe('b');
      foreign.keepSlice(stuck, false);
      await minuteLater(owner);
      expect([shownBy(well), shownBy(stuck), condition()]).toEqual(['b', 'b', 'LeaderShown']);
    }
  });

  it('of one family that may not be written leaves that of the other one alone', async () => {
    aRoutedModel(['a']);
    model.api.routing.foreign.putService(aService({ families: ['IPv4', 'IPv6'] }));
    model.api.foreign.changePod('a', ({ addresses }) => ({ addresses: [...addresses, 'fd00::1'] }));
    const owner = model.replica('O1');
    await model.own(owner);
    owner.link.decide(({ operation, about }) => (operation === 'createSlice' && about === SLICE6 ? 'lost' : 'arrives'));
    await model.rest(owner);
    for (let minute = 0; minute < 3; minute += 1) await minuteLater(owner);
    expect([shown(), shownBy(SLICE6), condition()]).toEqual(['a', null, 'WriteRefused']);
    owner.link.decide(() => 'arrives');
    await minuteLater(owner);
    expect([shown(), shownBy(SLICE6), condition()]).toEqual(['a', 'a', 'LeaderShown']);
  });

  it.each<[string, (slice: Slice) => Partial<Slice>]>([
    ['adds an endpoint', ({ endpoint }) => ({ endpoint: endpoint ?? anEndpoint('x') })],
    ['changes its ports', () => ({ ports: [] })],
    ['changes its token', ({ token }) => ({ token: token + 1 })],
  ])('that a webhook changes with each write is not written without end, and is named: it %s', async (_, change) => {
    aRoutedModel();
    model.api.routing.foreign.mangle(change);
    const owner = await ownedAtRest(model);
    expect([model.leaders(), condition()]).toEqual([['a'], 'SliceAltered']);
    const written = versions();
    const sent = model.api.routing.writes();
    await minuteLater(owner);
    await minuteLater(owner);
    expect([versions(), model.api.routing.writes()]).toEqual([written, sent]);
    terminates('a');
    await model.rest(owner);
    expect(model.leaders()).toEqual(['b']);
    model.api.routing.foreign.mangle(null);
    model.api.routing.foreign.editSlice(SLICE, () => ({}));
    await minuteLater(owner);
    expect([shown(), condition()]).toEqual(['b', 'LeaderShown']);
  });

  it('that is another manager’s is left alone, and named', async () => {
    aRoutedModel();
    model.api.routing.foreign.addSlice(SLICE, 'notifier-leader');
    await ownedAtRest(model);
    expect([model.leaders(), slice(), condition()]).toEqual([['a'], null, 'SliceConflict']);
  });

  it('does not show a leader whose label met a conflict while it is not ready, as the label does not', async () => {
    aRoutedModel(['a']);
    const owner = model.replica('O1');
    await model.own(owner);
    const promotion = await stall(owner, { operation: 'patchPod', about: 'a' });
    ready('a', false);
    await arrive(promotion);
    await model.rest(owner);
    expect([model.leaders(), slice()?.endpoint]).toEqual([[], null]);
    ready('a', true);
    await model.rest(owner);
    expect([model.leaders(), slice()?.endpoint?.ready]).toEqual([['a'], true]);
  });

  it('is emptied with Demote when Consul is silent past the deadline', async () => {
    const owner = await led(['a', 'b'], { onConsulLoss: 'Demote' });
    owner.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
    await model.clock.advance(MINUTE_MS);
    for (let passes = 0; passes < 4; passes += 1) await seeAndPass(model, owner);
    expect([model.leaders(), shown()]).toEqual([[], null]);
    owner.link.decide(() => 'arrives');
    await model.rest(owner);
    await comesRight();
  });
});

describe('while Consul is silent, with Hold', () => {
  const silent = (replica: Replica): void => replica.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));

  async function passes(replica: Replica, times = 4): Promise<void> {
    for (let pass = 0; pass < times; pass += 1) await seeAndPass(model, replica);
  }

  /** O1 has led through a minute of silence, and cannot show any more that the bucket is its own. */
  async function lapsed(): Promise<Replica> {
    const owner = await led();
    silent(owner);
    await model.clock.advance(MINUTE_MS);
    owner.believe('lapsed');
    await passes(owner);
    expect(shown()).toBe('a');
    return owner;
  }

  it('the slice follows the readiness of the leader, as a Service that selects by the label does', async () => {
    const owner = await lapsed();
    ready('a', false);
    await passes(owner);
    expect([model.leaders(), slice()?.endpoint?.ready]).toEqual([['a'], false]);
    ready('a', true);
    await passes(owner);
    expect([shown(), slice()?.endpoint?.ready]).toEqual(['a', true]);
    const written = versions();
    await model.clock.advance(MINUTE_MS);
    await passes(owner);
    expect(versions()).toBe(written);
  });

  it('a leader that has gone is shown no longer, also where every replica was restarted meanwhile', async () => {
    (await lapsed()).kill();
    const restarted = model.replica('O2');
    silent(restarted);
    model.api.foreign.removePod('a');
    await model.clock.advance(MINUTE_MS);
    await passes(restarted);
    expect(shown()).toBeNull();
    restarted.link.decide(() => 'arrives');
    await comesRight();
  });

  it('of two replicas that both think that they had the group last, neither undoes what a webhook makes of each write of the other', async () => {
    const both = [await lapsed(), model.replica('O2')];
    for (const replica of both) {
      silent(replica);
      replica.believe('lapsed');
    }
    const turns = async (times: number): Promise<number> => {
      const before = model.api.routing.writes();
      for (let turn = 0; turn < times; turn += 1) {
        await model.clock.advance(MINUTE_MS);
        for (const replica of both) await passes(replica, 2);
      }
      return model.api.routing.writes() - before;
    };
    let writes = 0;
    model.api.routing.foreign.mangle(() => ({ ports: [{ ...WEB_PORT, appProtocol: `write-${(writes += 1)}` }] }));
    ready('a', false);
    await turns(2);
    expect(await turns(4)).toBe(0);
    expect(slice()?.endpoint?.ready).toBe(false);
    model.api.routing.foreign.mangle(null);
    for (const { link } of both) link.decide(() => 'arrives');
    await comesRight();
  });

  it('a live slice is left alone by an owner that has lapsed and sees an older world', async () => {
    const old = await lapsed();
    const next = model.replica('O2');
    await model.own(next, { unnoticed: true });
    terminates('a');
    await model.rest(next);
    expect(shown()).toBe('b');
    const written = versions();
    await model.clock.advance(MINUTE_MS);
    for (let pass = 0; pass < 4; pass += 1) await model.pass(old);
    expect([shown(), versions()]).toEqual(['b', written]);
    await comesRight();
  });

  it('a pod that only the API server knows by now is not taken out', async () => {
    const old = await lapsed();
    const next = model.replica('O2');
    await model.own(next, { unnoticed: true });
    model.api.foreign.addPod(member('c'));
    for (const name of ['a', 'b']) model.api.foreign.removePod(name);
    await model.rest(next);
    expect(shown()).toBe('c');
    await model.clock.advance(MINUTE_MS);
    for (let pass = 0; pass < 4; pass += 1) await model.pass(old);
    expect(shown()).toBe('c');
    await comesRight();
  });
});

describe('where nobody answers what is asked of slices', () => {
  const OF_SLICES = ['getService', 'getSlice', 'createSlice', 'replaceSlice'];
  const excluded = (name: string): void =>
    model.api.foreign.changePod(name, () => ({ annotations: { [CANDIDATE_ANNOTATION]: 'false' } }));

  it('the label of a leader that may lead no more comes off first: the slices are known', async () => {
    const owner = await led(['a']);
    excluded('a');
    owner.see.all();
    await stall(owner, { operation: 'replaceSlice' });
    expect([model.leaders(), lockSession() === null]).toEqual([[], false]);
  });

  it('the label of a leader that may lead no more comes off first: the slices were never read', async () => {
    (await led(['a'])).kill();
    const owner = model.replica('O2');
    await model.own(owner);
    excluded('a');
    owner.see.all();
    await stall(owner, { operation: 'getService' });
    expect([model.leaders(), lockSession() === null]).toEqual([[], false]);
  });

  it('a label that somebody has taken off is put back all the same, while the slice of one family may not be written', async () => {
    aRoutedModel(['a']);
    model.api.foreign.changePod('a', ({ addresses }) => ({ addresses: [...addresses, 'fd00::1'] }));
    const { requests, foreign } = model.api.routing;
    foreign.putService(aService({ families: ['IPv4', 'IPv6'] }));
    const group = { name: 'notifier', uid: 'uid-of-an-earlier-one' };
    const content = { service: 'notifier-leader', headless: false, group, ports: [] };
    requests.createSlice('earlier', { namespace: 'default', name: SLICE6, family: 'IPv6' }, content);
    foreign.keepSlice(SLICE6, true);
    const owner = await ownedAtRest(model);
    await minuteLater(owner);
    expect([model.leaders(), shown(), condition()]).toEqual([['a'], 'a', 'WriteRefused']);
    owner.link.decide(({ operation }) => (['getService', 'getSlice'].includes(operation) ? 'lost' : 'arrives'));
    await model.clock.advance(MINUTE_MS + 1000);
    model.api.foreign.changePod('a', () => ({ labels: { app: 'notifier' } }));
    const sent = owner.link.sent.length;
    await seeAndPass(model, owner);
    expect(model.leaders()).toEqual(['a']);
    expect(owner.link.sent.slice(sent).filter(({ operation }) => operation === 'getService').length).toBe(1);
  });

  it('the lock is given up all the same, whether reads or writes fail, or both in turn', async () => {
    for (const failing of [['getSlice'], ['replaceSlice'], OF_SLICES]) {
      for (const inTurn of [false, true]) {
        const owner = await led(['a']);
        const startMs = model.clock.nowMs();
        let turn = 0;
        owner.link.decide(({ operation }) => {
          if (!failing.includes(operation)) return 'arrives';
          turn += 1;
          return inTurn && turn % 2 === 0 ? 'arrives' : 'lost';
        });
        excluded('a');
        for (let passes = 0; lockSession() !== null && passes < 40; passes += 1) {
          await seeAndPass(model, owner);
          await model.clock.advance(500);
        }
        expect([model.leaders(), lockSession()], failing.join()).toEqual([[], null]);
        expect(model.clock.nowMs() - startMs).toBeLessThan(15_000);
      }
    }
  });
});

describe('where somebody else brings a slice of a group that is gone back', () => {
  const bring = (): void => {
    const group = { name: 'notifier', uid: 'uid-of-an-earlier-one' };
    const content = { service: 'notifier-leader', headless: false, group, ports: [] };
    model.api.routing.requests.createSlice('earlier', { namespace: 'default', name: SLICE, family: 'IPv4' }, content);
  };
  const show = (): void => model.api.routing.foreign.editSlice(SLICE, () => ({ endpoint: anEndpoint('x') }));
  const remove = (): void => model.api.routing.foreign.removeSlice(SLICE);

  /** How often the other one is faster than the operator, whenever that is about to write. */
  function faster(owner: Replica, when: Partial<Record<Request['operation'], () => void>>): () => number {
    let times = 0;
    owner.link.decide(({ operation }) => {
      const does = when[operation];
      if (does !== undefined) times += 1;
      does?.();
      return 'arrives';
    });
    return () => times;
  }

  async function seconds(owner: Replica, count: number): Promise<void> {
    for (let second = 0; second < count; second += 1) {
      await seeAndPass(model, owner);
      await model.clock.advance(1000);
    }
  }

  it.each([
    ['before one is made in its place', { createSlice: bring }],
    ['to what it showed, before it is deleted', { deleteSlice: show }],
    ['before one is made in its place, and had deleted it itself', { deleteSlice: remove, createSlice: bring }],
  ])('no election waits for that, and it is tried again after growing pauses: %s', async (_, when) => {
    aRoutedModel();
    bring();
    show();
    const owner = model.replica('O1');
    await model.own(owner);
    const times = faster(owner, when);
    await seconds(owner, 2);
    expect(model.leaders()).toEqual(['a']);
    const before = times();
    await seconds(owner, 60);
    expect([times() - before < 40, condition()]).toEqual([true, 'SliceAltered']);
    owner.link.decide(() => 'arrives');
    await seconds(owner, 6);
    await minuteLater(owner);
    expect([model.leaders(), shown(), condition()]).toEqual([['a'], 'a', 'LeaderShown']);
  });

  it('a younger group that is to delete its own tries that again after growing pauses', async () => {
    const owner = await led();
    const selector = { matchLabels: { app: 'other' }, matchExpressions: [] };
    const createdMs = aGroup().createdMs - 1000;
    model.api.foreign.addGroup(aGroup({ name: 'older', createdMs, spec: { selector, route: ROUTE } }));
    const times = faster(owner, { deleteSlice: show });
    await seconds(owner, 60);
    expect([times() > 5, times() < 40, condition()]).toEqual([true, true, 'RouteConflict']);
    owner.link.decide(() => 'arrives');
    await seconds(owner, 6);
    expect(slice()).toBeNull();
  });
});

describe('where somebody else writes a slice each time before the operator does', () => {
  /** Whenever the operator is about to write. */
  function raced(owner: Replica): { readonly tries: () => number; readonly over: () => void } {
    let tries = 0;
    owner.link.decide(({ operation }) => {
      if (operation !== 'replaceSlice') return 'arrives';
      tries += 1;
      model.api.routing.foreign.editSlice(SLICE, ({ headless }) => ({ headless: !headless }));
      return 'arrives';
    });
    return { tries: () => tries, over: () => owner.link.decide(() => 'arrives') };
  }

  it('the lock is given up after five tries, and the slice is emptied when that is over', async () => {
    const owner = await led(['a']);
    const race = raced(owner);
    model.api.foreign.removePod('a');
    await seeAndPass(model, owner);
    expect([race.tries(), lockSession(), shown(), condition()]).toEqual([5, null, 'a', 'SliceAltered']);
    race.over();
    await model.clock.advance(6000);
    await model.rest(owner);
    expect([shown(), condition()]).toEqual([null, 'NoLeader']);
  });

  it('it is tried again after growing pauses, each time as it is by then', async () => {
    const owner = await led(['a']);
    const race = raced(owner);
    ready('a', false);
    for (let second = 0; second < 60; second += 1) {
      await seeAndPass(model, owner);
      await model.clock.advance(1000);
    }
    expect(race.tries()).toBeLessThan(25);
    race.over();
    model.api.routing.foreign.editSlice(SLICE, ({ headless }) => ({ headless: !headless }));
    const before = owner.link.sent.length;
    await model.clock.advance(6000);
    await model.rest(owner);
    const writes = owner.link.sent.slice(before).filter(({ operation }) => operation === 'replaceSlice');
    expect([writes.length, slice()?.endpoint?.ready]).toEqual([1, false]);
  });
});

describe('a Service', () => {
  it.each([
    ['is deleted', () => model.api.routing.foreign.removeService('notifier-leader'), 'ServiceNotFound'],
    [
      'loses its annotation',
      () => model.api.routing.foreign.putService(aService({ group: null })),
      'ServiceNotAnnotated',
    ],
    [
      'gets a selector and loses its annotation',
      () => model.api.routing.foreign.putService(aService({ group: null, hasSelector: true })),
      'ServiceHasSelector',
    ],
  ])('that %s within a minute has no endpoint of ours', async (_, how, reason) => {
    const owner = await led();
    how();
    await minuteLater(owner);
    expect([model.leaders(), shown(), condition()]).toEqual([['a'], null, reason]);
    model.api.routing.foreign.putService(aService());
    await minuteLater(owner);
    expect([shown(), condition()]).toEqual(['a', 'LeaderShown']);
  });

  it('that two groups name is the older one’s, whatever its annotation says', async () => {
    aRoutedModel();
    const { createdMs } = aGroup();
    const selector = { matchLabels: { app: 'other' }, matchExpressions: [] };
    const older = { name: 'older', createdMs: createdMs - 1000, spec: { selector, route: ROUTE } };
    model.api.foreign.addGroup(aGroup(older));
    await ownedAtRest(model);
    expect([model.leaders(), shown(), condition()]).toEqual([['a'], null, 'RouteConflict']);
  });

  it('that has other endpoints too shows the leader, and says what else it has', async () => {
    const owner = await led();
    model.api.routing.foreign.addSlice('left-over', 'notifier-leader');
    await minuteLater(owner);
    expect([shown(), condition()]).toEqual(['a', 'ForeignEndpoints']);
  });

  it('of which nobody can say whether it has other endpoints is not said to have none', async () => {
    const owner = await led();
    owner.link.decide(({ operation }) => (operation === 'hasEndpoints' ? 'lost' : 'arrives'));
    await minuteLater(owner);
    expect([shown(), condition()]).toEqual(['a', 'NotChecked']);
  });
});

describe('a deleted group', () => {
  it('removes its slices before the lock is given up', async () => {
    const owner = await led();
    model.api.foreign.deleteGroup('notifier');
    owner.see.all();
    const removal = await stall(owner, { operation: 'deleteSlice' });
    expect(shown()).toBeNull();
    await arrive(removal);
    await untilGone(model, owner);
    expect(slice()).toBeNull();
  });

  it('is gone all the same where slices may not be written', async () => {
    const owner = await led();
    model.api.routing.forbid(true);
    const startMs = model.clock.nowMs();
    model.api.foreign.deleteGroup('notifier');
    await untilGone(model, owner);
    expect(model.clock.nowMs() - startMs).toBeLessThan(5000);
  });

  it('is gone all the same where somebody else keeps a slice, which is empty then', async () => {
    const owner = await led();
    model.api.routing.foreign.keepSlice(SLICE, true);
    const startMs = model.clock.nowMs();
    model.api.foreign.deleteGroup('notifier');
    await untilGone(model, owner);
    expect(model.clock.nowMs() - startMs).toBeLessThan(5000);
    expect([slice() === null, shown()]).toEqual([false, null]);
  });

  it('is gone all the same where nobody answers a write to a slice', async () => {
    const owner = await led();
    owner.link.decide(({ operation }) => (operation === 'replaceSlice' ? 'lost' : 'arrives'));
    const startMs = model.clock.nowMs();
    model.api.foreign.deleteGroup('notifier');
    await untilGone(model, owner);
    expect(model.clock.nowMs() - startMs).toBeLessThan(15_000);
  });

  it('is gone whatever becomes of each request, and so are its slices', async () => {
    for (const fate of INTERRUPTIONS) {
      for (let at = 0, met = true; met; at += 1) {
        const owner = await led();
        model.api.foreign.deleteGroup('notifier');
        owner.see.all();
        met = await interruptedPass(owner, at, fate);
        await giveUpAll(owner);
        await untilGone(model, owner);
        for (const held of owner.link.held()) held.deliver();
        await settle();
        expect(slice(), `${fate} at ${at}`).toBeNull();
      }
    }
  });
});

describe('whatever happens', () => {
  it.each(['own lock', 'shared lock', 'outages', 'outages of a shared lock'] as const)(
    'the slice shows one pod at most, tokens never fall, and in the end it shows who leads: %s',
    async (terrain) => {
      await fc.assert(
        fc.asyncProperty(groupOn(terrain), actsOn(terrain), async (group, acts) => {
          const walked = await walk({ ...group, spec: { ...group.spec, route: ROUTE } }, acts, (world) =>
            world.api.routing.foreign.putService(aService()),
          );
          ({ model } = walked);
          const last = await calm(walked);
          await minuteLater(last);
          const story = walked.story.join('\n');
          const { breaches } = model.promises;
          expect([breaches, sliceBreaches(model.api.routing.sliceLog)], story).toEqual([[], []]);
          const [leader = null] = model.leaders();
          const pod = leader === null ? null : model.api.pod(leader);
          // Who holds the lock without having got the label may stand there, and gets no traffic.
          const traffic = slice()?.endpoint?.ready === true ? shown() : null;
          expect(traffic, story).toBe(pod?.ready === true && !pod.deleting ? leader : null);
        }),
        trying(150),
      );
    },
  );

  it('is told of by the log of the slice: who was shown in turn', async () => {
    const owner = await led();
    terminates('a');
    await model.rest(owner);
    expect(shownIn(model.api.routing.sliceLog)).toEqual(['-', 'a', 'b']);
  });
});
