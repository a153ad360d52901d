import { describe, expect, it } from 'vitest';
import {
  bucketKey,
  bucketOf,
  clusterIdentityKey,
  replicaKey,
  sessionName,
  syntheticNode,
} from '../../../src/election/keys.ts';
import { ForeignClusterError } from '../../../src/operator/membership.ts';
import { createOwnership } from '../../../src/operator/ownership.ts';
import { createSessionKeeper } from '../../../src/operator/sessions.ts';
import { createFakeClock, createFakeRandom, type FakeClock, settle } from '../../support/model/fake-clock.ts';
import { createLink, type Link } from '../../support/model/link.ts';
import { SPACE } from '../../support/model/replica.ts';
import { noLog, noMetrics } from '../../support/model/sinks.ts';
import { createWorldApiServer, type WorldApiServer } from '../../support/model/world-api-server.ts';
import { createWorldConsul, type WorldConsul } from '../../support/model/world-consul.ts';

const GROUP = { namespace: 'default', name: 'notifier' };
const BUCKET = bucketOf(GROUP.namespace, GROUP.name);
const NODE = syntheticNode(SPACE);

type World = { readonly clock: FakeClock; readonly api: WorldApiServer; readonly consul: WorldConsul };

function aWorld(): World {
  const clock = createFakeClock();
  return { clock, api: createWorldApiServer(), consul: createWorldConsul(clock) };
}

type Options = { readonly podUid?: string | null; readonly clusterUid?: string; readonly ready?: (link: Link) => void };

/** A replica that runs. */
function aReplica({ clock, api, consul }: World, id: string, options: Options = {}) {
  const link = createLink(id, api, consul, () => undefined);
  options.ready?.(link);
  const stop = new AbortController();
  const told: string[] = [];
  const ports = { consul: link.consul, clock, random: createFakeRandom(id), marginMs: 2000, metrics: noMetrics };
  const keeper = createSessionKeeper({ ...ports, kubernetes: link.kubernetes, node: NODE, wake: () => undefined });
  const ownership = createOwnership({
    ...ports,
    log: noLog,
    keeper,
    space: SPACE,
    replica: { id, podUid: options.podUid ?? null },
    clusterUid: options.clusterUid ?? 'uid-of-cluster',
    opened: (bucket) => {
      if (bucket === BUCKET) told.push('opened');
      return Promise.resolve();
    },
    adopted: (bucket) => {
      if (bucket === BUCKET) told.push(`adopted with ${keeper.count()}`);
    },
    closed: (bucket) => {
      if (bucket === BUCKET) told.push('closed');
    },
  });
  const ended = ownership.run(stop.signal);
  ended.catch(() => undefined);
  return { link, keeper, ownership, stop, ended, told, session: () => ownSession(consul, id) };
}

const ownSession = (consul: WorldConsul, id: string): string =>
  consul.sessions().find(({ name }) => name === `replica/${id}`)?.id ?? '';

describe('a replica that is alone', () => {
  it('knows nothing of its bucket before it has joined', () => {
    const replica = aReplica(aWorld(), 'r1', { ready: (link) => link.decide(() => 'held') });
    expect(replica.ownership.of(GROUP)).toEqual({ kind: 'neverKnown' });
    expect(replica.ownership.problem()).toContain('not been joined');
  });

  it('owns all 32 buckets, each by a lock of its own session', async () => {
    const world = aWorld();
    const { ownership, session, told } = aReplica(world, 'r1');
    await settle();
    expect(ownership.owned()).toHaveLength(32);
    expect(ownership.of(GROUP)).toEqual({
      kind: 'owned',
      fence: { key: bucketKey(SPACE, BUCKET), session: session() },
    });
    expect(world.consul.entry(bucketKey(SPACE, BUCKET))?.session).toBe(session());
    expect([told, ownership.problem()]).toEqual([['opened', 'adopted with 0'], null]);
  });

  it('is registered, with a session of ten seconds without lock-delay', async () => {
    const world = aWorld();
    const { session } = aReplica(world, 'r1');
    await settle();
    expect(world.consul.entry(replicaKey(SPACE, 'r1'))?.session).toBe(session());
    expect(world.consul.requests.sessionInfo(session())).toMatchObject({ ttlMs: 10_000, lockDelayMs: 0, node: NODE });
  });

  it('adopts the members’ sessions before it acts', async () => {
    const world = aWorld();
    world.consul.foreign.openSession({
      node: NODE,
      name: sessionName('default', 'notifier', 'uid-of-a'),
      ttlMs: 30_000,
      lockDelayMs: 0,
    });
    const { told } = aReplica(world, 'r1');
    await settle();
    expect(told).toEqual(['opened', 'adopted with 1']);
  });

  it('goes on owning while Consul renews its session', async () => {
    const world = aWorld();
    const { ownership } = aReplica(world, 'r1');
    await world.clock.advance(120_000);
    expect(ownership.of(GROUP).kind).toBe('owned');
  });

  it('tries again when Consul does not answer at its start', async () => {
    const world = aWorld();
    const { link, ownership } = aReplica(world, 'r1', { ready: (link) => link.decide(() => 'lost') });
    await world.clock.advance(2000);
    expect(ownership.problem()).toContain('no answer');
    link.decide(() => 'arrives');
    await world.clock.advance(5000);
    expect(ownership.of(GROUP).kind).toBe('owned');
  });
});

