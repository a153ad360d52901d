import { expect, it } from 'vitest';
import { type Commit, createCommits, type Write } from '../../../../src/operator/claims/commits.ts';
import { ConsulError, type TxnResult } from '../../../../src/ports/consul.ts';
import { settle } from '../../../kit/fakes/clock.ts';
import { sessionId } from '../../../kit/fakes/ids.ts';

const aWrite = (key: string): Write => ({
  guard: { key: 'buckets/00/.lock', session: sessionId('s1') },
  lock: { key: 'groups/00/.lock', index: 7 },
  series: { key, index: 0 },
  value: '{}',
});

/** Two writes in one transaction, after a first one that is under way meanwhile. */
async function together(outcome: () => TxnResult): Promise<readonly Commit[]> {
  const first = Promise.withResolvers<TxnResult>();
  const sizes: number[] = [];
  const commits = createCommits(
    { txn: () => (sizes.length === 1 ? first.promise : Promise.resolve().then(outcome)) },
    (writes) => sizes.push(writes),
    new AbortController().signal,
  );
  void commits.commit(aWrite('first'), false);
  const both = Promise.all([commits.commit(aWrite('a'), false), commits.commit(aWrite('b'), false)]);
  await settle();
  first.resolve({ kind: 'rejected', rejections: [] });
  const settled = await both;
  expect(sizes).toEqual([1, 2]);
  return settled;
}

const fails = (error: Error) => (): never => {
  throw error;
};

it.each<[string, () => TxnResult, Commit['kind']]>([
  ['Consul did not answer', fails(new ConsulError('unknown', 'no answer')), 'unknown'],
  ['a defect was met once it may have been sent', fails(new TypeError('undefined is no function')), 'unknown'],
  ['Consul says nothing of how they stand', () => ({ kind: 'committed', entries: [] }), 'unknown'],
  ['nothing was sent', fails(new ConsulError('unreachable', 'no connection')), 'failed'],
  ['Consul has refused them and gave no reason', () => ({ kind: 'rejected', rejections: [] }), 'failed'],
])('claims that went together are %s: each is told, and none is lost', async (_, outcome, kind) => {
  expect((await together(outcome)).map((commit) => commit.kind)).toEqual([kind, kind]);
});
