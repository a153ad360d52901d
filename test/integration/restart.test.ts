/** The operator, Consul and the API server go and come back, one at a time: no healthy leader loses its label. */
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { assertKept, noLeaderMoved, sentence } from '../kit/checker/checker.ts';
import { type Harness, type Leading, startHarness } from '../kit/rig/harness.ts';
import type { LogLine, OperatorProcess } from '../kit/rig/operator-process.ts';
import { TOOK } from '../kit/rig/replicas.ts';

let h: Harness;
let namespace: string;

const GROUPS = Array.from({ length: 30 }, (_, at) => `group-${at}`);
/** Its leader is made to change, to see that the operator works again. */
const CANARY = 'canary';
const BUCKETS = 32;

beforeAll(async () => {
  h = await startHarness();
  namespace = await h.world.namespace('restart');
  await Promise.all([...GROUPS, CANARY].map((name) => h.group(namespace, name, { pods: 2 })));
});

afterAll(() => h[Symbol.asyncDispose]());

async function operatorUntilTheEnd(replica: string): Promise<OperatorProcess> {
  const operator = await h.startOperator({ replica });
  onTestFinished(() => operator[Symbol.asyncDispose]());
  return operator;
}

const allLed = (): Promise<readonly Leading[]> => Promise.all(GROUPS.map((name) => h.led(namespace, name)));

const identities = (leaders: readonly Leading[]) => leaders.map(({ name, uid, token }) => ({ name, uid, token }));

/** The operator hands the canary over: it acts again, and has looked at what there was to do before. */
async function canaryMoves(timeoutMs = 20_000): Promise<void> {
  const from = await h.led(namespace, CANARY, { timeoutMs });
  await h.world.setReady(namespace, from.name, false);
  await h.led(namespace, CANARY, { not: from.name, minToken: from.token + 1, timeoutMs });
  await h.world.setReady(namespace, from.name, true);
}

/** What must hold after an interruption that began at `fromMs`: leaders and tokens are those of before. */
async function nothingMoved(before: readonly Leading[], fromMs: number): Promise<void> {
  await h.observer.caughtUp();
  const history = h.observer.history({ namespaces: [namespace] });
  const moved = noLeaderMoved(withoutCanary(history), { fromMs, toMs: performance.now() });
  expect(moved.map(sentence)).toEqual([]);
  expect(identities(await allLed())).toEqual(identities(before));
  assertKept(history);
}

const withoutCanary = (history: ReturnType<Harness['observer']['history']>) => ({
  ...history,
  groups: history.groups.filter(({ name }) => name !== CANARY),
});

/** In several steps, where it hears of the free locks before it hears that the other replica has gone. */
function tookAllBuckets(): (line: LogLine) => boolean {
  const taken = new Map<LogLine, number>();
  return (line) => {
    if (line.message === TOOK) taken.set(line, Number(line['buckets']));
    return [...taken.values()].reduce((sum, buckets) => sum + buckets, 0) === BUCKETS;
  };
}

async function bucketHolders(): Promise<readonly (string | null)[]> {
  const entries = await h.world.consul.entries('leadergroup/');
  return entries.filter(({ key }) => /^leadergroup\/[^/]+\/buckets\//.test(key)).map(({ session }) => session);
}

it('an operator killed with -9 and started again as the same pod moves no leader', async () => {
  const killed = await operatorUntilTheEnd('a');
  const before = await allLed();
  const { atMs } = h.observer.mark('operator killed');
  await killed.kill('SIGKILL');
  const again = await operatorUntilTheEnd('a');
  const backMs = performance.now() - atMs;
  await canaryMoves();
  console.log(`restart: ready ${backMs.toFixed(0)} ms after SIGKILL as the same pod`);
  await nothingMoved(before, atMs);
  await again.kill();
});

it('an operator killed with -9 is followed by another pod once its session has expired, and no leader moves', async () => {
  const killed = await operatorUntilTheEnd('a');
  const before = await allLed();
  const { atMs } = h.observer.mark('operator killed');
  await killed.kill('SIGKILL');
  const next = await h.spawnOperator({ replica: 'b' });
  onTestFinished(() => next[Symbol.asyncDispose]());
  await next.untilLog(tookAllBuckets(), { timeoutMs: 40_000, what: 'the other pod takes the buckets' });
  const tookMs = performance.now() - atMs;
  console.log(`restart: another pod took the buckets ${tookMs.toFixed(0)} ms after SIGKILL`);
  await canaryMoves();
  await nothingMoved(before, atMs);
  await next.kill();
});

it('an operator that ends by SIGTERM leaves every bucket free and every leader in place', async () => {
  const operator = await operatorUntilTheEnd('a');
  const before = await allLed();
  const { atMs } = h.observer.mark('operator told to end');
  expect(await operator.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(await bucketHolders()).toEqual(Array(BUCKETS).fill(null));
  await nothingMoved(before, atMs);
});

it('an API server killed with -9 and started again moves no leader', async () => {
  const operator = await operatorUntilTheEnd('a');
  const before = await allLed();
  const server = h.cluster.component('kube-apiserver');
  const { atMs } = h.observer.mark('API server killed');
  await server.kill();
  await server.start();
  await canaryMoves(40_000);
  await nothingMoved(before, atMs);
  await operator.kill();
});

it('a Consul that lost its data moves no leader, and the next token is higher', async () => {
  const operator = await operatorUntilTheEnd('a');
  const before = await allLed();
  const { atMs } = h.observer.mark('Consul wiped');
  await h.cluster.component('consul').wipe();
  const locked = (name: string): boolean => {
    const lock = h.observer.lock(namespace, name);
    return lock !== undefined && lock.incarnation > 0 && lock.session !== null;
  };
  await h.observer.until(() => [...GROUPS, CANARY].every(locked), {
    timeoutMs: 60_000,
    what: 'every group locks in the new Consul',
  });
  console.log(`restart: every lock is back ${(performance.now() - atMs).toFixed(0)} ms after Consul was wiped`);
  await canaryMoves();
  await h.observer.caughtUp();
  const history = h.observer.history({ namespaces: [namespace] });
  expect(noLeaderMoved(withoutCanary(history), { fromMs: atMs, toMs: performance.now() }).map(sentence)).toEqual([]);
  assertKept(history);
  const after = await allLed();
  expect(after.map(({ uid }) => uid)).toEqual(before.map(({ uid }) => uid));
  for (const [at, leader] of after.entries()) expect(leader.token).toBeGreaterThanOrEqual(before[at]?.token ?? 0);
  const [first] = after;
  if (first === undefined) throw new Error('no leader');
  await h.world.setReady(namespace, first.name, false);
  const next = await h.led(namespace, 'group-0', { not: first.name });
  expect(next.token).toBeGreaterThan(Math.max(first.token, before[0]?.token ?? 0));
  await operator.kill();
});
