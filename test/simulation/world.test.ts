/** What the simulated world may do to a connection, and what it may not: bytes that arrive come in order and without a gap. */
import { describe, expect, it } from 'vitest';
import type { EventReason } from '../../src/api/event-reasons.ts';
import { aPod } from '../kit/fakes/builders.ts';
import { registeredEvents } from '../kit/model/sinks.ts';
import { createWorldApiServer } from '../kit/model/world-api-server.ts';
import { scenarioOf } from '../kit/simulation/acts.ts';
import { createFaults } from '../kit/simulation/faults.ts';
import { createLoop } from '../kit/simulation/loop.ts';
import { createWire } from '../kit/simulation/network.ts';
import { createProcess } from '../kit/simulation/process.ts';
import { stream } from '../kit/simulation/random.ts';
import { releasing } from '../kit/simulation/releasing.ts';
import { runHistory } from '../kit/simulation/run.ts';
import { openStage } from '../kit/simulation/stage.ts';
import { createListWatch } from '../kit/simulation/watches.ts';

const named = (name: string) => aPod({ name, uid: `uid-of-${name}`, readyTransitionMs: null });

it('a watch tells nothing after an event that was swallowed', async () => {
  const loop = createLoop();
  const api = createWorldApiServer();
  const server = { process: createProcess('server', loop), isDown: () => false };
  const client = createProcess('client', loop);
  const counts = { requests: 0, lostRequests: 0, lostAnswers: 0, late: 0 };
  const wire = createWire(loop, client, server, stream('stream'), counts);
  const trouble = { stalledUntilMs: 0, cut: () => undefined };
  const watchServer = { server, api, compactedAt: 0 };
  const pods = createListWatch(loop, client, wire, watchServer, 'pods', () => 0, trouble, new Set());
  const told: unknown[] = [];
  const stop = new AbortController();
  const over = (async () => {
    const request = { resourceVersion: String(api.version()), timeoutSeconds: 300 };
    for await (const batch of pods.watch(request, stop.signal)) told.push(...batch);
  })().catch(() => undefined);
  await loop.runUntil(100);
  wire.state.cut = 'swallowed';
  api.foreign.addPod(named('lost'));
  await loop.runUntil(200);
  wire.state.cut = 'no';
  api.foreign.addPod(named('after'));
  await loop.runUntil(300);
  expect(told).toEqual([]);
  stop.abort();
  await over;
});

it('what arrives at a process that is slow, then quick or frozen, happens in the order of arrival', async () => {
  const loop = createLoop();
  const process = createProcess('p', loop);
  const heard: string[] = [];
  const say = (word: string) => process.run(() => heard.push(word));
  process.slow(400);
  say('first');
  loop.after(10, () => process.slow(0));
  loop.after(20, () => say('second'));
  loop.after(30, () => process.freeze(false));
  loop.after(40, () => say('third'));
  loop.after(50, process.thaw);
  await loop.runUntil(1000);
  expect(heard).toEqual(['first', 'second', 'third']);
});

describe('faults of one kind on one target', () => {
  function some() {
    const loop = createLoop();
    const state = { lagMs: 0 };
    const faults = createFaults(loop);
    const slow = (lagMs: number, forMs: number) =>
      faults.during(
        'slow',
        forMs,
        () => {
          state.lagMs = lagMs;
        },
        () => {
          state.lagMs = 0;
        },
      );
    return { loop, state, faults, slow };
  }

  it('overlap: the shorter one does not end the longer one', async () => {
    const { loop, state, slow } = some();
    slow(100, 50);
    loop.after(10, () => slow(300, 10));
    await loop.runUntil(15);
    expect(state.lagMs).toBe(300);
    await loop.runUntil(30);
    expect(state.lagMs).toBe(100);
    await loop.runUntil(60);
    expect(state.lagMs).toBe(0);
  });

  it('overlap: the later one goes on when the earlier one is over', async () => {
    const { loop, state, slow } = some();
    slow(100, 20);
    loop.after(10, () => slow(300, 50));
    await loop.runUntil(40);
    expect(state.lagMs).toBe(300);
    await loop.runUntil(70);
    expect(state.lagMs).toBe(0);
  });

  it('end together when everything is healed', async () => {
    const { loop, state, faults, slow } = some();
    slow(100, 50);
    slow(300, 90);
    faults.end();
    expect(state.lagMs).toBe(0);
    await loop.runUntil(200);
    expect(state.lagMs).toBe(0);
  });
});

