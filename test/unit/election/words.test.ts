/** The words that outlive a process: tokens, records, names in Consul. */

import { describe, expect, it } from 'vitest';
import { renewalIntervalMs, sessionDeadlineMs } from '../../../src/election/deadline.ts';
import {
  bucketKey,
  bucketOf,
  clusterIdentityKey,
  groupKeys,
  groupOfKey,
  groupsPrefix,
  parseSessionName,
  replicaKey,
  replicaSessionName,
  sessionName,
  sharedLockKey,
  syntheticNode,
} from '../../../src/election/keys.ts';
import { recordedToken } from '../../../src/election/observed-tokens.ts';
import { formatRecord, parseRecord } from '../../../src/election/record.ts';
import { parseToken } from '../../../src/election/token.ts';
import { aGroup, aLeader, aPod } from '../../kit/fakes/builders.ts';
import { aLock, anObservation, aRecord, observed } from '../../kit/fakes/builders-election.ts';
import { podUid } from '../../kit/fakes/ids.ts';

const SPACE = { prefix: 'leadergroup', cluster: 'prod' };

describe('a token', () => {
  it.each([
    ['1', 1],
    ['0', 0],
    ['0042', 42],
    ['', 0],
    ['-1', 0],
    ['1.5', 0],
    ['1e9', 0],
    [' 7', 0],
    ['0x10', 0],
    ['abc', 0],
    ['9007199254740993', 0],
    ['99999999999999999999999', 0],
    [null, 0],
    [undefined, 0],
  ])('%j reads as %d', (text, token) => {
    expect(parseToken(text)).toBe(token);
  });

  it('is recorded as the higher of the record’s and the one beside a shared key', () => {
    expect(recordedToken(aLock({ record: aRecord('a', 3), sharedToken: 5 }))).toBe(5);
    expect(recordedToken(aLock({ record: aRecord('a', 7), sharedToken: 5 }))).toBe(7);
    expect(recordedToken(aLock())).toBe(0);
  });

  it('is highestObserved by every pod of the group, the status and its history', () => {
    const pods = [observed(aLeader(6)), observed(aPod())];
    expect(anObservation({ pods }).highestObserved).toBe(6);
    const status = {
      ...anObservation(),
      leaders: [{ slot: 0, pod: 'a', uid: 'a', node: '', token: 8, sessionID: '', acquireTime: '' }],
      recentTransitions: [
        { time: '', from: '', to: 'a', reason: '', token: 9, fromUID: '', chosenBy: '', durationMilliseconds: 0 },
        { time: '', from: '', to: 'a', reason: '', token: 2, fromUID: '', chosenBy: '', durationMilliseconds: 0 },
      ],
    };
    const group = aGroup({ status: status as never });
    expect(anObservation({ pods, group }).highestObserved).toBe(9);
    expect(anObservation({ pods: [] }).highestObserved).toBe(0);
  });
});

describe('a record', () => {
  const good = aRecord('a', 3);

  it('reads as it was written', () => {
    expect(parseRecord(formatRecord(good))).toEqual(good);
  });

  it('reads what it says of switchovers, and takes what cannot be read for nothing said', () => {
    const said = { ...good, switchover: { atMs: 7, to: 'a' }, pinned: true } as const;
    expect(parseRecord(formatRecord(said))).toEqual(said);
    expect(parseRecord(JSON.stringify({ ...good, switchover: { atMs: 7 } }))?.switchover).toEqual({
      atMs: 7,
      to: null,
    });
    for (const switchover of [null, 7, '7', {}, { atMs: '7', to: 'a' }, { atMs: -1, to: 'a' }, { atMs: 7, to: 5 }])
      expect(parseRecord(JSON.stringify({ ...good, switchover, pinned: 'yes' }))).toEqual(good);
  });

  it('keeps nothing that this version does not know', () => {
    expect(parseRecord(JSON.stringify({ ...good, more: 1, holder: { ...good.holder, more: 2 } }))).toEqual(good);
  });

  it.each([
    ['no value', null],
    ['an empty value', ''],
    ['no JSON', 'leader: a'],
    ['cut JSON', formatRecord(good).slice(0, -1)],
    ['null', 'null'],
    ['a list', '[]'],
    ['a number', '7'],
    ['another version', JSON.stringify({ ...good, v: 2 })],
    ['no holder', JSON.stringify({ ...good, holder: undefined })],
    ['a holder that is a text', JSON.stringify({ ...good, holder: 'a' })],
    ['a holder without uid', JSON.stringify({ ...good, holder: { pod: 'a' } })],
    ['an empty uid', JSON.stringify({ ...good, holder: { pod: 'a', uid: '' } })],
    ['no group uid', JSON.stringify({ ...good, groupUid: '' })],
    ['a token that is a text', JSON.stringify({ ...good, token: '3' })],
    ['a negative token', JSON.stringify({ ...good, token: -1 })],
    ['a token with a fraction', JSON.stringify({ ...good, token: 1.5 })],
    ['a token past the safe integers', JSON.stringify({ ...good, token: 2 ** 53 })],
    ['no generation', JSON.stringify({ ...good, generation: null })],
    ['no write counter', JSON.stringify({ ...good, writes: undefined })],
    ['what consul lock writes', '\u0000\uFFFD'],
  ])('is missing when there is %s', (_what, text) => {
    expect(parseRecord(text)).toBeNull();
  });
});

