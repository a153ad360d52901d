/** What groups cost, in requests and sessions, as a function of how many there are and how large they are: figures that no machine changes. */
import { describe, expect, it } from 'vitest';
import type { Scenario } from '../kit/simulation/acts.ts';
import { openStage, type Stage } from '../kit/simulation/stage.ts';

type Size = { readonly groups: number; readonly members: number };

const scenario = ({ groups, members }: Size): Scenario => ({
  seed: 1,
  lengthMs: 120_000,
  replicas: 1,
  gate: false,
  claims: false,
  probed: [],
  steady: true,
  acts: [],
  groups: Array.from({ length: groups }, (_, at) => ({
    name: `group-${at}`,
    ttlMs: 30_000,
    lockDelayMs: 0,
    lockKey: null,
    onConsulLoss: 'Hold',
    follower: null,
    failoverDelayMs: 0,
    pods: members,
  })),
});

const LED_MS = 40_000;
const REST_MS = 30_000;
const REST_MINUTES = 3;

const leadersOf = ({ api }: Stage) => api.pods().filter(({ labels }) => labels['leadergroup.dev/role'] === 'leader');

/** Everything is elected; then nothing happens for a while; then one leader is lost. */
async function costs(size: Size) {
  const patches: string[] = [];
  const stage = openStage(scenario(size), ({ pod }) => void patches.push(pod.name));
  await stage.loop.runUntil(LED_MS);
  expect(leadersOf(stage)).toHaveLength(size.groups);
  const elected = { requests: stage.counts.requests, patches: patches.length };
  await stage.loop.runUntil(LED_MS + REST_MS);
  const rest = { requests: stage.counts.requests - elected.requests, patches: patches.length - elected.patches };
  const [lost] = leadersOf(stage);
  stage.api.foreign.changePod(lost?.name ?? '', () => ({ ready: false }));
  // A failover takes milliseconds; renewals go on meanwhile.
  await stage.loop.runUntil(LED_MS + REST_MS + 500);
  const failover = { patches: patches.length - elected.patches - rest.patches };
  expect(leadersOf(stage)).toHaveLength(size.groups);
  return { elected, rest, failover, passes: await passesOfOneEvent(stage), sessions: stage.consul.sessions().length };
}

/** A pod that does not lead gets an annotation that means nothing to us. */
async function passesOfOneEvent({ loop, api, replicas }: Stage): Promise<number> {
  const passes = (): number => replicas.reduce((sum, replica) => sum + replica.passes(), 0);
  const idle = api.pods().find(({ labels }) => labels['leadergroup.dev/role'] === undefined);
  await loop.runUntil(loop.nowMs() + 10_000);
  const before = passes();
  api.foreign.changePod(idle?.name ?? '', ({ annotations }) => ({
    annotations: { ...annotations, 'example.com/a': '1' },
  }));
  await loop.runUntil(loop.nowMs() + 500);
  return passes() - before;
}

