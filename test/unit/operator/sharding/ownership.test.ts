import { describe, expect, it } from 'vitest';
import {
  bucketKey,
  bucketOf,
  clusterIdentityKey,
  replicaKey,
  sessionName,
  syntheticNode,
} from '../../../../src/election/keys.ts';
import { placement } from '../../../../src/election/placement.ts';
import { createSessionManager } from '../../../../src/operator/sessions/sessions.ts';
import { ForeignClusterError } from '../../../../src/operator/sharding/membership.ts';
import { createOwnership } from '../../../../src/operator/sharding/ownership.ts';
import { createFakeClock, createFakeRandom, type FakeClock, settle } from '../../../kit/fakes/clock.ts';
import { podUid, uidOf } from '../../../kit/fakes/ids.ts';
import { createLink, type Link } from '../../../kit/model/link.ts';
import { SPACE } from '../../../kit/model/replica.ts';
import { noLog, noMetrics } from '../../../kit/model/sinks.ts';
import { createWorldApiServer, type WorldApiServer } from '../../../kit/model/world-api-server.ts';
import { createWorldConsul, type WorldConsul } from '../../../kit/model/world-consul.ts';

const GROUP = { namespace: 'default', name: 'notifier' };
const BUCKET = bucketOf(GROUP.namespace, GROUP.name);
const NODE = syntheticNode(SPACE);

type World = { readonly clock: FakeClock; readonly api: WorldApiServer; readonly consul: WorldConsul };

function aWorld(): World {
  const clock = createFakeClock();
  return { clock, api: createWorldApiServer(), consul: createWorldConsul(clock) };
}

type Options = {
  readonly podUid?: string | null;
  readonly clusterUid?: string;
  readonly authorities?: () => readonly string[];
  readonly ready?: (link: Link) => void;
};

/** A replica that runs. */
function aReplica({ clock, api, consul }: World, id: string, options: Options = {}) {
  const link = createLink(id, api, consul, () => undefined);
  options.ready?.(link);
  const stop = new AbortController();
  const told: string[] = [];
  const owners: (string | null)[] = [];
  let reaching = true;
  let stuck: string | null = null;
  let quiet = Promise.resolve();
  const holders = new Set<string>();
  const ports = { consul: link.consul, clock, random: createFakeRandom(id), marginMs: 2000, metrics: noMetrics };
  const sessionManager = createSessionManager({
    ...ports,
    kubernetes: link.kubernetes,
    node: NODE,
    wake: () => undefined,
  });
  const ownership = createOwnership({
    ...ports,
    log: noLog,
    sessionManager,
    space: SPACE,
    replica: { id, pod: podOf(options.podUid ?? null), url: `http://${id}:8080`, publicKey: null },
    reachesApiServer: () => reaching,
    holders: () => holders,
    stuck: () => stuck,
    quiet: () => quiet,
    clusterUid: options.clusterUid ?? 'uid-of-cluster',
    authorities: options.authorities ?? (() => []),
    got: (buckets) => {
      if (buckets.has(BUCKET)) told.push('got');
    },
    opened: (buckets) => {
      if (buckets.has(BUCKET)) told.push('opened');
      return Promise.resolve();
    },
    adopted: (buckets) => {
      if (buckets.has(BUCKET)) told.push(`adopted with ${sessionManager.count()}`);
    },
    closed: (bucket) => {
      if (bucket === BUCKET) told.push('closed');
    },
    ownersChanged: (buckets) => {
      if (buckets.has(BUCKET)) owners.push(ownership.ownerOf(GROUP)?.id ?? null);
    },
  });
  const ended = ownership.run(stop.signal);
  ended.catch(() => undefined);
  return {
    link,
    sessionManager,
    ownership,
    stop,
    ended,
    told,
    holders,
    /** Whoever has the bucket, at each word that it is another. */
    owners,
    session: () => ownSession(consul, id),
    reach: (reaches: boolean) => {
      reaching = reaches;
      ownership.connectivityChanged();
    },
    stick: (reason: string | null) => {
      stuck = reason;
    },
    /** Passes are in work until the returned function is called. */
    work: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      quiet = promise;
      return resolve;
    },
  };
}

const podOf = (uid: string | null) =>
  uid === null ? null : { namespace: 'leadergroup-system', name: 'operator', uid: podUid(uid), container: 'operator' };

const ownSession = (consul: WorldConsul, id: string): string =>
  consul.sessions().find(({ name }) => name === `replica/${id}`)?.id ?? '';

