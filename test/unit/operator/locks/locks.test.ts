import { describe, expect, it } from 'vitest';
import { formatRecord } from '../../../../src/election/record.ts';
import { createLocks, type Locks } from '../../../../src/operator/locks/locks.ts';
import type { KvEntry, KvSnapshot } from '../../../../src/ports/consul.ts';
import { aGroup } from '../../../kit/fakes/builders.ts';
import { aRecord } from '../../../kit/fakes/builders-election.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';
import { sessionId } from '../../../kit/fakes/ids.ts';
import { createLink } from '../../../kit/model/link.ts';
import { SPACE } from '../../../kit/model/replica.ts';
import { createWorldApiServer } from '../../../kit/model/world-api-server.ts';
import { createWorldConsul } from '../../../kit/model/world-consul.ts';

const BUCKET = 'leadergroup/test/groups/09/';
const LOCK = `${BUCKET}default/notifier/0/.lock`;
const RECORD = `${BUCKET}default/notifier/0/.record`;
const NOTHING_EARLIER = { key: RECORD, index: 0 };
const signal = new AbortController().signal;
const group = aGroup();
const shared = aGroup({ spec: { lockKey: 'shared/cron' } });

function someLocks() {
  const consul = createWorldConsul(createFakeClock());
  const link = createLink('locks', createWorldApiServer(), consul, () => undefined);
  return { consul, link, locks: createLocks(link.consul, SPACE) };
}

const entry = (modifyIndex: number, overrides: Partial<KvEntry> = {}): KvEntry => ({
  key: LOCK,
  value: formatRecord(aRecord('a', 1)),
  isLock: true,
  session: sessionId('session-of-a'),
  createIndex: 1,
  modifyIndex,
  ...overrides,
});
const seen = (index: number, ...entries: readonly KvEntry[]): KvSnapshot => ({ index, entries });

