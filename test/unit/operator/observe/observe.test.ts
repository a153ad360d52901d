import { describe, expect, it } from 'vitest';
import type { LeaderGroup } from '../../../../src/api/leadergroup.ts';
import type { Pod } from '../../../../src/api/pod.ts';
import type { Observation, Ownership } from '../../../../src/election/observation.ts';
import { formatRecord } from '../../../../src/election/record.ts';
import { createStore } from '../../../../src/operator/cache/store.ts';
import { createLocks } from '../../../../src/operator/locks/locks.ts';
import { createObserver } from '../../../../src/operator/observe/observe.ts';
import { createMemory, type Memory, remember } from '../../../../src/operator/observe/remember.ts';
import { createProber } from '../../../../src/operator/probe/prober.ts';
import { createSessionManager } from '../../../../src/operator/sessions/sessions.ts';
import type { Unproven } from '../../../../src/operator/sharding/buckets.ts';
import { aGroup, aLeader, aPod } from '../../../kit/fakes/builders.ts';
import { aRecord, FENCE, LOCK_KEY } from '../../../kit/fakes/builders-election.ts';
import { createFakeClock, createFakeRandom } from '../../../kit/fakes/clock.ts';
import { sessionId, uidOf, wallMs } from '../../../kit/fakes/ids.ts';
import { createLink } from '../../../kit/model/link.ts';
import { SPACE } from '../../../kit/model/replica.ts';
import { noMetrics, noNews, quietProbing } from '../../../kit/model/sinks.ts';
import { createWorldApiServer } from '../../../kit/model/world-api-server.ts';
import { createWorldConsul } from '../../../kit/model/world-consul.ts';
import { frozen } from '../../../kit/rig/frozen.ts';

const signal = new AbortController().signal;
const BUCKET = 'leadergroup/test/groups/09/';
const MARGIN_MS = 2000;

function anObserver(group: LeaderGroup = aGroup(), ...more: readonly LeaderGroup[]) {
  const clock = createFakeClock();
  const consul = createWorldConsul(clock);
  const link = createLink('observer', createWorldApiServer(), consul, () => undefined);
  const store = createStore(clock);
  for (const each of [group, ...more]) store.groupChanged(null, { kind: 'valid', group: each });
  const locks = createLocks(link.consul, SPACE);
  consul.requests.registerNode('node');
  const sessionManager = createSessionManager({
    consul: link.consul,
    kubernetes: link.kubernetes,
    clock,
    random: createFakeRandom('observer'),
    marginMs: MARGIN_MS,
    metrics: noMetrics,
    node: 'node',
    wake: () => undefined,
  });
  const startedMs = clock.nowMs();
  let heldSinceMs: number | null = null;
  let unproven: Unproven | null = null;
  let outageSinceMs: number | null = null;
  let ownership: Ownership = { kind: 'owned', guard: FENCE, untilMs: Number.MAX_SAFE_INTEGER };
  const observe = createObserver({
    clock,
    store,
    locks,
    sessionManager,
    ownership: () => ownership,
    contact: { outageSinceMs: () => outageSinceMs, deniesAll: () => false },
    nodesReadable: () => true,
    lockKeyProblem: () => null,
    aloneSinceMs: () => startedMs,
    heldSinceMs: () => heldSinceMs,
    unproven: () => unproven,
    marginMs: MARGIN_MS,
    owners: { of: () => null, selecting: () => [] },
    prober: createProber(quietProbing(clock)),
    olderReplicas: () => [],
    routeNews: noNews,
  });
  const memory = createMemory();

  /** As a pass does. */
  function look(changed: Memory = memory, of = group): Observation {
    const sight = observe.sight(of, changed.now);
    changed.learn(sight);
    const { observation, observed } = observe.all(sight, changed.now);
    changed.learn(observed);
    return observation;
  }
  return {
    clock,
    consul,
    store,
    locks,
    sessionManager,
    memory,
    observe,
    look,
    names: () => look().pods.map(({ pod }) => pod.name),
    see: (pod: Pod) => store.podChanged(null, pod),
    loseContact: () => {
      outageSinceMs = clock.nowMs();
    },
    foundItsBucket: () => {
      heldSinceMs = clock.nowMs();
    },
    /** Its own session has been over for so long when it hears of that. */
    lapse: ({ forMs }: { readonly forMs: number }) => {
      ownership = { kind: 'lapsed' };
      unproven = { sinceMs: clock.nowMs() - forMs, noticedMs: clock.nowMs() };
    },
    /** As `lapse`, where the bucket's sessions had not been adopted. */
    doubt: () => {
      ownership = { kind: 'lapsed' };
      unproven = { sinceMs: null, noticedMs: clock.nowMs() };
    },
    become: (kind: Exclude<Ownership['kind'], 'owned'>) => {
      ownership = { kind };
    },
  };
}