describe('a replica that is alone', () => {
  it('knows nothing of its bucket before it has joined', () => {
    const replica = aReplica(aWorld(), 'r1', { ready: (link) => link.decide(() => 'held') });
    expect(replica.ownership.of(GROUP)).toEqual({ kind: 'neverKnown' });
    expect(replica.ownership.problem()).toContain('not registered');
  });

  it('tells when it sees that another replica has a bucket, or nobody', async () => {
    const world = aWorld();
    const first = aReplica(world, 'r1');
    await settle();
    expect(first.owners.at(-1)).toBe('r1');
    world.consul.foreign.remove(bucketKey(SPACE, BUCKET));
    await settle();
    expect(first.owners.slice(-2)).toEqual([null, 'r1']);
  });

  it('owns all 32 buckets, each by a lock of its own session', async () => {
    const world = aWorld();
    const { ownership, session, told } = aReplica(world, 'r1');
    await settle();
    expect(ownership.owned()).toHaveLength(32);
    expect(ownership.of(GROUP)).toEqual({
      kind: 'owned',
      guard: { key: bucketKey(SPACE, BUCKET), session: session() },
      untilMs: expect.any(Number),
    });
    expect(world.consul.entry(bucketKey(SPACE, BUCKET))?.session).toBe(session());
    expect([told, ownership.problem()]).toEqual([['got', 'opened', 'adopted with 0'], null]);
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
      name: sessionName('default', 'notifier', uidOf('a')),
      ttlMs: 30_000,
      lockDelayMs: 0,
    });
    const { told } = aReplica(world, 'r1');
    await settle();
    expect(told).toEqual(['got', 'opened', 'adopted with 1']);
  });

  it('renews the sessions that hold locks first', async () => {
    const world = aWorld();
    const open = (name: string) =>
      world.consul.foreign.openSession({
        node: NODE,
        name: sessionName('default', 'notifier', uidOf(name)),
        ttlMs: 30_000,
        lockDelayMs: 0,
      });
    const ids = Array.from({ length: 40 }, (_, at) => open(`p${at}`));
    const { holders, link } = aReplica(world, 'r1');
    for (const id of ids.slice(-2)) holders.add(id);
    await settle();
    const renewed = link.sent.filter(({ operation }) => operation === 'renewSession');
    expect(renewed.slice(0, 2).map(({ about }) => about)).toEqual(ids.slice(-2));
    expect(renewed).toHaveLength(40);
  });

  it('has got the bucket once, however often adoption is begun: what has been learnt since is its own', async () => {
    const world = aWorld();
    let failures = 4;
    const { told } = aReplica(world, 'r1', {
      ready: (link) =>
        link.decide(({ operation }) => {
          if (operation !== 'listSessions' || failures === 0) return 'arrives';
          failures -= 1;
          return 'lost';
        }),
    });
    await world.clock.advance(9000);
    expect(failures).toBe(0);
    expect(told.at(-1)).toBe('adopted with 0');
    expect(told.filter((what) => what === 'opened').length).toBeGreaterThan(1);
    expect(told.filter((what) => what === 'got')).toHaveLength(1);
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

/** The replica of two that should own the bucket, and the other one. */
const [RIGHTFUL, OTHER] = placement(['r1', 'r2']).get(BUCKET) === 'r1' ? ['r1', 'r2'] : ['r2', 'r1'];

/** Long enough for every planned move. */
const SETTLED_MS = 5000;

const holderOf = ({ consul }: World): string | null => consul.entry(bucketKey(SPACE, BUCKET))?.session ?? null;

/** The bucket is to pass from `first` to `second`, and a pass in work holds that up until `done`. */
async function aMoveHeldUp() {
  const world = aWorld();
  const first = aReplica(world, OTHER);
  await settle();
  const done = first.work();
  const second = aReplica(world, RIGHTFUL);
  await world.clock.advance(2500);
  return { world, first, second, done };
}

describe('two replicas', () => {
  it('count from when the bucket may have come, although it is heard of late', async () => {
    const { world, second, done } = await aMoveHeldUp();
    const READS = new Set(['readKeys', 'readKey', 'readPrefix']);
    second.link.decide(({ to, operation }) => (to === 'consul' && READS.has(operation) ? 'lost' : 'arrives'));
    done();
    await settle();
    const movedMs = world.clock.nowMs();
    expect(holderOf(world)).toBe(second.session());
    await world.clock.advance(6000);
    expect(second.ownership.of(GROUP).kind).not.toBe('owned');
    second.link.decide(() => 'arrives');
    await world.clock.advance(6000);
    expect(second.ownership.of(GROUP).kind).toBe('owned');
    expect(second.ownership.perhapsSinceMs(GROUP)).toBeLessThanOrEqual(movedMs);
    expect(second.ownership.perhapsSinceMs(GROUP)).toBeGreaterThan(movedMs - 5500);
  });

  it('share the buckets by halves, and each acts for its own', async () => {
    const world = aWorld();
    const [first, second] = [aReplica(world, OTHER), aReplica(world, RIGHTFUL)];
    await world.clock.advance(SETTLED_MS);
    expect([first.ownership.owned().length, second.ownership.owned().length]).toEqual([16, 16]);
    expect([...first.ownership.owned(), ...second.ownership.owned()].toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 32 }, (_, bucket) => bucket),
    );
    expect([first.ownership.of(GROUP).kind, second.ownership.of(GROUP).kind]).toEqual(['notOwned', 'owned']);
    expect([first.told, second.told]).toEqual([
      ['got', 'opened', 'adopted with 0', 'closed'],
      ['got', 'opened', 'adopted with 0'],
    ]);
  });

  it('come to rest: for an hour nothing moves, and nothing is asked but by renewals and waiting reads', async () => {
    const world = aWorld();
    const first = aReplica(world, OTHER);
    aReplica(world, RIGHTFUL);
    await world.clock.advance(SETTLED_MS);
    const writes = world.consul.writes();
    const sent = first.link.sent.length;
    await world.clock.advance(3_600_000);
    expect(world.consul.writes()).toBe(writes);
    const asked = new Set(first.link.sent.slice(sent).map(({ operation }) => operation));
    expect(asked).toEqual(new Set(['renewSession', 'readPrefix']));
  });

  it('have a bucket locked by one of them at every moment of a move', async () => {
    const world = aWorld();
    const first = aReplica(world, OTHER);
    await settle();
    const states = world.consul.log.length;
    const second = aReplica(world, RIGHTFUL);
    await world.clock.advance(SETTLED_MS);
    const holders = world.consul.log
      .slice(states)
      .map(({ entries }) => entries.get(bucketKey(SPACE, BUCKET))?.session ?? null);
    expect(new Set(holders)).toEqual(new Set([first.session(), second.session()]));
  });

  it('wait with a move until the passes in work have ended, and meanwhile plan nothing for the bucket', async () => {
    const { world, first, done } = await aMoveHeldUp();
    expect([first.ownership.of(GROUP).kind, holderOf(world)]).toEqual(['notOwned', first.session()]);
    done();
    await settle();
    expect(holderOf(world)).not.toBe(first.session());
  });

  it('put a move off when a pass does not end: the bucket is worked on by its owner again', async () => {
    const { world, first } = await aMoveHeldUp();
    expect(first.ownership.of(GROUP).kind).toBe('notOwned');
    await world.clock.advance(5000);
    expect([first.ownership.of(GROUP).kind, holderOf(world)]).toEqual(['owned', first.session()]);
  });

  it('do not move a bucket to a replica whose session has just ended', async () => {
    const { world, first, second, done } = await aMoveHeldUp();
    second.link.decide(() => 'lost');
    world.consul.foreign.endSession(second.session());
    done();
    await settle();
    expect([first.ownership.of(GROUP).kind, holderOf(world)]).toEqual(['owned', first.session()]);
  });

  it('do not go on with a bucket that Consul says is not theirs to be moved', async () => {
    const { world, first, done } = await aMoveHeldUp();
    world.consul.foreign.endSession(first.session());
    done();
    await settle();
    expect(first.ownership.of(GROUP).kind).toBe('notOwned');
  });

  it('make a move void of which no answer came, before the bucket is used again', async () => {
    const world = aWorld();
    const first = aReplica(world, OTHER);
    await settle();
    first.link.decide(({ operation, about }) => (operation === 'txn' && about === 'lock' ? 'held' : 'arrives'));
    aReplica(world, RIGHTFUL);
    await world.clock.advance(2500);
    const late = first.link.held();
    expect(late).not.toEqual([]);
    first.link.decide(() => 'arrives');
    // The next move waits for a pass, so that only the late one could take the bucket away.
    first.work();
    for (const request of late) request.giveUp();
    await world.clock.advance(500);
    for (const request of late) request.deliver();
    expect(holderOf(world)).toBe(first.session());
    await world.clock.advance(5000);
    expect(first.ownership.of(GROUP).kind).toBe('owned');
  });

  it('count from when a bucket came back, if a move was committed and its answer lost', async () => {
    const world = aWorld();
    const first = aReplica(world, OTHER);
    await settle();
    first.link.decide(({ operation, about }) => (operation === 'txn' && about === 'lock' ? 'answerHeld' : 'arrives'));
    const second = aReplica(world, RIGHTFUL);
    for (let at = 0; at < 60 && first.link.held().length === 0; at += 1) await world.clock.advance(50);
    await world.clock.advance(800);
    expect(second.ownership.of(GROUP).kind).toBe('owned');
    const lastGrantMs = world.clock.nowMs();
    second.stop.abort();
    await second.ended;
    await second.ownership.release();
    expect(holderOf(world)).toBe(first.session());
    first.link.decide(() => 'arrives');
    for (const request of first.link.held()) request.giveUp();
    await world.clock.advance(1000);
    expect(first.ownership.of(GROUP).kind).toBe('owned');
    expect(first.ownership.heldSinceMs(GROUP)).toBeGreaterThanOrEqual(lastGrantMs);
    expect(first.told.slice(-4)).toEqual(['closed', 'got', 'opened', 'adopted with 0']);
  });

  it('take over at once when the other gives its buckets up', async () => {
    const world = aWorld();
    const first = aReplica(world, RIGHTFUL);
    const second = aReplica(world, OTHER);
    await world.clock.advance(SETTLED_MS);
    first.stop.abort();
    await first.ended;
    await first.ownership.release();
    await settle();
    expect([first.ownership.owned(), second.ownership.owned().length]).toEqual([[], 32]);
    expect([first.session(), world.consul.entry(replicaKey(SPACE, RIGHTFUL))]).toEqual(['', null]);
  });

  it('pass buckets on when one leaves: nobody can take them in between', async () => {
    const world = aWorld();
    const first = aReplica(world, RIGHTFUL);
    const second = aReplica(world, OTHER);
    await world.clock.advance(SETTLED_MS);
    const states = world.consul.log.length;
    first.stop.abort();
    await first.ended;
    await first.ownership.release();
    const after = world.consul.log[states]?.entries.get(bucketKey(SPACE, BUCKET))?.session;
    expect(after).toBe(second.session());
  });

  it('take over when the other has been silent for its TTL, and the other knew before', async () => {
    const world = aWorld();
    const first = aReplica(world, RIGHTFUL);
    const second = aReplica(world, OTHER);
    await world.clock.advance(SETTLED_MS);
    first.link.decide(() => 'lost');
    await world.clock.advance(7750);
    expect([first.ownership.of(GROUP).kind, second.ownership.of(GROUP).kind]).toEqual(['lapsed', 'notOwned']);
    await world.clock.advance(4250);
    expect([first.ownership.of(GROUP).kind, second.ownership.of(GROUP).kind]).toEqual(['lapsed', 'owned']);
  });

  it('are told apart when the silent one comes back, and share anew', async () => {
    const world = aWorld();
    const first = aReplica(world, RIGHTFUL);
    const second = aReplica(world, OTHER);
    await world.clock.advance(SETTLED_MS);
    first.link.decide(() => 'lost');
    await world.clock.advance(15_000);
    expect(second.ownership.owned()).toHaveLength(32);
    first.link.decide(() => 'arrives');
    await world.clock.advance(1000);
    expect(first.ownership.of(GROUP).kind).not.toBe('owned');
    await world.clock.advance(10_000);
    expect([first.ownership.owned().length, second.ownership.owned().length]).toEqual([16, 16]);
  });

  it('remove the entry of one that is gone', async () => {
    const world = aWorld();
    const first = aReplica(world, 'r1');
    await world.clock.advance(SETTLED_MS);
    const second = aReplica(world, 'r2');
    await world.clock.advance(SETTLED_MS);
    second.stop.abort();
    world.consul.foreign.endSession(second.session());
    await world.clock.advance(100);
    expect([first.ownership.owned().length, world.consul.entry(replicaKey(SPACE, 'r2'))]).toEqual([32, null]);
  });
});

