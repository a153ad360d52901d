/** Lists and watches of the simulated API server, as the real reflector wants them: pages, events in order, lags, cuts, 410. */

import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import type { Pod } from '../../../src/api/pod.ts';
import type { Service } from '../../../src/api/route.ts';
import {
  type ListPage,
  type ListWatch,
  ListWatchError,
  type WatchRequest,
} from '../../../src/kubernetes/reflector/list-watch.ts';
import type { Change, WorldApiServer } from '../model/world-api-server.ts';
import type { OtherSlice } from '../model/world-routing.ts';
import type { Loop } from './loop.ts';
import type { Server, Wire } from './network.ts';
import { type Nodes, rawNode, type WorldNode } from './nodes.ts';
import type { Process } from './process.ts';
import { type AnySlice, metadataOfService, metadataOfSlice, rawGroup, rawPod } from './render.ts';

export type Kind = 'pods' | 'leadergroups' | 'nodes' | 'services' | 'endpointslices';

/** What one replica's watches suffer. */
export type WatchTrouble = {
  /** Monotonic milliseconds until which nothing is delivered; what happens meanwhile comes afterwards, in order. */
  stalledUntilMs: number;
  /** It may not read nodes. */
  nodesDenied?: boolean;
  /** It may not read pods and groups of the namespace that they are in. */
  readonly namespaceDenied?: () => boolean;
  /** Cuts every watch that stands. */
  cut(): void;
};

export type WatchServer = {
  readonly server: Server;
  readonly api: WorldApiServer;
  /** Versions up to this are no longer served. */
  compactedAt: number;
  /** Without them there are none. */
  nodes?: Pick<Nodes, 'all' | 'log' | 'onChange'>;
};

const PAGE_MS = 10_000;
const BOOKMARK_MS = 60_000;
const FROZEN_MS = 200;
const PAGE_SIZE = 3;

/** Raw events of a kind after a version, oldest first. */
function eventsAfter(
  { api, nodes }: WatchServer,
  kind: Kind,
  version: number,
): readonly { readonly version: number; readonly event: unknown }[] {
  const log = logOf(api, nodes, kind);
  let from = log.length;
  while (from > 0 && (log[from - 1]?.version ?? 0) > version) from -= 1;
  return log.slice(from).map((change) => ({ version: change.version, event: eventOf(kind, change) }));
}

type AnyObject = Pod | LeaderGroup | WorldNode | Service | AnySlice;
type AnyChange = Change<AnyObject>;

function logOf(api: WorldApiServer, nodes: WatchServer['nodes'], kind: Kind): readonly AnyChange[] {
  switch (kind) {
    case 'pods':
      return api.podLog;
    case 'leadergroups':
      return api.groupLog;
    case 'nodes':
      return nodes?.log ?? [];
    case 'services':
      return api.routing.serviceLog;
    case 'endpointslices':
      return [...api.routing.sliceLog, ...api.routing.otherLog.filter(isSelected)].toSorted(
        (one, other) => one.version - other.version,
      );
  }
}

/** As the label selector of the operator has it. */
const isSelected = ({ before, after }: Change<OtherSlice>): boolean => (after ?? before)?.byController === false;

function objectsOf({ api, nodes }: WatchServer, kind: Kind): readonly AnyObject[] {
  switch (kind) {
    case 'pods':
      return api.pods();
    case 'leadergroups':
      return api.groups();
    case 'nodes':
      return nodes?.all() ?? [];
    case 'services':
      return api.routing.services();
    case 'endpointslices':
      return [...api.routing.slices(), ...api.routing.others().filter(({ byController }) => !byController)];
  }
}

function render(kind: Kind, object: AnyObject): unknown {
  switch (kind) {
    case 'pods':
      return rawPod(object as Pod);
    case 'leadergroups':
      return rawGroup(object as LeaderGroup);
    case 'nodes':
      return rawNode(object as WorldNode);
    case 'services':
      return metadataOfService(object as Service);
    case 'endpointslices':
      return metadataOfSlice(object as AnySlice);
  }
}

function eventOf(kind: Kind, { before, after, version }: AnyChange): unknown {
  if (after !== null) return { type: before === null ? 'ADDED' : 'MODIFIED', object: render(kind, after) };
  if (before === null) throw new Error('a change from nothing to nothing');
  return { type: 'DELETED', object: render(kind, { ...before, resourceVersion: String(version) }) };
}

export function createListWatch(
  loop: Loop,
  client: Process,
  wire: Wire,
  watchServer: WatchServer,
  kind: Kind,
  compactedAt: () => number,
  trouble: WatchTrouble,
  cuts: Set<() => void>,
  /** null: of all. */
  namespace: string | null = null,
): ListWatch {
  const { server, api } = watchServer;
  /** All objects are in one. */
  const isEmpty = namespace !== null && namespace !== 'default';
  /** Lists that are being read page by page, as of one version. */
  const snapshots = new Map<string, readonly unknown[]>();
  let lists = 0;

  const unreachable = (): never => {
    throw new ListWatchError('unreachable', `no answer to a list of ${kind}`);
  };

  /** Asked when a request arrives; what goes on already does. */
  function allowed(): void {
    if (kind === 'nodes' && trouble.nodesDenied === true) throw new ListWatchError('denied', 'nodes is forbidden');
    if ((kind === 'pods' || kind === 'leadergroups') && !isEmpty && trouble.namespaceDenied?.() === true)
      throw new ListWatchError('denied', `${kind} is forbidden in the namespace`);
    if ((kind === 'services' || kind === 'endpointslices') && !api.routing.mayWatch())
      throw new ListWatchError('denied', `${kind} is forbidden`);
  }

  function page(after: string | null, limit: number): ListPage {
    allowed();
    const size = Math.min(limit, PAGE_SIZE);
    const [id, from, version] = (after ?? `${(lists += 1)}:0:${api.version()}`).split(':') as [string, string, string];
    if (after !== null && Number(version) < compactedAt())
      throw new ListWatchError('expired', 'the page token has expired');
    const objects = isEmpty ? [] : objectsOf(watchServer, kind);
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
        allowed();
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
      const events = eventsAfter(watchServer, kind, sent);
      sent = events.at(-1)?.version ?? sent;
      if (events.length > 0 && !isEmpty) give(events.map(({ event }) => event));
    };
    const cut = (): void =>
      void loop.after(0.2, () => client.run(() => end(new ListWatchError('unreachable', 'the watch was cut'))));
    const followers = followersOf(watchServer);
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
const registered = new WeakMap<WatchServer, Set<() => void>>();

function followersOf(watchServer: WatchServer): Set<() => void> {
  const known = registered.get(watchServer);
  if (known !== undefined) return known;
  const followers = new Set<() => void>();
  registered.set(watchServer, followers);
  const tell = (): void => {
    for (const follower of Array.from(followers)) follower();
  };
  watchServer.api.onChange(tell);
  watchServer.api.routing.onService(tell);
  watchServer.api.routing.onSlice(tell);
  watchServer.api.routing.onOther(tell);
  watchServer.nodes?.onChange(tell);
  return followers;
}
