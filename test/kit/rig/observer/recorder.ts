/** Keeps everything the watches deliver, in the order of arrival, and what is known now. */
import {
  type History,
  type KeyState,
  type Marker,
  type ObjectEvent,
  OPERATOR,
  type PodEvent,
  type RouteChange,
  type SessionMember,
  type SliceEvent,
} from '../../checker/history.ts';
import type { ConsulSink } from './consul.ts';
import { routeOf, toWatchedGroup } from './groups.ts';
import { type RawObject, toWatchedPod, toWatchedSlice, writerOf, writersOf } from './raw.ts';
import type { WatchSink, When } from './watch.ts';

export type Recorder = {
  readonly podSink: WatchSink;
  /** Of slices that name the operator as their manager. */
  readonly sliceSink: WatchSink;
  readonly serviceSink: WatchSink;
  readonly consulSink: ConsulSink;
  readonly objectSink: (resource: string) => WatchSink;
  /** Names of the sinks that have had their first list: 'pods', 'slices', 'services', 'keys' and each resource. */
  readonly started: ReadonlySet<string>;
  /** By uid. */
  readonly pods: ReadonlyMap<string, RawObject>;
  readonly slices: ReadonlyMap<string, RawObject>;
  /** By resource, then by uid. */
  readonly objects: ReadonlyMap<string, ReadonlyMap<string, RawObject>>;
  readonly keys: ReadonlyMap<string, KeyState>;
  /** Consul's index of the newest answer about keys. */
  readonly keysIndex: () => number;
  /** Newest resourceVersion seen of each pod's (slice's) uid, deletions included. */
  readonly sliceVersions: ReadonlyMap<string, string>;
  readonly podVersions: ReadonlyMap<string, string>;
  readonly mark: (name: string) => Marker;
  readonly history: () => History;
};

type Lifetime = { readonly raw: RawObject; readonly bornAt?: string; readonly goneAt?: string };

/** `note` is called after each entry with one line that describes it. */
export function recorder(note: (line: string) => void): Recorder {
  const pods = podRecorder(note);
  const routes: RouteChange[] = [];
  const slices = sliceRecorder(note);
  const objects = objectRecorder(note, (change) => void routes.push(change));
  const keys = keyRecorder(note);
  const markers: Marker[] = [];
  const started = new Set<string>();
  let keysIndex = 0;
  const starting = (name: string, sink: WatchSink): WatchSink => ({
    ...sink,
    list: (items, resourceVersion, when) => {
      started.add(name);
      sink.list(items, resourceVersion, when);
    },
  });
  return {
    podSink: starting('pods', pods.sink),
    sliceSink: starting('slices', slices.sink),
    serviceSink: starting(
      'services',
      serviceSink(note, (change) => void routes.push(change)),
    ),
    objectSink: (resource) => starting(resource, objects.sink(resource)),
    consulSink: {
      ...keys.sink,
      answered: (index) => {
        keysIndex = index;
        started.add('keys');
        note(`keys are known up to index ${index}`);
      },
    },
    started,
    pods: pods.known,
    podVersions: pods.versions,
    slices: slices.known,
    sliceVersions: slices.versions,
    objects: objects.known,
    keys: keys.known,
    keysIndex: () => keysIndex,
    mark: (name) => {
      const marker = { name, atMs: performance.now() };
      markers.push(marker);
      note(`--- ${name}`);
      return marker;
    },
    history: () => {
      const names = new Set(keys.states.map((state) => state.key));
      return {
        groups: [...objects.lifetimes.values()].map(({ raw, ...life }) => ({ ...toWatchedGroup(raw, names), ...life })),
        pods: [...pods.events],
        keys: [...keys.states],
        sessions: new Map(keys.sessions),
        slices: [...slices.events],
        routes: [...routes],
        others: [...objects.events],
        markers: [...markers],
      };
    },
  };
}