describe('replicas that know of different replicas', () => {
  /** Of two, b has the bucket; of three, a: passing it, each would think that it is the other's. */
  function disputed() {
    for (let at = 0; ; at += 1) {
      const [a, b, c] = [`a${at}`, `b${at}`, `c${at}`] as const;
      const [ofTwo, ofThree] = [placement([a, b]), placement([a, b, c])];
      const bucket = [...ofTwo.keys()].find((one) => ofTwo.get(one) === b && ofThree.get(one) === a);
      if (bucket !== undefined) return { a, b, c, bucket };
    }
  }

  it('do not pass a bucket to and fro while the watch of one of them hangs', async () => {
    const { a, b, c, bucket } = disputed();
    const world = aWorld();
    const x = aReplica(world, a);
    const y = aReplica(world, b);
    await world.clock.advance(SETTLED_MS);
    x.link.decide(({ operation, about }) =>
      operation === 'readPrefix' && about.includes('/replicas/') ? 'held' : 'arrives',
    );
    const moves = movesOf(world, bucket, [x, y]);
    aReplica(world, c);
    await world.clock.advance(5000);
    expect(moves.length).toBeGreaterThan(0);
    expect(moves.length).toBeLessThan(5);
  });

  /** Who had the bucket, one after the other. After twenty moves nothing arrives any more, so that a loop without a pause ends. */
  function movesOf({ consul }: World, bucket: number, replicas: readonly { readonly link: Link }[]): readonly string[] {
    const moves: string[] = [];
    let last = consul.entry(bucketKey(SPACE, bucket))?.session;
    consul.onChange(({ entries }) => {
      const session = entries.get(bucketKey(SPACE, bucket))?.session;
      if (session == null || session === last) return;
      last = session;
      moves.push(session);
      if (moves.length > 20) for (const { link } of replicas) link.decide(() => 'held');
    });
    return moves;
  }
});

