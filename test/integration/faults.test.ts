/**
 * What becomes of labels, locks and tokens when the operator, Consul or the API server stands still or dies. The processes are
 * the real ones, frozen by SIGSTOP and ended by SIGKILL.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { assertKept, DEFAULT_TOLERANCE_MS, noLeaderMoved, writesBy } from '../kit/checker/checker.ts';
import { type Harness, type Leading, startHarness } from '../kit/rig/harness.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';
import type { Exchange } from '../kit/rig/proxy.ts';

/** One whose operator reaches both servers through proxies, so that the moment of each renewal is known; one without. */
let silent: Harness;
let plain: Harness;

beforeAll(async () => {
  [silent, plain] = await Promise.all([startHarness({ proxies: true }), startHarness()]);
});

afterAll(async () => {
  await Promise.all([silent, plain].map((h) => h[Symbol.asyncDispose]()));
});

const TTL_MS = 10_000;
/** Timeout of a patch and slack: the demotion must be through by the end of the TTL. */
const MARGIN_MS = 2_500;
const FREEZE_MS = 45_000;

describe('standing still for long', { concurrent: true }, () => {
  it('Consul for 45 s: with Demote the label is gone by the deadline and comes back higher, with Hold it stays (I3)', async () => {
    const h = silent;
    const [demote, hold] = await Promise.all([h.world.namespace('demote'), h.world.namespace('hold')]);
    const spec = { sessionTTLSeconds: TTL_MS / 1000 };
    await Promise.all([
      h.group(demote, 'd', { spec: { ...spec, onConsulLoss: 'Demote' } }),
      h.group(hold, 'h', { spec: { ...spec, onConsulLoss: 'Hold' } }),
    ]);
    await using operator = await h.startOperator();
    const [led, held] = await Promise.all([h.led(demote, 'd'), h.led(hold, 'h')]);
    const session = h.observer.lock(demote, 'd')?.session ?? '';
    await renewed(h, session);
    const { atMs: fromMs } = h.observer.mark('Consul freezes');
    await h.cluster.component('consul').freeze();
    const renewal = lastRenewal(h, session);
    const deadlineMs = renewal.receivedMs + TTL_MS;
    await h.observer.until((view) => view.leaders(demote, 'd').length === 0, until(deadlineMs + 5_000, 'nobody leads'));
    const goneMs = labelOffMs(h, demote, fromMs);
    expect(goneMs).toBeLessThan(deadlineMs);
    expect(goneMs).toBeGreaterThan(deadlineMs - MARGIN_MS - TOLERANCE_MS);

    await delay(fromMs + FREEZE_MS - performance.now());
    expect(h.observer.leaders(demote, 'd')).toEqual([]);
    await h.cluster.component('consul').thaw();
    const back = await h.led(demote, 'd', { minToken: led.token + 1 });
    await lockedForLeader(h, demote, 'd');
    await lockedForLeader(h, hold, 'h');
    await h.observer.caughtUp();
    const toMs = performance.now();
    const history = h.observer.history({ namespaces: [hold] });
    expect(noLeaderMoved(history, { fromMs, toMs })).toEqual([]);
    expect((await h.led(hold, 'h')).uid).toBe(held.uid);
    console.log(
      `Consul silent: label off ${(deadlineMs - goneMs).toFixed(0)} ms before the end of the TTL, back with token ${back.token}`,
    );
    await settledAndKept(h, operator, [demote, hold], ['d', 'h']);
  });

  it('the operator for longer than its sessions live: a healthy leader keeps its label, an ineligible one is replaced (attack 20)', async () => {
    const h = plain;
    const namespace = await h.world.namespace('frozen');
    const groups = ['healthy', 'unready', 'recreated'];
    await Promise.all(groups.map((name) => h.group(namespace, name, { spec: { sessionTTLSeconds: TTL_MS / 1000 } })));
    await using operator = await h.startOperator();
    const [healthy, unready, recreated] = await Promise.all(groups.map((name) => h.led(namespace, name)));
    const { atMs: fromMs } = h.observer.mark('the operator freezes');
    operator.freeze();
    await h.world.setReady(namespace, unready?.name ?? '', false);
    await h.world.recreatePod({ namespace, name: recreated?.name ?? '', labels: { app: 'recreated' } });
    // Consul ends sessions after twice their TTL at the latest.
    await h.observer.until(
      (view) => groups.every((name) => view.lock(namespace, name)?.session === null),
      until(fromMs + 30_000, 'every lock is free'),
    );
    await delay(Math.max(0, fromMs + 25_000 - performance.now()));
    operator.thaw();
    const kept = await h.led(namespace, 'healthy', { minToken: tokenAbove(healthy) });
    expect(kept.uid).toBe(healthy?.uid);
    await h.led(namespace, 'unready', { not: unready?.name ?? '', minToken: tokenAbove(unready) });
    await h.led(namespace, 'recreated', { minToken: tokenAbove(recreated) });
    for (const name of groups) await lockedForLeader(h, namespace, name);
    await h.observer.caughtUp();
    const toMs = performance.now();
    expect(noLeaderMoved(h.observer.history({ namespaces: [namespace] }), { fromMs, toMs })).toEqual([]);
    await settledAndKept(h, operator, [namespace], groups);
    await operator.kill();
  });
});

