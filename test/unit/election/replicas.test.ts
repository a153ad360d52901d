import { describe, expect, it } from 'vitest';
import {
  diedIn,
  formatReplica,
  liveReplica,
  mayShareApiServer,
  type ReplicaRecord,
} from '../../../src/election/replicas.ts';
import { sessionId, uidOf, wallMs } from '../../kit/fakes/ids.ts';

const POD = { namespace: 'leadergroup-system', name: 'operator-a', uid: uidOf('a'), container: 'operator' };
const RECORD: ReplicaRecord = {
  v: 1,
  reachesApiServer: false,
  sinceMs: wallMs(1_700_000_005_250),
  pod: POD,
  url: 'http://10.0.0.1:8080',
  publicKey: 'A'.repeat(43),
  routes: true,
  namespaces: ['shop', 'mail'],
  authorities: ['a0b1', 'c2d3'],
};
const ENDED = { podUid: uidOf('a'), startedMs: wallMs(1_700_000_001_000), finishedMs: wallMs(1_700_000_060_000) };

describe('a replica’s record', () => {
  it('says what the replica wrote', () => {
    const { v: _version, ...said } = RECORD;
    expect(liveReplica('a', sessionId('s'), formatReplica(RECORD))).toEqual({ id: 'a', session: 's', ...said });
  });

  it.each([
    null,
    '',
    'x',
    '[]',
    '{}',
    '{"v":2,"reachesApiServer":false,"sinceMs":1}',
    '{"v":1,"reachesApiServer":"no"}',
  ])('that cannot be read is of a replica that lives, shares the buckets and is never ended: %j', (value) => {
    const replica = liveReplica('a', sessionId('s'), value);
    expect([replica.reachesApiServer, replica.pod, diedIn(replica, ENDED)]).toEqual([true, null, false]);
  });

  it.each([null, '', 7, 'ftp://a', 'http://a/path', 'http://a?b', 'http://user@a', 'http://a b', 'https://a'])(
    'with a url that is no plain origin names none: %j',
    (url) => {
      expect(liveReplica('a', sessionId('s'), JSON.stringify({ ...RECORD, url })).url).toBeNull();
    },
  );

  it.each([null, 7, '', 'A'.repeat(42), `${'A'.repeat(42)}=`])(
    'with a key that is none names none: %j',
    (publicKey) => {
      expect(liveReplica('a', sessionId('s'), JSON.stringify({ ...RECORD, publicKey })).publicKey).toBeNull();
    },
  );

  it.each([undefined, null, 'true', 1])('that does not say so knows no routes: %j', (routes) => {
    expect(liveReplica('a', sessionId('s'), JSON.stringify({ ...RECORD, routes })).routes).toBe(false);
  });

  it.each([undefined, null, 'a0b1', {}, [7], ['']])(
    'that names no authorities, or none that can be read, says nothing of its API server: %j',
    (authorities) => {
      expect(liveReplica('a', sessionId('s'), JSON.stringify({ ...RECORD, authorities })).authorities).toEqual([]);
    },
  );

  it.each([undefined, null, 'shop', {}, [7], ['']])(
    'that names no namespaces, or none that can be read, may watch any: %j',
    (namespaces) => {
      expect(liveReplica('a', sessionId('s'), JSON.stringify({ ...RECORD, namespaces })).namespaces).toBeNull();
    },
  );

  it.each([null, {}, { ...POD, uid: '' }, { ...POD, name: 7 }, 'pod'])(
    'with a pod that cannot be read names none: %j',
    (pod) => {
      expect(liveReplica('a', sessionId('s'), JSON.stringify({ ...RECORD, pod })).pod).toBeNull();
    },
  );
});

describe('a container that has ended', () => {
  const since = (sinceMs: number) =>
    liveReplica('a', sessionId('s'), formatReplica({ ...RECORD, sinceMs: wallMs(sinceMs) }));

  it('proves that the process which opened its session in that run is dead', () => {
    expect(diedIn(since(1_700_000_005_250), ENDED)).toBe(true);
  });

  it('proves nothing of a session that was opened in the next run, or in the very second', () => {
    expect([1_700_000_060_000, 1_700_000_060_999, 1_700_000_061_000].map((ms) => diedIn(since(ms), ENDED))).toEqual([
      false,
      false,
      false,
    ]);
  });

  it('proves nothing of a session that was opened before that run', () => {
    expect(diedIn(since(1_700_000_000_999), ENDED)).toBe(false);
  });

  it('proves nothing of another pod’s replica, or of one outside Kubernetes', () => {
    expect(diedIn(since(1_700_000_005_250), { ...ENDED, podUid: uidOf('b') })).toBe(false);
    expect(diedIn(liveReplica('a', sessionId('s'), formatReplica({ ...RECORD, pod: null })), ENDED)).toBe(false);
  });
});

describe('two replicas', () => {
  it.each([
    [['old'], ['old', 'new']],
    [['old', 'new'], ['new']],
    [['one'], ['one']],
    [[], ['one']],
    [['one'], []],
  ])(
    'may share an API server, for they believe an authority in common or one does not say: %j and %j',
    (one, other) => {
      expect(mayShareApiServer(one, other)).toBe(true);
    },
  );

  it('do not share an API server where they believe nobody in common', () => {
    expect(mayShareApiServer(['one', 'two'], ['three'])).toBe(false);
  });
});