describe('a second replica', () => {
  it('waits and does not act', async () => {
    const world = aWorld();
    aReplica(world, 'r1');
    await settle();
    const second = aReplica(world, 'r2');
    await world.clock.advance(60_000);
    expect([second.ownership.owned(), second.ownership.of(GROUP), second.told]).toEqual([[], { kind: 'notOwned' }, []]);
  });

  it('takes over at once when the first gives its buckets up', async () => {
    const world = aWorld();
    const first = aReplica(world, 'r1');
    await settle();
    const second = aReplica(world, 'r2');
    await settle();
    first.stop.abort();
    await first.ended;
    await first.ownership.release(new AbortController().signal);
    await settle();
    expect([first.ownership.owned(), second.ownership.owned().length]).toEqual([[], 32]);
    expect(first.session()).toBe('');
  });

  it('takes over when the first has been silent for its TTL, and the first knew before', async () => {
    const world = aWorld();
    const first = aReplica(world, 'r1');
    await settle();
    const second = aReplica(world, 'r2');
    first.link.decide(() => 'lost');
    await world.clock.advance(8000);
    expect([first.ownership.of(GROUP).kind, second.ownership.owned()]).toEqual(['lapsed', []]);
    await world.clock.advance(4000);
    expect([first.ownership.of(GROUP).kind, second.ownership.of(GROUP).kind]).toEqual(['lapsed', 'owned']);
  });

  it('is told apart from the first when that comes back', async () => {
    const world = aWorld();
    const first = aReplica(world, 'r1');
    await settle();
    const second = aReplica(world, 'r2');
    first.link.decide(() => 'lost');
    await world.clock.advance(15_000);
    first.link.decide(() => 'arrives');
    await world.clock.advance(10_000);
    expect([first.ownership.of(GROUP).kind, second.ownership.of(GROUP).kind]).toEqual(['notOwned', 'owned']);
    expect(first.told).toEqual(['opened', 'adopted with 0', 'closed']);
  });
});

describe('a replica whose session Consul has lost', () => {
  it('has its buckets lapse, joins again, and owns them under another session', async () => {
    const world = aWorld();
    const { ownership, session, told } = aReplica(world, 'r1');
    await settle();
    const before = session();
    world.consul.foreign.endSession(before);
    await world.clock.advance(3400);
    expect(ownership.of(GROUP).kind).not.toBe('notOwned');
    await world.clock.advance(3000);
    expect(session()).not.toBe(before);
    expect(ownership.of(GROUP)).toMatchObject({ kind: 'owned', fence: { session: session() } });
    expect(told.at(-1)).toBe('adopted with 0');
  });

  it('joins again after Consul has lost all its data', async () => {
    const world = aWorld();
    const { ownership, session } = aReplica(world, 'r1');
    await settle();
    world.consul.foreign.wipe();
    await world.clock.advance(10_000);
    expect(ownership.of(GROUP)).toMatchObject({ kind: 'owned', fence: { session: session() } });
  });

  it('looks at once when a transaction has failed the check of its bucket', async () => {
    const world = aWorld();
    const { ownership } = aReplica(world, 'r1');
    await settle();
    const thief = world.consul.foreign.openSession({ node: 'n', name: 'thief', ttlMs: 0, lockDelayMs: 0 });
    world.consul.foreign.unlock(bucketKey(SPACE, BUCKET), ownSession(world.consul, 'r1'));
    world.consul.foreign.lock(bucketKey(SPACE, BUCKET), thief, null);
    ownership.doubt();
    await settle();
    expect(ownership.of(GROUP)).toEqual({ kind: 'notOwned' });
  });
});