describe('whether anybody can have led by a group', () => {
  const added = { kind: 'finalizerAdded', group: null, whole: true } as const;
  const lockKey = aGroup({ spec: { lockKey: 'shared/cron' } });

  it('is known from our own first finalizer, and a read of the lock after it', () => {
    const { locks, memory, look } = anObserver();
    locks.snapshot(BUCKET, { index: 5, entries: [] }, false);
    memory.learn({ kind: 'lockRead' });
    const before = look().untouched;
    memory.learn(added);
    const acknowledged = look().untouched;
    memory.learn({ kind: 'lockRead' });
    expect([before, acknowledged, look().untouched]).toEqual(['no', 'unread', 'read']);
  });

  it('is not known with a lockKey, of a finalizer that was found, or once there is a lock', async () => {
    const untouched = async (group: LeaderGroup, whole: boolean, exists: boolean): Promise<string> => {
      const { locks, memory, look } = anObserver(group);
      const { lock } = locks.keysOf(group);
      const entry = { key: lock, isLock: true, createIndex: 4, modifyIndex: 4, session: null, value: null };
      if (exists) locks.snapshot(BUCKET, { index: 5, entries: [entry] }, false);
      else await locks.read(group, signal);
      memory.learn({ ...added, whole });
      memory.learn({ kind: 'lockRead' });
      return look(memory, group).untouched;
    };
    expect(await untouched(aGroup(), true, false), 'but for these').toBe('read');
    expect(await untouched(lockKey, true, false)).toBe('no');
    expect(await untouched(aGroup(), false, false)).toBe('no');
    expect(await untouched(aGroup(), true, true)).toBe('no');
  });
});

describe('the pods of an observation', () => {
  it('are members where the selector matches, but for mirrors and finished ones', () => {
    const { see, look } = anObserver();
    see(aPod({ name: 'a' }));
    see(aPod({ name: 'b', mirror: true }));
    see(aPod({ name: 'c', phase: 'Succeeded' }));
    see(aLeader(3, { name: 'd', labels: {} }));
    expect(look().pods.map(({ pod, member }) => [pod.name, member])).toEqual([
      ['a', true],
      ['b', false],
      ['c', false],
      ['d', false],
    ]);
  });

  it('are shown as our own answers left them, until the watch has caught up', () => {
    const { memory, store, look } = anObserver();
    const cached = aPod({ name: 'a', resourceVersion: '100' });
    const answered = aLeader(3, { name: 'a', resourceVersion: '99999999999999999999' });
    store.podChanged(null, cached);
    memory.learn({ kind: 'podRead', pod: answered });
    expect(look().pods[0]?.pod).toEqual(answered);
    const newest = aPod({ name: 'a', resourceVersion: '100000000000000000000' });
    store.podChanged(cached, newest);
    expect(look().pods[0]?.pod).toEqual(newest);
    expect(memory.now.newerPods.size).toBe(0);
  });

  it('are not brought back by an answer once the watch says that they are gone', () => {
    const { memory, store, names } = anObserver();
    store.podChanged(null, aPod({ name: 'a' }));
    memory.learn({ kind: 'podRead', pod: aPod({ name: 'a', resourceVersion: '200' }) });
    store.podChanged(aPod({ name: 'a' }), null);
    expect(names()).toEqual([]);
  });

  it('do not include one that the API server said is gone', () => {
    const { memory, see, names } = anObserver();
    see(aPod({ name: 'a' }));
    memory.learn({ kind: 'podGone', uid: uidOf('a') });
    expect(names()).toEqual([]);
  });

  it('include those of a fresh list that the cache lacks', () => {
    const { locks, memory, see, names, look } = anObserver();
    locks.snapshot(BUCKET, { index: 5, entries: [] }, false);
    see(aPod({ name: 'a' }));
    const listed = [
      aPod({ name: 'a' }),
      aPod({ name: 'b' }),
      aPod({ name: 'x', labels: {} }),
      aLeader(2, { name: 'y', labels: {} }),
    ];
    memory.learn({ kind: 'podsListed', version: '0/0', pods: listed });
    expect(names()).toEqual(['a', 'b', 'y']);
    expect(look().freshList).toBe(true);
  });

  it('of one name show the one that exists: a fresh list knows of a recreation that the cache has not seen', () => {
    const { locks, memory, see, look } = anObserver();
    locks.snapshot(BUCKET, { index: 5, entries: [] }, false);
    see(aPod({ name: 'a', resourceVersion: '100' }));
    memory.learn({
      kind: 'podsListed',
      version: '0/0',
      pods: [aLeader(2, { name: 'a', uid: 'second', resourceVersion: '200' })],
    });
    expect(look().pods.map(({ pod }) => pod.uid)).toEqual(['second']);
  });

  it('of a list made before the lock moved are not shown', () => {
    const { locks, memory, names, look } = anObserver();
    locks.snapshot(BUCKET, { index: 5, entries: [] }, false);
    memory.learn({ kind: 'podsListed', version: '3', pods: [aPod({ name: 'b' })] });
    expect([names(), look().freshList]).toEqual([[], false]);
  });

  it('include the recorded holder, also when nothing else makes it the group’s', async () => {
    const { consul, locks, see, names } = anObserver();
    consul.foreign.put(LOCK_KEY, formatRecord(aRecord('a', 3)), true);
    await locks.read(aGroup(), signal);
    see(aPod({ name: 'a', labels: {} }));
    expect(names()).toEqual(['a']);
  });

  it('count readiness by own observation', async () => {
    const { clock, see, look } = anObserver();
    see(aPod({ name: 'a', ready: false, readyTransitionMs: clock.wallMs() }));
    await clock.advance(4000);
    expect(look().pods[0]).toMatchObject({ candidacy: { lacks: 'NotReady', forMs: 4000 }, notReadyForMs: 4000 });
  });
});