describe('names in Consul', () => {
  /** Fixed for good: operators of different versions share buckets. */
  it.each([
    ['default', 'notifier', 9],
    ['default', 'cron', 9],
    ['kube-system', 'a', 14],
    ['team-a', 'notifier', 5],
  ])('the bucket of %s/%s never changes', (namespace, name, bucket) => {
    expect(bucketOf(namespace, name)).toBe(bucket);
  });

  it('buckets are used evenly', () => {
    const counts = new Map<number, number>();
    for (let i = 0; i < 3200; i += 1) {
      const bucket = bucketOf('default', `group-${i}`);
      counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
    }
    expect(counts.size).toBe(32);
    expect(Math.max(...counts.values())).toBeLessThan(160);
  });

  it('are spelled the same by every version', () => {
    expect([
      clusterIdentityKey(SPACE),
      syntheticNode(SPACE),
      replicaKey(SPACE, 'r1'),
      bucketKey(SPACE, 9),
      groupsPrefix(SPACE, 31),
      sharedLockKey('shared/cron'),
      replicaSessionName('r1'),
      sessionName('default', 'notifier', podUid('uid')),
    ]).toEqual([
      'leadergroup/prod/.cluster',
      'leadergroup-prod',
      'leadergroup/prod/replicas/r1',
      'leadergroup/prod/buckets/09/.lock',
      'leadergroup/prod/groups/1f/',
      'shared/cron/.lock',
      'replica/r1',
      'default/notifier/uid',
    ]);
  });

  it('a group’s own lock holds its record', () => {
    expect(groupKeys(SPACE, { namespace: 'default', name: 'notifier' }, null)).toEqual({
      lock: 'leadergroup/prod/groups/09/default/notifier/0/.lock',
      record: null,
      token: null,
      earlier: 'leadergroup/prod/groups/09/default/notifier/0/.record',
    });
  });

  it('beside a shared key the record stands under our own prefix, and the token beside the key', () => {
    expect(groupKeys(SPACE, { namespace: 'default', name: 'notifier' }, 'shared/cron')).toEqual({
      lock: 'shared/cron/.lock',
      record: 'leadergroup/prod/groups/09/default/notifier/0/.record',
      token: 'shared/cron/.token',
      earlier: 'leadergroup/prod/groups/09/default/notifier/0/.lock',
    });
  });

  it.each([
    ['leadergroup/prod/groups/09/default/notifier/0/.lock', 'default/notifier'],
    ['leadergroup/prod/groups/09/default/notifier/0/.record', 'default/notifier'],
    ['leadergroup/prod/groups/09/default/notifier', null],
    ['leadergroup/prod/groups/09/', null],
    ['leadergroup/prod/buckets/09/.lock', null],
    ['leadergroup/production/groups/09/default/notifier/0/.lock', null],
    ['', null],
  ])('the key %s belongs to %s', (key, group) => {
    expect(groupOfKey(SPACE, key)).toBe(group);
  });

  it('a session’s name tells whose it is, and nobody else’s is taken for one', () => {
    expect(parseSessionName('default/notifier/uid')).toEqual({
      namespace: 'default',
      group: 'notifier',
      podUid: 'uid',
    });
    for (const name of ['', 'consul lock', 'replica/r1', 'a/b/c/d', 'a//c', '/b/c', 'a/b/']) {
      expect(parseSessionName(name)).toBeNull();
    }
  });
});

describe('a session', () => {
  it('is believed until the time before its last renewal was sent + TTL - margin', () => {
    expect(sessionDeadlineMs(5000, 30_000, 2000)).toBe(33_000);
  });

  it('is renewed each third of its TTL, or up to a tenth earlier', () => {
    expect(renewalIntervalMs(30_000, 0)).toBe(10_000);
    expect(renewalIntervalMs(30_000, 0.999)).toBeGreaterThan(9000);
    expect(renewalIntervalMs(30_000, 0.5)).toBe(9500);
  });
});
