/**
 * One list and watch, for ever: a broken watch is resumed from the last resourceVersion, so nothing is skipped; only when
 * the server has forgotten it (410) is a new list taken, and marked as a gap. Own code on node:https, so that a
 * mistake in the operator's reflector cannot hide itself.
 */

import type { IncomingMessage } from 'node:http';
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import type { KubeAccess } from '../kubeconfig.ts';
import type { RawObject } from './raw.ts';

const RETRY_MS = 50;
const ABSENT_MS = 500;
/** After a reconnection, how long what arrives may be old. */
const CATCH_UP_MS = 1000;

export type WatchSink = {
  list(objects: readonly RawObject[], resourceVersion: string, when: When): void;
  event(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: RawObject, when: When): void;
  /** Something failed and is being tried again; for the message of a timeout. */
  trouble(message: string): void;
};

export type When = { readonly atMs: number; readonly earliestMs: number };

type Cursor = { version: string | null; absent: boolean };

type ListAnswer = { readonly metadata: { readonly resourceVersion: string }; readonly items: readonly RawObject[] };
type WatchLine = {
  readonly type: string;
  readonly object: RawObject & { readonly code?: number; readonly message?: string };
};

/** Runs until aborted. A resource that is not installed is asked for again and again and counts as an empty list. */
export async function watchResource(
  access: KubeAccess,
  path: string,
  sink: WatchSink,
  signal: AbortSignal,
): Promise<void> {
  const clock = arrivalClock();
  // Moves on with each event, so that a connection that breaks off loses nothing and repeats nothing.
  const cursor: Cursor = { version: null, absent: false };
  for (;;) {
    try {
      if (cursor.version === null) await begin(access, path, cursor, sink, clock, signal);
      else await follow(access, path, cursor, sink, clock, signal);
    } catch (error) {
      if (signal.aborted) return;
      clock.cut();
      sink.trouble(`${path}: ${String(error)}`);
      await delay(RETRY_MS, undefined, { signal }).catch(() => {});
    }
  }
}

/** Lists; of a resource that is not installed says once that there is nothing, and waits before the next try. */
async function begin(
  access: KubeAccess,
  path: string,
  cursor: Cursor,
  sink: WatchSink,
  clock: ReturnType<typeof arrivalClock>,
  signal: AbortSignal,
): Promise<void> {
  const answer = await list(access, path, signal);
  if (answer !== null) {
    cursor.version = answer.metadata.resourceVersion;
    return sink.list(answer.items, cursor.version, clock.arrival());
  }
  if (!cursor.absent) sink.list([], '0', clock.arrival());
  cursor.absent = true;
  await delay(ABSENT_MS, undefined, { signal });
}

/** Arrival times, and since when the observer may have been blind. */
function arrivalClock() {
  let [lastMs, blindSinceMs, untilMs] = [performance.now(), 0, 0];
  return {
    cut: (): void => {
      if (untilMs < Number.POSITIVE_INFINITY) blindSinceMs = lastMs;
      untilMs = Number.POSITIVE_INFINITY;
    },
    connected: (): void => {
      lastMs = performance.now();
      if (untilMs === Number.POSITIVE_INFINITY) untilMs = lastMs + CATCH_UP_MS;
    },
    arrival: (): When => {
      const atMs = performance.now();
      lastMs = atMs;
      return { atMs, earliestMs: atMs < untilMs ? blindSinceMs : atMs };
    },
  };
}

async function list(access: KubeAccess, path: string, signal: AbortSignal): Promise<ListAnswer | null> {
  const response = await open(access, path, signal);
  let text = '';
  for await (const chunk of response) text += chunk;
  if (response.statusCode === 404) return null;
  if (response.statusCode !== 200) throw new Error(`list answered ${response.statusCode} ${text}`);
  return JSON.parse(text) as ListAnswer;
}

/** Returns when the watch has ended; the cursor says where to go on, null for a new list. */
async function follow(
  access: KubeAccess,
  path: string,
  cursor: Cursor,
  sink: WatchSink,
  clock: ReturnType<typeof arrivalClock>,
  signal: AbortSignal,
): Promise<void> {
  const options = { watch: 'true', allowWatchBookmarks: 'true', timeoutSeconds: '600' };
  const query = new URLSearchParams({ ...options, resourceVersion: cursor.version ?? '' });
  const response = await open(access, asked(path, query), signal);
  if (response.statusCode === 410 || response.statusCode === 404) return forget(response, cursor);
  if (response.statusCode !== 200) throw new Error(`watch answered ${response.statusCode}`);
  clock.connected();
  for await (const line of lines(response)) {
    const { type, object } = JSON.parse(line) as WatchLine;
    if (type === 'ERROR' && object.code === 410) return forget(response, cursor);
    if (type === 'ERROR') throw new Error(`watch failed: ${line}`);
    if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') sink.event(type, object, clock.arrival());
    // After it: one that cannot be recorded must not be passed over.
    cursor.version = object.metadata.resourceVersion;
  }
  clock.cut();
}

/** `path` may have a query of its own, e.g. a selector. */
const asked = (path: string, query: URLSearchParams): string =>
  `${path}${path.includes('?') ? '&' : '?'}${query.toString()}`;

function forget(response: IncomingMessage, cursor: Cursor): void {
  response.destroy();
  cursor.version = null;
}

async function* lines(response: IncomingMessage): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of response) {
    const parts = (rest + String(chunk)).split('\n');
    rest = parts.pop() ?? '';
    yield* parts.filter((line) => line !== '');
  }
}

async function open(access: KubeAccess, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const { ca, cert, key, token } = access;
  const secure = access.server.protocol === 'https:';
  const outgoing = (secure ? tlsRequest : plainRequest)(new URL(path, access.server), {
    agent: false,
    signal,
    headers: { accept: 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
  });
  outgoing.on('socket', (socket) => socket.setKeepAlive(true, 5_000));
  outgoing.on('response', (response) => {
    response.setEncoding('utf8');
    resolve(response);
  });
  outgoing.on('error', reject);
  outgoing.end();
  return await promise;
}
