/**
 * One incarnation of a replica: from its session's opening to its end it shares the buckets with the others. Watches and timers only
 * ring; each round reads all bucket locks consistently and does what follows from them and from who is there.
 */

import { backoffMs } from '../../common/backoff.ts';
import { bucketOf, bucketsPrefix, replicasPrefix } from '../../election/keys.ts';
import { desiredOwners } from '../../election/placement.ts';
import type { LiveReplica } from '../../election/replicas.ts';
import type { KvSnapshot, TxnOp } from '../../ports/consul.ts';
import { aborted } from '../common/aborted.ts';
import { inParallel } from '../common/in-parallel.ts';
import { watchPrefix } from '../locks/prefix-watch.ts';
import { RETRY_BACKOFF } from '../reconcile/queue.ts';
import type { Renewal } from '../sessions/renewal.ts';
import { ALL_BUCKETS } from './bucket-locks.ts';
import type { Incarnation } from './incarnation.ts';
import { listOwnNode, ofAnotherApiServer, otherApiServer, register } from './membership.ts';
import { moveAway, nextMoveMs, UNREAD } from './moves.ts';
import type { OwnershipOptions } from './options.ts';

/** A bucket that nobody has taken for so long may be taken by anyone: its desired owner does not. */
const FREE_MS = 2000;
/** A watch whose connection died unnoticed hides a bucket that was passed to this replica: it is asked anew so often. */
const WAIT_MS = 5000;
const ADOPTIONS_AT_ONCE = 16;

/** Until `signal` aborts. `problem` gets what keeps a round from its end, and with null when one got there. */
export async function shareBuckets(
  options: OwnershipOptions,
  incarnation: Incarnation,
  problem: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const { wakeSignal, registry } = incarnation;
  const watches = [
    watchChanges(options, bucketsPrefix(options.space), { changed: wakeSignal.ring, problem }, signal),
    watchChanges(
      options,
      replicasPrefix(options.space),
      {
        changed: (snapshot) => {
          // Who has a bucket is known by its session: whose that is may just have been learnt.
          if (registry.update(snapshot)) options.ownersChanged(new Set(ALL_BUCKETS));
          wakeSignal.ring();
        },
        unchanged: () => {
          if (!saysSame(incarnation.reported, saidNow(options))) wakeSignal.ring();
        },
        problem,
      },
      signal,
    ),
  ];
  wakeSignal.ring();
  for (let failures = 0; !signal.aborted; ) {
    await wakeSignal.rung(signal);
    if (aborted(signal)) break;
    try {
      await round(options, incarnation, signal);
      failures = 0;
      problem(null);
    } catch (error) {
      if (aborted(signal)) break;
      problem(error);
      failures += 1;
      wakeSignal.notifyAfter(backoffMs(failures + 1, RETRY_BACKOFF, options.random.next()));
    }
  }
  await Promise.all(watches);
}

type Watcher = {
  readonly changed: (snapshot: KvSnapshot) => void;
  /** A read whose time was over. */
  readonly unchanged?: () => void;
  readonly problem: (error: unknown) => void;
};

/** A read whose time is over without a change is nothing to look into; the first answer after an error is. */
function watchChanges(
  options: OwnershipOptions,
  prefix: string,
  { changed, unchanged, problem }: Watcher,
  signal: AbortSignal,
): Promise<void> {
  let seen: number | null = null;
  const onSnapshot = (snapshot: KvSnapshot): void => {
    if (snapshot.index === seen) return unchanged?.();
    seen = snapshot.index;
    changed(snapshot);
  };
  const onError = (error: unknown): void => {
    seen = null;
    problem(error);
  };
  return watchPrefix(options, prefix, { onSnapshot, onError, waitMs: WAIT_MS }, signal);
}

async function round(options: OwnershipOptions, incarnation: Incarnation, signal: AbortSignal): Promise<void> {
  await report(options, incarnation, signal);
  if (!incarnation.registry.known()) return;
  giveWay(options, incarnation);
  if (aborted(signal)) return;
  const askedMs = options.clock.nowMs();
  noteOwners(options, incarnation, await incarnation.locks.read(signal));
  for (const bucket of ALL_BUCKETS) if (!holds(incarnation, bucket)) incarnation.shownElsewhere.set(bucket, askedMs);
  const owners = desiredOwners(everyone(options, incarnation));
  const confirmed = await confirm(incarnation, options, signal);
  await takeFree(options, incarnation, owners, signal);
  const mine = ALL_BUCKETS.filter((bucket) => holds(incarnation, bucket));
  for (const bucket of incarnation.buckets.all()) if (!mine.includes(bucket)) incarnation.buckets.close(bucket);
  await openBuckets(options, incarnation, mine, signal);
  if (confirmed === 'confirmed') incarnation.wakeSignal.ring();
  else await moveAway(options, incarnation, owners, signal);
  await forgetLeft(options, incarnation, signal);
  lookAgain(options, incarnation, owners);
}

