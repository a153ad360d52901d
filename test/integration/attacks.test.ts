/**
 * The schedules of docs/attacks.md that an operator can suffer, on the real API server and the real Consul. "one" and "two"
 * are replicas, a, b and c pods. Late requests are held between a replica and the servers and let go when the world has
 * moved on.
 *
 * Elsewhere: 1 (its owner goes on while another acts; properties/attacks.test.ts), 6 (the same, and its core is 5), 12 and 13
 * (gate.test.ts), 14 (lifecycle.test.ts), 17 (unit/operator/replicas/peers.test.ts).
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { noLeaderMoved } from '../kit/checker/checker.ts';
import { type Harness, startHarness, tokenOn } from '../kit/rig/harness.ts';
import type { LogLine } from '../kit/rig/operator-process.ts';
import type { Hold, HoldMode } from '../kit/rig/proxy.ts';
import { arrive, openStage, type Replica, type Stage, TOOK } from '../kit/rig/replicas.ts';
import { consulRest } from '../kit/rig/rest.ts';
import { LOCK_FLAGS } from '../kit/rig/world/consul.ts';

let h: Harness;

beforeAll(async () => {
  // Some thirty operators live and die here on one address, each within seconds.
  h = await startHarness({ consulConnections: 2000 });
});

afterAll(() => h[Symbol.asyncDispose]());

const HELD = { mode: 'beforeForwarding' } as const satisfies { readonly mode: HoldMode };
const CONFLICT = 409;
const SOON = { timeout: 60_000, interval: 20 };

const ready = (s: Stage, pod: string): Promise<void> => h.world.setReady(s.namespace, pod, true);
const unready = (s: Stage, pod: string): Promise<void> => h.world.setReady(s.namespace, pod, false);

/** What the label's table says of a pod now. */
function tokenOf(s: Stage, pod: string): number | null {
  const seen = h.observer.pod(s.namespace, pod);
  return seen === undefined ? null : tokenOn(seen, s.group);
}

/** Resolves when the session that holds the lock is one of the pod's. */
async function lockedFor(s: Stage, pod: string): Promise<void> {
  await vi.waitFor(async () => {
    const ids = (await s.sessionsOf(pod)).map(({ id }) => id);
    expect(ids).toContain(h.observer.lock(s.namespace, s.group)?.session);
  }, SOON);
}

