/**
 * What deleted groups leave in Consul has an end: a record without a group is marked with the time at which that was found, kept for
 * thirty days, and removed once a new group would count on above it anyway (tokenFloor).
 */
import { groupOfKey, type KeySpace } from '../election/keys.ts';
import type { Ownership } from '../election/observation.ts';
import { formatRecord, type LockRecord, parseRecord } from '../election/record.ts';
import { tokenFloor } from '../election/token.ts';
import type { Clock, Random } from '../ports/clock.ts';
import { type Consul, ConsulError, type KvEntry, type TxnOp } from '../ports/consul.ts';
import { type Kubernetes, KubernetesError } from '../ports/kubernetes.ts';
import type { Log } from '../ports/log.ts';
import { aborted } from './aborted.ts';
import type { Locks } from './locks.ts';
import type { Store } from './store.ts';

const EVERY_MS = 3_600_000;
const KEPT_MINUTES = 30 * 24 * 60;
/** Of one sweep: the rest has time until the next. */
const AT_ONCE = 100;

export type TombstoneOptions = {
  readonly consul: Pick<Consul, 'txn'>;
  readonly kubernetes: Pick<Kubernetes, 'getGroup'>;
  readonly locks: Pick<Locks, 'entries'>;
  readonly store: Pick<Store, 'group'>;
  readonly ownership: (group: { readonly namespace: string; readonly name: string }) => Ownership;
  readonly space: KeySpace;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
};

/** Once an hour, until `signal` aborts. Nothing is written where there is nothing to mark or to remove. */
export async function sweepTombstones(options: TombstoneOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, log } = options;
  while (!signal.aborted) {
    await clock.sleep(EVERY_MS * (1 - random.next() / 10), signal).catch(() => undefined);
    if (aborted(signal)) return;
    await sweepOnce(options, signal).catch((error: unknown) => {
      if (aborted(signal)) return;
      if (!(error instanceof ConsulError) && !(error instanceof KubernetesError)) throw error;
      log.debug({ reason: error.message }, 'what deleted groups left in Consul is looked at again in an hour');
    });
  }
}

/** Throws ConsulError and KubernetesError; what was done by then stands. */
export async function sweepOnce(options: TombstoneOptions, signal: AbortSignal): Promise<void> {
  const left = options.locks.entries().flatMap((entry) => leftBehind(options, entry) ?? []);
  for (const each of left.slice(0, AT_ONCE)) await settle(options, each, signal);
}

type Left = { readonly entry: KvEntry; readonly record: LockRecord; readonly namespace: string; readonly name: string };

/** A record below our own prefix of a group that no watch shows and that nobody holds. */
function leftBehind({ space, store, clock }: TombstoneOptions, entry: KvEntry): Left | null {
  const key = groupOfKey(space, entry.key);
  if (key === null || store.group(key) !== null || entry.session !== null) return null;
  const record = parseRecord(entry.value);
  if (record === null || (record.deleted !== undefined && !mayGo(record, record.deleted, minutes(clock)))) return null;
  const [namespace = '', name = ''] = key.split('/');
  return { entry, record, namespace, name };
}

const minutes = (clock: Clock): number => Math.floor(clock.wallMs() / 60_000);

const mayGo = ({ token }: LockRecord, deleted: number, now: number): boolean =>
  now - deleted >= KEPT_MINUTES && tokenFloor(now) > token;

/** A cache may lag: only a read says that the group is gone. The transaction is void if anything has changed since. */
async function settle(
  options: TombstoneOptions,
  { entry, record, namespace, name }: Left,
  signal: AbortSignal,
): Promise<void> {
  const ownership = options.ownership({ namespace, name });
  if (ownership.kind !== 'owned' || (await options.kubernetes.getGroup(namespace, name, signal)) !== null) return;
  const { key, modifyIndex: index } = entry;
  const guards: readonly TxnOp[] = [
    { verb: 'check-session', key: ownership.fence.key, session: ownership.fence.session },
    { verb: 'check-index', key, index },
  ];
  const marked = { ...record, deleted: minutes(options.clock) };
  const change: TxnOp =
    record.deleted === undefined ? { verb: 'set', key, value: formatRecord(marked) } : { verb: 'delete', key };
  await options.consul.txn([...guards, change], signal);
}
