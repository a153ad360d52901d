/**
 * How far each series has come, as this replica knows it. While the bucket is ours nobody else writes them, so what was read once need not be read
 * again; of a bucket that was another's meanwhile nothing is known.
 */
import { type Claim, type ClaimRequest, parseClaim } from '../../api/claim.ts';
import type { PodUid } from '../../api/ids.ts';
import { putNewest } from '../../common/bounded-map.ts';
import type { BucketGuard, KeyVersion } from '../../election/observation.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Consul, KvEntry } from '../../ports/consul.ts';
import { createBatches } from './batches.ts';

/**
 * `index` 0: nothing was claimed yet. `claim` null with an index: what stands there cannot be read, and is not overwritten. `seenMs`: monotonic
 * milliseconds at which it was read or written.
 */
export type Mark = { readonly index: number; readonly claim: Claim | null; readonly seenMs: number };

/** A key of Consul, and the time for which its bucket is ours: what is known ends with it. */
export type MarkKey = { readonly key: string; readonly guard: BucketGuard; readonly tenure: string };

export type Marks = {
  /** null: it has to be read. */
  known(at: MarkKey): Mark | null;
  /** As known, or else by a consistent read. Throws ConsulError. */
  read(at: MarkKey): Promise<Mark>;
  /** What an AtMostOnce call was given, though later ones have been given more. null: not known. */
  given(at: MarkKey, asked: Pick<ClaimRequest, 'id' | 'position'>, uid: PodUid): Claim | null;
  /** Our own write, as Consul has answered it. */
  wrote(at: MarkKey, entry: KvEntry): void;
  /** It is not as it was known: to be read again. */
  forget(at: MarkKey): void;
  /**
   * A write was sent that may arrive yet: until the next of our own is made it is read each time. `lock`: the version of the lock that it needs to be
   * written at; null: none.
   */
  doubt(at: MarkKey, lock: KeyVersion | null): void;
  /** Whether a claim that has not been seen in the mark may be made yet. `lock`: as it was known before the mark was read; null: it was not. */
  mayArrive(at: MarkKey, lock: KeyVersion | null): boolean;
};

/** `overtaken`: something has been learnt of the mark since, which this read may not know. */
type Reading = { overtaken: boolean };

type Known = { readonly tenure: string; readonly mark: Mark };

/** `session`: of this replica. It is checked where the write arrives, so the doubt lasts as long as it does, also where the bucket was another's meanwhile. */
type Doubt = { readonly session: string; readonly lock: KeyVersion | null };

/** The longest unused go. Fewer than are claimed each minute, in the same order, would be forgotten just before they are needed. */
const MOST = 20_000;
/** There are no more series than these in a cluster. */
const MOST_DOUBTS = 100_000;
/** Consul reads no more in one request. */
const TOGETHER = 64;
/** Reads under way. */
const READS_AT_ONCE = 2;

/** `signal` ends what is under way. */
export function createMarks(consul: Pick<Consul, 'readKeys'>, clock: Pick<Clock, 'nowMs'>, signal: AbortSignal): Marks {
  const marks = new Map<string, Known>();
  const doubts = new Map<string, Doubt>();
  /** By key: the reads under way. Whoever looks where a series stands takes no turn. */
  const readings = new Map<string, Set<Reading>>();
  /** By series, pod and id. */
  const givenTo = new Map<string, { readonly tenure: string; readonly claim: Claim }>();
  const reads = createBatches<MarkKey, Mark>({
    atOnce: READS_AT_ONCE,
    laneOf: ({ guard }) => guard.key,
    room: () => {
      let left = TOGETHER;
      return () => left-- > 0;
    },
    run: async (all) => {
      const entries = await consul.readKeys(
        all.map(({ key }) => key),
        signal,
      );
      return entries.map((entry) => markOf(entry, clock.nowMs()));
    },
  });

  const doubtOf = ({ key, guard }: MarkKey): Doubt | null => {
    const found = doubts.get(key);
    return found?.session === guard.session ? found : null;
  };

  function known(at: MarkKey): Mark | null {
    const found = marks.get(at.key);
    if (found?.tenure !== at.tenure || doubtOf(at) !== null) return null;
    putNewest(marks, at.key, found, MOST);
    return found.mark;
  }

  function put({ key, tenure }: MarkKey, mark: Mark): void {
    // Of two reads the one that was sent first may be answered last.
    const before = marks.get(key);
    if (before?.tenure === tenure && before.mark.index > mark.index) return;
    putNewest(marks, key, { tenure, mark }, MOST);
    const { claim } = mark;
    if (claim?.mode === 'AtMostOnce') putNewest(givenTo, callOf(key, claim), { tenure, claim }, MOST);
  }

  function overtake(key: string): void {
    for (const reading of readings.get(key) ?? []) reading.overtaken = true;
  }

  async function readNow(at: MarkKey): Promise<Mark> {
    const reading = { overtaken: false };
    const others = readings.get(at.key) ?? new Set<Reading>();
    readings.set(at.key, others.add(reading));
    try {
      const mark = await reads.add(at);
      if (!reading.overtaken) put(at, mark);
      return mark;
    } finally {
      others.delete(reading);
      if (others.size === 0) readings.delete(at.key);
    }
  }

  return {
    known,
    read: async (at) => known(at) ?? (await readNow(at)),
    given: ({ key, tenure }, { id, position }, uid) => {
      const found = givenTo.get(callOf(key, { uid, id }));
      return found?.tenure === tenure && found.claim.position === position ? found.claim : null;
    },
    wrote: (at, entry) => {
      overtake(at.key);
      doubts.delete(at.key);
      put(at, markOf(entry, clock.nowMs()));
    },
    forget: ({ key }) => void marks.delete(key),
    doubt: (at, lock) => {
      marks.delete(at.key);
      // A claim that was sent before may arrive as well as this one.
      const kept = newer(doubtOf(at)?.lock ?? null, lock);
      putNewest(doubts, at.key, { session: at.guard.session, lock: kept }, MOST_DOUBTS);
    },
    mayArrive: (at, lock) => {
      const needed = doubtOf(at)?.lock ?? null;
      return needed !== null && (lock === null || lock.index <= needed.index);
    },
  };
}

const callOf = (key: string, { uid, id }: Pick<Claim, 'uid' | 'id'>): string => `${key} ${uid} ${id}`;

/** The version that the lock has to leave before neither can be met. */
const newer = (a: KeyVersion | null, b: KeyVersion | null): KeyVersion | null =>
  (a?.index ?? 0) > (b?.index ?? 0) ? a : b;

const markOf = (entry: KvEntry | null, seenMs: number): Mark =>
  entry === null
    ? { index: 0, claim: null, seenMs }
    : { index: entry.modifyIndex, claim: parseClaim(entry.value), seenMs };