describe('a promotion under way while the lock moves on', () => {
  it('is made void by the fencing patch of a pod that carries no label: its value was never used before (attack 2)', async () => {
    await using s = await openStage(h);
    const one = await s.replica('one');
    await s.pod('a', { ready: false });
    await s.pod('b');
    // With its finalizer on already it is not known to be new, and all its members are fenced first (ADR 20).
    await h.world.create(`/apis/leadergroup.dev/v1alpha1/namespaces/${s.namespace}/leadergroups`, {
      apiVersion: 'leadergroup.dev/v1alpha1',
      kind: 'LeaderGroup',
      metadata: { name: s.group, finalizers: ['leadergroup.dev/finalizer'] },
      spec: { selector: { matchLabels: { app: s.group } } },
    });
    await s.led();
    expect(h.observer.pod(s.namespace, 'a')?.annotations).toHaveProperty([`fenced.leadergroup.dev/${s.group}`]);

    const late = one.kube.hold(s.match.promotion('a'), HELD);
    await ready(s, 'a');
    await unready(s, 'b');
    const promotion = await late.held(1);
    one.operator.freeze();
    const allow = await s.refusePromotion('a');
    await ready(s, 'b');
    await s.replica('two');
    await s.expireReplica(one);
    await s.led({ minToken: 3 });
    await allow();

    expect(await arrive(one.kube, promotion)).toBe(CONFLICT);
    expect(await s.leaders()).toEqual(['b']);
    await s.kept();
  });

  it('is made void although the next owner has not seen the pod become ready (attack 3)', async () => {
    await using s = await openStage(h);
    const one = await s.replica('one');
    const two = await s.replica('two');
    await s.pod('b');
    await s.pod('c');
    await s.pod('a', { ready: false, ownerReferences: [await newestOwner(s)] });
    await s.applyGroup();
    expect((await s.led()).name).toBe('b');
    await sessionsOfAll(s, ['b', 'c']);
    const stalled = await two.stallPods();
    const late = one.kube.hold(s.match.promotion('a'), HELD);
    await ready(s, 'a');
    await sessionsOfAll(s, ['a']);
    await h.world.deletePod(s.namespace, 'b');
    const promotion = await late.held(1);
    one.operator.freeze();
    await s.expireMember('a');
    await s.expireReplica(one);
    const next = await s.led({ minToken: 3 });

    expect(await arrive(one.kube, promotion)).toBe(CONFLICT);
    stalled.release();
    await s.led({ minToken: next.token });
    expect(await s.leaders()).toEqual([next.name]);
    await s.kept();
  });

  it('is made void when consul lock has used and deleted the shared key in between (attack 4)', async () => {
    await using s = await openStage(h);
    const lockKey = `shared/${s.namespace}`;
    const one = await s.replica('one', SHARED);
    await s.pod('a');
    const late = one.kube.hold(s.match.promotion('a'), HELD);
    await s.applyGroup({ lockKey });
    const promotion = await late.held(1);
    one.operator.freeze();
    await s.pod('b');
    await s.expireMember('a');
    await consulLock(lockKey);
    expect(await h.world.consul.entry(`${lockKey}/.lock`)).toBeNull();
    const allow = await s.refusePromotion('a');
    await s.replica('two', SHARED);
    await s.expireReplica(one);
    expect((await s.led({ minToken: 2 })).name).toBe('b');
    await allow();

    expect(await arrive(one.kube, promotion)).toBe(CONFLICT);
    expect(await s.leaders()).toEqual(['b']);
    await s.kept();
  });

  it('is planned again with the token of a new transaction when it met a conflict (attack 7)', async () => {
    await using s = await openStage(h);
    const one = await s.replica('one', { LEADERGROUP_KUBERNETES_REQUEST_TIMEOUT_MILLISECONDS: '5000' });
    const two = await s.replica('two');
    await s.pod('a');
    await s.pod('b', { ready: false });
    const late = one.kube.hold(s.match.promotion('a'), HELD);
    await s.applyGroup();
    const promotion = await late.held(1);
    one.operator.freeze();
    await s.expireReplica(one);
    expect((await s.led()).name).toBe('a');
    await ready(s, 'b');
    await unready(s, 'a');
    await s.led({ not: 'a' });
    await ready(s, 'a');
    await unready(s, 'b');
    const { token } = await s.led({ not: 'b' });
    await two.operator.kill('SIGTERM');

    // It waits in the socket: thawed first, a replica that was frozen for longer than the request may take would have hung up.
    expect(await arrive(one.kube, promotion)).toBe(CONFLICT);
    one.operator.thaw();
    late.release();
    await one.owns(2);
    await unready(s, 'a');
    await ready(s, 'b');
    expect((await s.led({ not: 'a' })).token).toBeGreaterThan(token);
    await s.kept();
  });
});

