/** What the check of I3 asks of whom. */
import { expect, it } from 'vitest';
import { scenarioOf } from '../kit/simulation/acts.ts';
import { createChecks } from '../kit/simulation/checks.ts';
import { openStage, type Stage } from '../kit/simulation/stage.ts';

const GROUP = {
  name: 'g0',
  ttlMs: 30_000,
  lockDelayMs: 0,
  lockKey: null,
  onConsulLoss: 'Demote',
  follower: null,
  failoverDelayMs: 0,
  pods: 2,
} as const;
const OUTAGE_MS = 8000;
/** With these Consul ends the leader's session as soon as it may. */
const SEEDS = [4, 6, 15];

const labelled = ({ api }: Stage): boolean =>
  api.pods().some(({ labels }) => labels['leadergroup.dev/role'] === 'leader');

/** Consul goes for a minute; then whatever a test does. Watched until the leader's session has ended. */
async function throughAnOutage(seed: number, meanwhile: (stage: Stage) => void) {
  const scenario = { ...scenarioOf(seed), acts: [], replicas: 2, steady: false, gate: false, groups: [GROUP] };
  const checks = createChecks(scenario);
  const stage = openStage(scenario, checks.patchSent);
  checks.begin(stage);
  await stage.loop.runUntil(OUTAGE_MS);
  expect(labelled(stage), 'somebody leads before').toBe(true);
  let ledAtTheEnd: boolean | null = null;
  stage.consul.onExpiry(({ name }) => {
    if (name.startsWith('default/g0/uid-1-')) ledAtTheEnd = labelled(stage);
  });
  stage.do({ act: 'outage', of: 'consul', how: 'down', atMs: OUTAGE_MS, forMs: 60_000 });
  meanwhile(stage);
  await stage.loop.runUntil(60_000);
  return { breaches: checks.breaches(), ledAtTheEnd };
}

it.each(SEEDS)(
  'a replica that runs through an outage has taken the label off when the session ends (%i)',
  async (seed) => {
    const { breaches, ledAtTheEnd } = await throughAnOutage(seed, () => undefined);
    expect([breaches, ledAtTheEnd]).toEqual([[], false]);
  },
);

it.each(SEEDS)(
  'a process that began in the place of another has its deadline from its own start on (%i)',
  async (seed) => {
    const { breaches, ledAtTheEnd } = await throughAnOutage(seed, ({ do: act }) => {
      for (const replica of [0, 1]) {
        // What it sends is lost, so it is still at its end when another one takes its place.
        act({ act: 'trouble', replica, with: 'consul', share: 0.9, atMs: OUTAGE_MS, forMs: 60_000 });
        act({ act: 'terminate', replica, atMs: OUTAGE_MS, forMs: 1600 });
      }
    });
    expect([breaches, ledAtTheEnd]).toEqual([[], true]);
  },
);

it('a change of the group that a watch has not delivered is not asked for', async () => {
  // Here Consul ends the session long after the deadline, so the status is written and no conflict tells of the change.
  const { breaches, ledAtTheEnd } = await throughAnOutage(1, ({ loop, api, do: act }) => {
    const paused = (is: boolean): void =>
      api.foreign.changeGroup('g0', ({ spec }) => ({ spec: { ...spec, paused: is } }));
    paused(true);
    loop.after(32_000, () => {
      for (const replica of [0, 1]) act({ act: 'stallWatches', replica, atMs: 40_000, forMs: 20_000 });
    });
    loop.after(37_000, () => paused(false));
  });
  expect([breaches, ledAtTheEnd]).toEqual([[], true]);
});