type Seen = { readonly kind: 'added' | 'modified' | 'deleted'; readonly before: RawObject | undefined };

/** Keeps the objects of one kind as they are, by uid; what comes of each list and each event is its caller's. */
function objectsOf(
  note: (line: string) => void,
  listed: (items: readonly RawObject[], resourceVersion: string, when: When) => void,
  changed: (raw: RawObject, seen: Seen, when: When) => void,
) {
  const known = new Map<string, RawObject>();
  const versions = new Map<string, string>();
  const sink: WatchSink = {
    trouble: note,
    list: (items, resourceVersion, when) => {
      known.clear();
      for (const raw of items) known.set(raw.metadata.uid, raw);
      for (const raw of items) versions.set(raw.metadata.uid, raw.metadata.resourceVersion);
      listed(items, resourceVersion, when);
    },
    event: (type, raw, when) => {
      const { uid, resourceVersion } = raw.metadata;
      const before = known.get(uid);
      if (type === 'DELETED') known.delete(uid);
      else known.set(uid, raw);
      versions.set(uid, resourceVersion);
      changed(raw, { kind: type === 'DELETED' ? 'deleted' : type === 'ADDED' ? 'added' : 'modified', before }, when);
    },
  };
  return { known, versions, sink };
}

function podRecorder(note: (line: string) => void) {
  const events: PodEvent[] = [];
  const objects = objectsOf(
    note,
    (items, resourceVersion, when) => {
      events.push({ kind: 'list', resourceVersion, pods: items.map(toWatchedPod), ...when });
      note(`listed ${items.length} pods`);
    },
    (raw, { kind, before }, when) => {
      const { resourceVersion } = raw.metadata;
      const writer = before === undefined ? null : writerOf(before, raw);
      events.push({ kind, resourceVersion, pod: toWatchedPod(raw), writer, ...when });
      note(describePod(kind, raw, writer));
    },
  );
  return { events, ...objects };
}

/** Of a deletion nothing tells who did it: it counts as somebody else's. */
function sliceRecorder(note: (line: string) => void) {
  const events: SliceEvent[] = [];
  const objects = objectsOf(
    note,
    (items, resourceVersion, when) => {
      events.push({ kind: 'list', resourceVersion, slices: items.map(toWatchedSlice), ...when });
      note(`listed ${items.length} slices`);
    },
    (raw, { kind, before }, when) => {
      const { resourceVersion } = raw.metadata;
      const writers = writersOf(before, raw);
      const foreign = kind === 'deleted' || writers.some((writer) => writer !== OPERATOR);
      const slice = toWatchedSlice(raw);
      events.push({ kind, resourceVersion, slice, foreign, ...when });
      const shown = slice.endpoints.map(({ podName }) => podName).join(', ') || 'nobody';
      const by = writers.join(', ') || '?';
      note(`${kind} slice ${slice.namespace}/${slice.name} rv ${resourceVersion} by ${by}: ${shown} ${slice.token}`);
    },
  );
  return { events, ...objects };
}

function serviceSink(note: (line: string) => void, changed: (change: RouteChange) => void): WatchSink {
  const tell = (raw: RawObject, resourceVersion: string, when: When): void => {
    const { namespace = '', name } = raw.metadata;
    changed({ namespace, service: name, resourceVersion, ...when });
    note(`service ${namespace}/${name} rv ${resourceVersion}`);
  };
  return {
    trouble: note,
    // After a gap any of them may have changed.
    list: (items, resourceVersion, when) => {
      for (const raw of items) tell(raw, resourceVersion, when);
    },
    event: (_type, raw, when) => tell(raw, raw.metadata.resourceVersion, when),
  };
}