describe('a transaction or a fencing patch that arrives late', () => {
  it('does not move the lock once a verification has written it: the index is another (attack 5)', async () => {
    await using s = await openStage(h);
    const one = await s.replica('one');
    await s.pod('a');
    await s.applyGroup();
    const { token } = await s.led();
    await s.pod('b');
    await sessionsOfAll(s, ['a', 'b']);
    const late = one.consul.hold(s.match.handOver, { ...HELD, times: 1 });
    await unready(s, 'a');
    const handOver = await late.held(1);
    expect(await s.leaders()).toEqual([]);
    await ready(s, 'a');
    expect((await s.led({ minToken: token + 1 })).name).toBe('a');

    expect(await arrive(one.consul, handOver)).toBe(CONFLICT);
    await lockedFor(s, 'a');
    expect(await s.leaders()).toEqual(['a']);
    await s.kept();
  });

  it('does not take the label from a leader that came back: fencing patches name a resourceVersion (attack 8)', async () => {
    await using s = await openStage(h);
    const one = await s.replica('one');
    await s.pod('a');
    await s.applyGroup();
    await s.led();
    await s.pod('b');
    await sessionsOfAll(s, ['a', 'b']);
    const late = one.kube.hold(s.match.fence('a'), { ...HELD, times: 1 });
    await unready(s, 'a');
    const fence = await late.held(1);
    await s.led({ not: 'a' });
    await ready(s, 'a');
    await unready(s, 'b');
    const { token } = await s.led({ not: 'b' });

    expect(await arrive(one.kube, fence)).toBe(CONFLICT);
    expect(await s.leaders()).toEqual(['a']);
    expect(tokenOf(s, 'a')).toBe(token);
    await s.kept();
  });

  it('does not lock with a used token after consul lock has deleted the shared key (attack 11)', async () => {
    await using s = await openStage(h);
    const lockKey = `shared/${s.namespace}`;
    const one = await s.replica('one', SHARED);
    await s.pod('a');
    const late = one.consul.hold(s.match.lock, { ...HELD, times: 1 });
    await s.applyGroup({ lockKey });
    const take = await late.held(1);
    const { token } = await s.led();
    await exclude(s, 'a', true);
    await h.observer.until((view) => view.leaders(s.namespace, s.group).length === 0, seen('nobody leads'));
    await vi.waitFor(async () => {
      expect((await h.world.consul.entry(`${lockKey}/.lock`))?.session).toBeNull();
    }, SOON);
    one.operator.freeze();
    await consulLock(lockKey);
    expect(await h.world.consul.entry(`${lockKey}/.lock`)).toBeNull();

    expect(await arrive(one.consul, take)).toBe(CONFLICT);
    expect(await h.world.consul.entry(`${lockKey}/.lock`)).toBeNull();
    one.operator.thaw();
    await exclude(s, 'a', false);
    expect((await s.led({ minToken: token + 1 })).name).toBe('a');
    await s.kept();
  });
});

describe('a new owner', () => {
  it('takes a holder that its cache does not know for gone only when a GET says so (attack 9)', async () => {
    await using s = await openStage(h);
    const one = await s.replica('one');
    const two = await s.replica('two');
    await s.pod('b');
    await s.applyGroup();
    await s.led();
    const stalled = await two.stallPods();
    await s.pod('a');
    await sessionsOfAll(s, ['a']);
    await unready(s, 'b');
    const { token } = await s.led({ not: 'b' });
    const { atMs: fromMs } = h.observer.mark('one ends');
    await one.operator.kill('SIGTERM');
    const asked = () =>
      two.kube.exchanges.filter(({ method, path }) => method === 'GET' && path === podPath(s, 'a')).length;
    await vi.waitFor(() => expect(asked()).toBeGreaterThanOrEqual(3), SOON);
    await lockedFor(s, 'a');
    expect(await s.leaders()).toEqual(['a']);

    stalled.release();
    await ready(s, 'b');
    await sessionsOfAll(s, ['a', 'b']);
    await h.observer.caughtUp();
    const toMs = performance.now();
    expect(noLeaderMoved(h.observer.history({ namespaces: [s.namespace] }), { fromMs, toMs })).toEqual([]);
    expect(tokenOf(s, 'a')).toBe(token);
    await unready(s, 'a');
    expect((await s.led({ not: 'a' })).name).toBe('b');
    await s.kept();
  });

  it('lists sessions consistently and after it has the buckets: those opened since it joined are its own too (attack 16)', async () => {
    await using s = await openStage(h);
    const one = await s.replica('one');
    const two = await s.replica('two');
    await s.pod('a');
    await s.applyGroup();
    await s.led();
    await s.pod('b');
    await sessionsOfAll(s, ['a', 'b']);
    await unready(s, 'a');
    const { token } = await s.led({ not: 'a' });
    const { atMs: fromMs } = h.observer.mark('one ends');
    await one.operator.kill('SIGTERM');
    await two.owns();
    const lists = two.consul.exchanges.filter(({ path }) => path.startsWith('/v1/session/node/'));
    const taken = two.consul.exchanges.findLast(
      // Not one of a group, which names its bucket, too, and may follow at once.
      ({ path, body, status }) =>
        path.startsWith('/v1/txn') && body.includes('/buckets/') && !body.includes('/groups/') && status === 200,
    );
    expect(lists.at(-1)?.path).toContain('consistent');
    expect(lists.at(-1)?.receivedMs).toBeGreaterThan(taken?.answeredMs ?? Number.POSITIVE_INFINITY);
    await vi.waitFor(() => expect(renewed(two.consul.exchanges)).toBeGreaterThanOrEqual(2), SOON);
    await h.observer.caughtUp();
    const toMs = performance.now();
    expect(noLeaderMoved(h.observer.history({ namespaces: [s.namespace] }), { fromMs, toMs })).toEqual([]);
    expect(tokenOf(s, 'b')).toBe(token);
    await s.kept();
  });
});

