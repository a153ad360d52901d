/** Groups whose candidates hang must not hold up the failover of another one: they are more than the replica works on at a time. */
import { expect, it } from 'vitest';
import type { Scenario } from '../kit/simulation/acts.ts';
import { openStage } from '../kit/simulation/stage.ts';

const TROUBLED = 20;
const LED_MS = 60_000;
/** One patch, one transaction, one patch, and a question to the candidates; a hung one takes half a second to be noticed. */
const SOON_MS = 300;

const scenario = (names: readonly string[]): Scenario => ({
  seed: 1,
  lengthMs: 120_000,
  replicas: 1,
  gate: false,
  claims: false,
  probed: names,
  steady: true,
  acts: [],
  groups: names.map((name) => ({
    name,
    ttlMs: 30_000,
    lockDelayMs: 0,
    lockKey: null,
    onConsulLoss: 'Hold',
    follower: null,
    failoverDelayMs: 0,
    pods: 3,
  })),
});

it('twenty groups whose candidates hang do not hold up the failover of another one', async () => {
  const troubled = Array.from({ length: TROUBLED }, (_, at) => `hung-${at}`);
  const { loop, api, do: act } = openStage(scenario([...troubled, 'well']), () => undefined);
  const leaderOf = (group: string) =>
    api.pods().find(({ labels }) => labels['app'] === group && labels['leadergroup.dev/role'] === 'leader');
  await loop.runUntil(LED_MS);
  for (let group = 0; group < TROUBLED; group += 1)
    for (const pod of [0, 1, 2]) act({ act: 'hang', group, pod, atMs: LED_MS, forMs: 60_000 });
  for (const name of [...troubled, 'well']) {
    const leader = leaderOf(name);
    expect(leader).toBeDefined();
    api.foreign.changePod(leader?.name ?? '', () => ({ ready: false }));
  }
  await loop.runUntil(LED_MS + SOON_MS);
  expect(leaderOf('well')?.ready).toBe(true);
  await loop.runUntil(LED_MS + 5000);
  for (const name of troubled) expect(leaderOf(name)?.ready).toBe(true);
});
