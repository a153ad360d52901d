/** How often the session of a leader is renewed, by whichever replica, with the real operator. */
import { expect, it } from 'vitest';
import { bucketKey, bucketOf } from '../../src/election/keys.ts';
import { SPACE } from '../kit/model/replica.ts';
import { scenarioOf } from '../kit/simulation/acts.ts';
import { createChecks } from '../kit/simulation/checks.ts';
import { openStage, type Stage } from '../kit/simulation/stage.ts';

const TTL_MS = 20_000;
const TOLERANCE_MS = 500;

function openWorld(lockKey: string | null): Stage {
  const group = { name: 'g0', ttlMs: TTL_MS, lockDelayMs: 0, lockKey, onConsulLoss: 'Demote', follower: null } as const;
  const groups = [{ ...group, failoverDelayMs: 0, pods: 2 }];
  const scenario = { ...scenarioOf(4), acts: [], replicas: 3, steady: false, gate: false, groups };
  const checks = createChecks(scenario);
  const stage = openStage(scenario, checks.patchSent);
  checks.begin(stage);
  return stage;
}

/** Index of the replica that owns the group's bucket. */
function ownerOf({ consul, replicas }: Stage): number {
  const session = consul.entry(bucketKey(SPACE, bucketOf('default', 'g0')))?.session ?? '';
  return replicas.findIndex(({ identity }) => consul.nameOf(session).includes(identity.id));
}

function renewedMs({ consul }: Stage): number {
  const held = [...consul.now().entries.values()].find(({ session }) =>
    consul.nameOf(session ?? '').startsWith('default/g0/'),
  );
  return consul.renewedMs(held?.session ?? '') ?? 0;
}

it.each([null, 'shared/cron'])(
  'the session of a leader is renewed every third of its TTL, also by the next owner of its bucket (lockKey: %s)',
  async (lockKey) => {
    const stage = openWorld(lockKey);
    await stage.loop.runUntil(10_000);
    const first = ownerOf(stage);
    stage.do({ act: 'kill', replica: first, atMs: 10_000, forMs: 1_000_000 });
    await stage.loop.runUntil(25_000);
    expect(ownerOf(stage)).not.toBe(first);
    const ages: number[] = [];
    for (let atMs = 35_000; atMs < 95_000; atMs += 100) {
      await stage.loop.runUntil(atMs);
      ages.push(atMs - renewedMs(stage));
    }
    expect(Math.max(...ages)).toBeLessThanOrEqual(TTL_MS / 3 + TOLERANCE_MS);
    expect(Math.max(...ages)).toBeGreaterThan(TTL_MS / 4);
  },
);