describe('the owner', () => {
  it('takes a session of ours that it does not know for the member it names, not for an external holder (attack 16)', async () => {
    await using s = await openStage(h);
    const one = await s.replica('one');
    await s.pod('a');
    await s.applyGroup();
    const { token } = await s.led();
    await s.pod('b');
    await sessionsOfAll(s, ['a', 'b']);
    const { atMs: fromMs } = h.observer.mark('an unknown session gets the lock');
    const session = await moveLockToAnotherSession(s, 'a');
    const renewals = () =>
      one.consul.exchanges.filter(
        ({ path, status }) => path.startsWith(`/v1/session/renew/${session}`) && status === 200,
      );
    await vi.waitFor(() => expect(renewals().length).toBeGreaterThanOrEqual(1), SOON);
    await h.observer.caughtUp();
    const toMs = performance.now();
    expect(noLeaderMoved(h.observer.history({ namespaces: [s.namespace] }), { fromMs, toMs })).toEqual([]);
    expect(h.observer.lock(s.namespace, s.group)?.session).toBe(session);
    await unready(s, 'a');
    expect((await s.led({ not: 'a' })).token).toBe(token + 1);
    await s.kept();
  });

  it.each([
    ['after', false],
    ['before', true],
  ])(
    'keeps the leader that was seen last when Consul is restored to an earlier one, %s the watch told of the later, under a higher token (attack 10)',
    async (_, untold) => {
      await using s = await openStage(h);
      const one = await s.replica('one');
      await s.pod('a');
      await s.applyGroup();
      await s.led();
      await s.pod('b');
      await sessionsOfAll(s, ['a', 'b']);
      const snapshot = await saveSnapshot();
      const untelling = untold ? await stallLocks(s, one) : null;
      await unready(s, 'a');
      const { token } = await s.led({ not: 'a' });
      await ready(s, 'a');
      if (!untold) await watchesLock(s, one);
      const { atMs: fromMs } = h.observer.mark('Consul is restored');
      await restoreSnapshot(snapshot);
      // The watch asks again, and is answered with the index that it knew before.
      untelling?.drop();
      // A restored Consul lets a read that waits for a later index wait in vain, 21 s at the most.
      expect((await s.led({ minToken: token + 1, timeoutMs: 30_000 })).name).toBe('b');
      await lockedFor(s, 'b');
      await h.observer.caughtUp();
      const toMs = performance.now();
      expect(noLeaderMoved(h.observer.history({ namespaces: [s.namespace] }), { fromMs, toMs })).toEqual([]);
      await s.kept();
    },
  );

  it('renews by the TTL of the session and not by that of an edited spec (attack 15)', async () => {
    await using s = await openStage(h);
    await s.replica('one');
    await s.pod('a');
    await s.applyGroup({ sessionTTLSeconds: 10 });
    const { token } = await s.led();
    const [session] = await s.sessionsOf('a');
    await s.applyGroup({ sessionTTLSeconds: 300, paused: true });
    const { atMs: fromMs } = h.observer.mark('the TTL is raised while the group is paused');
    // Consul ends a session after twice its TTL at the latest.
    await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(fromMs + 21_000), {
      timeout: 30_000,
      interval: 200,
    });
    expect((await s.sessionsOf('a')).map(({ id }) => id)).toEqual([session?.id]);
    expect(h.observer.lock(s.namespace, s.group)?.session).toBe(session?.id);

    await s.applyGroup({ sessionTTLSeconds: 300, paused: false });
    await s.led({ minToken: token + 1 });
    const newest = (await s.sessionsOf('a')).at(-1);
    expect(newest?.ttl).toBe('300s');
    await lockedFor(s, 'a');
    await h.observer.caughtUp();
    const toMs = performance.now();
    expect(noLeaderMoved(h.observer.history({ namespaces: [s.namespace] }), { fromMs, toMs })).toEqual([]);
    await s.kept();
  });

  it('destroys only sessions of pods that are gone, however late the destruction arrives (attack 18)', async () => {
    await using s = await openStage(h);
    const one = await s.replica('one');
    await s.pod('a');
    await s.applyGroup();
    await s.led();
    const [first] = await s.sessionsOf('a');
    await exclude(s, 'a', true);
    await h.observer.until((view) => view.lock(s.namespace, s.group)?.session === null, seen('the lock is free'));
    await exclude(s, 'a', false);
    await s.led({ minToken: 2 });
    await h.observer.until(
      (view) => view.lock(s.namespace, s.group)?.session === first?.id,
      seen('the first session has the lock again'),
    );

    await s.applyGroup({ sessionTTLSeconds: 40 });
    await s.led({ minToken: 3 });
    await s.applyGroup({ sessionTTLSeconds: 30 });
    await s.led({ minToken: 4 });
    const destroyed = one.consul.hold(({ path }) => path.startsWith('/v1/session/destroy/'), HELD);
    const held = await s.sessionsOf('a');
    await h.world.recreatePod({ namespace: s.namespace, name: 'a', labels: { app: s.group } });
    const { uid, token } = await s.led({ minToken: 5 });
    const late = await destroyed.held(1);
    expect(held.map(({ id }) => `/v1/session/destroy/${id}`)).toContain(late.path.split('?')[0]);
    expect(await arrive(one.consul, late)).toBe(200);
    destroyed.release();

    await lockedFor(s, 'a');
    await h.observer.caughtUp();
    expect(h.observer.leaders(s.namespace, s.group).map((pod) => [pod.uid, tokenOn(pod, s.group)])).toEqual([
      [uid, token],
    ]);
    const asked = one.consul.exchanges.filter(({ path }) => path.startsWith('/v1/session/destroy/'));
    const own = (await s.sessionsOf('a')).map(({ id }) => id);
    expect(asked.filter(({ path }) => own.some((id) => path.includes(id)))).toEqual([]);
    expect(asked.every(({ receivedMs }) => receivedMs > (deletedMs(s, 'a') ?? Number.POSITIVE_INFINITY))).toBe(true);
    await s.kept();
  });

  it('takes the label from no healthy leader when its own absence has cost the sessions (attack 20)', async () => {
    await using s = await openStage(h);
    const before = await s.replica('one');
    await s.pod('a');
    await s.applyGroup();
    const { token } = await s.led();
    await s.pod('b');
    await sessionsOfAll(s, ['a', 'b']);
    await before.operator.kill('SIGKILL');
    await s.expireMember('a');
    await s.expireMember('b');
    await h.observer.until((view) => view.lock(s.namespace, s.group)?.session === null, seen('the lock is free'));
    const { atMs: fromMs } = h.observer.mark('one starts again');
    await s.replica('one');
    expect((await s.led({ minToken: token + 1 })).name).toBe('a');
    await lockedFor(s, 'a');
    await h.observer.caughtUp();
    const toMs = performance.now();
    expect(noLeaderMoved(h.observer.history({ namespaces: [s.namespace] }), { fromMs, toMs })).toEqual([]);
    await s.kept();
  });
});

