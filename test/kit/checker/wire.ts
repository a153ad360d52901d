/**
 * What one operator sent and when, as proxies in front of both servers saw it: one clock and every request, so the
 * order that the promises speak of can be checked itself and not only its traces.
 */
import { type Breach, type PromiseName, podName } from './breach.ts';
import { fencedKey, tokenKey } from './groups.ts';
import { groupKey, type WatchedGroup } from './history.ts';
import { readRecord, type SeenRecord } from './locks.ts';

/** One request and what was answered, as a proxy saw it. Times of one monotonic clock, in milliseconds; null: never. */
export type Seen = {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly receivedMs: number;
  readonly forwardedMs: number | null;
  readonly answeredMs: number | null;
  readonly status: number | null;
  readonly answer: string | null;
};

export type Wire = { readonly kubernetes: readonly Seen[]; readonly consul: readonly Seen[] };

type Op = { readonly Verb: string; readonly Key: string; readonly Session?: string; readonly Value?: string };

/** A transaction that touches the group's lock. */
type LockTxn = { readonly exchange: Seen; readonly ops: readonly Op[]; readonly record: SeenRecord | null };

type PodPatch = {
  readonly exchange: Seen;
  readonly name: string;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly labels: Readonly<Record<string, string | null>>;
  readonly annotations: Readonly<Record<string, string | null>>;
};

/** Breaches of one group by one operator. Throws when the wire shows no transaction on its lock: nothing was checked. */
export function checkWire(wire: Wire, group: WatchedGroup): readonly Breach[] {
  const txns = wire.consul.flatMap((exchange) => lockTxn(exchange, group) ?? []);
  if (txns.length === 0) throw new Error(`the wire shows no transaction on ${group.lockKey}`);
  const patches = wire.kubernetes.flatMap((exchange) => podPatch(exchange, group) ?? []);
  return [
    ...txns.flatMap((txn) => fenceless(txn, group)),
    ...patches.flatMap((patch) => imprecise(patch, group)),
    ...patches
      .filter((patch) => patch.labels[group.labelKey] === group.leaderValue)
      .flatMap((patch) => unverified(patch, txns, group)),
    ...txns.flatMap((txn) => tooEarly(txn, txns, wire, patches, group)),
  ];
}

function lockTxn(exchange: Seen, group: WatchedGroup): LockTxn | null {
  if (exchange.method !== 'PUT' || !exchange.path.startsWith('/v1/txn')) return null;
  const ops = (JSON.parse(exchange.body) as readonly { readonly KV: Op }[]).map((op) => op.KV);
  const writes = ops.filter((op) => ['lock', 'unlock', 'set', 'cas', 'delete'].includes(op.Verb));
  if (!writes.some((op) => op.Key === group.lockKey)) return null;
  const value = writes.findLast((op) => op.Key === group.recordKey)?.Value;
  const text = value === undefined ? null : Buffer.from(value, 'base64').toString('utf8');
  return { exchange, ops, record: readRecord(text) };
}

function podPatch(exchange: Seen, group: WatchedGroup): PodPatch | null {
  const match = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/?]+)(\?|$)/.exec(exchange.path);
  if (exchange.method !== 'PATCH' || match?.[1] !== group.namespace) return null;
  const { metadata = {} } = JSON.parse(exchange.body) as { readonly metadata?: Partial<PodPatch> };
  const { uid, resourceVersion, labels = {}, annotations = {} } = metadata;
  return { exchange, name: match[2] ?? '', uid, resourceVersion, labels, annotations };
}

/** Rule (c): every transaction on a lock begins with the bucket's session and the index of the entry it was planned with. */
function fenceless({ exchange, ops }: LockTxn, group: WatchedGroup): readonly Breach[] {
  const [first] = ops;
  const bucket = first?.Verb === 'check-session' && /\/buckets\/[0-9a-f]{2}\/\.lock$/.test(first.Key);
  const at = ops.findIndex((op) => op.Key === group.lockKey && ['check-index', 'check-not-exists'].includes(op.Verb));
  const write = ops.findIndex(
    (op) => op.Key === group.lockKey && ['lock', 'unlock', 'set', 'cas', 'delete'].includes(op.Verb),
  );
  return [
    ...(bucket
      ? []
      : [found(group, 'I1', exchange, "a transaction on the lock does not begin with the bucket's session")]),
    ...(at >= 0 && at < write
      ? []
      : [found(group, 'I1', exchange, 'a transaction on the lock does not check its index')]),
  ];
}

