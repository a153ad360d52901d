/** Lists and watches of the simulated API server, as the real reflector wants them: pages, events in order, lags, cuts, 410. */

import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import type { Pod } from '../../../src/api/pod.ts';
import {
  type ListPage,
  type ListWatch,
  ListWatchError,
  type WatchRequest,
} from '../../../src/kubernetes/reflector/list-watch.ts';
import type { Change, WorldApiServer } from '../model/world-api-server.ts';
import type { Loop } from './loop.ts';
import type { Server, Wire } from './network.ts';
import type { Process } from './process.ts';
import { rawGroup, rawPod } from './render.ts';

export type Kind = 'pods' | 'leadergroups' | 'nodes';

/** What one replica's watches suffer. */
export type WatchTrouble = {
  /** Monotonic milliseconds until which nothing is delivered; what happens meanwhile comes afterwards, in order. */
  stalledUntilMs: number;
  /** Cuts every watch that stands. */
  cut(): void;
};

export type WatchServer = {
  readonly server: Server;
  readonly api: WorldApiServer;
  /** Versions up to this are no longer served. */
  compactedAt: number;
};

const PAGE_MS = 10_000;
const BOOKMARK_MS = 60_000;
const FROZEN_MS = 200;
const PAGE_SIZE = 3;

/** Raw events of a kind after a version, oldest first. */
function eventsAfter(
  api: WorldApiServer,
  kind: Kind,
  version: number,
): readonly { readonly version: number; readonly event: unknown }[] {
  if (kind === 'nodes') return [];
  const log: readonly (Change<Pod> | Change<LeaderGroup>)[] = kind === 'pods' ? api.podLog : api.groupLog;
  let from = log.length;
  while (from > 0 && (log[from - 1]?.version ?? 0) > version) from -= 1;
  return log.slice(from).map((change) => ({ version: change.version, event: eventOf(kind, change) }));
}

const render = (kind: Kind, object: Pod | LeaderGroup): unknown =>
  kind === 'pods' ? rawPod(object as Pod) : rawGroup(object as LeaderGroup);

function eventOf(kind: Kind, { before, after, version }: Change<Pod> | Change<LeaderGroup>): unknown {
  if (after !== null) return { type: before === null ? 'ADDED' : 'MODIFIED', object: render(kind, after) };
  if (before === null) throw new Error('a change from nothing to nothing');
  return { type: 'DELETED', object: render(kind, { ...before, resourceVersion: String(version) }) };
}

export function createListWatch(
  loop: Loop,
  client: Process,
  wire: Wire,
  { server, api }: WatchServer,
  kind: Kind,
  compactedAt: () => number,
  trouble: WatchTrouble,
  cuts: Set<() => void>,
): ListWatch {
  /** Lists that are being read page by page, as of one version. */
  const snapshots = new Map<string, readonly unknown[]>();
  let lists = 0;

  const unreachable = (): never => {
    throw new ListWatchError('unreachable', `no answer to a list of ${kind}`);
  };

  function page(after: string | null, limit: number): ListPage {
    const size = Math.min(limit, PAGE_SIZE);
    const [id, from, version] = (after ?? `${(lists += 1)}:0:${api.version()}`).split(':') as [string, string, string];
    if (after !== null && Number(version) < compactedAt())
      throw new ListWatchError('expired', 'the page token has expired');
    const objects = kind === 'pods' ? api.pods() : kind === 'leadergroups' ? api.groups() : [];
    const items = snapshots.get(id) ?? objects.map((object) => render(kind, object));
    snapshots.set(id, items);
    const to = Number(from) + size;
    const last = to >= items.length;
    if (last) snapshots.delete(id);
    return {
      items: items.slice(Number(from), to),
      resourceVersion: version,
      next: last ? null : `${id}:${to}:${version}`,
    };
  }

  async function* watch(
    { resourceVersion, timeoutSeconds }: WatchRequest,
    signal: AbortSignal,
  ): AsyncIterable<readonly unknown[]> {
    let sent = await wire.call(
      () => {
        if (Number(resourceVersion) < compactedAt()) throw new ListWatchError('expired', 'too old resource version');
        return Number(resourceVersion);
      },
      { noAnswer: unreachable, refused: unreachable },
      signal,
      PAGE_MS,
    );
    const batches: (readonly unknown[])[] = [[]];
    const state: { ended: Error | 'closed' | null; over: boolean } = { ended: null, over: false };
    let ring: () => void = () => undefined;
    let lastMs = loop.nowMs();
    let torn = false;

    /** Brings a message to the client, never before an earlier one and, as on any connection, never after one that was lost. */
    const deliver = (callback: () => void): void => {
      torn ||= wire.state.cut !== 'no';
      if (torn) return;
      lastMs = Math.max(lastMs, loop.nowMs() + (wire.travelMs() ?? 2000), trouble.stalledUntilMs);
      loop.after(lastMs - loop.nowMs(), () => client.run(callback));
    };
    const give = (batch: readonly unknown[]): void =>
      deliver(() => {
        batches.push(batch);
        ring();
      });
    const end = (how: Error | 'closed'): void => {
      state.ended ??= how;
      ring();
    };
    /** A frozen server sends nothing, and everything once it goes on. */
    const more = (): void => {
      if (state.over || server.isDown()) return;
      if (server.process.frozen()) return void loop.after(FROZEN_MS, more);
      const events = eventsAfter(api, kind, sent);
      sent = events.at(-1)?.version ?? sent;
      if (events.length > 0) give(events.map(({ event }) => event));
    };
    const cut = (): void =>
      void loop.after(0.2, () => client.run(() => end(new ListWatchError('unreachable', 'the watch was cut'))));
    const followers = followersOf(api);
    followers.add(more);
    cuts.add(cut);
    const cancelEnd = loop.after(timeoutSeconds * 1000, () => deliver(() => end('closed')));
    let cancelBookmark: () => void = () => undefined;
    const bookmark = (): void => {
      cancelBookmark = loop.after(BOOKMARK_MS, bookmark);
      if (server.isDown() || server.process.frozen()) return;
      more();
      sent = Math.max(sent, api.version());
      give([{ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(sent) } } }]);
    };
    cancelBookmark = loop.after(BOOKMARK_MS, bookmark);
    const abort = (): void => ring();
    signal.addEventListener('abort', abort);
    try {
      more();
      for (;;) {
        signal.throwIfAborted();
        const batch = batches.shift();
        if (batch !== undefined) {
          yield batch;
          continue;
        }
        if (state.ended === 'closed') return;
        if (state.ended !== null) throw state.ended;
        await new Promise<void>((resolve) => {
          ring = resolve;
        });
      }
    } finally {
      state.over = true;
      signal.removeEventListener('abort', abort);
      followers.delete(more);
      cuts.delete(cut);
      cancelEnd();
      cancelBookmark();
    }
  }

  return {
    list: ({ limit, after }, signal) =>
      wire.call(() => page(after, limit), { noAnswer: unreachable, refused: unreachable }, signal, PAGE_MS),
    watch,
  };
}

/** Watches that are told of every change. */
const registered = new WeakMap<WorldApiServer, Set<() => void>>();

function followersOf(api: WorldApiServer): Set<() => void> {
  const known = registered.get(api);
  if (known !== undefined) return known;
  const followers = new Set<() => void>();
  registered.set(api, followers);
  api.onChange(() => {
    for (const follower of Array.from(followers)) follower();
  });
  return followers;
}
