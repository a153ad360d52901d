/** Services and EndpointSlices of the API server in memory, as far as the operator can tell them from real ones. */
import type { Pod, PodRef } from '../../../src/api/pod.ts';
import type { Service, Slice, SliceContent } from '../../../src/api/route.ts';
import {
  type EmptySlice,
  type ForeignSlices,
  KubernetesError,
  type SliceName,
  type SliceVersion,
  type WriteOutcome,
} from '../../../src/ports/kubernetes.ts';
import type { Change } from './world-api-server.ts';

/** A slice that is another manager's. `byController`: Kubernetes made it, by the selector of the Service. */
export type OtherSlice = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly service: string;
  readonly byController: boolean;
};

export type WorldRouting = {
  services(): readonly Service[];
  slice(name: string): Slice | null;
  slices(): readonly Slice[];
  /** Everything that ever happened to services (slices), in resourceVersion order. */
  readonly serviceLog: readonly Change<Service>[];
  readonly sliceLog: readonly Change<Slice>[];
  others(): readonly OtherSlice[];
  readonly otherLog: readonly Change<OtherSlice>[];
  /** What others do: owners of Services, people with kubectl, other controllers. */
  readonly foreign: {
    putService(service: Service): void;
    removeService(name: string): void;
    /** A slice for a Service that is another manager's. */
    addSlice(name: string, service: string, byController?: boolean): void;
    removeSlice(name: string): void;
    addEndpoints(service: string): void;
    removeEndpoints(service: string): void;
    /** A finalizer on one of ours, by which it stays when it is deleted; or no more. */
    keepSlice(name: string, kept: boolean): void;
    /** A webhook makes this of each slice that an operator writes; null: none does. */
    mangle(change: ((slice: Slice) => Partial<Slice>) | null): void;
    /** From now on every other write of a slice finds that somebody has just touched it, and changed nothing that is ours; or none does any more. */
    race(on: boolean): void;
    /** An edit of one of ours. */
    editSlice(name: string, change: (slice: Slice) => Partial<Slice>): void;
  };
  readonly requests: {
    getService(namespace: string, name: string): Service | null;
    getSlice(namespace: string, name: string): Slice | 'foreign' | null;
    foreignSlices(namespace: string): ForeignSlices;
    hasEndpoints(namespace: string, service: string): boolean;
    createSlice(by: string, slice: SliceName, content: EmptySlice): WriteOutcome<Slice>;
    replaceSlice(by: string, slice: SliceVersion, content: SliceContent): WriteOutcome<Slice>;
    deleteSlice(by: string, slice: SliceVersion): WriteOutcome<'accepted'>;
    evict(by: string, pod: PodRef, resourceVersion: string): WriteOutcome<'accepted'>;
  };
  /** Refuses every write for good (403) from now on, or no more. `reads`: every read, too. */
  forbid(forbidden: boolean, reads?: boolean): void;
  /** Refuses watches and their lists alone. */
  forbidWatches(forbidden: boolean): void;
  mayWatch(): boolean;
  /** Lists of the slices of a namespace so far. */
  lists(): number;
  /** Called with each change of a slice that is, or was, an operator's. `by`: the operator replica that wrote it; null: somebody else. */
  onSlice(listener: (change: Change<Slice>, by: string | null) => void): void;
  onService(listener: (change: Change<Service>) => void): void;
  /** Called with each pod that is evicted, as it is before. `by`: the operator replica that asked for it. */
  onEviction(listener: (pod: Pod, by: string) => void): void;
  onOther(listener: (change: Change<OtherSlice>) => void): void;
  /** Slices written by operators so far. */
  writes(): number;
};

type Shared = {
  readonly nextVersion: () => string;
  readonly pod: (namespace: string, name: string) => Pod | null;
  readonly evicted: (pod: Pod) => void;
};

const id = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `${namespace}/${name}`;
const inDefault = (name: string): string => `default/${name}`;

const FORBIDDEN = { kind: 'refused', status: 403, message: 'endpointslices is forbidden' } as const;
const MODIFIED = { kind: 'conflict', message: 'the object has been modified' } as const;

