/** Replicas that watch some namespaces only: of a group that a replica may not read, or does not watch while another does, nothing is dropped. */
import { describe, expect, it } from 'vitest';
import { groupKeys } from '../../src/election/keys.ts';
import { SPACE } from '../kit/model/replica.ts';
import { scenarioOf } from '../kit/simulation/acts.ts';
import { createChecks } from '../kit/simulation/checks.ts';
import { openStage, type Stage } from '../kit/simulation/stage.ts';

const TTL_MS = 10_000;
const GROUPS = ['g0', 'g1', 'g2', 'g3'].map(
  (name) =>
    ({
      name,
      ttlMs: TTL_MS,
      lockDelayMs: 0,
      lockKey: `shared/${name}`,
      onConsulLoss: 'Hold',
      follower: null,
      failoverDelayMs: 0,
      pods: 2,
    }) as const,
);
const LED_MS = 12_000;
/** Twice the TTL and more: whoever is not renewed is gone by then. */
const LONG_MS = 40_000;

function opened(lists: readonly (readonly string[])[]) {
  const { olderUntilMs: _older, ...made } = scenarioOf(1);
  const scenario = { ...made, acts: [], steady: false, gate: false, claims: false, probed: [], groups: GROUPS };
  const checks = createChecks({ ...scenario, replicas: lists.length, lists });
  const stage = openStage({ ...scenario, replicas: lists.length, lists }, checks.patchSent);
  checks.begin(stage);
  return { stage, checks, ...wordsFor(stage) };
}

function wordsFor({ api, consul, loop, do: act }: Stage) {
  return {
    leaders: () =>
      GROUPS.map(({ name }) => {
        const led = api
          .pods()
          .filter(({ labels }) => labels['app'] === name && labels['leadergroup.dev/role'] === 'leader');
        return led.map(({ uid }) => uid).join();
      }),
    /** The sessions that hold the groups' locks. */
    holders: () =>
      GROUPS.map(
        ({ name, lockKey }) => consul.entry(groupKeys(SPACE, { namespace: 'default', name }, lockKey).lock)?.session,
      ),
    deny: (replicas: readonly number[], forMs: number) => {
      for (const replica of replicas) act({ act: 'denyNamespace', atMs: 0, replica, forMs });
    },
    end: (replica: number, how: 'kill' | 'terminate' = 'kill', forMs = 1600) =>
      act({ act: how, atMs: 0, replica, forMs }),
    /** Whoever would take a shared lock as soon as it is free. */
    covet: () => {
      for (const [group] of GROUPS.entries()) act({ act: 'external', atMs: 0, group, forMs: 10 * LONG_MS });
    },
    run: (ms: number) => loop.runUntil(loop.nowMs() + ms),
  };
}

async function read({ replicas }: Stage, run: (ms: number) => Promise<void>): Promise<void> {
  for (let at = 0; at < 200 && !replicas.every((replica) => replica.reads()); at += 1) await run(500);
}

const BOTH = ['default', 'empty'];

describe('a namespace that may not be read when replicas start', () => {
  it('keeps its leaders, and their locks, until it is read', async () => {
    const { leaders, holders, deny, end, covet, run, checks } = opened([BOTH, BOTH]);
    await run(LED_MS);
    const before = { leaders: leaders(), holders: holders() };
    expect(before.leaders).not.toContain('');
    covet();
    deny([0, 1], LONG_MS);
    for (const replica of [0, 1]) end(replica);
    await run(LONG_MS);
    expect({ leaders: leaders(), holders: holders() }, 'nobody may read it').toEqual(before);
    await run(LONG_MS);
    expect({ leaders: leaders(), holders: holders() }, 'it may be read again').toEqual(before);
    expect(checks.breaches()).toEqual([]);
  });

  it('gets a next leader once it is read, where its leader went meanwhile', async () => {
    const { stage, leaders, deny, end, run } = opened([BOTH, BOTH]);
    await run(LED_MS);
    const [first] = leaders();
    deny([0, 1], LONG_MS);
    for (const replica of [0, 1]) end(replica);
    await run(5000);
    stage.do({ act: 'recreatePod', atMs: 0, group: 0, pod: Number(first?.at(-1)), forMs: 0 });
    await read(stage, run);
    await run(2000);
    expect(leaders()).not.toContain('');
    expect(leaders()[0]).not.toBe(first);
  });

  it('lets go of the sessions of a group that turns out to be gone', async () => {
    const { stage, holders, deny, end, run } = opened([BOTH, BOTH]);
    await run(LED_MS);
    deny([0, 1], LONG_MS);
    for (const replica of [0, 1]) end(replica);
    await run(5000);
    stage.api.foreign.changeGroup('g0', () => ({ finalizers: [] }));
    stage.api.foreign.deleteGroup('g0');
    await run(LONG_MS - 8000);
    expect(holders()[0], 'it may be there still').toBeDefined();
    await read(stage, run);
    await run(2 * TTL_MS + 1000);
    expect(holders()[0] ?? null).toBeNull();
  });
});

describe('replicas with different lists of namespaces', () => {
  it('keep what one of them watches, whoever has its bucket, and let go of it when none does', async () => {
    const { leaders, holders, end, covet, run, checks } = opened([['empty'], BOTH]);
    end(0, 'kill', 2 * LED_MS);
    await run(3000);
    end(0, 'kill', 2 * LED_MS);
    await run(LED_MS);
    const before = { leaders: leaders(), holders: holders() };
    expect(before.leaders, 'the one that watches it is alone').not.toContain('');
    covet();
    await run(2 * LED_MS + LONG_MS);
    expect({ leaders: leaders(), holders: holders() }, 'the other one is back').toEqual(before);
    end(1, 'terminate', 10 * LONG_MS);
    await run(3 * LONG_MS);
    expect(holders()).not.toEqual(before.holders);
    expect(checks.breaches()).toEqual([]);
  });

  it('keep it while the one that watches it is replaced', async () => {
    const { leaders, holders, end, covet, run, checks } = opened([['empty'], BOTH]);
    end(0, 'kill', 2 * LED_MS);
    await run(3000);
    end(0, 'kill', 2 * LED_MS);
    await run(LED_MS);
    const before = { leaders: leaders(), holders: holders() };
    expect(before.leaders).not.toContain('');
    covet();
    await run(2 * LED_MS + LONG_MS);
    end(1, 'terminate', 15_000);
    await run(LONG_MS);
    expect({ leaders: leaders(), holders: holders() }).toEqual(before);
    expect(checks.breaches()).toEqual([]);
  });
});
