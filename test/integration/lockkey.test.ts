/** One lock for a group and for externalHolders: `consul lock` itself, keys that are not allowed, keys that hold something else. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { assertKept } from '../kit/checker/checker.ts';
import { type ConditionWish, type Harness, startHarness } from '../kit/rig/harness.ts';

let h: Harness;
let namespace: string;

const RULES = [
  { namespaces: ['*'], prefix: 'jobs' },
  { namespaces: ['elsewhere'], prefix: 'private' },
];

beforeAll(async () => {
  h = await startHarness({ operatorEnv: { LEADERGROUP_LOCK_KEYS: JSON.stringify(RULES) } });
  await h.startOperator();
});

beforeEach(async () => {
  namespace = await h.world.namespace('shared');
});

afterAll(() => h[Symbol.asyncDispose]());

const statusOf = (group: string) => h.status(namespace, group);

const untilCondition = (group: string, ...wanted: ConditionWish) => h.condition(namespace, group, ...wanted);

const sessionOn = (lockKey: string): string | null => h.observer.key(`${lockKey}/.lock`)?.session ?? null;

type ConsulLock = AsyncDisposable & {
  /** Exists once the command that the lock guards runs. */
  readonly mark: string;
  /** Asks it to end, as a terminal or an init system does; it frees the lock before. */
  end(): Promise<void>;
};

/** The real `consul lock`: its command makes a file and then runs until it is ended. */
function consulLock(lockKey: string, name: string): ConsulLock {
  const mark = join(h.dir, `${name}.runs`);
  const args = ['lock', `-name=${name}`, lockKey, `touch ${mark}; exec sleep 600`];
  const child: ChildProcess = spawn('consul', args, { env: { ...process.env, ...h.cluster.env }, stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()).once('error', () => resolve()));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  return { mark, end: () => end('SIGTERM'), [Symbol.asyncDispose]: () => end('SIGTERM') };
}

/** Resolves with the session once anybody has the key. */
const untilLocked = (lockKey: string): Promise<string> =>
  h.observer.until(() => sessionOn(lockKey), { timeoutMs: 60_000, what: `somebody has ${lockKey}` });

it('nobody of a group leads while `consul lock` has its key, status names who has it, and then the group leads', async () => {
  const lockKey = 'jobs/first';
  await using external = consulLock(lockKey, 'nightly-batch');
  const session = await untilLocked(lockKey);
  await h.group(namespace, 'first', { spec: { lockKey } });
  await untilCondition('first', 'Ready', 'True', 'LedElsewhere');
  expect(statusOf('first')).toMatchObject({ leader: '', leaders: [], lockKey: `${lockKey}/.lock` });
  expect(statusOf('first')?.lockedBy).toContain('nightly-batch');
  expect(statusOf('first')?.lockedBy).toContain(session);
  expect(h.observer.leaders(namespace, 'first')).toEqual([]);
  await external.end();
  await h.led(namespace, 'first');
  await untilCondition('first', 'Ready', 'True', 'Led');
  expect(statusOf('first')?.lockedBy).toBe('');
  await h.observer.caughtUp();
  assertKept(h.observer.history({ namespaces: [namespace] }));
});

it('`consul lock` waits while a group leads, also over its failovers, and the group comes back with a higher token', async () => {
  const lockKey = 'jobs/second';
  await h.group(namespace, 'second', { pods: 2, spec: { lockKey } });
  const first = await h.led(namespace, 'second');
  await using external = consulLock(lockKey, 'waiting-batch');
  const waiting = async (): Promise<boolean> =>
    (await h.world.consul.sessions()).some(({ name }) => name.includes('waiting-batch'));
  await expect.poll(waiting, { timeout: 60_000 }).toBe(true);
  await h.world.setReady(namespace, first.name, false);
  const second = await h.led(namespace, 'second', { not: first.name });
  expect(second.token).toBe(first.token + 1);
  expect(existsSync(external.mark)).toBe(false);

  await h.world.deletePod(namespace, first.name);
  await h.world.deletePod(namespace, second.name);
  await expect.poll(() => existsSync(external.mark), { timeout: 60_000 }).toBe(true);
  expect(h.observer.leaders(namespace, 'second')).toEqual([]);
  await h.world.pods(namespace, 'second', 2);
  await untilCondition('second', 'Ready', 'True', 'LedElsewhere');
  expect(statusOf('second')?.lockedBy).toContain('waiting-batch');
  await external.end();
  const third = await h.led(namespace, 'second');
  expect(third.token).toBeGreaterThan(second.token);
  await h.observer.caughtUp();
  assertKept(h.observer.history({ namespaces: [namespace] }));
});