describe('a replica that leaves', () => {
  it('passes nothing to one that has just left', async () => {
    const world = aWorld();
    const [a, b] = [aReplica(world, 'r1'), aReplica(world, 'r2')];
    aReplica(world, 'r3');
    await world.clock.advance(SETTLED_MS);
    a.link.decide(({ operation }) => (operation === 'readPrefix' ? 'held' : 'arrives'));
    b.link.decide(({ operation }) => (operation === 'destroySession' ? 'lost' : 'arrives'));
    const gone = b.session();
    b.stop.abort();
    await b.ended;
    await b.ownership.release();
    a.stop.abort();
    const released = a.ended.then(() => a.ownership.release());
    await settle();
    for (const request of a.link.held()) request.drop();
    await released;
    await world.clock.advance(500);
    const held = [...world.consul.now().entries.values()].filter(({ session }) => session === gone);
    expect(held.map(({ key }) => key)).toEqual([]);
  });
});

describe('a bucket that nobody takes', () => {
  it('is taken after two seconds by a replica whose it should not be', async () => {
    const world = aWorld();
    const other = aReplica(world, OTHER);
    const desired = aReplica(world, RIGHTFUL);
    await world.clock.advance(SETTLED_MS);
    desired.link.decide(({ operation }) => (operation === 'renewSession' ? 'arrives' : 'lost'));
    world.consul.foreign.unlock(bucketKey(SPACE, BUCKET), desired.session());
    await world.clock.advance(1900);
    expect(holderOf(world)).toBeNull();
    const states = world.consul.log.length;
    await world.clock.advance(200);
    const taken = world.consul.log[states]?.entries.get(bucketKey(SPACE, BUCKET))?.session;
    expect(taken).toBe(other.session());
  });
});

