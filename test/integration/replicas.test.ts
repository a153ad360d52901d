/**
 * Several replicas on the real components, as pods of a Deployment come and go: leaders keep their labels, and every group is
 * served again. How long that takes is printed.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { assertKept, noLeaderMoved, sentence, writesBy } from '../kit/checker/checker.ts';
import { type Harness, type Leading, startHarness } from '../kit/rig/harness.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';

const GROUPS = Array.from({ length: 100 }, (_, at) => `group-${at}`);
const PODS = 2;
const ENDED = 'destroyed the session of a replica whose container has ended; its buckets are free';
const SOON = { timeout: 30_000, interval: 10 };

let h: Harness;
let namespace: string;
let system: string;

beforeAll(async () => {
  h = await startHarness();
  [namespace, system] = await Promise.all([h.world.namespace('replicas'), h.world.namespace('system')]);
  for (let at = 0; at < GROUPS.length; at += 20)
    await Promise.all(GROUPS.slice(at, at + 20).map((name) => h.group(namespace, name, { pods: PODS })));
});

afterAll(() => h[Symbol.asyncDispose]());

type Member = { readonly name: string; readonly operator: OperatorProcess };

/** A replica with a real pod behind its name, and ready. */
async function join(name: string): Promise<Member> {
  const pod = await h.world.pod({ namespace: system, name, labels: { app: 'operator' } });
  const env = { POD_NAME: name, POD_NAMESPACE: system, POD_UID: pod.metadata.uid };
  const operator = await h.spawnOperator({ replica: name, env });
  onTestFinished(() => operator[Symbol.asyncDispose]());
  await operator.ready();
  return { name, operator };
}

type Overview = { readonly own: Readonly<Record<string, string>>; readonly free: readonly string[] };

async function overview({ operator }: Member): Promise<Overview> {
  const answer = await fetch(`${operator.url}/replicas`);
  return (await answer.json()) as Overview;
}

/** Milliseconds until these replicas own every bucket among them, each its share, and nothing is under way. */
async function shared(members: readonly Member[], fromMs = performance.now()): Promise<number> {
  const share = Math.ceil(32 / members.length);
  await vi.waitFor(async () => {
    const seen = await Promise.all(members.map(overview));
    const owned = seen.flatMap(({ own }) => Object.entries(own).filter(([, state]) => state === 'owned'));
    expect(new Set(owned.map(([bucket]) => bucket)).size).toBe(32);
    for (const { own } of seen) expect(Object.keys(own).length).toBeLessThanOrEqual(share);
  }, SOON);
  return performance.now() - fromMs;
}

/** Milliseconds until these replicas own every bucket among them, shared evenly or not. */
async function owned(members: readonly Member[], fromMs: number): Promise<number> {
  await vi.waitFor(async () => {
    const seen = await Promise.all(members.map(overview));
    const all = seen.flatMap(({ own }) =>
      Object.entries(own).flatMap(([bucket, state]) => (state === 'owned' ? [bucket] : [])),
    );
    expect(new Set(all).size).toBe(32);
  }, SOON);
  return performance.now() - fromMs;
}

const allLed = (): Promise<readonly Leading[]> =>
  Promise.all(GROUPS.map((name) => h.led(namespace, name, { timeoutMs: 60_000 })));

/** No label has moved since, no token is another, and nobody has written to Kubernetes. */
async function nothingMoved(before: readonly Leading[], fromMs: number): Promise<void> {
  await h.observer.caughtUp();
  const history = h.observer.history({ namespaces: [namespace] });
  const interval = { fromMs, toMs: performance.now() };
  expect(noLeaderMoved(history, interval).map(sentence)).toEqual([]);
  expect(writesBy(history, interval).map(({ resource }) => resource)).toEqual([]);
  // A hundred groups are elected at once on a busy machine, and the observer hears of their locks late.
  assertKept(history, { toleranceMs: 15_000 });
  const after = await allLed();
  expect(after.map(({ uid, token }) => [uid, token])).toEqual(before.map(({ uid, token }) => [uid, token]));
}

/** Somebody works for every group: each replaces a leader that is not ready any more. */
async function everyGroupIsServed(before: readonly Leading[]): Promise<void> {
  const some = before.filter((_, at) => at % 10 === 0);
  await Promise.all(some.map(({ name }) => h.world.setReady(namespace, name, false)));
  await Promise.all(
    some.map(({ name, labels }) => h.led(namespace, labels['app'] ?? '', { not: name, timeoutMs: 30_000 })),
  );
  await Promise.all(some.map(({ name }) => h.world.setReady(namespace, name, true)));
  await h.atRest();
}

const say = (what: string, ms: number): void => console.log(`replicas: ${what}: ${ms.toFixed(0)} ms`);

describe('leaders of 100 groups keep their labels when a replica', () => {
  it('joins, leaves by SIGTERM, and is killed while its container is reported as ended', async () => {
    const a = await join('operator-a');
    await shared([a]);
    const before = await allLed();
    await h.atRest();
    const joining = h.observer.mark('b joins');
    const b = await join('operator-b');
    const c = await join('operator-c');
    say('two more replicas, every bucket moved to its owner', await shared([a, b, c], joining.atMs));
    await nothingMoved(before, joining.atMs);
    await everyGroupIsServed(before);

    const settled = await allLed();
    const ending = h.observer.mark('c ends by SIGTERM');
    const exit = c.operator.kill('SIGTERM');
    say('SIGTERM to the buckets owned by the others', await owned([a, b], ending.atMs));
    expect(await exit).toEqual({ code: 0, signal: null });
    await shared([a, b]);
    await nothingMoved(settled, ending.atMs);

    const killing = h.observer.mark('b is killed');
    await b.operator.kill('SIGKILL');
    const reported = await reportEnded('operator-b');
    say('container reported as ended to the buckets owned by the other', await owned([a], reported));
    // Not by its TTL: somebody was sure.
    expect(a.operator.log.map(({ message }) => message)).toContain(ENDED);
    await nothingMoved(settled, killing.atMs);
    await everyGroupIsServed(settled);
  });

  it('is killed and nobody reports it: its session expires', async () => {
    const [a, b] = [await join('operator-d'), await join('operator-e')];
    await shared([a, b]);
    const before = await allLed();
    await h.atRest();
    const killing = h.observer.mark('e is killed');
    await b.operator.kill('SIGKILL');
    say('SIGKILL, nobody tells, to the buckets owned by the other', await owned([a], killing.atMs));
    await nothingMoved(before, killing.atMs);
    await everyGroupIsServed(before);
  });

  it('is replaced by another, one after the other, as in a rolling upgrade', async () => {
    let members = [await join('operator-f'), await join('operator-g'), await join('operator-h')];
    await shared(members);
    const before = await allLed();
    await h.atRest();
    const rolling = h.observer.mark('rolling upgrade');
    for (const next of ['operator-i', 'operator-j', 'operator-k']) {
      const [oldest, ...others] = members;
      members = [...others, await join(next)];
      await oldest?.operator.kill('SIGTERM');
      await owned(members, rolling.atMs);
    }
    say('three replicas replaced, shared evenly again', await shared(members, rolling.atMs));
    await nothingMoved(before, rolling.atMs);
    await everyGroupIsServed(before);
  });
});

/** As a kubelet does when a container's process has been killed. Returns when the API server has it. */
async function reportEnded(name: string): Promise<number> {
  const now = Date.now();
  await h.world.reportContainer(system, name, 'operator', { startedMs: now - 3_600_000, finishedMs: now + 1000 });
  return performance.now();
}