describe('a lock', () => {
  it('is what a rebuilt Consul shows, also where that uses the same index for another record', () => {
    const { locks } = someLocks();
    locks.snapshot(BUCKET, seen(7, entry(7, { session: null })), false);
    locks.snapshot(BUCKET, seen(7, entry(7, { session: null, value: formatRecord(aRecord('b', 9)) })), true);
    expect(locks.view(group)?.record).toMatchObject({ holder: { pod: 'b' }, token: 9 });
  });

  it('is not known before anything told of it', () => {
    expect(someLocks().locks.view(group)).toBeNull();
  });

  it('is known as the watch of its bucket shows it', () => {
    const { locks } = someLocks();
    expect(locks.snapshot(BUCKET, seen(7, entry(7)), false)).toEqual([LOCK]);
    expect(locks.view(group)).toEqual({
      versions: [{ key: LOCK, index: 7 }, NOTHING_EARLIER],
      session: 'session-of-a',
      record: aRecord('a', 1),
      heldFor: aRecord('a', 1).holder,
      sharedToken: 0,
      earlierToken: null,
      foreignEntry: false,
    });
  });

  it('has its record read once, however often it is looked at, and anew when it has changed', () => {
    const { locks } = someLocks();
    locks.snapshot(BUCKET, seen(7, entry(7)), false);
    const before = locks.view(group)?.record;
    locks.snapshot(BUCKET, seen(8, entry(7)), false);
    expect(locks.view(group)?.record).toBe(before);
    locks.snapshot(BUCKET, seen(9, entry(9, { value: formatRecord(aRecord('b', 2)) })), false);
    expect(locks.view(group)?.record).toEqual(aRecord('b', 2));
  });

  it('does not exist when the watch does not show it', () => {
    const { locks } = someLocks();
    locks.snapshot(BUCKET, seen(7), false);
    expect(locks.view(group)).toMatchObject({
      versions: [{ key: LOCK, index: 0 }, NOTHING_EARLIER],
      session: null,
      record: null,
    });
  });

  it('tells which keys a snapshot has changed', () => {
    const { locks } = someLocks();
    locks.snapshot(BUCKET, seen(7, entry(7)), false);
    expect(locks.snapshot(BUCKET, seen(9, entry(7)), false)).toEqual([]);
    expect(locks.snapshot(BUCKET, seen(10, entry(10, { session: null })), false)).toEqual([LOCK]);
    expect(locks.snapshot(BUCKET, seen(11), false)).toEqual([LOCK]);
  });

  it('has changed where a restored Consul uses its index again for another record', () => {
    const { locks } = someLocks();
    locks.snapshot(BUCKET, seen(7, entry(7)), false);
    expect(locks.snapshot(BUCKET, seen(7, entry(7, { value: '{}' })), true)).toEqual([LOCK]);
  });

  it('is unknown when an answer asked for after it was learnt does not have it: Consul was restored to before it', () => {
    const { locks } = someLocks();
    locks.snapshot(BUCKET, seen(7, entry(7)), false, locks.now());
    locks.applied(group, [entry(12, { session: sessionId('session-of-b') })]);
    expect(locks.snapshot(BUCKET, seen(7, entry(7)), false, locks.now())).toEqual([LOCK]);
    expect(locks.view(group)).toBeNull();
  });

  it('is known from the answer to our own transaction, and a late snapshot does not take that back', () => {
    const { locks } = someLocks();
    locks.snapshot(BUCKET, seen(7, entry(7)), false);
    locks.applied(group, [entry(12, { session: sessionId('session-of-b') })]);
    expect(locks.snapshot(BUCKET, seen(9, entry(9, { session: null })), false)).toEqual([]);
    expect(locks.view(group)?.session).toBe('session-of-b');
    locks.snapshot(BUCKET, seen(13, entry(13, { session: null })), false);
    expect(locks.view(group)?.session).toBeNull();
  });

  it('stays as a watch has shown it since, when the answer to our own transaction comes late', () => {
    const { locks } = someLocks();
    locks.snapshot(BUCKET, seen(7, entry(7)), false);
    locks.snapshot(BUCKET, seen(13, entry(13, { session: null })), false);
    locks.applied(group, [entry(12, { session: sessionId('session-of-b') })]);
    expect(locks.view(group)).toMatchObject({ session: null, versions: [{ index: 13 }, NOTHING_EARLIER] });
  });

  describe('of which something is learnt while it is read', () => {
    const stages: readonly [string, (locks: Locks) => void][] = [
      [
        'a watch shows a later holder',
        (locks) => locks.snapshot(BUCKET, seen(1000, entry(13, { session: null })), false),
      ],
      ['a watch shows that it was deleted', (locks) => locks.snapshot(BUCKET, seen(1000), false)],
      ['an answer to a transaction is missing', (locks) => locks.invalidate(group)],
    ];

    it.each(stages)('is unknown until it is read once more: %s', async (_, learnt) => {
      const { consul, link, locks } = someLocks();
      consul.foreign.put(LOCK, 'x', true);
      const index = consul.entry(LOCK)?.modifyIndex ?? 0;
      locks.snapshot(BUCKET, seen(index, entry(index)), false);
      link.decide(() => 'answerHeld');
      const reading = locks.read(group, signal);
      learnt(locks);
      link.held()[0]?.deliver();
      await reading;
      expect(locks.view(group)).toBeNull();
      link.decide(() => 'arrives');
      await locks.read(group, signal);
      expect(locks.view(group)?.versions).toEqual([{ key: LOCK, index }, NOTHING_EARLIER]);
    });

    it('is known as it was read where the watch shows nothing new of it', async () => {
      const { link, locks } = someLocks();
      locks.snapshot(BUCKET, seen(300, entry(300)), false);
      link.decide(() => 'answerHeld');
      const reading = locks.read(group, signal);
      locks.snapshot(BUCKET, seen(350, entry(300)), false);
      link.held()[0]?.deliver();
      await reading;
      expect(locks.view(group)?.versions).toEqual([{ key: LOCK, index: 0 }, NOTHING_EARLIER]);
    });

    it('is unknown where its watch begins to show anything at all', async () => {
      const { consul, link, locks } = someLocks();
      consul.foreign.put('shared/cron/.lock', 'x', true);
      locks.snapshot('leadergroup/test/', seen(7), false);
      link.decide(() => 'answerHeld');
      const reading = locks.read(shared, signal);
      locks.snapshot('shared/cron/', seen(1000), false);
      link.held()[0]?.deliver();
      await reading;
      expect(locks.view(shared)).toBeNull();
    });

    it('is unknown for the group that was still reading it', async () => {
      const { consul, link, locks } = someLocks();
      const other = aGroup({ name: 'other', spec: { lockKey: 'shared/cron' } });
      consul.foreign.put('shared/cron/.lock', 'x', true);
      const index = consul.entry('shared/cron/.lock')?.modifyIndex ?? 0;
      locks.snapshot('leadergroup/test/', seen(7), false);
      locks.snapshot('shared/', seen(index, entry(index, { key: 'shared/cron/.lock' })), false);
      link.decide(() => 'answerHeld');
      const reads = [locks.read(shared, signal), locks.read(other, signal)];
      const [first, second] = link.held();
      first?.deliver();
      await reads[0];
      locks.snapshot('shared/', seen(index + 10), false);
      second?.deliver();
      await reads[1];
      expect([locks.view(shared)?.versions[0]?.index, locks.view(other)]).toEqual([0, null]);
    });

    it('is not taken back by a read that another’s has overtaken, although the watch shows nothing new', async () => {
      const { consul, link, locks } = someLocks();
      const other = aGroup({ name: 'other', spec: { lockKey: 'shared/cron' } });
      const key = 'shared/cron/.lock';
      locks.snapshot('leadergroup/test/', seen(7), false);
      consul.foreign.put(key, 'x', true);
      const first = consul.entry(key)?.modifyIndex ?? 0;
      locks.snapshot('shared/', seen(first, entry(first, { key, session: null })), false);
      link.decide(() => 'answerHeld');
      const slow = locks.read(shared, signal);
      consul.foreign.put(key, 'y', true);
      const second = consul.entry(key)?.modifyIndex ?? 0;
      const fast = locks.read(other, signal);
      const [old, fresh] = link.held();
      fresh?.deliver();
      await fast;
      locks.snapshot('shared/', seen(second, entry(second, { key, session: null })), false);
      old?.deliver();
      await slow;
      expect([locks.view(shared), locks.view(other)?.versions[0]?.index]).toEqual([null, second]);
    });

    it('is known as its own transaction has left it, whatever the read says', async () => {
      const { link, locks } = someLocks();
      link.decide(() => 'answerHeld');
      const reading = locks.read(group, signal);
      locks.applied(group, [entry(900)]);
      link.held()[0]?.deliver();
      await reading;
      expect(locks.entries().map(({ modifyIndex }) => modifyIndex)).toEqual([900]);
    });
  });

  it('is known anew when Consul was rebuilt, although its indexes are lower', () => {
    const { locks } = someLocks();
    locks.snapshot(BUCKET, seen(70, entry(70)), false);
    locks.snapshot(BUCKET, seen(3, entry(3, { session: null })), true);
    expect(locks.view(group)).toMatchObject({ versions: [{ index: 3 }, NOTHING_EARLIER], session: null });
    locks.snapshot(BUCKET, seen(2), true);
    expect(locks.view(group)?.versions[0]?.index).toBe(0);
  });

  it('that is unknown stays so until it has been read, whatever a watch shows', async () => {
    const { consul, locks } = someLocks();
    locks.snapshot(BUCKET, seen(7, entry(7)), false);
    locks.invalidate(group);
    expect(locks.view(group)).toBeNull();
    locks.snapshot(BUCKET, seen(8, entry(8)), false);
    expect(locks.view(group)).toBeNull();
    consul.foreign.put(LOCK, 'x', true);
    await locks.read(group, signal);
    expect(locks.view(group)).toMatchObject({ session: null, record: null });
  });

  it('is unknown for none but those groups that there are', () => {
    const { locks } = someLocks();
    const other = aGroup({ name: 'other', spec: { lockKey: 'shared/cron' } });
    locks.snapshot('shared/', seen(7, entry(7, { key: 'shared/cron/.lock' })), false);
    locks.snapshot('leadergroup/test/', seen(7), false);
    locks.invalidate(shared);
    locks.invalidate(other);
    locks.dropped('default/other');
    expect(locks.view(shared)).toBeNull();
    locks.dropped('default/notifier');
    expect(locks.view(shared)?.versions[0]).toEqual({ key: 'shared/cron/.lock', index: 7 });
  });

  it('stays unknown when the read fails', async () => {
    const { link, locks } = someLocks();
    locks.snapshot(BUCKET, seen(7, entry(7)), false);
    link.decide(() => 'lost');
    await expect(locks.read(group, signal)).rejects.toThrow('no answer');
    expect(locks.view(group)).toBeNull();
  });

  it('is not known any more once its prefix is forgotten', () => {
    const { locks } = someLocks();
    locks.snapshot(BUCKET, seen(7, entry(7)), false);
    locks.forget(BUCKET);
    expect(locks.view(group)).toBeNull();
  });

  it('of another group is not touched by an answer', () => {
    const { locks } = someLocks();
    locks.snapshot(BUCKET, seen(7, entry(7)), false);
    locks.applied(aGroup({ name: 'cron' }), [entry(12)]);
    expect(locks.view(group)?.versions[0]?.index).toBe(7);
  });
});