describe('Consul', () => {
  it('silent for less than the deadline makes the operator write nothing at all', async () => {
    const h = plain;
    const namespaces = await Promise.all(['blip-hold', 'blip-demote'].map((prefix) => h.world.namespace(prefix)));
    const [hold = '', demote = ''] = namespaces;
    await h.group(hold, 'h', { spec: { onConsulLoss: 'Hold' } });
    await h.group(demote, 'd', { spec: { onConsulLoss: 'Demote' } });
    await using operator = await h.startOperator();
    await Promise.all([h.led(hold, 'h'), h.led(demote, 'd')]);
    await quiet(h, namespaces);
    const { atMs: fromMs } = h.observer.mark('Consul freezes');
    await h.cluster.component('consul').freeze();
    await operator.untilLog(says('Consul is unreachable'), until(fromMs + 15_000, 'the operator notices'));
    await delay(Math.max(0, fromMs + 5_000 - performance.now()));
    await h.cluster.component('consul').thaw();
    await operator.untilLog(says('Consul is reachable again'), until(fromMs + 20_000, 'the operator notices'));
    // Long enough for whatever the answers of Consul might set off.
    await delay(2_000);
    await h.observer.caughtUp();
    const history = h.observer.history({ namespaces });
    expect(writesBy(history, { fromMs, toMs: performance.now() })).toEqual([]);
    assertKept(history);
  });

  it('killed and started with its data moves nobody, and the next election works', async () => {
    const h = plain;
    const namespace = await h.world.namespace('consul-killed');
    await h.group(namespace, 'g');
    await using operator = await h.startOperator();
    const { token, uid } = await h.led(namespace, 'g');
    const { atMs: fromMs } = h.observer.mark('Consul is killed');
    await h.cluster.component('consul').kill();
    await operator.untilLog(says('Consul is unreachable'), until(fromMs + 15_000, 'the operator notices'));
    await h.cluster.component('consul').start();
    await operator.untilLog(says('Consul is reachable again'), until(fromMs + 30_000, 'the operator notices'));
    await lockedForLeader(h, namespace, 'g');
    await h.observer.caughtUp();
    const toMs = performance.now();
    expect(noLeaderMoved(h.observer.history({ namespaces: [namespace] }), { fromMs, toMs })).toEqual([]);
    const same = await h.led(namespace, 'g');
    expect([same.uid, same.token]).toEqual([uid, token]);
    await h.world.setReady(namespace, same.name, false);
    await h.led(namespace, 'g', { not: same.name, minToken: token + 1 });
    await settledAndKept(h, operator, [namespace], ['g']);
  });

  it('away when the operator starts: with Demote the label goes at start + TTL - margin, with Hold it stays (I3)', async () => {
    const h = plain;
    const [demote, hold] = await Promise.all([h.world.namespace('away-demote'), h.world.namespace('away-hold')]);
    const spec = { sessionTTLSeconds: TTL_MS / 1000 };
    await h.group(demote, 'd', { spec: { ...spec, onConsulLoss: 'Demote' } });
    await h.group(hold, 'h', { spec: { ...spec, onConsulLoss: 'Hold' } });
    const before = await h.startOperator();
    const [led, held] = await Promise.all([h.led(demote, 'd'), h.led(hold, 'h')]);
    await before.kill('SIGKILL');
    const { atMs: fromMs } = h.observer.mark('Consul freezes');
    await h.cluster.component('consul').freeze();
    const spawnedMs = performance.now();
    await using operator = await h.spawnOperator();
    await h.observer.until((view) => view.leaders(demote, 'd').length === 0, until(spawnedMs + 20_000, 'nobody leads'));
    const goneMs = labelOffMs(h, demote, fromMs);
    const served = operator.log.find(says('serving health, metrics and the gate'));
    const startedMs = Date.parse(String(served?.['time'])) - performance.timeOrigin;
    expect(goneMs).toBeGreaterThan(spawnedMs + TTL_MS - MARGIN_MS);
    expect(goneMs).toBeLessThan(startedMs + TTL_MS);

    await h.cluster.component('consul').thaw();
    await h.led(demote, 'd', { minToken: led.token + 1 });
    await lockedForLeader(h, demote, 'd');
    await lockedForLeader(h, hold, 'h');
    await h.observer.caughtUp();
    const toMs = performance.now();
    expect(noLeaderMoved(h.observer.history({ namespaces: [hold] }), { fromMs, toMs })).toEqual([]);
    expect((await h.led(hold, 'h')).uid).toBe(held.uid);
    await settledAndKept(h, operator, [demote, hold], ['d', 'h']);
  });
});