it('the clock of a process never goes back and never jumps, also not over a freeze in which it stands', async () => {
  const loop = createLoop();
  const process = createProcess('p', loop);
  const seen: number[] = [];
  for (let at = 0; at <= 100; at += 10) loop.after(at, () => seen.push(process.clock.nowMs()));
  loop.after(25, () => process.freeze(true));
  loop.after(65, process.thaw);
  await loop.runUntil(200);
  const steps = seen.slice(1).map((ms, at) => ms - (seen[at] ?? 0));
  expect(steps.every((ms) => ms >= -1e-6 && ms <= 10 + 1e-6)).toBe(true);
  expect(seen.at(-1)).toBeCloseTo(60, 3);
});

it('a clock stands from when the freeze begins in which it stands, also where another goes on, and does not jump', async () => {
  const loop = createLoop();
  const process = createProcess('p', loop);
  const at = async (ms: number): Promise<number> => {
    await loop.runUntil(ms);
    return process.clock.nowMs();
  };
  loop.after(10, () => process.freeze(false));
  loop.after(30, () => process.freeze(true));
  loop.after(60, () => process.freeze(false));
  loop.after(80, process.thaw);
  const seen = [await at(20), await at(50), await at(59), await at(70), await at(100)];
  for (const [index, ms] of [20, 30, 30, 40, 70].entries()) expect(seen[index]).toBeCloseTo(ms, 3);
});

it('a fault ends with the process that it was done to: the one that follows is hurt by its own faults only', async () => {
  const { loop, replicas, do: act } = openStage({ ...scenarioOf(5), replicas: 2, acts: [] }, () => undefined);
  const freeze = { act: 'freeze', replica: 0, clockStops: false } as const;
  loop.after(5000, () => act({ ...freeze, atMs: 5000, forMs: 30_000 }));
  loop.after(6000, () => act({ act: 'kill', replica: 0, atMs: 6000, forMs: 2000 }));
  loop.after(10_000, () => act({ ...freeze, atMs: 10_000, forMs: 2000 }));
  const frozenAt = async (ms: number): Promise<boolean | undefined> => {
    await loop.runUntil(ms);
    return replicas[0]?.process.frozen();
  };
  expect([await frozenAt(5500), await frozenAt(9000), await frozenAt(11_000), await frozenAt(13_000)]).toEqual([
    true,
    false,
    true,
    false,
  ]);
});

it('a controller that selects by a label releases each of its pods that gets it, makes another, and says when that goes on', async () => {
  const loop = createLoop();
  const api = createWorldApiServer();
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-rs', uid: 'uid-of-rs' };
  const said: string[] = [];
  let made = 0;
  const freshPod = () => {
    made += 1;
    return { ...named(`web-${made}`), labels: { app: 'web' } };
  };
  api.foreign.addPod(freshPod());
  const end = releasing(api, loop, {
    owner,
    app: 'web',
    labelKey: 'role',
    readable: true,
    freshPod,
    tooMany: (text) => said.push(text),
  });
  for (let round = 1; round <= 4; round += 1) {
    expect(said).toEqual([]);
    api.foreign.changePod(`web-${round}`, ({ labels }) => ({ labels: { ...labels, role: 'leader' } }));
    await loop.runUntil(round * 100);
    expect([api.pod(`web-${round}`)?.owner, api.pod(`web-${round + 1}`)?.owner]).toEqual([null, owner]);
  }
  expect(said).toEqual(['I6: web-rs has lost 4 pods to labels that it selects by']);
  end();
  expect(api.pods().map(({ name }) => name)).toEqual(['web-1']);
});

describe('an event', () => {
  const about = {
    kind: 'LeaderGroup',
    namespace: 'default',
    name: 'g',
    uid: 'uid-of-g',
    resourceVersion: '1',
  } as const;
  const given = (reason: string, type: 'Normal' | 'Warning') => {
    const said: string[] = [];
    const sink = registeredEvents(
      (why) => void said.push(`refused: ${why}`),
      (met) => void said.push(`met: ${met}`),
    );
    sink.emit({ regarding: about, type, reason: reason as EventReason, message: 'x' });
    return said;
  };

  it('of the registry is met', () => {
    expect(given('LeaderLost', 'Warning')).toEqual(['met: LeaderLost']);
  });

  it('without it, or of another type than it says, is a defect', () => {
    expect(given('LeaderGone', 'Warning')).toEqual(['refused: no event is called LeaderGone']);
    expect(given('LeaderLost', 'Normal')).toEqual(['refused: the event LeaderLost is Warning, not Normal']);
    expect(given('toString', 'Normal')).toEqual(['refused: no event is called toString']);
  });

  it('is given by the operator of a history, and its reason is counted', async () => {
    const { met } = await runHistory(1);
    expect(met.filter((name) => name.startsWith('event '))).toContain('event LeaderElected');
  });
});

it('replicas pass questions on to each other, signed, and nobody is answered for one that somebody has forged or kept', async () => {
  const { breaches, counts } = await runHistory(10);
  expect(breaches).toEqual([]);
  expect([counts.passedOn > 10, counts.forged > 5]).toEqual([true, true]);
});