it('a deleted group frees its shared lock and leaves the shared keys, whose token a later group goes on from', async () => {
  const lockKey = 'jobs/kept';
  await h.group(namespace, 'kept', { pods: 2, spec: { lockKey } });
  const before = await h.led(namespace, 'kept');
  await h.world.deleteGroup(namespace, 'kept');
  await h.observer.until(() => h.observer.group(namespace, 'kept') === undefined, LIMIT);
  const lock = await h.world.consul.entry(`${lockKey}/.lock`);
  expect(lock?.session ?? null).toBe(null);
  expect((await h.world.consul.entry(`${lockKey}/.token`))?.value).toBe(String(before.token));
  const records = (await h.world.consul.entries('leadergroup/')).filter(({ key }) =>
    key.includes(`/${namespace}/kept/`),
  );
  // The record stays as that of a deleted group, with its last token.
  expect(records).toEqual([expect.objectContaining({ value: expect.stringMatching(/"deleted":\d+/) })]);
  await h.world.applyGroup({ namespace, name: 'kept', spec: { lockKey } });
  expect((await h.led(namespace, 'kept')).token).toBeGreaterThan(before.token);
});

it('the policy for a silent Consul is Demote with a lock key unless the group says otherwise, and Hold without one', async () => {
  await h.group(namespace, 'demoting', { pods: 1, spec: { lockKey: 'jobs/demoting' } });
  await h.group(namespace, 'holding', { pods: 1, spec: { lockKey: 'jobs/holding', onConsulLoss: 'Hold' } });
  await h.group(namespace, 'alone', { pods: 1 });
  for (const [group, policy] of [
    ['demoting', 'Demote'],
    ['holding', 'Hold'],
    ['alone', 'Hold'],
  ] as const) {
    await untilCondition(group, 'Ready', 'True', 'Led');
    expect(statusOf(group)?.onConsulLoss).toBe(policy);
  }
});

it.each([
  ['that no rule allows', 'other/job'],
  ['that only another namespace may use', 'private/job'],
  ['whose prefix merely begins like an allowed one', 'jobsx/job'],
])('a lock key %s stalls its group, and nothing stands under it', async (_what, lockKey) => {
  await h.group(namespace, 'barred', { pods: 1, spec: { lockKey } });
  await h.group(namespace, 'other', { pods: 1 });
  const { message } = await untilCondition('barred', 'Stalled', 'True', 'LockKeyNotAllowed');
  expect(message).toContain(`"${lockKey}"`);
  expect(message).toContain('lockKeys');
  await h.led(namespace, 'other');
  expect(await h.world.consul.entries(lockKey)).toEqual([]);
  expect(h.observer.leaders(namespace, 'barred')).toEqual([]);
});

it('an entry under the lock key that is no lock stays untouched and stalls the group until it is gone', async () => {
  const lockKey = 'jobs/plain';
  await h.world.consul.overwrite(`${lockKey}/.lock`, 'what somebody keeps here');
  const before = await h.world.consul.entry(`${lockKey}/.lock`);
  await h.group(namespace, 'plain', { spec: { lockKey } });
  await h.group(namespace, 'other', { pods: 1 });
  const { message } = await untilCondition('plain', 'Stalled', 'True', 'KeyConflict');
  expect(message).toContain(`${lockKey}/.lock`);
  await h.led(namespace, 'other');
  expect(await h.world.consul.entry(`${lockKey}/.lock`)).toEqual(before);
  expect(h.observer.leaders(namespace, 'plain')).toEqual([]);
  await h.world.consul.deleteKey(`${lockKey}/.lock`);
  await h.led(namespace, 'plain');
  await untilCondition('plain', 'Stalled', 'False', 'NotStalled');
});

it('two groups with one lock key, as in two clusters, lead one after the other', async () => {
  const lockKey = 'jobs/both';
  await Promise.all(['left', 'right'].map((name) => h.group(namespace, name, { pods: 1, spec: { lockKey } })));
  const names = ['left', 'right'];
  const leading = () => names.filter((name) => h.observer.leaders(namespace, name).length > 0);
  await h.observer.until(() => leading().length === 1, LIMIT);
  const [winner = ''] = leading();
  const loser = names.find((name) => name !== winner) ?? '';
  const first = await h.led(namespace, winner);
  await untilCondition(loser, 'Ready', 'True', 'LedElsewhere');
  await h.world.deletePod(namespace, `${winner}-0`);
  const second = await h.led(namespace, loser);
  expect(second.token).toBeGreaterThan(first.token);
  expect(leading()).toEqual([loser]);
});

const LIMIT = { timeoutMs: 60_000, what: 'the state that the test names' };
