/**
 * How far each series has come, as this replica knows it. While the bucket is ours nobody else writes them, so what was read once need not be read
 * again; of a bucket that was another's meanwhile nothing is known.
 */
import { type Claim, parseClaim } from '../../api/claim.ts';
import { putNewest } from '../../common/bounded-map.ts';
import type { KeyVersion } from '../../election/observation.ts';
import type { Consul, KvEntry } from '../../ports/consul.ts';
import { type Batches, createBatches } from './batches.ts';

/** `index` 0: nothing was claimed yet. `claim` null with an index: what stands there cannot be read, and is not overwritten. */
export type Mark = { readonly index: number; readonly claim: Claim | null };

/** A key of Consul, and the time for which its bucket is ours: what is known ends with it. */
export type MarkKey = { readonly key: string; readonly tenure: string };

export type Marks = {
  /** What is known; null: nothing. */
  known(at: MarkKey): Mark | null;
  /** As known, or else by a consistent read. Throws ConsulError. */
  read(at: MarkKey): Promise<Mark>;
  /** Our own write, as Consul has answered it. */
  wrote(at: MarkKey, entry: KvEntry): void;
  /** It is not as it was known: to be read again. */
  forget(at: MarkKey): void;
  /**
   * A write was sent that may arrive yet: until the next of our own is made it is read each time. `lock`: the version of the lock that it needs to be
   * written at; null: none.
   */
  doubt(at: MarkKey, lock: KeyVersion | null): void;
  /** Whether a claim may arrive yet, while the lock is at this version. */
  mayArrive(at: MarkKey, lock: KeyVersion | null): boolean;
};

/** The longest unused go. */
const MOST = 10_000;
/** Consul reads no more in one request. */
const TOGETHER = 64;

/** `signal` ends what is under way. */
export function createMarks(consul: Pick<Consul, 'readKeys'>, signal: AbortSignal): Marks {
  const marks = new Map<string, { readonly tenure: string; readonly mark: Mark }>();
  const doubts = new Map<string, { readonly tenure: string; readonly lock: KeyVersion | null }>();
  const reads: Batches<string, Mark> = createBatches(
    (keys) => keys.length < TOGETHER,
    async (keys) => (await consul.readKeys(keys, signal)).map(markOf),
  );

  function known({ key, tenure }: MarkKey): Mark | null {
    const found = marks.get(key);
    if (found?.tenure !== tenure || doubts.get(key)?.tenure === tenure) return null;
    putNewest(marks, key, found, MOST);
    return found.mark;
  }

  function put({ key, tenure }: MarkKey, mark: Mark): void {
    // Of two reads the one that was sent first may be answered last.
    const before = marks.get(key);
    if (before?.tenure === tenure && before.mark.index > mark.index) return;
    putNewest(marks, key, { tenure, mark }, MOST);
  }

  return {
    known,
    read: async (at) => {
      const found = known(at);
      if (found !== null) return found;
      const mark = await reads.add(at.key);
      put(at, mark);
      return mark;
    },
    wrote: (at, entry) => {
      doubts.delete(at.key);
      put(at, markOf(entry));
    },
    forget: ({ key }) => void marks.delete(key),
    doubt: ({ key, tenure }, lock) => {
      marks.delete(key);
      putNewest(doubts, key, { tenure, lock }, MOST);
    },
    mayArrive: ({ key, tenure }, lock) => {
      const doubt = doubts.get(key);
      return doubt?.tenure === tenure && doubt.lock !== null && doubt.lock.index === lock?.index;
    },
  };
}

const markOf = (entry: KvEntry | null): Mark =>
  entry === null ? { index: 0, claim: null } : { index: entry.modifyIndex, claim: parseClaim(entry.value) };
