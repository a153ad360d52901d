/**
 * The floor under a failover's time: the three requests that no election can do without, one after the other, by the same
 * kind of client, on pods and a lock that no group knows.
 */
import { MERGE_PATCH, type Rest } from './rest.ts';
import type { World } from './world.ts';

export type Floor = {
  /** One demote PATCH, one handover transaction, one promote PATCH. Resolves with the milliseconds they took. */
  handOver(): Promise<number>;
};

type Side = { readonly name: string; readonly uid: string; version: string; readonly session: string };
type Patched = { readonly metadata: { readonly resourceVersion: string } };
type TxnAnswer = {
  readonly Results: readonly { readonly KV: { readonly Key: string; readonly ModifyIndex: number } }[];
};

const FENCE = 'floor/bucket/.lock';
const LOCK = 'floor/group/.lock';
const encoded = (text: string): string => Buffer.from(text).toString('base64');

export async function openFloor(world: World, consul: Rest, namespace: string): Promise<Floor> {
  const session = async (): Promise<string> => {
    const body = { TTL: '600s', LockDelay: '0s', Behavior: 'release' };
    return (await consul.must<{ readonly ID: string }>('PUT', '/v1/session/create', body)).ID;
  };
  const txn = async (ops: readonly object[]): Promise<TxnAnswer> =>
    await consul.must('PUT', '/v1/txn', JSON.stringify(ops.map((KV) => ({ KV }))));
  const lock = (key: string, holder: string, value: string) => ({
    Verb: 'lock',
    Key: key,
    Session: holder,
    Value: encoded(value),
  });
  const sideOf = async (name: string): Promise<Side> => {
    const { metadata } = await world.pod({ namespace, name, labels: { app: 'floor' } });
    return { name, uid: metadata.uid, version: metadata.resourceVersion, session: await session() };
  };
  const patch = async (side: Side, role: string | null, note: string | null): Promise<void> => {
    const metadata = {
      uid: side.uid,
      resourceVersion: side.version,
      labels: { 'example.com/floor': role },
      annotations: { 'example.com/floor': note },
    };
    const path = `/api/v1/namespaces/${namespace}/pods/${side.name}?fieldManager=floor`;
    side.version = (await world.rest.must<Patched>('PATCH', path, { metadata }, MERGE_PATCH)).metadata.resourceVersion;
  };

  const bucket = await session();
  let [leader, next] = [await sideOf('floor-0'), await sideOf('floor-1')];
  let count = 0;
  const first = await txn([lock(FENCE, bucket, ''), lock(LOCK, leader.session, '0')]);
  let index = first.Results.find(({ KV }) => KV.Key === LOCK)?.KV.ModifyIndex ?? 0;
  return {
    handOver: async () => {
      count += 1;
      const value = JSON.stringify({ v: 1, holder: { uid: next.uid, pod: next.name }, token: count });
      const startedMs = performance.now();
      await patch(leader, null, `guard-${count}`);
      const { Results } = await txn([
        { Verb: 'check-session', Key: FENCE, Session: bucket },
        { Verb: 'check-index', Key: LOCK, Index: index },
        { Verb: 'unlock', Key: LOCK, Session: leader.session, Value: encoded(value) },
        lock(LOCK, next.session, value),
      ]);
      await patch(next, 'leader', null);
      const tookMs = performance.now() - startedMs;
      index = Results.at(-1)?.KV.ModifyIndex ?? 0;
      [leader, next] = [next, leader];
      return tookMs;
    },
  };
}