describe('the API server', () => {
  const ways: readonly (readonly [string, number, (h: Harness) => Promise<void>])[] = [
    [
      'frozen for 10 s',
      // Its connections stay open: what had happened just before, the observer is told when it is thawed.
      FROZEN_MS,
      async ({ cluster }) => {
        await cluster.component('kube-apiserver').freeze();
        await delay(FROZEN_MS);
        await cluster.component('kube-apiserver').thaw();
      },
    ],
    [
      'killed and started',
      0,
      async ({ cluster }) => {
        await cluster.component('kube-apiserver').kill();
        await cluster.component('kube-apiserver').start();
      },
    ],
  ];
  it.each(ways)('%s while leaders die costs no promise, and every group is led again', async (_, lateMs, fail) => {
    const h = plain;
    const namespace = await h.world.namespace('api');
    const groups = ['g-0', 'g-1', 'g-2', 'g-3'];
    await Promise.all(groups.map((name) => h.group(namespace, name)));
    await using operator = await h.startOperator();
    const before = await Promise.all(groups.map((name) => h.led(namespace, name)));
    h.observer.mark('the API server fails');
    const dying = before.slice(0, 2).map(({ name }) => h.world.deletePod(namespace, name));
    await Promise.all(dying);
    const degraded = before.slice(2).map(({ name }) => unready(h, namespace, name));
    await fail(h);
    await Promise.all(degraded);
    for (const [at, name] of groups.entries()) {
      await h.led(namespace, name, {
        not: before[at]?.name ?? '',
        minToken: tokenAbove(before[at]),
        timeoutMs: 60_000,
      });
    }
    await settledAndKept(h, operator, [namespace], groups, lateMs);
  });
});

describe('the operator', () => {
  it('killed again and again during a storm of failovers keeps every promise, and every group is led in the end (I9)', async () => {
    const h = plain;
    const seed = Number(process.env['LEADERGROUP_TEST_SEED'] ?? Date.now() % 100_000);
    const random = randomFrom(seed);
    console.log(`storm: seed ${seed} (LEADERGROUP_TEST_SEED)`);
    const namespace = await h.world.namespace('storm');
    const groups = ['s-0', 's-1', 's-2', 's-3', 's-4', 's-5'];
    await Promise.all(groups.map((name) => h.group(namespace, name)));
    let operator = await h.startOperator();
    await Promise.all(groups.map((name) => h.led(namespace, name)));
    const over = new AbortController();
    const storms = Promise.all(groups.map((name) => storm(h, namespace, name, random, over.signal)));
    const endMs = performance.now() + STORM_MS;
    let kills = 0;
    while (performance.now() < endMs) {
      await delay(random() * LONGEST_LIFE_MS);
      await operator.kill('SIGKILL');
      kills += 1;
      operator = await h.spawnOperator();
      await operator.untilLog(
        says('registered this replica in Consul'),
        until(performance.now() + 30_000, 'the operator joins Consul'),
      );
    }
    over.abort();
    const failovers = (await storms).reduce((sum, one) => sum + one, 0);
    await operator.ready();
    const counts = await settledAndKept(h, operator, [namespace], groups);
    console.log(`storm: ${kills} kills, ${failovers} leaders lost, ${counts.handovers} handovers`);
    expect(kills).toBeGreaterThanOrEqual(5);
    expect(counts.handovers).toBeGreaterThanOrEqual(groups.length);
    await operator.kill();
  });
});

/** Told again until the API server has answered. */
const unready = (h: Harness, namespace: string, name: string): Promise<void> =>
  vi.waitFor(() => h.world.setReady(namespace, name, false), { timeout: 60_000, interval: 200 });

const TOLERANCE_MS = 500;
const STORM_MS = 35_000;
const FROZEN_MS = 10_000;
const LONGEST_LIFE_MS = 3_000;

const until = (atMs: number, what: string) => ({ timeoutMs: Math.max(1, atMs - performance.now()), what });

const says =
  (message: string) =>
  (line: Readonly<Record<string, unknown>>): boolean =>
    line['message'] === message;

const tokenAbove = (leading: Leading | undefined): number => (leading?.token ?? 0) + 1;

