/** The reflector's step `watching`. */

import { createTimeLimit, type TimeLimit } from '../client/time-limit.ts';
import { asListWatchError, ListWatchError } from './list-watch.ts';
import { type Context, noAnswer, noteError } from './reflector-context.ts';
import {
  afterWatch,
  askedMs,
  type Listing,
  type Paging,
  type Pausing,
  pauseBefore,
  type WatchEnd,
  type Watching,
} from './reflector-state.ts';
import { readWatchEvent, type WatchEvent } from './watch-decoder.ts';

/** The server ends a watch by itself after a time between these, so that not all of them come back together. */
const WATCH_SECONDS = { least: 290, most: 590 };

/** What a running watch has come to. */
type Progress = { resourceVersion: string; openedMs: number | null };

/** One watch, from its request to its end. Rejects only when the reflector is stopped. */
export async function watchStep<T>(
  context: Context<T>,
  state: Watching,
): Promise<Listing | Paging<T> | Watching | Pausing<T>> {
  context.counts.watches += 1;
  const progress: Progress = { resourceVersion: state.resourceVersion, openedMs: null };
  const end = await readWatch(context, progress);
  context.stopped.throwIfAborted();
  noteEnd(context, end, progress);
  const livedMs = progress.openedMs === null ? 0 : context.clock.nowMs() - progress.openedMs;
  const next = afterWatch({ from: state, end, resourceVersion: progress.resourceVersion, livedMs });
  return pauseBefore(next, askedMs(end), context.random.next());
}

/** Two watchdogs in one: for the answer, then for anything at all, since a peer that is cut off says nothing. */
async function readWatch<T>(context: Context<T>, progress: Progress): Promise<WatchEnd> {
  const { source, clock, limits, kind } = context;
  const limit = createTimeLimit(clock, limits.openTimeoutMs, context.stopped);
  const request = { resourceVersion: progress.resourceVersion, timeoutSeconds: watchSeconds(context) };
  try {
    for await (const batch of source.watch(request, limit.signal)) {
      heard(context, progress, limit);
      const end = take(context, batch, progress);
      if (end !== null) return end;
    }
    return { kind: 'closed' };
  } catch (error) {
    const opened = progress.openedMs !== null;
    if (!limit.expired()) return { kind: 'broken', opened, error: asListWatchError(error) };
    return opened ? { kind: 'stalled' } : { kind: 'broken', opened, error: noAnswer(kind, limits.openTimeoutMs) };
  } finally {
    limit.end();
  }
}

function watchSeconds<T>({ random }: Context<T>): number {
  const { least, most } = WATCH_SECONDS;
  return least + Math.floor(random.next() * (most - least + 1));
}

function heard<T>({ clock, limits, health, problems }: Context<T>, progress: Progress, limit: TimeLimit): void {
  const nowMs = clock.nowMs();
  health.contactMs = nowMs;
  limit.extend(limits.idleMs);
  if (progress.openedMs !== null) return;
  progress.openedMs = nowMs;
  problems.opened();
}

/** null: go on. */
function take<T>(context: Context<T>, batch: readonly unknown[], progress: Progress): WatchEnd | null {
  for (const raw of batch) {
    if (context.stopped.aborted) return { kind: 'closed' };
    const event = readWatchEvent(raw, context.project);
    const end = event === null ? unreadable(context.kind) : deliver(context, event, progress);
    if (end !== null) return end;
    context.problems.delivered();
  }
  return null;
}

const unreadable = (kind: string): WatchEnd => ({
  kind: 'broken',
  opened: true,
  error: new ListWatchError('malformed', `An event of the watch of ${kind} cannot be read`),
});

function deliver<T>({ cache }: Context<T>, event: WatchEvent<T>, progress: Progress): WatchEnd | null {
  switch (event.kind) {
    case 'put':
      for (const change of cache.put(event.key, event.object)) cache.deliver(change);
      progress.resourceVersion = event.object.resourceVersion;
      return null;
    case 'removed':
      for (const change of cache.remove(event.key, event.uid)) cache.deliver(change);
      progress.resourceVersion = event.resourceVersion;
      return null;
    case 'bookmark':
      if (isOlder(event.resourceVersion, progress.resourceVersion)) return { kind: 'rewound' };
      progress.resourceVersion = event.resourceVersion;
      return null;
    case 'error': {
      const { expired, message, retryAfterMs } = event;
      if (!expired) return { kind: 'error', message, retryAfterMs };
      return { kind: 'broken', opened: true, error: new ListWatchError('expired', message, retryAfterMs) };
    }
  }
}

/** Both as decimal numbers of any length. Anything else is not compared: versions are the server's business. */
function isOlder(version: string, than: string): boolean {
  const decimal = /^\d{1,40}$/;
  return decimal.test(version) && decimal.test(than) && BigInt(version) < BigInt(than);
}

function noteEnd<T>(context: Context<T>, end: WatchEnd, { resourceVersion }: Progress): void {
  const { counts, problems, log, kind, limits } = context;
  switch (end.kind) {
    case 'closed':
      return;
    case 'stalled':
      counts.stalls += 1;
      log.debug({ kind, milliseconds: limits.idleMs }, 'the watch was idle for too long');
      return;
    case 'rewound':
      log.warn({ kind, resourceVersion }, 'the API server returned an older resourceVersion; relisting');
      return;
    case 'error': {
      counts.errorEvents += 1;
      const message = `The watch of ${kind} sent an error: ${end.message}`;
      problems.raise({ kind: 'unreachable', message }, 'delivered');
      return;
    }
    case 'broken':
      // A watch that stood and was cut is nothing to speak of: what comes of the next one is.
      if (end.opened && end.error.kind === 'unreachable') counts.failures += 1;
      else noteError(context, end.error, end.opened ? 'delivered' : 'opened');
  }
}
