import { expect, it } from 'vitest';
import { encodeTxn } from '../../../../src/consul/encode.ts';
import { type Commit, createCommits, type Write } from '../../../../src/operator/claims/commits.ts';
import { ConsulError, type TxnOp, type TxnResult } from '../../../../src/ports/consul.ts';
import { settle } from '../../../kit/fakes/clock.ts';
import { sessionId } from '../../../kit/fakes/ids.ts';

const aWrite = (key: string, bucket = '00', overrides: Partial<Write> = {}): Write => ({
  guard: { key: `buckets/${bucket}/.lock`, session: sessionId('s1') },
  lock: { key: `groups/${bucket}/.lock`, index: 7 },
  series: { key, index: 0 },
  value: '{}',
  ...overrides,
});

/** What so many may be under way at once: whatever comes after these goes together. */
const PLACES = 4;

/** The transactions that these went in, after others that were under way meanwhile; `outcomes`: of each, the last one's from then on. */
async function together(writes: readonly Write[], ...outcomes: readonly (() => TxnResult)[]) {
  const others = Promise.withResolvers<TxnResult>();
  const sent: (readonly TxnOp[])[] = [];
  const sizes: number[] = [];
  const commits = createCommits(
    {
      txn: async (ops) => {
        if (sizes.length <= PLACES) return await others.promise;
        sent.push(ops);
        return (outcomes[sent.length - 1] ?? outcomes.at(-1) ?? expect.fail('nothing was to be sent'))();
      },
    },
    (size) => sizes.push(size),
    new AbortController().signal,
  );
  for (let place = 0; place < PLACES; place += 1) void commits.commit(aWrite(`first ${place}`), false);
  const all = Promise.all(writes.map((write) => commits.commit(write, false)));
  await settle();
  others.resolve({ kind: 'rejected', rejections: [] });
  const heard: readonly Commit[] = await all;
  return { heard, sent, sizes: sizes.slice(PLACES), kinds: heard.map(({ kind }) => kind) };
}

const fails = (error: Error) => (): never => {
  throw error;
};

/** As Consul answers: an entry for each that was written. */
const made =
  (...keys: readonly string[]) =>
  (): TxnResult => ({
    kind: 'committed',
    entries: keys.map((key) => {
      return { key, value: '{}', isLock: true, session: null, createIndex: 9, modifyIndex: 9 };
    }),
  });

const refused =
  (...ops: readonly number[]) =>
  (): TxnResult => ({ kind: 'rejected', rejections: ops.map((op) => ({ op, reason: 'session-check', text: 'no' })) });

it.each<[string, () => TxnResult, Commit['kind']]>([
  ['Consul did not answer', fails(new ConsulError('unknown', 'no answer')), 'unknown'],
  ['a defect was met once it may have been sent', fails(new TypeError('undefined is no function')), 'unknown'],
  ['Consul says nothing of how they stand', () => ({ kind: 'committed', entries: [] }), 'unknown'],
  ['nothing was sent', fails(new ConsulError('unreachable', 'no connection')), 'failed'],
  ['Consul has refused them and gave no reason', () => ({ kind: 'rejected', rejections: [] }), 'failed'],
  ['Consul has refused an operation that there is not', refused(99), 'failed'],
])('where %s each claim that went along is told, whatever its bucket, and none is lost', async (_, outcome, kind) => {
  const { kinds, sizes } = await together([aWrite('a'), aWrite('b', '01')], outcome);
  expect(sizes).toEqual([2]);
  expect(kinds).toEqual([kind, kind]);
});

it('each bucket and each lock is checked once for all claims that rest on it, and each series by its own write', async () => {
  const report = aWrite('d', '01', { lock: null });
  const later = aWrite('c', '01', { lock: { key: 'groups/01/.lock', index: 8 } });
  const { sent } = await together([aWrite('a'), aWrite('b'), later, report], made('a', 'b', 'c', 'd'));
  const session = sessionId('s1');
  expect(sent).toEqual([
    [
      { verb: 'check-session', key: 'buckets/00/.lock', session },
      { verb: 'check-session', key: 'buckets/01/.lock', session },
      { verb: 'check-index', key: 'groups/00/.lock', index: 7 },
      { verb: 'check-index', key: 'groups/01/.lock', index: 8 },
      ...['a', 'b', 'c', 'd'].map((key) => ({ verb: 'cas', key, index: 0, value: '{}' })),
    ],
  ]);
});

it('claims of a bucket that was lost fail, and those of others that went along are made', async () => {
  const { heard, sizes, sent } = await together(
    [aWrite('a'), aWrite('b', '01'), aWrite('c', '02'), aWrite('d', '01')],
    refused(1),
    made('a', 'c'),
  );
  expect(sizes).toEqual([4, 2]);
  expect(heard).toMatchObject([
    { kind: 'committed', entry: { key: 'a' } },
    { kind: 'bucketLost' },
    { kind: 'committed', entry: { key: 'c' } },
    { kind: 'bucketLost' },
  ]);
  expect(sent[1]?.map(({ key }) => key)).toEqual([
    'buckets/00/.lock',
    'buckets/02/.lock',
    'groups/00/.lock',
    'groups/02/.lock',
    'a',
    'c',
  ]);
});

it('a replica that has got a bucket anew fails with the session that it had before, and only with that', async () => {
  const before = aWrite('a', '00', { guard: { key: 'buckets/00/.lock', session: sessionId('s0') } });
  const { kinds } = await together([before, aWrite('b')], refused(0), made('b'));
  expect(kinds).toEqual(['bucketLost', 'committed']);
});

it.each<[string, (at: number) => Write, readonly number[]]>([
  ['claims of one group', (at) => aWrite(`series ${at}`), [126, 24]],
  ['claims of groups and buckets of their own', (at) => aWrite(`series ${at}`, `${at}`), [42, 42, 42, 24]],
  ['reports', (at) => aWrite(`series ${at}`, '00', { lock: null }), [127, 23]],
])('as many %s go together as Consul takes operations', async (_, writeOf, expected) => {
  const writes = Array.from({ length: 150 }, (_, at) => writeOf(at));
  const { sizes, sent } = await together(writes, fails(new ConsulError('unreachable', 'no connection')));
  expect(sizes.toSorted((a, b) => b - a)).toEqual(expected);
  expect(Math.max(...sent.map((ops) => ops.length))).toBeLessThanOrEqual(128);
});

it('as many go together as Consul takes bytes, however long the names', async () => {
  const long = 'ü'.repeat(300);
  const value = JSON.stringify({ series: '\ud800'.repeat(200), pod: 'x'.repeat(253), more: 'x'.repeat(300) });
  const writes = Array.from({ length: 126 }, (_, at) => aWrite(`${long} ${at}`, '00', { value }));
  const { sent } = await together(writes, fails(new ConsulError('unreachable', 'no connection')));
  expect(sent).toHaveLength(1);
  expect(Buffer.byteLength(encodeTxn(sent[0] ?? []))).toBeLessThan(512 * 1024);
});

it('two claims of one series never go together: the second one would find the first', async () => {
  const { sizes } = await together([aWrite('a'), aWrite('a')], made('a'));
  expect(sizes).toEqual([1, 1]);
});