const renewals = (h: Harness, session: string): readonly Exchange[] =>
  (h.proxies?.consul.exchanges ?? []).filter(
    ({ path, status, answeredMs }) =>
      path.startsWith(`/v1/session/renew/${session}`) && status === 200 && answeredMs !== null,
  );

/** A renewal of this session has been acknowledged: from then on its deadline does not rest on its creation. */
async function renewed(h: Harness, session: string): Promise<void> {
  await vi.waitFor(() => expect(renewals(h, session)).not.toEqual([]), { timeout: TTL_MS, interval: 50 });
}

function lastRenewal(h: Harness, session: string): Exchange {
  const last = renewals(h, session).at(-1);
  if (last === undefined) throw new Error(`session ${session} was never renewed`);
  return last;
}

/** When the operator first took a leader label off in this namespace, after `fromMs`. */
function labelOffMs(h: Harness, namespace: string, fromMs: number): number {
  const labels = new Map<string, boolean>();
  for (const event of h.observer.history({ namespaces: [namespace] }).pods) {
    for (const pod of event.kind === 'list' ? event.pods : [event.pod]) {
      const labelled = pod.labels['leadergroup.dev/role'] === 'leader';
      if (event.atMs > fromMs && labels.get(pod.uid) === true && !labelled) return event.atMs;
      labels.set(pod.uid, labelled);
    }
  }
  throw new Error(`no leader of ${namespace} lost its label`);
}

/** The lock is held by a session of the one who carries the label. */
async function lockedForLeader(h: Harness, namespace: string, group: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const [leader] = h.observer.leaders(namespace, group);
      const holder = h.observer.lock(namespace, group)?.session;
      const named = (await h.world.consul.sessions()).find(({ id }) => id === holder)?.name;
      expect(named).toBe(`${namespace}/${group}/${leader?.uid}`);
    },
    { timeout: 45_000, interval: 100 },
  );
}

/** Nothing has been written to these namespaces by the operator for longer than its status may be late. */
async function quiet(h: Harness, namespaces: readonly string[]): Promise<void> {
  await vi.waitFor(
    () => {
      const toMs = performance.now();
      expect(writesBy(h.observer.history({ namespaces }), { fromMs: toMs - 6_000, toMs })).toEqual([]);
    },
    { timeout: 30_000, interval: 250 },
  );
}

/** Every group ends with one leader that holds its lock, and the whole history holds what is promised. */
async function settledAndKept(
  h: Harness,
  operator: OperatorProcess,
  namespaces: readonly string[],
  groups: readonly string[],
  /** How late the observer may have been told of something, beyond what is usual. */
  lateMs = 0,
) {
  for (const namespace of namespaces) {
    const here = groups.filter((name) => h.observer.group(namespace, name) !== undefined);
    for (const name of here) {
      await h.led(namespace, name, { timeoutMs: 30_000 });
      await lockedForLeader(h, namespace, name);
    }
  }
  await h.observer.caughtUp();
  const counts = assertKept(h.observer.history({ namespaces }), { toleranceMs: DEFAULT_TOLERANCE_MS + lateMs });
  expect(operator.log.filter(({ level }) => level === 'error')).toEqual([]);
  await Promise.all(namespaces.flatMap((namespace) => groups.map((name) => dropGroup(h, namespace, name))));
  return counts;
}

/** A group that the next test's operator must not find. */
async function dropGroup(h: Harness, namespace: string, name: string): Promise<void> {
  if (h.observer.group(namespace, name) === undefined) return;
  await h.world.deleteGroup(namespace, name);
  await h.observer.until(
    (view) => view.group(namespace, name) === undefined,
    until(performance.now() + 15_000, 'gone'),
  );
}

/** Leaders of one group become unready, are deleted or recreated, one after the other. Returns how many. */
async function storm(
  h: Harness,
  namespace: string,
  group: string,
  random: () => number,
  over: AbortSignal,
): Promise<number> {
  let lost = 0;
  while (!over.aborted) {
    await delay(100 + random() * 700);
    const [leader] = h.observer.leaders(namespace, group);
    const unready = h.observer.pods(namespace).filter((pod) => pod.labels['app'] === group && !pod.ready);
    if (leader !== undefined) {
      lost += 1;
      if (random() < 0.6) await h.world.setReady(namespace, leader.name, false);
      else await h.world.recreatePod({ namespace, name: leader.name, labels: { app: group } });
    }
    if (random() < 0.8) for (const { name } of unready) await h.world.setReady(namespace, name, true);
  }
  for (const pod of h.observer.pods(namespace).filter(({ labels }) => labels['app'] === group)) {
    await h.world.setReady(namespace, pod.name, true);
  }
  return lost;
}

/** mulberry32: the storm of a failing seed can be raised again. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