describe('a Consul that says nothing of sessions it may not tell of', () => {
  it('is not believed: without its own session in the list a replica adopts and owns nothing (attack 19)', async () => {
    await using acl = await startHarness({ consulAcl: true });
    await using s = await openStage(acl);
    await using rights = await anonymousRights(acl);
    await rights.sessions('write');
    const one = await s.replica('one', ANONYMOUS);
    await s.pod('a');
    await s.applyGroup();
    const { token } = await s.led();
    const two = await s.replica('two', ANONYMOUS);
    const { atMs: fromMs } = acl.observer.mark('one ends, and session rights with it');
    await one.operator.kill('SIGKILL');
    await rights.sessions('deny');
    await s.expireReplica(one);
    const names = ({ error }: LogLine): boolean => String(error).includes(`session "leadergroup-${s.namespace}"`);
    await two.operator.untilLog(names, seen('a log line that names the missing right'));
    expect(two.operator.log.filter(({ message }) => message === TOOK)).toEqual([]);

    await rights.sessions('write');
    await two.owns();
    expect((await s.led()).token).toBe(token);
    await acl.observer.caughtUp();
    const toMs = performance.now();
    expect(noLeaderMoved(acl.observer.history({ namespaces: [s.namespace] }), { fromMs, toMs })).toEqual([]);
    await s.kept();
  });
});