export function createWorldRouting({ nextVersion, pod, evicted }: Shared): WorldRouting {
  const services = new Map<string, Service>();
  const slices = new Map<string, Slice>();
  const kept = new Set<string>();
  let mangle: ((slice: Slice) => Partial<Slice>) | null = null;
  const deleting = new Set<string>();
  let racing = false;
  /** Uids of the slices of which the last write met a conflict for that. */
  const raced = new Set<string>();
  const others = new Map<string, OtherSlice>();
  const otherLog: Change<OtherSlice>[] = [];
  const otherListeners: Parameters<WorldRouting['onOther']>[0][] = [];
  const endpoints = new Set<string>();
  const serviceLog: Change<Service>[] = [];
  const sliceLog: Change<Slice>[] = [];
  const sliceListeners: Parameters<WorldRouting['onSlice']>[0][] = [];
  const serviceListeners: Parameters<WorldRouting['onService']>[0][] = [];
  const evictionListeners: Parameters<WorldRouting['onEviction']>[0][] = [];
  let forbidden: 'nothing' | 'writes' | 'all' = 'nothing';
  let watchesForbidden = false;
  let lists = 0;
  let made = 0;
  let writes = 0;

  function tellSlice(change: Change<Slice>, by: string | null): void {
    sliceLog.push(change);
    for (const listener of sliceListeners) listener(change, by);
  }

  function tellService(change: Change<Service>): void {
    serviceLog.push(change);
    for (const listener of serviceListeners) listener(change);
  }

  function tellOther(change: Change<OtherSlice>): void {
    otherLog.push(change);
    for (const listener of otherListeners) listener(change);
  }

  function putOther(name: string, service: string, byController: boolean): void {
    made += 1;
    const before = others.get(inDefault(name)) ?? null;
    const uid = before?.uid ?? `other-${made}`;
    const after = { namespace: 'default', name, uid, resourceVersion: nextVersion(), service, byController };
    others.set(inDefault(name), after);
    tellOther({ before, after, version: Number(after.resourceVersion) });
  }

  function put(by: string | null, before: Slice | null, slice: Slice): Slice {
    const after = { ...slice, resourceVersion: nextVersion() };
    slices.set(id(after), after);
    tellSlice({ before, after, version: Number(after.resourceVersion) }, by);
    return after;
  }

  function drop(by: string | null, slice: Slice): void {
    slices.delete(id(slice));
    tellSlice({ before: slice, after: null, version: Number(nextVersion()) }, by);
  }

  function read<T>(what: T): T {
    if (forbidden === 'all') throw new KubernetesError('denied', 'services is forbidden');
    return what;
  }

  function createSlice(by: string, slice: SliceName, content: EmptySlice): WriteOutcome<Slice> {
    if (forbidden !== 'nothing') return FORBIDDEN;
    if (slices.has(id(slice)) || others.has(id(slice))) return { kind: 'conflict', message: 'it already exists' };
    made += 1;
    writes += 1;
    const written = { ...content, token: 0, fenced: '', endpoint: null, altered: false };
    return {
      kind: 'done',
      object: put(by, null, admitted({ ...slice, ...written, uid: `slice-${made}`, resourceVersion: '' })),
    };
  }

  const admitted = (slice: Slice): Slice => (mangle === null ? slice : { ...slice, altered: true, ...mangle(slice) });

  /** The slice that a request names, or why it is not done. */
  function found(slice: SliceVersion): Slice | Exclude<WriteOutcome<never>, { readonly kind: 'done' }> {
    if (forbidden !== 'nothing') return FORBIDDEN;
    const present = slices.get(id(slice));
    if (present === undefined) return { kind: 'gone' };
    return present.uid === slice.uid && present.resourceVersion === slice.resourceVersion ? present : MODIFIED;
  }

  function outrun(slice: Slice): boolean {
    if (!racing || raced.delete(slice.uid)) return false;
    raced.add(slice.uid);
    put(null, slice, slice);
    return true;
  }

  function replaceSlice(by: string, slice: SliceVersion, content: SliceContent): WriteOutcome<Slice> {
    const before = found(slice);
    if ('kind' in before) return before;
    if (outrun(before)) return MODIFIED;
    writes += 1;
    const { namespace, name, uid, resourceVersion, family } = before;
    const after = admitted({ namespace, name, uid, resourceVersion, family, ...content, altered: false });
    if (JSON.stringify(sorted(after)) === JSON.stringify(sorted(before))) return { kind: 'done', object: before };
    return { kind: 'done', object: put(by, before, after) };
  }

  function deleteSlice(by: string, slice: SliceVersion): WriteOutcome<'accepted'> {
    const before = found(slice);
    if ('kind' in before) return before;
    if (kept.has(before.name)) {
      if (deleting.has(before.uid)) return { kind: 'done', object: 'accepted' };
      deleting.add(before.uid);
      put(by, before, before);
    } else drop(by, before);
    writes += 1;
    return { kind: 'done', object: 'accepted' };
  }

  function evict(by: string, ref: PodRef, resourceVersion: string): WriteOutcome<'accepted'> {
    if (forbidden !== 'nothing') return FORBIDDEN;
    const present = pod(ref.namespace, ref.name);
    if (present === null) return { kind: 'gone' };
    if (present.uid !== ref.uid || present.resourceVersion !== resourceVersion) return MODIFIED;
    for (const listener of evictionListeners) listener(present, by);
    evicted(present);
    return { kind: 'done', object: 'accepted' };
  }

  return {
    services: () => [...services.values()],
    slice: (name) => slices.get(inDefault(name)) ?? null,
    slices: () => [...slices.values()],
    serviceLog,
    sliceLog,
    others: () => [...others.values()],
    otherLog,
    foreign: {
      putService: (service) => {
        const before = services.get(id(service)) ?? null;
        const after = { ...service, resourceVersion: nextVersion() };
        services.set(id(service), after);
        tellService({ before, after, version: Number(after.resourceVersion) });
      },
      removeService: (name) => {
        const before = services.get(inDefault(name));
        if (before === undefined) return;
        services.delete(inDefault(name));
        tellService({ before, after: null, version: Number(nextVersion()) });
      },
      addSlice: (name, service, byController = false) => putOther(name, service, byController),
      removeSlice: (name) => {
        const other = others.get(inDefault(name));
        others.delete(inDefault(name));
        if (other !== undefined) tellOther({ before: other, after: null, version: Number(nextVersion()) });
        const slice = slices.get(inDefault(name));
        if (slice === undefined || deleting.has(slice.uid)) return;
        if (!kept.has(name)) return drop(null, slice);
        deleting.add(slice.uid);
        put(null, slice, slice);
      },
      addEndpoints: (service) => void endpoints.add(inDefault(service)),
      removeEndpoints: (service) => void endpoints.delete(inDefault(service)),
      keepSlice: (name, is) => {
        if (is) return void kept.add(name);
        kept.delete(name);
        const slice = slices.get(inDefault(name));
        if (slice !== undefined && deleting.has(slice.uid)) drop(null, slice);
      },
      mangle: (change) => {
        mangle = change;
      },
      race: (on) => {
        racing = on;
      },
      editSlice: (name, change) => {
        const slice = slices.get(inDefault(name));
        if (slice !== undefined) put(null, slice, { ...slice, altered: true, ...change(slice) });
      },
    },
    requests: {
      getService: (namespace, name) => read(services.get(id({ namespace, name })) ?? null),
      getSlice: (namespace, name) =>
        read(slices.get(id({ namespace, name })) ?? (others.has(id({ namespace, name })) ? 'foreign' : null)),
      foreignSlices: (namespace) => {
        lists += 1;
        const here = [...others.values()].filter((each) => each.namespace === namespace);
        const byService = Map.groupBy(here, ({ service }) => service);
        return read(new Map([...byService].map(([service, found]) => [service, found.map(({ name }) => name)])));
      },
      hasEndpoints: (namespace, service) => read(endpoints.has(id({ namespace, name: service }))),
      createSlice,
      replaceSlice,
      deleteSlice,
      evict,
    },
    forbid: (whether, reads = false) => {
      forbidden = whether ? (reads ? 'all' : 'writes') : 'nothing';
    },
    forbidWatches: (whether) => {
      watchesForbidden = whether;
    },
    mayWatch: () => forbidden !== 'all' && !watchesForbidden,
    lists: () => lists,
    onOther: (listener) => void otherListeners.push(listener),
    onSlice: (listener) => void sliceListeners.push(listener),
    onService: (listener) => void serviceListeners.push(listener),
    onEviction: (listener) => void evictionListeners.push(listener),
    writes: () => writes,
  };
}

const sorted = (slice: Slice): readonly unknown[] =>
  Object.entries(slice).toSorted(([one], [other]) => (one < other ? -1 : 1));
