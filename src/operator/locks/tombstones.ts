/**
 * What deleted groups leave in Consul has an end: a record without a group is marked with the time at which that was found, kept for
 * thirty days, and removed once a new group would count on above it anyway (tokenFloor); or once a group of the name, with a lockKey where
 * the earlier one had none or without one, has a record above it. With the last record of a name goes what was claimed in its groups.
 */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { claimsPrefix, groupOfKey, type KeySpace } from '../../election/keys.ts';
import type { KeyVersion, Ownership } from '../../election/observation.ts';
import { formatRecord, type LockRecord, parseRecord } from '../../election/record.ts';
import { tokenFloor } from '../../election/token.ts';
import type { Clock, Random } from '../../ports/clock.ts';
import { type Consul, ConsulError, type KvEntry, type TxnOp } from '../../ports/consul.ts';
import { type Kubernetes, KubernetesError } from '../../ports/kubernetes.ts';
import type { Log } from '../../ports/log.ts';
import type { Store } from '../cache/store.ts';
import { aborted } from '../common/aborted.ts';
import type { Locks } from './locks.ts';

const EVERY_MS = 3_600_000;
const KEPT_MINUTES = 30 * 24 * 60;
/** Of one sweep: the rest has time until the next. */
const AT_ONCE = 2000;
/** The API server or Consul is away: the rest has time until the next sweep. */
const FAILURES_IN_A_ROW = 3;
/** Consul takes 64 operations in one transaction; two or three of them are checks. */
const CLAIMS_TOGETHER = 60;
/** Between the clocks of two replicas. */
const SKEW_MINUTES = 60;

export type TombstoneOptions = {
  readonly consul: Pick<Consul, 'txn' | 'listKeys'>;
  readonly kubernetes: Pick<Kubernetes, 'getGroup'>;
  readonly locks: Pick<Locks, 'entries' | 'keysOf' | 'view'>;
  readonly store: Pick<Store, 'group'>;
  /** A group of this key that no watch shows is not there, but for what a cache may lag behind. */
  readonly known: (key: string) => boolean;
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
      log.debug({ reason: error.message }, 'cleaning up records of deleted groups failed; retrying within an hour');
    });
  }
}

/** Throws ConsulError and KubernetesError once several in a row have failed; what was done by then stands. */
export async function sweepOnce(options: TombstoneOptions, signal: AbortSignal): Promise<void> {
  let failures = 0;
  for (const each of inTurn(options)) {
    try {
      await cleanUp(options, each, signal);
      failures = 0;
    } catch (error) {
      failures += 1;
      if (aborted(signal) || !isFailure(error) || failures === FAILURES_IN_A_ROW) throw error;
    }
  }
}

const isFailure = (error: unknown): boolean => error instanceof ConsulError || error instanceof KubernetesError;

/** From anywhere on: those that cannot be settled do not hide the others for good. */
function inTurn(options: TombstoneOptions): readonly Left[] {
  const entries = options.locks.entries();
  const records = countBy(entries.map(({ key }) => groupOfKey(options.space, key)));
  const left = entries.flatMap((entry) => leftBehind(options, entry, records) ?? []);
  const first = Math.floor(options.random.next() * left.length);
  return [...left.slice(first), ...left.slice(0, first)].slice(0, AT_ONCE);
}

/** A group has two at most, one with a lockKey and one without. */
function countBy(names: readonly (string | null)[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) if (name !== null) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/**
 * What is to be done about one that was left. `successor`: the record that remembers more, at this version; null: no group is there. `isLast`:
 * nothing else will be known of the name once it is removed.
 */
type Left = {
  readonly group: { readonly namespace: string; readonly name: string };
  readonly entry: KvEntry;
  readonly change: TxnOp;
  readonly successor: KeyVersion | null;
  readonly isLast: boolean;
};

/**
 * A record below our own prefix that nobody holds, of a group that no watch shows, or of an earlier one with another lockKey. `records`: how many
 * there are of each name.
 */
function leftBehind(options: TombstoneOptions, entry: KvEntry, records: ReadonlyMap<string, number>): Left | null {
  const name = groupOfKey(options.space, entry.key);
  const record = parseRecord(entry.value);
  if (name === null || record === null || entry.session !== null || !options.known(name)) return null;
  const shown = options.store.group(name);
  if (shown !== null) return shown.kind === 'valid' ? succeeded(options.locks, shown.group, entry, record) : null;
  const change = changeByTime(entry.key, record, Math.floor(options.clock.wallMs() / 60_000));
  const [namespace = '', group = ''] = name.split('/');
  if (change === null) return null;
  const isLast = change.verb === 'delete' && records.get(name) === 1;
  return { group: { namespace, name: group }, entry, change, successor: null, isLast };
}

/** Whatever group of the name there will be looks at both records: the lower one says nothing. */
function succeeded(
  locks: TombstoneOptions['locks'],
  group: LeaderGroup,
  entry: KvEntry,
  record: LockRecord,
): Left | null {
  const keys = locks.keysOf(group);
  const lock = locks.view(group);
  const successor = lock?.versions.find(({ key }) => key === (keys.record ?? keys.lock)) ?? null;
  if (keys.earlier !== entry.key || successor === null || (lock?.record?.token ?? 0) <= record.token) return null;
  return { group, entry, change: { verb: 'delete', key: entry.key }, successor, isLast: false };
}

/** `now`: whole minutes since 1970. A mark from the future was set by a clock that was wrong. */
function changeByTime(key: string, record: LockRecord, now: number): TxnOp | null {
  const { token, deleted } = record;
  if (deleted === undefined || deleted > now + SKEW_MINUTES)
    return { verb: 'set', key, value: formatRecord({ ...record, deleted: now }) };
  return now - deleted >= KEPT_MINUTES && tokenFloor(now * 60) > token ? { verb: 'delete', key } : null;
}

/** A cache may lag: only a read says that a group is gone. The transaction is void if anything has changed since. */
async function cleanUp(options: TombstoneOptions, left: Left, signal: AbortSignal): Promise<void> {
  const { entry, group, successor, isLast } = left;
  const ownership = options.ownership(group);
  if (ownership.kind !== 'owned') return;
  const gone = async () => (await options.kubernetes.getGroup(group.namespace, group.name, signal)) === null;
  if (successor === null && !(await gone())) return;
  const seen = [{ key: entry.key, index: entry.modifyIndex }, ...(successor === null ? [] : [successor])];
  const guards = seen.map(({ key, index }): TxnOp => ({ verb: 'check-index', key, index }));
  const checks: readonly TxnOp[] = [{ verb: 'check-session', ...ownership.guard }, ...guards];
  if (isLast && !(await removeClaims(options, group, checks, signal))) return;
  await options.consul.txn([...checks, left.change], signal);
}

/**
 * Nothing can be claimed while the record stands as it was seen: its lock is free then. So the claims go first, and what is left of them when it
 * fails half-way goes with the next sweep. False: something has changed, and the record stays.
 */
async function removeClaims(
  { consul, space }: TombstoneOptions,
  group: Left['group'],
  checks: readonly TxnOp[],
  signal: AbortSignal,
): Promise<boolean> {
  const keys = await consul.listKeys(claimsPrefix(space, group), signal);
  for (let first = 0; first < keys.length; first += CLAIMS_TOGETHER) {
    const deletions = keys.slice(first, first + CLAIMS_TOGETHER).map((key): TxnOp => ({ verb: 'delete', key }));
    const { kind } = await consul.txn([...checks, ...deletions], signal);
    if (kind === 'rejected') return false;
  }
  return true;
}