describe('what groups cost', () => {
  const few = costs({ groups: 5, members: 3 });
  const many = costs({ groups: 40, members: 3 });
  const large = costs({ groups: 5, members: 30 });

  it('to be elected grows as they do', async () => {
    const [a, b] = [await few, await many];
    expect(a.elected.patches).toBe(5);
    expect(b.elected.patches).toBe(40);
    expect(b.elected.requests / 40).toBeLessThan(a.elected.requests / 5);
  });

  it('to be elected does not grow with their members', async () => {
    const [a, b] = [await few, await large];
    expect(b.elected.patches).toBe(5);
    // Ten times the members; while they come one after the other, the best of them may change.
    expect(b.elected.requests).toBeLessThan(a.elected.requests * 1.5);
  });

  it('at rest is renewals of three sessions at most, whatever their size, and no write', async () => {
    const [a, b, c] = [await few, await many, await large];
    for (const each of [a, b, c]) expect(each.rest.patches).toBe(0);
    // The replica's own session beside them.
    expect([a.sessions, b.sessions, c.sessions].map((count) => count - 1)).toEqual([15, 120, 15]);
    expect(c.rest.requests).toBeLessThan(a.rest.requests * 1.1);
    expect(b.rest.requests / 40).toBeLessThanOrEqual(a.rest.requests / 5);
  });

  it('for one change of a pod is one pass over its group, however many groups and members there are', async () => {
    for (const each of [await few, await many, await large]) expect(each.passes).toBe(1);
  });

  it('while Consul and the API server are away is the same few questions to the API server, however many they are', async () => {
    const asked = async (groups: number): Promise<number> => {
      const stage = openStage(scenario({ groups, members: 3 }), () => undefined);
      await stage.loop.runUntil(LED_MS);
      for (const of of ['consul', 'kubernetes'] as const)
        stage.do({ atMs: LED_MS, act: 'outage', of, how: 'down', forMs: 60_000 });
      // Until then each group's status may have been tried once.
      await stage.loop.runUntil(LED_MS + 10_000);
      const before = stage.replicas[0]?.kubernetes.sent() ?? 0;
      await stage.loop.runUntil(LED_MS + 60_000);
      return (stage.replicas[0]?.kubernetes.sent() ?? 0) - before;
    };
    const [few, many] = [await asked(5), await asked(40)];
    expect(few).toBeGreaterThan(0);
    expect(many).toBeLessThan(few * 1.5);
  });

  it('for one failover is two patches, however many others there are', async () => {
    for (const each of [await few, await many, await large]) expect(each.failover.patches).toBe(2);
  });
});

describe('what routes cost in one namespace', () => {
  const few = routeCosts(5);
  const many = routeCosts(40);

  it('is a list of the slices of others now and then, however many groups want to know of theirs', async () => {
    const [a, b] = [await few, await many];
    expect(a.lists).toBeGreaterThan(0);
    expect(b.lists).toBeLessThanOrEqual(a.lists + 2);
  });

  it('is nothing at rest, while the watch tells of changes', async () => {
    const [a, b] = [await few, await many];
    expect([a.rest.lists, b.rest.lists]).toEqual([0, 0]);
    // What a replica asks for itself.
    expect(b.rest.requests).toBeLessThanOrEqual(a.rest.requests + 2);
  });

  it('is four requests a minute for each where nobody may watch, and lists that do not grow with their number', async () => {
    const [a, b] = [await routeCosts(5, { watched: false }), await routeCosts(40, { watched: false })];
    // Chance takes up to a quarter off the minute.
    expect(b.rest.requests / 40).toBeLessThanOrEqual((4 * 4 * REST_MINUTES) / 3 + 1);
    expect(b.rest.lists).toBeLessThanOrEqual(4 * REST_MINUTES + 1);
    expect(a.rest.lists).toBeGreaterThan(0);
  });
});

/** Requests to the API server: until all are shown and have been read twice; then while nothing happens. */
async function routeCosts(groups: number, { watched = true }: { readonly watched?: boolean } = {}) {
  const base = scenario({ groups, members: 2 });
  const plans = base.groups.map((plan, at) => ({
    ...plan,
    route: { service: `svc-${at}`, families: ['IPv4'] as const, dual: false },
  }));
  const stage = openStage({ ...base, groups: plans }, () => undefined);
  const { loop, api, replicas } = stage;
  api.routing.forbidWatches(!watched);
  await loop.runUntil(LED_MS + 120_000);
  const shown = api.routing.slices().filter(({ endpoint }) => endpoint !== null);
  expect(shown).toHaveLength(groups);
  const sent = (): number => replicas[0]?.kubernetes.sent() ?? 0;
  const before = { lists: api.routing.lists(), requests: sent() };
  await loop.runUntil(LED_MS + 120_000 + REST_MINUTES * 60_000);
  const rest = { lists: api.routing.lists() - before.lists, requests: sent() - before.requests };
  return { lists: before.lists, rest };
}
