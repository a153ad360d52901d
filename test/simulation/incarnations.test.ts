/** A schedule across two incarnations of a group, with the real operator. */
import { expect, it } from 'vitest';
import { scenarioOf } from '../kit/simulation/acts.ts';
import { createChecks } from '../kit/simulation/checks.ts';
import { openStage, type Stage } from '../kit/simulation/stage.ts';

const GROUP = {
  name: 'g0',
  ttlMs: 10_000,
  lockDelayMs: 0,
  lockKey: null,
  onConsulLoss: 'Hold',
  follower: null,
  failoverDelayMs: 0,
  pods: 2,
} as const;
const SCENARIO = { ...scenarioOf(1), acts: [], replicas: 2, steady: false, gate: false, groups: [GROUP] };
/** A frozen replica's watches count as stuck after three minutes: that is told, and no breach. */
const FROZEN_MS = 150_000;

/** The first replica that takes a lock stands still before its promotion leaves; resolves with the pod that it would promote. */
function freezeAtFirstLock({ consul, replicas, loop }: Stage): { readonly pod: Promise<number> } {
  const { promise, resolve } = Promise.withResolvers<number>();
  let frozen = false;
  consul.onTxn(({ by, ops, result }) => {
    const lock = ops.find(({ verb, key }) => verb === 'lock' && key.includes('/groups/'));
    const replica = replicas.find(({ identity }) => identity.id === by);
    if (frozen || result.kind === 'rejected' || lock?.verb !== 'lock' || replica === undefined) return;
    frozen = true;
    replica.process.freeze(false);
    loop.after(FROZEN_MS, replica.process.thaw);
    resolve(Number(consul.nameOf(lock.session).at(-1)));
  });
  return { pod: promise };
}

it('a promotion of a previous incarnation, sent late for a pod that refused all writes meanwhile, meets no second leader', async () => {
  const checks = createChecks(SCENARIO);
  const stage = openStage(SCENARIO, checks.patchSent);
  checks.begin(stage);
  const { pod } = freezeAtFirstLock(stage);
  await stage.loop.runUntil(5000);
  stage.do({ act: 'refuse', group: 0, pod: await pod, atMs: 5000, forMs: 145_000 });
  await stage.loop.runUntil(60_000);
  stage.do({ act: 'remake', group: 0, atMs: 60_000, forMs: 1500 });
  await stage.loop.runUntil(120_000);
  expect(stage.api.group('g0')?.uid, 'the previous incarnation is over').not.toBe('uid-of-g0');
  await stage.loop.runUntil(190_000);
  expect(checks.breaches()).toEqual([]);
  expect(checks.unsettled('g0')).toBeNull();
});