/** I6: every patch names the pod's uid, and every promotion its resourceVersion. */
function imprecise(patch: PodPatch, group: WatchedGroup): readonly Breach[] {
  const ours = [group.labelKey, tokenKey(group), fencedKey(group)];
  const touches = [...Object.keys(patch.labels), ...Object.keys(patch.annotations)].some((key) => ours.includes(key));
  if (!touches) return [];
  const promotes = patch.labels[group.labelKey] === group.leaderValue;
  return [
    ...(patch.uid === undefined ? [found(group, 'I6', patch.exchange, `a patch of ${patch.name} names no uid`)] : []),
    ...(promotes && patch.resourceVersion === undefined
      ? [found(group, 'I1', patch.exchange, `a promotion of ${patch.name} names no resourceVersion`)]
      : []),
  ];
}

/** I2: when a promotion is sent, the last committed transaction on the lock gave it to this very pod with this very token. */
function unverified(patch: PodPatch, txns: readonly LockTxn[], group: WatchedGroup): readonly Breach[] {
  const last = txns.findLast(
    ({ exchange }) =>
      exchange.status === 200 && (exchange.answeredMs ?? Number.POSITIVE_INFINITY) <= patch.exchange.receivedMs,
  );
  const token = Number(patch.annotations[tokenKey(group)]);
  const proof = last?.record?.podUid === patch.uid && last?.record?.token === token && locks(last, group);
  return proof
    ? []
    : [
        found(
          group,
          'I2',
          patch.exchange,
          `${patch.name} was promoted with token ${token} without a transaction that proves it`,
        ),
      ];
}

const locks = (txn: LockTxn | undefined, group: WatchedGroup): boolean =>
  txn?.ops.some((op) => op.Verb === 'lock' && op.Key === group.lockKey) === true;

/** I4: the fencing patch of the last holder was acknowledged, and sent after the index was known, when the lock is asked to move. */
function tooEarly(
  txn: LockTxn,
  txns: readonly LockTxn[],
  wire: Wire,
  patches: readonly PodPatch[],
  group: WatchedGroup,
): readonly Breach[] {
  const holder = holderBefore(txn, txns);
  const uid = holder?.record.podUid;
  if (holder === undefined || !uid || !locks(txn, group) || uid === txn.record?.podUid) return [];
  const knownMs = holder.exchange.forwardedMs ?? holder.exchange.receivedMs;
  const answered = ({ answeredMs }: Seen): boolean => answeredMs !== null && answeredMs <= txn.exchange.receivedMs;
  const fenced = patches.some(
    (patch) =>
      patch.uid === uid && fences(patch, group) && patch.exchange.receivedMs >= knownMs && answered(patch.exchange),
  );
  const name = holder.record.podName ?? uid;
  if (fenced || wire.kubernetes.some((exchange) => answered(exchange) && provesGone(exchange, group, name, uid)))
    return [];
  const message = `the lock was asked to leave ${podName({ name, uid })} before it was fenced`;
  return [found(group, 'I4', txn.exchange, message)];
}

/** The last committed transaction before this one that left a record. */
const holderBefore = (
  txn: LockTxn,
  txns: readonly LockTxn[],
): (LockTxn & { readonly record: SeenRecord }) | undefined =>
  txns.findLast(
    (other): other is LockTxn & { readonly record: SeenRecord } =>
      other.record !== null && other.exchange.status === 200 && other.exchange.receivedMs < txn.exchange.receivedMs,
  );

const fences = (patch: PodPatch, group: WatchedGroup): boolean =>
  typeof patch.annotations[fencedKey(group)] === 'string' && patch.exchange.status === 200;

/** Any request for the pod by its name that was not found, or a read that shows another uid. A uid never comes back. */
function provesGone({ method, path, status, answer }: Seen, group: WatchedGroup, name: string, uid: string): boolean {
  if (path.split('?')[0] !== `/api/v1/namespaces/${group.namespace}/pods/${name}`) return false;
  return status === 404 || (method === 'GET' && status === 200 && answer?.includes(uid) === false);
}

const found = (group: WatchedGroup, promise: PromiseName, exchange: Seen, message: string): Breach => ({
  promise,
  group: groupKey(group),
  resourceVersion: null,
  index: null,
  pods: [],
  message: `${message} (${exchange.method} ${exchange.path} at ${exchange.receivedMs.toFixed(0)} ms)`,
});