describe('a lock that two watches show', () => {
  const inner = aGroup({ spec: { lockKey: 'shared/cron/inner' } });
  const held = entry(5, { key: 'shared/cron/inner/.lock' });

  it('stays known when one of them ends: nobody takes it for free', () => {
    const { locks } = someLocks();
    locks.snapshot(BUCKET, seen(4), false);
    locks.snapshot('shared/cron/inner/', seen(5, held), false);
    locks.snapshot('shared/cron/', seen(5, held), false);
    locks.forget('shared/cron/');
    expect(locks.view(inner)?.session).not.toBeNull();
  });
});

describe('a lock under a shared key', () => {
  const LOCKED = { key: 'shared/cron/.lock', value: null, session: sessionId('theirs') };

  it('is known when both its watches have delivered', () => {
    const { locks } = someLocks();
    locks.snapshot('shared/cron/', seen(5, entry(5, LOCKED)), false);
    expect(locks.view(shared)).toBeNull();
    locks.snapshot(BUCKET, seen(6, entry(6, { key: `${BUCKET}default/notifier/0/.record`, session: null })), false);
    expect(locks.view(shared)).toMatchObject({
      versions: [{ index: 5 }, { index: 6 }, { index: 0 }, { key: LOCK, index: 0 }],
      session: 'theirs',
      record: aRecord('a', 1),
    });
  });

  it('is unknown for the group alone whose read or transaction failed: nobody would wake the other', async () => {
    const { link, locks } = someLocks();
    const other = aGroup({ name: 'other', spec: { lockKey: 'shared/cron' } });
    for (const each of [shared, other]) await locks.read(each, signal);
    link.decide(() => 'lost');
    await locks.read(other, signal).catch(() => undefined);
    locks.invalidate(other);
    expect([locks.view(shared) === null, locks.view(other) === null]).toEqual([false, true]);
  });

  it('is kept for as long as one of the groups that have read it is there', async () => {
    const { consul, locks } = someLocks();
    const other = aGroup({ name: 'other', spec: { lockKey: 'shared/cron' } });
    consul.foreign.put('shared/cron/.lock', 'x', true);
    for (const each of [shared, other]) await locks.read(each, signal);
    locks.dropped('default/other');
    expect(locks.entries()).toHaveLength(1);
    locks.dropped('default/notifier');
    expect(locks.entries()).toEqual([]);
  });

  it('stays known to one that has only been told of it when another that has read it goes', async () => {
    const { consul, locks } = someLocks();
    const other = aGroup({ name: 'other', spec: { lockKey: 'shared/cron' } });
    consul.foreign.put('shared/cron/.lock', 'x', true);
    await locks.read(other, signal);
    await locks.look(['shared/cron/.lock', 'shared/cron/.token'], signal);
    locks.dropped('default/other');
    expect(locks.entries()).toHaveLength(1);
    locks.forgetKeys(['shared/cron/.lock', 'shared/cron/.token']);
    expect(locks.entries()).toEqual([]);
  });

  it('has its token beside it, which may be anything', async () => {
    const { consul, locks } = someLocks();
    consul.foreign.put('shared/cron/.token', '12');
    await locks.read(shared, signal);
    expect(locks.view(shared)?.sharedToken).toBe(12);
    consul.foreign.put('shared/cron/.token', 'twelve');
    await locks.read(shared, signal);
    expect(locks.view(shared)?.sharedToken).toBe(0);
  });

  it('is not the only one that tells of an earlier group of this name, which may have had none, or another', () => {
    const { locks } = someLocks();
    const at = (key: string, token: number) =>
      entry(6, { key, value: formatRecord(aRecord('a', token)), session: null });
    locks.snapshot('shared/cron/', seen(5), false);
    locks.snapshot(BUCKET, seen(6, at(LOCK, 7), at(RECORD, 8)), false);
    expect([locks.view(group)?.earlierToken, locks.view(shared)?.earlierToken]).toEqual([8, 7]);
    locks.snapshot(BUCKET, seen(7, entry(7, { value: 'no record' })), false);
    expect([locks.view(group)?.earlierToken, locks.view(shared)?.earlierToken]).toEqual([null, 0]);
  });

  it('is a foreign entry when it is no lock; under our own prefix nothing is', async () => {
    const { consul, locks } = someLocks();
    consul.foreign.put('shared/cron/.lock', 'mine', false);
    consul.foreign.put(LOCK, 'mine', false);
    await locks.read(shared, signal);
    await locks.read(group, signal);
    expect([locks.view(shared)?.foreignEntry, locks.view(group)?.foreignEntry]).toEqual([true, false]);
  });
});