describe('overlapping groups', () => {
  const older = aGroup({ name: 'older', createdMs: 1000 });

  it('the older one acts, the other is told its name', () => {
    const { see, look } = anObserver(aGroup(), older);
    see(aPod());
    expect(look().overlapsWith).toBe('older');
    expect(look(createMemory(), older).overlapsWith).toBeNull();
  });

  it('of the same age the lower uid acts', () => {
    const twin = aGroup({ name: 'twin', uid: 'a-lower-uid' });
    const { see, look } = anObserver(aGroup(), twin);
    see(aPod());
    expect([look().overlapsWith, look(createMemory(), twin).overlapsWith]).toEqual(['twin', null]);
  });

  it('with another label key do not overlap', () => {
    const label = { key: 'example.org/role', leader: 'leader', follower: null };
    const { see, look } = anObserver(aGroup(), aGroup({ name: 'older', createdMs: 1000, spec: { label } }));
    see(aPod());
    expect(look().overlapsWith).toBeNull();
  });

  it('overlap on members only; a pod that is only marked is the business of whoever selects it', () => {
    const { see, look } = anObserver(
      aGroup(),
      aGroup({ name: 'other', spec: { selector: { matchLabels: { app: 'other' }, matchExpressions: [] } } }),
    );
    see(aLeader(3, { name: 'a', labels: { app: 'other' } }));
    expect(look()).toMatchObject({ overlapsWith: null, pods: [{ member: false, claimedByOther: true }] });
  });
});