function noteOwners({ ownersChanged }: OwnershipOptions, incarnation: Incarnation, seen: Incarnation['seen']): void {
  const before = incarnation.seen;
  incarnation.seen = seen;
  const other = ALL_BUCKETS.filter((bucket) => before.get(bucket)?.session !== seen.get(bucket)?.session);
  if (other.length > 0) ownersChanged(new Set(other));
}

const holds = ({ seen, own }: Incarnation, bucket: number): boolean => seen.get(bucket)?.session === own.id;

/**
 * The others know of this replica, of whether it reaches the API server, and by which certificates it knows that. What its entry says counts, not only what was sent: an
 * answer may have been lost, and the request have arrived late.
 */
async function report(options: OwnershipOptions, incarnation: Incarnation, signal: AbortSignal): Promise<void> {
  const { registry, own, membership } = incarnation;
  const now = saidNow(options);
  const shown = registry.live().find(({ session }) => session === own.id) ?? null;
  if (saysSame(incarnation.reported, now) && (!registry.known() || saysSame(shown, now))) return;
  await register(options.consul, options, { ...membership, ...now }, signal);
  incarnation.reported = now;
}

type Said = Pick<LiveReplica, 'reachesApiServer' | 'authorities'>;

const saidNow = ({ reachesApiServer, authorities }: OwnershipOptions): Said => ({
  reachesApiServer: reachesApiServer(),
  authorities: authorities?.() ?? [],
});

const saysSame = (said: Said | null, now: Said): boolean =>
  said?.reachesApiServer === now.reachesApiServer && said.authorities.join() === now.authorities.join();

/** Two that joined at once have not seen each other then: the later one goes, and waits where joining begins. */
function giveWay(options: OwnershipOptions, { registry, membership, end }: Incarnation): void {
  const other = ofAnotherApiServer(registry.live(), options);
  if (other === undefined) return;
  const earlier = other.sinceMs - membership.sinceMs || (other.id < options.replica.id ? -1 : 1);
  if (earlier < 0) end(otherApiServer(options, other));
}

/** Those that the watch has told of, and this one, of which it may not have told yet. */
function everyone(
  { replica }: OwnershipOptions,
  { registry, own, membership, reported: told }: Incarnation,
): readonly LiveReplica[] {
  const others = registry.live().filter(({ id }) => id !== replica.id);
  const itself = {
    session: own.id,
    reachesApiServer: told?.reachesApiServer ?? true,
    sinceMs: membership.sinceMs,
    routes: true,
  };
  return [...others, { ...replica, ...itself, namespaces: replica.namespaces ?? null, authorities: [] }];
}

/**
 * Past its deadline a replica believes its own locks only after it has locked them again; and a move of which no answer came
 * is made void the same way. It may have been committed, and the bucket have come back since: whoever had it meanwhile gave grants and
 * opened sessions, so it is closed here and opened anew.
 */
async function confirm(
  incarnation: Incarnation,
  options: OwnershipOptions,
  signal: AbortSignal,
): Promise<'confirmed' | 'no need'> {
  const { own, buckets, locks } = incarnation;
  const mine = ALL_BUCKETS.filter((bucket) => holds(incarnation, bucket));
  const undecided = mine.filter((bucket) => buckets.state(bucket) === 'leaving');
  if (mine.length === 0 || (own.proven() && undecided.length === 0)) return 'no need';
  // It would prove nothing, and its own writes would ring for the next one; the renewal that ends this rings.
  if (options.clock.nowMs() >= own.deadlineMs()) return 'no need';
  if (!(await locks.confirm(own.id, mine, signal))) throw new Error('a bucket was lost while it was confirmed');
  own.prove();
  for (const bucket of undecided) buckets.close(bucket);
  options.adopted(new Set(mine.filter((bucket) => buckets.state(bucket) === 'owned')));
  return 'confirmed';
}