describe('a replica that loses the API server', () => {
  it('gives its buckets to those that reach it', async () => {
    const world = aWorld();
    const cutOff = aReplica(world, RIGHTFUL);
    const other = aReplica(world, OTHER);
    await world.clock.advance(SETTLED_MS);
    cutOff.reach(false);
    await world.clock.advance(SETTLED_MS);
    expect([cutOff.ownership.owned(), other.ownership.owned().length]).toEqual([[], 32]);
    cutOff.reach(true);
    await world.clock.advance(SETTLED_MS);
    expect([cutOff.ownership.owned().length, other.ownership.owned().length]).toEqual([16, 16]);
  });

  it('keeps its share when nobody reaches it: no bucket moves', async () => {
    const world = aWorld();
    const replicas = [aReplica(world, RIGHTFUL), aReplica(world, OTHER)];
    await world.clock.advance(SETTLED_MS);
    const shares = replicas.map(({ ownership }) => ownership.owned());
    replicas[0]?.reach(false);
    await world.clock.advance(1500);
    replicas[1]?.reach(false);
    await world.clock.advance(60_000);
    expect(replicas.map(({ ownership }) => ownership.owned())).toEqual(shares);
    expect(replicas.map(({ told }) => told.filter((text) => text === 'closed'))).toEqual([[], []]);
  });

  it.each(['answerHeld', 'held'] as const)('says in the end what is so, after a lost answer (%s)', async (fate) => {
    const world = aWorld();
    const { link, reach, ownership } = aReplica(world, 'r1');
    await world.clock.advance(SETTLED_MS);
    link.decide(({ operation, content }) =>
      operation === 'txn' && JSON.stringify(content).includes('reachesApiServer') ? fate : 'arrives',
    );
    reach(false);
    await settle();
    const late = link.held();
    expect(late).toHaveLength(1);
    reach(true);
    link.decide(() => 'arrives');
    for (const request of late) request.giveUp();
    await world.clock.advance(3000);
    if (fate === 'held') for (const request of late) request.deliver();
    await world.clock.advance(60_000);
    expect(world.consul.entry(replicaKey(SPACE, 'r1'))?.value).toContain('"reachesApiServer":true');
    expect(ownership.owned()).toHaveLength(32);
  });
});