describe('the deadline of the lock', () => {
  const led = (overrides = {}): Pod => aLeader(3, { name: 'a', ...overrides });

  it('is that of the session which holds it', async () => {
    const { clock, consul, sessionManager, locks, look } = anObserver();
    await clock.advance(5000);
    await sessionManager.open(aGroup(), aPod({ name: 'a' }), signal);
    consul.foreign.lock(LOCK_KEY, sessionManager.of('default/notifier')[0]?.id ?? '', null);
    await locks.read(aGroup(), signal);
    expect(look().lockDeadlineMs).toBe(clock.nowMs() + 28_000);
  });

  it('follows the TTL that the session was opened with, whatever the spec says now (attack 15)', async () => {
    const { clock, consul, sessionManager, locks, look, memory } = anObserver();
    await sessionManager.open(aGroup(), aPod({ name: 'a' }), signal);
    consul.foreign.lock(LOCK_KEY, sessionManager.of('default/notifier')[0]?.id ?? '', null);
    await locks.read(aGroup(), signal);
    for (const sessionTtlMs of [300_000, 10_000])
      expect(look(memory, aGroup({ spec: { sessionTtlMs } })).lockDeadlineMs).toBe(clock.nowMs() + 28_000);
  });

  it('is that of the leader’s session while the lock is unknown', async () => {
    const { clock, sessionManager, see, look } = anObserver();
    see(led());
    await sessionManager.open(aGroup(), aPod({ name: 'a' }), signal);
    const openedMs = clock.nowMs();
    await clock.advance(100);
    await sessionManager.open(aGroup(), aPod({ name: 'b' }), signal);
    expect(look().lockDeadlineMs).toBe(openedMs + 28_000);
  });

  it('of a leader whose session is not adopted is not put off by those of others that are', async () => {
    const { clock, sessionManager, see, look, become } = anObserver();
    see(led());
    become('lapsed');
    const startedMs = clock.nowMs();
    await clock.advance(5000);
    await sessionManager.open(aGroup(), aPod({ name: 'b' }), signal);
    expect(look().lockDeadlineMs).toBe(startedMs + 28_000);
  });

  it('of a leader that holds the lock by a session which is not adopted is not put off by another session of its pod', async () => {
    const { clock, consul, locks, sessionManager, see, look, become } = anObserver();
    see(led());
    become('lapsed');
    const startedMs = clock.nowMs();
    const held = consul.foreign.openSession({ node: 'node', name: 'not-adopted', ttlMs: 30_000, lockDelayMs: 0 });
    consul.foreign.lock(LOCK_KEY, held, formatRecord(aRecord('a', 3)));
    await locks.read(aGroup(), signal);
    await clock.advance(5000);
    await sessionManager.open(aGroup(), aPod({ name: 'a' }), signal);
    expect(look().lockDeadlineMs).toBe(startedMs + 28_000);
  });

  it('of several labelled pods is the earliest, whosever session is adopted', async () => {
    const { clock, sessionManager, see, look, become } = anObserver();
    for (const name of ['a', 'b']) see(led({ name }));
    become('lapsed');
    const startedMs = clock.nowMs();
    await clock.advance(5000);
    await sessionManager.open(aGroup(), aPod({ name: 'b' }), signal);
    expect(look().lockDeadlineMs).toBe(startedMs + 28_000);
  });

  it('of a leader that another replica may have made since counts from when this one could not prove its bucket any more', async () => {
    const { clock, see, look, lapse } = anObserver();
    see(led());
    await clock.advance(3_600_000);
    lapse({ forMs: 12_000 });
    expect(look().lockDeadlineMs).toBe(clock.nowMs() - 12_000 + 28_000);
  });

  it('of such a leader leaves a replica that stood still for long a moment to hear who has the bucket', async () => {
    const { clock, see, look, lapse } = anObserver();
    see(led());
    await clock.advance(3_600_000);
    lapse({ forMs: 100_000 });
    expect(look().lockDeadlineMs).toBe(clock.nowMs() + 1000);
  });

  it('of a leader whose session Consul has ended is over when that could be believed no more', async () => {
    const { clock, consul, sessionManager, see, look, lapse } = anObserver();
    see(led());
    await sessionManager.open(aGroup(), aPod({ name: 'a' }), signal);
    const openedMs = clock.nowMs();
    await clock.advance(9000);
    const [session] = sessionManager.of('default/notifier');
    consul.foreign.endSession(session?.id ?? '');
    lapse({ forMs: 0 });
    await clock.advance(12_000);
    expect([sessionManager.of('default/notifier'), look().lockDeadlineMs]).toEqual([[], openedMs + 28_000]);
  });

  it('is not that of a pod that somebody has labelled, where the leader’s session is adopted', async () => {
    const { clock, sessionManager, see, look } = anObserver();
    for (const name of ['a', 'b']) see(led({ name }));
    await clock.advance(3_600_000);
    await sessionManager.open(aGroup(), aPod({ name: 'a' }), signal);
    expect(look()).toMatchObject({ lock: null, lockDeadlineMs: clock.nowMs() + 28_000 });
  });

  it('of a leader that was never adopted is not put off when the replica’s own session is over', async () => {
    const { clock, see, look, doubt } = anObserver();
    see(led());
    const startedMs = clock.nowMs();
    await clock.advance(8000);
    doubt();
    expect(look().lockDeadlineMs).toBe(startedMs + 28_000);
  });

  it('of a leader that has got another session from the next owner is not that of the one that Consul has ended', async () => {
    const { clock, consul, locks, sessionManager, see, look, lapse } = anObserver();
    see(led());
    await sessionManager.open(aGroup(), aPod({ name: 'a' }), signal);
    const [session] = sessionManager.of('default/notifier');
    sessionManager.lost(session?.id ?? sessionId('none'));
    await clock.advance(60_000);
    const held = consul.foreign.openSession({ node: 'node', name: 'of-the-next-owner', ttlMs: 30_000, lockDelayMs: 0 });
    consul.foreign.lock(LOCK_KEY, held, formatRecord(aRecord('a', 4)));
    await locks.read(aGroup(), signal);
    lapse({ forMs: 0 });
    expect(look().lockDeadlineMs).toBe(clock.nowMs() + 28_000);
  });

  it('of a fresh process counts from its start', async () => {
    const { clock, see, look, loseContact, become } = anObserver();
    see(led());
    become('neverKnown');
    const startedMs = clock.nowMs();
    await clock.advance(100);
    loseContact();
    expect(look().lockDeadlineMs).toBe(startedMs + 28_000);
  });

  it('of a replica that heard late of its bucket is over by then, but leaves it a moment to adopt the sessions', async () => {
    const { clock, see, look, become, foundItsBucket } = anObserver();
    see(led());
    become('lapsed');
    await clock.advance(60_000);
    foundItsBucket();
    expect(look().lockDeadlineMs).toBe(clock.nowMs() + 1000);
  });

  it('of a replica that heard at once of its bucket counts from then', async () => {
    const { clock, see, look, become, foundItsBucket } = anObserver();
    const startedMs = clock.nowMs();
    see(led());
    become('lapsed');
    await clock.advance(10);
    foundItsBucket();
    expect(look().lockDeadlineMs).toBe(startedMs + 28_000);
  });

  it('of a replica that only waits counts from when Consul fell silent: until then the owner has renewed', async () => {
    const { clock, see, look, loseContact, become } = anObserver();
    see(led());
    become('notOwned');
    await clock.advance(500_000);
    loseContact();
    expect(look().lockDeadlineMs).toBe(clock.nowMs() + 28_000);
  });
});