const SHARED = { LEADERGROUP_LOCK_KEYS: JSON.stringify([{ namespaces: ['*'], prefix: 'shared' }]) };
const ANONYMOUS = { CONSUL_HTTP_TOKEN: '' };
const ANONYMOUS_TOKEN = '00000000-0000-0000-0000-000000000002';

const seen = (what: string) => ({ timeoutMs: 60_000, what });

const podPath = (s: Stage, pod: string): string => `/api/v1/namespaces/${s.namespace}/pods/${pod}`;

const renewed = (exchanges: readonly { readonly path: string; readonly status: number | null }[]): number =>
  new Set(
    exchanges
      .filter(({ path, status }) => path.startsWith('/v1/session/renew/') && status === 200)
      .map(({ path }) => path),
  ).size;

/** When the pod that first had this name was deleted. */
const deletedMs = (s: Stage, name: string): number | undefined =>
  h.observer
    .history({ namespaces: [s.namespace] })
    .pods.find((event) => event.kind === 'deleted' && event.pod.name === name)?.atMs;

/** Every one of these members has a session, as at rest. */
async function sessionsOfAll(s: Stage, pods: readonly string[]): Promise<void> {
  await vi.waitFor(async () => {
    for (const pod of pods) expect(await s.sessionsOf(pod)).not.toEqual([]);
  }, SOON);
}

async function exclude(s: Stage, pod: string, excluded: boolean): Promise<void> {
  const annotations = { 'leadergroup.dev/candidate': excluded ? 'false' : null };
  await h.world.patchPod(s.namespace, pod, { metadata: { annotations } });
}

/** The real consul lock: takes the free lock, runs a command that does nothing, and deletes the key at its end. */
async function consulLock(lockKey: string): Promise<void> {
  await promisify(execFile)('consul', ['lock', lockKey, 'true'], { env: { ...h.cluster.env }, timeout: 20_000 });
}

/** An owner of pods whose newest pod is newer than every pod so far: its pods rank first. */
async function newestOwner(s: Stage): Promise<object> {
  const path = `/api/v1/namespaces/${s.namespace}/configmaps`;
  const { metadata } = await h.world.create(path, { metadata: { name: 'owner' } });
  const second = Math.floor(Date.now() / 1000);
  // Kubernetes counts creation in whole seconds.
  await vi.waitFor(() => expect(Math.floor(Date.now() / 1000)).toBeGreaterThan(second), SOON);
  return { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: metadata.uid, controller: true };
}

