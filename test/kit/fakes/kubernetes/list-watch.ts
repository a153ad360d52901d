/** A ListWatch that a test plays by hand: each request waits until the test answers it. */
import type { ListPage, ListWatch, WatchRequest } from '../../../../src/kubernetes/reflector/list-watch.ts';
import { settle } from '../clock.ts';

type PendingList = {
  readonly kind: 'list';
  readonly after: string | null;
  answer(items: readonly unknown[], resourceVersion: string, next?: string): Promise<void>;
  fail(error: Error): Promise<void>;
};

type PendingWatch = {
  readonly kind: 'watch';
  readonly request: WatchRequest;
  /** The watch stands; nothing has come yet. */
  open(): Promise<void>;
  send(...events: readonly unknown[]): Promise<void>;
  close(): Promise<void>;
  fail(error: Error): Promise<void>;
  /** The reader has let go of it. */
  ended(): boolean;
};

/** Requests are taken in order; taking one that was not made fails, so that nothing is waited for. */
export type Scripted = {
  readonly source: ListWatch;
  list(): PendingList;
  watching(): PendingWatch;
  /** All requests ever made, e.g. `list`, `list after p2`, `watch 10`. */
  readonly log: readonly string[];
  /** Requests that neither were answered nor given up. */
  open(): number;
};

type Batch = readonly unknown[];

export function createScripted(): Scripted {
  const lists: PendingList[] = [];
  const watches: PendingWatch[] = [];
  const log: string[] = [];
  let open = 0;

  const list: ListWatch['list'] = async ({ after }, signal) => {
    log.push(after === null ? 'list' : `list after ${after}`);
    const { promise, resolve, reject } = Promise.withResolvers<ListPage>();
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    lists.push({
      kind: 'list',
      after,
      answer: async (items, resourceVersion, next) => {
        resolve({ items, resourceVersion, next: next ?? null });
        await settle();
      },
      fail: async (error) => {
        reject(error);
        await settle();
      },
    });
    open += 1;
    try {
      return await promise;
    } finally {
      open -= 1;
      signal.removeEventListener('abort', abort);
    }
  };

  async function* watch(request: WatchRequest, signal: AbortSignal): AsyncGenerator<Batch> {
    log.push(`watch ${request.resourceVersion}`);
    const arrivals: (() => Batch | null)[] = [];
    let wake = (): void => undefined;
    let isEnded = false;
    const arrive = async (arrival: () => Batch | null): Promise<void> => {
      arrivals.push(arrival);
      wake();
      await settle();
    };
    const throwing = (error: Error) => (): never => {
      throw error;
    };
    watches.push({
      kind: 'watch',
      request,
      open: () => arrive(() => []),
      send: (...events) => arrive(() => events),
      close: () => arrive(() => null),
      fail: (error) => arrive(throwing(error)),
      ended: () => isEnded,
    });
    const abort = (): void => void arrive(throwing(signal.reason as Error));
    signal.addEventListener('abort', abort, { once: true });
    open += 1;
    try {
      for (;;) {
        const arrival = arrivals.shift();
        if (arrival === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        const batch = arrival();
        if (batch === null) return;
        yield batch;
      }
    } finally {
      isEnded = true;
      open -= 1;
      signal.removeEventListener('abort', abort);
    }
  }

  const take = <P>(pending: P[], what: string): P => {
    const next = pending.shift();
    if (next === undefined) throw new Error(`no ${what} is waiting; so far: ${log.join(', ')}`);
    return next;
  };

  return {
    source: { list, watch },
    list: () => take(lists, 'list'),
    watching: () => take(watches, 'watch'),
    log,
    open: () => open,
  };
}