describe('a demotion for Consul’s silence', () => {
  it.each([
    [null, false],
    ['notOwned', false],
    ['lapsed', true],
    ['neverKnown', true],
  ] as const)('is over once Consul answers and this replica knows whose the group is: %s', (kind, remembered) => {
    const { locks, memory, look, become } = anObserver();
    locks.snapshot(BUCKET, { index: 5, entries: [] }, false);
    memory.learn({ kind: 'demotedForOutage' });
    if (kind !== null) become(kind);
    expect(look().demotedForOutage).toBe(remembered);
  });

  it('is not over for a group whose lock is not known: Consul may answer everything but a read of it', () => {
    const { memory, look } = anObserver();
    memory.learn({ kind: 'demotedForOutage' });
    expect(look().demotedForOutage).toBe(true);
  });
});

describe('an observation', () => {
  it('writes nothing: what it brings for the memory is handed back with it', () => {
    const { observe, see, clock, memory, look } = anObserver();
    see(aPod({ name: 'a' }));
    memory.learn({ kind: 'podRead', pod: aPod({ name: 'gone', resourceVersion: '200' }) });
    memory.learn({ kind: 'podRepaired', uid: uidOf('a'), atMs: clock.nowMs() - 60_000, atWallMs: wallMs(0) });
    memory.learn({ kind: 'podsListed', version: 'of another lock', pods: [] });
    memory.learn({ kind: 'groupChanged', group: aGroup({ uid: 'earlier' }) });
    const before = frozen(memory.now);
    const sight = observe.sight(aGroup(), before);
    const { observed } = observe.all(sight, frozen(remember(before, sight)));
    expect([sight.kind, observed.kind]).toEqual(['shown', 'observed']);
    expect(observe.holder(aGroup(), before).lock).toBeNull();
    expect(memory.now).toBe(before);
    look();
    expect([memory.now.newerPods.size, memory.now.repairs.size, memory.now.listed]).toEqual([0, 0, null]);
  });
});

describe('what was learnt', () => {
  it('of the group is preferred until the watch has caught up', () => {
    const { memory, look } = anObserver();
    memory.learn({ kind: 'groupChanged', group: aGroup({ resourceVersion: '60', generation: 2 }) });
    expect(look().group.generation).toBe(2);
    expect(look(memory, aGroup({ resourceVersion: '70', generation: 3 })).group.generation).toBe(3);
    expect(memory.now.newerGroup).toBeNull();
  });

  it('of another group with this name counts for nothing', () => {
    const { memory, look } = anObserver();
    memory.learn({ kind: 'groupChanged', group: aGroup({ uid: 'earlier', resourceVersion: '60' }) });
    expect(look().group.uid).toBe('uid-of-notifier');
  });

  it('of written-off pods counts for one version of the lock', () => {
    const { locks, memory, look } = anObserver();
    locks.snapshot(BUCKET, { index: 5, entries: [] }, false);
    memory.learn({ kind: 'podFenced', uid: uidOf('a'), version: '0/0' });
    expect(look().fenced.has(uidOf('a'))).toBe(true);
    memory.learn({ kind: 'podFenced', uid: uidOf('a'), version: '4' });
    expect(look().fenced.size).toBe(0);
  });
});
