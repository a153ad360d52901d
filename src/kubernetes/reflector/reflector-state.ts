/**
 * The reflector's states and what follows a watch's end. Pure.
 *
 * | state    | entered when                                  | holds                          | left when |
 * | listing  | at the start; the version is no longer served | failures in a row              | the first page is there: paging, or watching after a single one |
 * | paging   | a page that is not the last has come          | the pages so far               | the last page is applied: watching; the page token expired: listing |
 * | watching | a list is applied; a watch ended              | the version to watch from      | the watch ends: watching or listing, mostly after a pause |
 * | pausing  | something failed                              | how long, and the state after  | the time is over |
 */
import { retryDelayMs } from './backoff.ts';
import type { ListWatchError, ListWatchErrorKind } from './list-watch.ts';
import type { Stored } from './watch-decoder.ts';

export type Listing = { readonly kind: 'listing'; readonly failures: number };

export type Paging<T> = {
  readonly kind: 'paging';
  readonly failures: number;
  readonly resourceVersion: string;
  readonly next: string;
  /** Projected: the pages themselves are let go. Grows with each page, and belongs to this state alone. */
  readonly listed: Map<string, Stored<T>>;
};

export type Watching = {
  readonly kind: 'watching';
  readonly failures: number;
  readonly resourceVersion: string;
  /** The last watch ended in a way that a watch from the same version may repeat: if this one does too, list anew. */
  readonly suspect: boolean;
};

export type Pausing<T> = {
  readonly kind: 'pausing';
  readonly delayMs: number;
  readonly next: Listing | Paging<T> | Watching;
};

export type State<T> = Listing | Paging<T> | Watching | Pausing<T>;

/** How a watch ended. */
export type WatchEnd =
  | { readonly kind: 'closed' } // the server ended it, as it does after timeoutSeconds
  | { readonly kind: 'stalled' } // it stood, and then nothing came for too long, not even a bookmark
  | { readonly kind: 'broken'; readonly error: ListWatchError; readonly opened: boolean }
  | { readonly kind: 'error'; readonly message: string; readonly retryAfterMs: number | null } // an ERROR event, not 410
  | { readonly kind: 'rewound' }; // the server's versions have gone back: it was restored from a backup

export type Watched = {
  readonly from: Watching;
  readonly end: WatchEnd;
  /** The version of the last event. */
  readonly resourceVersion: string;
  /** How long the watch stood. */
  readonly livedMs: number;
};

/** A watch that stood for so long was a success, however it ended. */
const SUCCESS_MS = 10_000;

/**
 * What to do after a watch. It goes on from the last version, except when the server does not serve that any more, or when
 * two watches in a row ended without an answer, in the server's error or in something unreadable.
 *
 * **Guarantees**: no end, repeated, makes a tight loop: only a watch that stood for ten seconds is followed without a pause.
 */
export function afterWatch({ from, end, resourceVersion, livedMs }: Watched): Listing | Watching {
  const moved = resourceVersion !== from.resourceVersion;
  const failures = livedMs >= SUCCESS_MS ? 0 : from.failures + 1;
  switch (verdictOn(end)) {
    case 'fine':
      // Connections that are cut often, yet deliver, are no reason to be late.
      return resume(false, moved ? Math.min(failures, 1) : failures);
    case 'no news':
      return resume(from.suspect, failures);
    case 'suspect':
      return from.suspect && !moved ? { kind: 'listing', failures } : resume(true, failures);
    case 'over':
      return { kind: 'listing', failures };
  }

  function resume(suspect: boolean, failures: number): Watching {
    return { kind: 'watching', failures, resourceVersion, suspect: suspect };
  }
}

/** What an end says about the version that was watched from. */
function verdictOn(end: WatchEnd): 'fine' | 'no news' | 'suspect' | 'over' {
  switch (end.kind) {
    case 'closed':
      return 'fine';
    case 'stalled':
    case 'error':
      return 'suspect';
    case 'rewound':
      return 'over';
    case 'broken':
      return verdictOnError(end.error.kind, end.opened);
  }
}

function verdictOnError(kind: ListWatchErrorKind, opened: boolean): 'fine' | 'no news' | 'suspect' | 'over' {
  switch (kind) {
    case 'expired':
    case 'notInstalled':
      return 'over';
    case 'malformed':
    case 'refused':
      return 'suspect';
    case 'unreachable':
      return opened ? 'fine' : 'no news';
    case 'denied':
      return 'no news';
  }
}

/** How long the server asks to be left alone. */
export function askedMs(end: WatchEnd): number | null {
  if (end.kind === 'broken') return end.error.retryAfterMs;
  return end.kind === 'error' ? end.retryAfterMs : null;
}

/** A page that did not come is asked for again, unless its list can no longer be told to its end. */
export function afterListFailure<T>(from: Listing | Paging<T>, error: ListWatchError): Listing | Paging<T> {
  const failures = from.failures + 1;
  const again = from.kind === 'paging' && error.kind === 'unreachable';
  return again ? { ...from, failures } : { kind: 'listing', failures };
}

/** `random`: uniform in [0, 1). */
export function pauseBefore<T>(
  next: Listing | Paging<T> | Watching,
  askedMs: number | null,
  random: number,
): Listing | Paging<T> | Watching | Pausing<T> {
  const delayMs = retryDelayMs(next.failures, askedMs, random);
  return delayMs === 0 ? next : { kind: 'pausing', delayMs, next };
}
