/** The reflector's steps `listing` and `paging`. */

import { createTimeLimit } from '../client/time-limit.ts';
import { asListWatchError, type ListPage, ListWatchError } from './list-watch.ts';
import { type Context, noAnswer, noteError } from './reflector-context.ts';
import {
  afterListFailure,
  type Listing,
  type Paging,
  type Pausing,
  pauseBefore,
  type Watching,
} from './reflector-state.ts';
import { readObject, type Stored } from './watch-decoder.ts';

/** Changes between which the rest of the process has its turn. */
const CHANGES_PER_TURN = 500;

/**
 * One page. The list is applied when its last page is there, as the difference to what was reported before, so that an object
 * that went unseen is reported as gone. Rejects only when the reflector is stopped.
 */
export async function listStep<T>(
  context: Context<T>,
  state: Listing | Paging<T>,
): Promise<Listing | Paging<T> | Watching | Pausing<T>> {
  if (state.kind === 'listing') context.counts.lists += 1;
  try {
    const page = await fetchPage(context, state.kind === 'paging' ? state.next : null);
    context.health.contactMs = context.clock.nowMs();
    return await addPage(context, state, page);
  } catch (cause) {
    context.stopped.throwIfAborted();
    const error = asListWatchError(cause);
    noteError(context, error, 'opened');
    return pauseBefore(afterListFailure(state, error), error.retryAfterMs, context.random.next());
  }
}

async function fetchPage<T>(
  { source, clock, limits, stopped, kind }: Context<T>,
  after: string | null,
): Promise<ListPage> {
  const limit = createTimeLimit(clock, limits.pageTimeoutMs, stopped);
  try {
    return await source.list({ limit: limits.pageSize, after }, limit.signal);
  } catch (error) {
    throw limit.expired() ? noAnswer(kind, limits.pageTimeoutMs) : error;
  } finally {
    limit.end();
  }
}

async function addPage<T>(
  context: Context<T>,
  state: Listing | Paging<T>,
  page: ListPage,
): Promise<Paging<T> | Watching> {
  const { failures } = state;
  const listed = state.kind === 'paging' ? state.listed : new Map<string, Stored<T>>();
  const resourceVersion = state.kind === 'paging' ? state.resourceVersion : page.resourceVersion;
  for (const item of page.items) {
    const read = readObject(item, context.project);
    // Left out, it would look deleted.
    if (read === null) throw new ListWatchError('malformed', `An object in the list of ${context.kind} cannot be read`);
    listed.set(read.key, read.object);
  }
  if (page.next !== null) {
    await context.clock.sleep(0, context.stopped);
    return { kind: 'paging', failures, resourceVersion, next: page.next, listed };
  }
  await apply(context, listed);
  return { kind: 'watching', failures, resourceVersion, suspect: false };
}

async function apply<T>(context: Context<T>, listed: ReadonlyMap<string, Stored<T>>): Promise<void> {
  const { cache, clock, stopped, health, kind, log } = context;
  let changes = 0;
  for (const change of cache.replace(listed)) {
    cache.deliver(change);
    changes += 1;
    if (changes % CHANGES_PER_TURN === 0) await clock.sleep(0, stopped);
    stopped.throwIfAborted();
  }
  if (health.synced) {
    log.info({ kind, objects: listed.size, changes }, 'relisted');
    context.reportRelisted();
    return;
  }
  health.synced = true;
  context.reportSynced();
}
