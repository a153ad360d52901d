/**
 * What a reflector needs of a server: lists in pages, and watches. The port that separates the reflector's rules from
 * HTTP; a simulation brings its own server.
 */
import { KubernetesError } from '../../ports/kubernetes.ts';

export type ListPage = {
  /** As JSON.parse made them. */
  readonly items: readonly unknown[];
  /** The same on all pages of one list. */
  readonly resourceVersion: string;
  /** Token of the next page; null on the last one. */
  readonly next: string | null;
};

export type WatchRequest = {
  readonly resourceVersion: string;
  /** After this time the server ends the watch by itself. */
  readonly timeoutSeconds: number;
};

export type ListWatch = {
  /** One page of a consistent list. Rejects with ListWatchError or the signal's reason. */
  list(page: { readonly limit: number; readonly after: string | null }, signal: AbortSignal): Promise<ListPage>;
  /**
   * Watch events after a resourceVersion, as JSON.parse made them, bookmarks included. Yields once, empty, when the watch
   * stands, and then something for whatever arrives, be it only part of an event: whoever reads learns that the peer lives.
   * Ends when the server ends it. Throws ListWatchError, whatever error cut it, or the signal's reason.
   */
  watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<readonly unknown[]>;
};

export type ListWatchErrorKind =
  | 'unreachable' // no connection, no answer, 429, 5xx
  | 'denied' // 401, 403
  | 'refused' // any other 4xx
  | 'notInstalled' // the kind is unknown to the server
  | 'expired' // 410: the resourceVersion or the page token is no longer served
  | 'malformed'; // what came is not what an API server sends

/** A list or watch that failed. Its message is a sentence for people. */
export class ListWatchError extends Error {
  override readonly name = 'ListWatchError';
  readonly kind: ListWatchErrorKind;
  /** How long the server asks to be left alone; null when it does not say. */
  readonly retryAfterMs: number | null;
  constructor(kind: ListWatchErrorKind, message: string, retryAfterMs: number | null = null, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The error of any read as a list's or watch's error. */
export function asListWatchError(error: unknown): ListWatchError {
  if (error instanceof ListWatchError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const kind = error instanceof KubernetesError ? error.kind : 'unreachable';
  return new ListWatchError(kind, message, null, { cause: error });
}