describe('a replica that is stuck', () => {
  it('gives everything up, and comes back when it is not any more', async () => {
    const world = aWorld();
    const stuck = aReplica(world, RIGHTFUL);
    const other = aReplica(world, OTHER);
    await world.clock.advance(SETTLED_MS);
    stuck.stick('a pass does not end');
    await world.clock.advance(2100);
    expect([stuck.ownership.owned(), stuck.session(), other.ownership.owned().length]).toEqual([[], '', 32]);
    await world.clock.advance(60_000);
    expect(other.ownership.owned()).toHaveLength(32);
    stuck.stick(null);
    await world.clock.advance(10_000);
    expect([stuck.ownership.owned().length, other.ownership.owned().length]).toEqual([16, 16]);
  });
});

it('a replica that was frozen keeps its buckets: what seemed stuck when it woke up is not at the next look', async () => {
  const world = aWorld();
  const { ownership, session, stick } = aReplica(world, 'r1');
  await world.clock.advance(SETTLED_MS);
  const before = session();
  stick('a pass does not end');
  await world.clock.advance(1000);
  stick(null);
  await world.clock.advance(10_000);
  expect([ownership.owned().length, session()]).toEqual([32, before]);
});

describe('what a replica tells people', () => {
  it('is who is there, who has which bucket, and where its own stand', async () => {
    const world = aWorld();
    const first = aReplica(world, 'r1');
    aReplica(world, 'r2');
    await world.clock.advance(SETTLED_MS);
    const { self, replicas, free, own } = first.ownership.overview();
    expect([self, free, replicas.map(({ id, reachesApiServer }) => [id, reachesApiServer])]).toEqual([
      'r1',
      [],
      [
        ['r1', true],
        ['r2', true],
      ],
    ]);
    expect(replicas.map(({ buckets }) => buckets.length)).toEqual([16, 16]);
    expect(Object.keys(own).toSorted()).toEqual(replicas[0]?.buckets);
    expect(new Set(Object.values(own))).toEqual(new Set(['owned']));
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
    expect(ownership.of(GROUP)).toMatchObject({ kind: 'owned', guard: { session: session() } });
    expect(told.at(-1)).toBe('adopted with 0');
  });

  it('joins again after Consul has lost all its data', async () => {
    const world = aWorld();
    const { ownership, session } = aReplica(world, 'r1');
    await settle();
    world.consul.foreign.wipe();
    await world.clock.advance(10_000);
    expect(ownership.of(GROUP)).toMatchObject({ kind: 'owned', guard: { session: session() } });
  });

  it('looks at once when a transaction has failed the check of its bucket', async () => {
    const world = aWorld();
    const { ownership } = aReplica(world, 'r1');
    await settle();
    const thief = world.consul.foreign.openSession({ node: 'n', name: 'thief', ttlMs: 0, lockDelayMs: 0 });
    world.consul.foreign.unlock(bucketKey(SPACE, BUCKET), ownSession(world.consul, 'r1'));
    world.consul.foreign.lock(bucketKey(SPACE, BUCKET), thief, null);
    ownership.invalidate();
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

  it('looks at the locks it has also when it takes another one just then, and wakes their groups', async () => {
    const world = aWorld();
    world.consul.expireAfter(2);
    const { link, ownership, session, told } = aReplica(world, 'r1');
    await settle();
    link.decide(({ operation }) => (operation === 'renewSession' ? 'lost' : 'arrives'));
    await world.clock.advance(8500);
    expect(ownership.of(GROUP)).toEqual({ kind: 'lapsed' });
    link.decide(({ operation }) => {
      if (operation === 'txn') return 'held';
      return operation === 'renewSession' ? 'lost' : 'arrives';
    });
    world.consul.foreign.unlock(bucketKey(SPACE, (BUCKET + 1) % 32), session());
    await settle();
    const [take] = link.held();
    expect(take?.request.operation).toBe('txn');

    told.length = 0;
    link.decide(() => 'arrives');
    await world.clock.advance(1500);
    take?.deliver();
    await world.clock.advance(1000);
    expect(ownership.of(GROUP).kind).toBe('owned');
    expect(told).toEqual(['adopted with 0']);
  });

  it('owns what it takes then, though its watch tells it nothing', async () => {
    const world = aWorld();
    world.consul.expireAfter(2);
    const { link, ownership, session } = aReplica(world, 'r1');
    await settle();
    const thief = world.consul.foreign.openSession({ node: 'n', name: 'thief', ttlMs: 0, lockDelayMs: 0 });
    for (let bucket = 0; bucket < 32; bucket += 1) {
      world.consul.foreign.unlock(bucketKey(SPACE, bucket), session());
      world.consul.foreign.lock(bucketKey(SPACE, bucket), thief, null);
    }
    await world.clock.advance(100);
    expect(ownership.of(GROUP)).toEqual({ kind: 'notOwned' });
    link.decide(({ operation }) => (operation === 'renewSession' ? 'lost' : 'arrives'));
    await world.clock.advance(8500);
    link.decide(({ operation }) => {
      if (operation === 'readPrefix') return 'held';
      return operation === 'renewSession' ? 'lost' : 'arrives';
    });
    world.consul.foreign.unlock(bucketKey(SPACE, BUCKET), thief);
    await settle();
    link.decide(({ operation }) => (operation === 'readPrefix' ? 'held' : 'arrives'));
    await world.clock.advance(1500);
    expect(ownership.of(GROUP).kind).toBe('owned');
  });

  it('does not lock its buckets again and again while only its renewals fail', async () => {
    const world = aWorld();
    world.consul.expireAfter(2);
    const { link } = aReplica(world, 'r1');
    await settle();
    link.decide(() => 'lost');
    await world.clock.advance(8500);
    let writes = 0;
    world.consul.onTxn(() => {
      writes += 1;
      if (writes > 20) link.decide(() => 'held');
    });
    link.decide(({ operation }) => (operation === 'renewSession' ? 'lost' : 'arrives'));
    await world.clock.advance(6000);
    expect(writes).toBeLessThan(10);
  });
});

describe('since when a replica cannot prove that a bucket is its own', () => {
  it('is the deadline of its own session, until it is proven again', async () => {
    const world = aWorld();
    world.consul.expireAfter(2);
    const { link, ownership } = aReplica(world, 'r1');
    await settle();
    expect(ownership.unproven(GROUP)).toBeNull();
    link.decide(() => 'lost');
    await world.clock.advance(8500);
    const first = ownership.unproven(GROUP);
    expect(first?.sinceMs).toBeLessThanOrEqual(world.clock.nowMs());
    link.decide(({ operation }) => (operation === 'renewSession' ? 'arrives' : 'lost'));
    await world.clock.advance(2000);
    expect(ownership.unproven(GROUP)).toEqual(first);
    link.decide(() => 'arrives');
    await world.clock.advance(6000);
    expect(ownership.unproven(GROUP)).toBeNull();
  });

  it('does not move while it joins again and again, and gets the bucket back each time too late', async () => {
    const world = aWorld();
    const { link, ownership, session } = aReplica(world, 'r1');
    await settle();
    link.decide(({ operation }) => (['readPrefix', 'watchPrefix'].includes(operation) ? 'lost' : 'arrives'));
    world.consul.foreign.endSession(session());
    await world.clock.advance(5000);
    const first = ownership.unproven(GROUP);
    expect([ownership.of(GROUP).kind, first?.sinceMs]).toEqual(['lapsed', expect.any(Number)]);
    world.consul.foreign.endSession(session());
    await world.clock.advance(10_000);
    expect(ownership.unproven(GROUP)).toEqual(first);
  });

  it('is not told of a bucket whose sessions it never came to adopting', async () => {
    const world = aWorld();
    world.consul.expireAfter(2);
    const ready = (of: Link): void => of.decide(({ operation }) => (operation === 'listSessions' ? 'lost' : 'arrives'));
    const { link, ownership } = aReplica(world, 'r1', { ready });
    await world.clock.advance(1000);
    expect([ownership.of(GROUP).kind, ownership.unproven(GROUP)]).toEqual(['lapsed', null]);
    link.decide(() => 'lost');
    await world.clock.advance(8500);
    expect(ownership.unproven(GROUP)).toEqual({ sinceMs: null, noticedMs: expect.any(Number) });
  });

  it('is noticed when it wakes up, where it stood still', async () => {
    const world = aWorld();
    const { link, ownership } = aReplica(world, 'r1');
    await settle();
    link.decide(() => 'held');
    await world.clock.advance(60_000);
    const found = ownership.unproven(GROUP);
    expect(found?.sinceMs).toBeLessThan(found?.noticedMs ?? 0);
  });

  it('is nothing for a bucket that it has not got', async () => {
    const world = aWorld();
    const { link, ownership } = aReplica(world, 'r1', { ready: (each) => each.decide(() => 'lost') });
    await world.clock.advance(60_000);
    link.decide(() => 'lost');
    expect(ownership.unproven(GROUP)).toBeNull();
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
  it('ends the session of its previous incarnation, whose buckets are free then', async () => {
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

describe('a copy of the cluster, with the same uid and another API server', () => {
  const ours = { authorities: () => ['ours'] };
  const theirs = { authorities: () => ['theirs'] };

  it('owns nothing while a replica of the first one lives, and says which and what to set', async () => {
    const world = aWorld();
    const first = aReplica(world, 'r1', ours);
    await settle();
    const copy = aReplica(world, 'r2', theirs);
    await world.clock.advance(60_000);
    expect([first.ownership.owned().length, copy.ownership.owned()]).toEqual([32, []]);
    expect(copy.ownership.problem()).toMatch(
      /the replica r1 .* acts on an API server with other .*LEADERGROUP_CLUSTER/,
    );
    expect(world.consul.entry(replicaKey(SPACE, 'r2'))).toBeNull();
  });

  it('lets the first one live where its pod has the name and uid of the one there', async () => {
    const world = aWorld();
    const first = aReplica(world, 'r1', { ...ours, podUid: 'uid-of-r1' });
    await settle();
    const session = first.session();
    const copy = aReplica(world, 'r1', { ...theirs, podUid: 'uid-of-r1' });
    await world.clock.advance(60_000);
    expect([first.session(), first.ownership.owned().length, copy.ownership.owned()]).toEqual([session, 32, []]);
    expect(copy.ownership.problem()).toMatch(/the replica r1 .*LEADERGROUP_CLUSTER/);
  });

  it('takes over when the last replica of the first one has gone', async () => {
    const world = aWorld();
    const first = aReplica(world, 'r1', ours);
    await settle();
    const copy = aReplica(world, 'r2', theirs);
    await world.clock.advance(1000);
    first.stop.abort();
    await first.ended;
    await first.ownership.release();
    await world.clock.advance(30_000);
    expect([copy.ownership.owned().length, copy.ownership.problem()]).toEqual([32, null]);
  });

  it('gives way where both joined before either had registered', async () => {
    const world = aWorld();
    const reading = (link: Link) =>
      link.decide(({ operation }) => (operation === 'readPrefix' ? 'answerHeld' : 'arrives'));
    const copy = aReplica(world, 'r2', { ...theirs, ready: reading });
    await settle();
    const first = aReplica(world, 'r1', ours);
    await world.clock.advance(100);
    copy.link.decide(() => 'arrives');
    for (const read of copy.link.held()) read.deliver();
    await settle();
    expect(world.consul.entry(replicaKey(SPACE, 'r2'))).not.toBeNull();
    await world.clock.advance(60_000);
    expect([first.ownership.owned().length, copy.ownership.owned()]).toEqual([32, []]);
  });

  it.each([
    ['believe one authority in common', ['new', 'ours'], null],
    ['do not say whom they believe', [], null],
  ])('is not suspected where the two %s', async (_what, authorities, problem) => {
    const world = aWorld();
    aReplica(world, 'r1', ours);
    await settle();
    const second = aReplica(world, 'r2', { authorities: () => authorities });
    await world.clock.advance(60_000);
    expect([second.ownership.owned().length, second.ownership.problem()]).toEqual([16, problem]);
  });

  it('is not suspected after each step of a rotation, for what a replica says of itself follows', async () => {
    const world = aWorld();
    let believed = ['old'];
    const first = aReplica(world, 'r1', { authorities: () => believed });
    await settle();
    believed = ['new', 'old'];
    await world.clock.advance(10_000);
    believed = ['new'];
    await world.clock.advance(10_000);
    const second = aReplica(world, 'r2', { authorities: () => ['new'] });
    await world.clock.advance(60_000);
    expect([first.ownership.owned().length, second.ownership.owned().length]).toEqual([16, 16]);
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