/** As a previous incarnation of an operator would have left it: another session of the same member holds the lock, same record. */
async function moveLockToAnotherSession(s: Stage, pod: string): Promise<string> {
  await using consul = consulRest({ address: h.cluster.consulAddress });
  const [old] = await s.sessionsOf(pod);
  const session = await consul.must<{ readonly ID: string }>('PUT', '/v1/session/create', {
    Node: old?.node,
    Name: old?.name,
    TTL: old?.ttl,
    LockDelay: '0s',
    NodeChecks: [],
    Behavior: 'release',
  });
  const lock = h.observer.lock(s.namespace, s.group);
  const value = Buffer.from(lock?.value ?? '').toString('base64');
  const op = (verb: string, id = ''): string =>
    `{"KV":{"Verb":"${verb}","Key":"${lock?.key}","Session":"${id}","Value":"${value}","Flags":${LOCK_FLAGS}}}`;
  await consul.must('PUT', '/v1/txn', `[${op('unlock', lock?.session ?? '')},${op('lock', session.ID)}]`);
  return session.ID;
}

/** What requests without a token may do: all but what is denied. Consul tells them nothing of what it leaves out. */
async function anonymousRights({ cluster }: Harness) {
  const consul = consulRest({ address: cluster.consulAddress, token: cluster.consulToken });
  const policy = (sessions: string) => ({
    Name: 'anonymous',
    Rules: `key_prefix "" { policy = "write" } node_prefix "" { policy = "write" } session_prefix "" { policy = "${sessions}" }`,
  });
  const { ID } = await consul.must<{ readonly ID: string }>('PUT', '/v1/acl/policy', policy('write'));
  await consul.must('PUT', `/v1/acl/token/${ANONYMOUS_TOKEN}`, { Policies: [{ ID }] });
  return {
    sessions: (access: 'write' | 'deny') => consul.must('PUT', `/v1/acl/policy/${ID}`, { ID, ...policy(access) }),
    [Symbol.asyncDispose]: () => consul[Symbol.asyncDispose](),
  };
}

function lockWatch(s: Stage) {
  const [folder = ''] = (h.observer.lock(s.namespace, s.group)?.key ?? '').split(`${s.namespace}/${s.group}/`);
  return ({ method, path }: { readonly method: string; readonly path: string }): boolean =>
    method === 'GET' && path.startsWith(`/v1/kv/${folder}?`);
}

/** What happens to the lock is not told to the replica by its watch until released; it knows what it does itself. */
async function stallLocks(s: Stage, replica: Replica): Promise<Hold> {
  const hold = replica.consul.hold(lockWatch(s), HELD);
  replica.consul.cutAll();
  await hold.held(1);
  return hold;
}

/** The replica waits for what comes after the present state of the lock. */
async function watchesLock(s: Stage, replica: Replica): Promise<void> {
  const index = `index=${h.observer.lock(s.namespace, s.group)?.modifyIndex}&`;
  const asks = () => replica.consul.exchanges.some((seen) => lockWatch(s)(seen) && `${seen.path}&`.includes(index));
  await vi.waitFor(() => expect(asks()).toBe(true), SOON);
}

const snapshotUrl = (): string => `http://${h.cluster.consulAddress}/v1/snapshot`;

async function saveSnapshot(): Promise<ArrayBuffer> {
  const answer = await fetch(snapshotUrl(), { signal: AbortSignal.timeout(10_000) });
  return await answer.arrayBuffer();
}

async function restoreSnapshot(snapshot: ArrayBuffer): Promise<void> {
  const answer = await fetch(snapshotUrl(), { method: 'PUT', body: snapshot, signal: AbortSignal.timeout(10_000) });
  expect(answer.status, await answer.text()).toBe(200);
}
