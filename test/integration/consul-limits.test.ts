/** Consul as users have it: 200 connections for one address, which two replicas share here; and a Consul whose answers are lost. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inParallel } from '../../src/operator/common/in-parallel.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';
import { startConsulProxy } from '../kit/rig/proxy.ts';

let h: Harness;
let namespace: string;
let operators: readonly OperatorProcess[];

const GROUPS = Array.from({ length: 220 }, (_, at) => `g${at}`);
const LIMIT = 200;
const SOON = { timeout: 60_000, interval: 200 };
/** Of those that are watched and of those that are looked at in turn. */
const SOME = [0, 60, 130, 219].map((at) => GROUPS[at] ?? '');

const lockOf = (group: string): string => `jobs/${group}/.lock`;

beforeAll(async () => {
  h = await startHarness({
    operatorEnv: { LEADERGROUP_LOCK_KEYS: JSON.stringify([{ namespaces: ['*'], prefix: 'jobs' }]) },
  });
  namespace = await h.world.namespace('limits');
  await inParallel(GROUPS, 16, (name) => h.group(namespace, name, { pods: 1, spec: { lockKey: `jobs/${name}` } }));
  operators = [await h.startOperator({ replica: 'a' }), await h.startOperator({ replica: 'b' })];
});

afterAll(() => h[Symbol.asyncDispose]());

/** Connections to Consul that stand, whoever has them. */
async function connections(): Promise<number> {
  const port = Number(h.cluster.consulAddress.split(':').at(-1));
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/));
  return lines.filter(([, , remote, state]) => state === '01' && Number.parseInt(remote?.slice(9) ?? '', 16) === port)
    .length;
}

const warnings = (): readonly string[] =>
  operators
    .flatMap(({ log }) => log.filter(({ level }) => level !== 'info').map((line) => JSON.stringify(line)))
    .filter((line) => /429|is unreachable|watching .*failed|cannot own/.test(line));

it('220 shared keys and two replicas stay within it, and every change of a lock is heard of', async ({ skip }) => {
  // Looked at now and then: to ask of each with every event would keep this process too busy to read the operators' logs.
  const led = (): number => GROUPS.filter((group) => h.observer.leaders(namespace, group).length === 1).length;
  await expect.poll(led, { timeout: 120_000, interval: 500 }).toBe(GROUPS.length);
  const before = await Promise.all(SOME.map((group) => h.led(namespace, group)));
  let most = 0;
  const tookMs: number[] = [];
  for (const [at, group] of SOME.entries()) {
    const lock = await h.world.consul.entry(lockOf(group));
    await h.world.consul.destroySession(lock?.session ?? expect.fail(`nobody has ${lockOf(group)}`));
    const beganMs = performance.now();
    await h.led(namespace, group, { minToken: (before[at]?.token ?? 0) + 1 });
    tookMs.push(performance.now() - beganMs);
    if (process.platform === 'linux') most = Math.max(most, await connections());
  }
  console.log(`${most} connections; led again after ${tookMs.map((ms) => ms.toFixed(0)).join(', ')} ms`);
  expect(warnings()).toEqual([]);
  for (const { url } of operators) expect((await fetch(`${url}/readyz`)).status).toBe(200);
  if (process.platform !== 'linux') skip('connections are counted on Linux only');
  expect(most).toBeLessThan(LIMIT);
});

it('sessions that Consul made without an answer are taken, and no more are made with each attempt', async () => {
  for (const operator of operators) await operator.kill();
  await using proxy = await startConsulProxy(h.cluster.consulAddress);
  using lost = proxy.hold(({ path }) => path.startsWith('/v1/session/create'), { mode: 'dropReply' });
  const pods = 3;
  await h.world.pods(namespace, 'late', pods);
  const begun = h.spawnOperator({ replica: 'c', env: { CONSUL_HTTP_ADDR: proxy.url } });
  await lost.held(1);
  // The replica's own session is needed before any of a member.
  lost.release();
  const operator = await begun;
  await operator.ready(120_000);
  using lostAgain = proxy.hold(({ path }) => path.startsWith('/v1/session/create'), { mode: 'dropReply' });
  await h.world.applyGroup({ namespace, name: 'late', spec: { sessionTTLSeconds: 3600 } });
  await h.led(namespace, 'late', { timeoutMs: SOON.timeout });
  await delay(5000);
  const ours = (await h.world.consul.sessions()).filter(({ name }) => name.startsWith(`${namespace}/late/`));
  expect(lostAgain.requests.length).toBeGreaterThan(0);
  expect(ours).toHaveLength(pods);
});