describe('a replica past its own deadline', () => {
  it('owns nothing with one acknowledged renewal: its bucket locks are looked at first', async () => {
    const world = aWorld();
    world.consul.expireAfter(2);
    const { link, ownership } = aReplica(world, 'r1');
    await settle();
    link.decide(() => 'lost');
    await world.clock.advance(8500);
    expect(ownership.of(GROUP)).toEqual({ kind: 'lapsed' });
    link.decide(({ operation }) => (operation === 'renewSession' ? 'arrives' : 'lost'));
    await world.clock.advance(2000);
    expect(ownership.of(GROUP)).toEqual({ kind: 'lapsed' });
    link.decide(() => 'arrives');
    await world.clock.advance(6000);
    expect(ownership.of(GROUP).kind).toBe('owned');
  });
});

describe('a list of sessions that lacks the replica’s own (attack 19)', () => {
  it('is not believed: the token lacks a right, nothing is adopted and nothing owned', async () => {
    const world = aWorld();
    const consul: WorldConsul = {
      ...world.consul,
      requests: { ...world.consul.requests, listSessions: () => [] },
    };
    const { ownership, told } = aReplica({ ...world, consul }, 'r1');
    await world.clock.advance(1000);
    expect(ownership.owned()).toEqual([]);
    expect(ownership.of(GROUP).kind).not.toBe('owned');
    expect(ownership.problem()).toContain(`session "${NODE}" { policy = "write" }`);
    expect(told).not.toContain('adopted with 0');
  });
});

describe('a container that was restarted', () => {
  it('ends the session of its earlier life, whose buckets are free then', async () => {
    const world = aWorld();
    const first = aReplica(world, 'r1', { podUid: 'uid-of-pod' });
    await settle();
    const before = first.session();
    first.link.decide(() => 'lost');
    const second = aReplica(world, 'r1', { podUid: 'uid-of-pod' });
    await world.clock.advance(100);
    expect(world.consul.requests.sessionInfo(before)).toBeNull();
    expect(second.ownership.owned()).toHaveLength(32);
  });

  it('ends nobody else’s', async () => {
    const world = aWorld();
    aReplica(world, 'r1', { podUid: 'one' });
    await settle();
    const second = aReplica(world, 'r2', { podUid: 'two' });
    await world.clock.advance(100);
    expect([ownSession(world.consul, 'r1') !== '', second.ownership.owned()]).toEqual([true, []]);
  });

  it('ends nothing outside Kubernetes, where no identity outlives the process', async () => {
    const world = aWorld();
    const left = world.consul.foreign.openSession({ node: NODE, name: 'replica/r1', ttlMs: 0, lockDelayMs: 0 });
    aReplica(world, 'r1');
    await world.clock.advance(100);
    expect(world.consul.requests.sessionInfo(left)).not.toBeNull();
  });
});

describe('a prefix that is another cluster’s', () => {
  it('ends the run with a sentence that says what to set', async () => {
    const world = aWorld();
    world.consul.foreign.put(clusterIdentityKey(SPACE), 'uid-of-another');
    const { ended, ownership } = aReplica(world, 'r1');
    await expect(ended).rejects.toThrow(ForeignClusterError);
    await expect(ended).rejects.toThrow(/uid-of-another.*LEADERGROUP_CLUSTER/);
    expect(ownership.owned()).toEqual([]);
  });

  it('is claimed once, by whoever is first', async () => {
    const world = aWorld();
    aReplica(world, 'r1');
    await settle();
    expect(world.consul.entry(clusterIdentityKey(SPACE))?.value).toBe('uid-of-cluster');
    const other = aReplica(world, 'r2', { clusterUid: 'uid-of-another' });
    await expect(other.ended).rejects.toThrow(ForeignClusterError);
  });
});

describe('a replica that is stopped', () => {
  it('leaves no timer behind', async () => {
    const world = aWorld();
    const { stop, ended } = aReplica(world, 'r1');
    await settle();
    stop.abort();
    await ended;
    await settle();
    expect(world.clock.pending()).toBe(1);
    await world.clock.advance(10_000);
    expect([world.clock.pending(), world.consul.sessions()]).toEqual([0, []]);
  });
});
