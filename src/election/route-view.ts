/** What is known of the route of a group: the slices and the Service as they were read and written, and what keeps the operator from more. */
import type { MonotonicMs } from '../api/clocks.ts';
import type { AddressFamily, Service, Slice, SliceContent } from '../api/route.ts';
import type { Contest, RefusedFor } from './hindered.ts';

/**
 * What stands under the name of a slice. `foreign`: one that is not this operator's. `rival`: one of another group that is there. null: nothing. One
 * that has another uid than the group's is of a group that is gone.
 */
export type SliceFound = Slice | 'foreign' | 'rival' | null;

/** What the API server has shown, and what our own writes have made of it since. */
export type RouteReading = {
  readonly serviceName: string;
  /** null: there is none. */
  readonly service: Service | null;
  readonly slices: Readonly<Record<AddressFamily, SliceFound>>;
  /** What else leads traffic of the Service; a text: why that is not known. null: not read yet: it was read in a hurry. */
  readonly foreign: { readonly slices: readonly string[]; readonly endpoints: boolean } | string | null;
  /** Monotonic milliseconds at which it is to be read again. */
  readonly againAtMs: MonotonicMs;
};

/** What kept the operator from it last; in whose words. */
export type RouteProblem = RefusedFor & {
  /** From reading it, or from writing the slice of this family. */
  readonly of: 'read' | AddressFamily;
  /**
   * `denied`: for want of a right. `refused`: by the API server, for good. `silent`: nobody answered, so it may have been done. `contested`: somebody else
   * has written it each time between our read and our write.
   */
  readonly kind: 'denied' | 'refused' | 'silent' | 'contested';
  /** In a row. */
  readonly count: number;
};

export type RouteView = {
  /** null: never read, or void, since nobody knows what became of a write. */
  readonly reading: RouteReading | null;
  /** One of reads, and one of each family, at most. */
  readonly problems: readonly RouteProblem[];
  /** Name of an older group that names the same Service; null: there is none. */
  readonly elder: string | null;
  /** Ids of live replicas that know no routes. */
  readonly olderReplicas: readonly string[];
  /** Slices that were fenced since the lock has its present version. */
  readonly fenced: ReadonlySet<AddressFamily>;
  /** Slices that this replica has written last, as far as it knows. */
  readonly written: ReadonlyMap<AddressFamily, OwnWrite>;
  /** Slices that somebody else deletes, or brings back, again and again. */
  readonly remade: ReadonlyMap<AddressFamily, Remade>;
  /** For want of which right nobody tells of changes, which are found within a minute then; null: of none. */
  readonly unwatched: string | null;
};

export type OwnWrite = {
  /** What the write said, whatever has become of it. */
  readonly content: SliceContent;
  /** The API server has made something else of it, as it would of the next one: an admission webhook, say. */
  readonly mangled: boolean;
  /** Somebody else undoes it again and again; null: nobody does. */
  readonly contest: SliceContest | null;
};

export type SliceContest = Pick<Contest, 'notBeforeMs' | 'overAtMs'>;

/** null: nobody undoes it. */
export type Remade = {
  /** It was made, and has to be made once more each time. */
  readonly made: SliceContest | null;
  /** It was deleted, and has to be deleted once more each time. */
  readonly removed: SliceContest | null;
};

/** Of what should stand in a slice all but its token, and whether it is fenced. */
export type Showing = { readonly slice: Slice; readonly content: Omit<SliceContent, 'token' | 'fenced'> };