function describePod(kind: string, raw: RawObject, writer: string | null): string {
  const { namespace, name, uid, resourceVersion, labels, annotations } = raw.metadata;
  const ours = Object.entries({ ...labels, ...annotations }).filter(([key]) => key.includes('leadergroup.dev/'));
  const shown = ours.map(([key, value]) => `${key}=${value}`).join(' ');
  const { ready, deleting } = toWatchedPod(raw);
  const state = `${ready ? 'ready' : 'not ready'}${deleting ? ' terminating' : ''}`;
  return `${kind} pod ${namespace}/${name} ${uid.slice(0, 8)} rv ${resourceVersion} by ${writer ?? '?'}: ${state} ${shown}`;
}

function objectRecorder(note: (line: string) => void, rerouted: (change: RouteChange) => void) {
  const events: ObjectEvent[] = [];
  const known = new Map<string, Map<string, RawObject>>();
  const lifetimes = new Map<string, Lifetime>();
  const live = (kind: ObjectEvent['kind'], raw: RawObject, after: string | null): void => {
    const { uid, resourceVersion } = raw.metadata;
    const since = kind === 'added' ? resourceVersion : after;
    const born = since === null || lifetimes.has(uid) ? {} : { bornAt: since };
    const gone = kind === 'deleted' ? { goneAt: resourceVersion } : {};
    lifetimes.set(uid, { ...lifetimes.get(uid), raw, ...born, ...gone });
  };
  const sink = (resource: string): WatchSink => {
    const here = new Map<string, RawObject>();
    // The newest that was seen: what a later list shows for the first time came after it.
    let newest: string | null = null;
    known.set(resource, here);
    const push = (kind: ObjectEvent['kind'], raw: RawObject, when: When): void => {
      const { name, namespace = '', uid, resourceVersion } = raw.metadata;
      const writers = kind === 'deleted' ? [] : writersOf(here.get(uid), raw);
      if (resource === 'leadergroups') {
        live(kind, raw, newest);
        for (const service of routesChanged(here.get(uid), raw))
          rerouted({ namespace, service, resourceVersion, ...when });
      }
      if (kind === 'deleted') here.delete(uid);
      else here.set(uid, raw);
      events.push({ resource, kind, namespace, name, uid, resourceVersion, writers, ...when });
    };
    return {
      trouble: note,
      list: (items, resourceVersion, when) => {
        const present = new Set(items.map((raw) => raw.metadata.uid));
        const gone = [...here.values()].filter((raw) => !present.has(raw.metadata.uid));
        for (const raw of gone) push('deleted', { ...raw, metadata: { ...raw.metadata, resourceVersion } }, when);
        for (const raw of items) push('listed', raw, when);
        newest = resourceVersion;
        note(`listed ${items.length} ${resource}`);
      },
      event: (type, raw, when) => {
        push(type === 'DELETED' ? 'deleted' : type === 'ADDED' ? 'added' : 'modified', raw, when);
        newest = raw.metadata.resourceVersion;
        const { namespace, name } = raw.metadata;
        note(`${type.toLowerCase()} ${resource} ${namespace}/${name} ${raw.reason ?? ''} ${raw.note ?? ''}`);
      },
    };
  };
  return { events, known, lifetimes, sink };
}

/** Services that a group begins or ceases to route to. */
function routesChanged(before: RawObject | undefined, after: RawObject): readonly string[] {
  const [was, is] = [before === undefined ? null : routeOf(before), routeOf(after)];
  return was === is ? [] : [was, is].filter((service) => service !== null);
}

function keyRecorder(note: (line: string) => void) {
  const states: KeyState[] = [];
  const known = new Map<string, KeyState>();
  const sessions = new Map<string, SessionMember>();
  const sink: Omit<ConsulSink, 'answered'> = {
    trouble: note,
    key: (state) => {
      states.push(state);
      if (state.exists) known.set(state.key, state);
      else known.delete(state.key);
      const holder = state.exists ? (state.session ?? 'free') : 'gone';
      note(`key ${state.key} index ${state.modifyIndex} ${holder} ${state.value ?? ''}`);
    },
    session: (id, member) => {
      sessions.set(id, member);
    },
  };
  return { states, known, sessions, sink };
}