/** Past its deadline a replica is proven by `confirm` only, which looks at all that it has and wakes their groups; the round after this one does. */
async function takeFree(
  options: OwnershipOptions,
  incarnation: Incarnation,
  owners: ReadonlyMap<number, LiveReplica>,
  signal: AbortSignal,
): Promise<void> {
  const { own, locks, freeSince, seen } = incarnation;
  const nowMs = options.clock.nowMs();
  const free = ALL_BUCKETS.filter((bucket) => seen.get(bucket)?.session == null);
  for (const bucket of freeSince.keys()) if (!free.includes(bucket)) freeSince.delete(bucket);
  for (const bucket of free) if (!freeSince.has(bucket)) freeSince.set(bucket, nowMs);
  const wanted = free.filter(
    (bucket) => owners.get(bucket)?.session === own.id || nowMs - (freeSince.get(bucket) ?? nowMs) >= FREE_MS,
  );
  const taken = new Set(await locks.take(own.id, wanted, signal));
  if (taken.size === 0) return;
  for (const bucket of taken) freeSince.delete(bucket);
  const got = [...taken].map((bucket) => [bucket, { session: own.id, index: UNREAD }] as const);
  noteOwners(options, incarnation, new Map([...seen, ...got]));
  if (!own.proven()) incarnation.wakeSignal.ring();
}

async function openBuckets(
  options: OwnershipOptions,
  { own, buckets, shownElsewhere }: Incarnation,
  mine: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  const fresh = new Set(mine.filter((bucket) => ['adopting', 'lapsed', null].includes(buckets.state(bucket))));
  if (fresh.size === 0) return;
  options.got(new Set([...fresh].filter((bucket) => buckets.state(bucket) !== 'adopting')));
  for (const bucket of fresh) buckets.adopt(bucket, shownElsewhere.get(bucket) ?? options.clock.nowMs());
  await options.opened(fresh);
  await adoptSessions(options, own, fresh, signal);
  for (const bucket of fresh) buckets.set(bucket, 'owned');
  options.adopted(fresh);
  options.metrics.bucketsMoved('taken', fresh.size);
  const { log, sessionManager } = options;
  log.info({ buckets: fresh.size, sessions: sessionManager.count() }, 'acquired buckets and adopted their sessions');
}

/**
 * Listed after the buckets are ours: whoever owned them before cannot open or lock with another one since. Those of leaders are renewed first: where
 * there are tens of thousands, and the last owner died a while ago, it may matter which come last.
 */
async function adoptSessions(
  { consul, space, sessionManager, holders }: OwnershipOptions,
  own: Renewal,
  some: ReadonlySet<number>,
  signal: AbortSignal,
): Promise<void> {
  const sessions = await listOwnNode(consul, space, own.id, signal);
  const ours = sessions.filter(({ name }) => {
    const [namespace, group] = name.split('/');
    return group !== undefined && some.has(bucketOf(namespace ?? '', group));
  });
  const holding = holders();
  const inOrder = [...ours.filter(({ id }) => holding.has(id)), ...ours.filter(({ id }) => !holding.has(id))];
  await inParallel(inOrder, ADOPTIONS_AT_ONCE, (session) =>
    sessionManager.adopt(session, signal, { spare: !holding.has(session.id) }),
  );
}

/** Entries of replicas that are gone are removed by the first of the living, so that they do not pile up. */
async function forgetLeft(
  options: OwnershipOptions,
  { registry, own }: Incarnation,
  signal: AbortSignal,
): Promise<void> {
  const left = registry.left();
  if (left.length === 0 || registry.live()[0]?.session !== own.id) return;
  for (const { key, modifyIndex } of left) {
    const ops: readonly TxnOp[] = [
      { verb: 'check-index', key, index: modifyIndex },
      { verb: 'delete', key },
    ];
    await options.consul.txn(ops, signal);
  }
}

/** No watch tells when a time is over. */
function lookAgain(
  { clock }: OwnershipOptions,
  incarnation: Incarnation,
  owners: ReadonlyMap<number, LiveReplica>,
): void {
  const nowMs = clock.nowMs();
  for (const sinceMs of incarnation.freeSince.values())
    incarnation.wakeSignal.notifyAfter(Math.max(1, sinceMs + FREE_MS - nowMs));
  const moveMs = nextMoveMs(incarnation, owners, nowMs);
  if (moveMs !== null) incarnation.wakeSignal.notifyAfter(moveMs - nowMs);
}
