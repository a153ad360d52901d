/**
 * What the watches of Services and EndpointSlices have told of the Services that groups name. It is news and nothing else: what they say is read from the API server, so no decision
 * rests on a watch. Nothing is watched while no group has a route.
 */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { ParsedLeaderGroup } from '../../api/leadergroup.ts';
import { FAMILIES, sliceName } from '../../election/route.ts';
import type { Clock } from '../../ports/clock.ts';
import type { RouteListener, RouteWatch, RoutingKind, Sighting } from '../../ports/kubernetes.ts';
import { groupKey, type Store } from './store.ts';

/** Marks count what was told, from 1 on. */
export type Mark = number;

/** The version of an object that was told of last; null: it was told to be gone. */
export type Told = { readonly mark: Mark; readonly uid: string; readonly resourceVersion: string | null };

export type RouteNews = {
  readonly service: Told | null;
  /** By name: those that this operator has for the Service. */
  readonly slices: ReadonlyMap<string, Told>;
  /** When another slice of the Service appeared or went last, or the Service was named by a group again. */
  readonly others: Mark;
};

/** `sinceMark`: whatever has changed since is told; null: there may be more than was told. */
export type RouteWatchState = {
  readonly sinceMark: Mark | null;
  /** Monotonic milliseconds at which it stood no more; null: it stands, or never did. */
  readonly lostMs: MonotonicMs | null;
  /** What right is missing; null: none. */
  readonly denied: string | null;
};

export type RouteWatching = {
  /** Watches while there is a route, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** The store knows of it already. */
  groupChanged(before: ParsedLeaderGroup | null, after: ParsedLeaderGroup | null): void;
  /** Of what is told last. Whoever reads notes it before: what is told later may not be in what was read. */
  mark(): Mark;
  /** null: no group names it. */
  of(namespace: string, service: string): RouteNews | null;
  state(): RouteWatchState;
};

const KINDS: readonly RoutingKind[] = ['services', 'endpointslices'];
const QUIET: RouteNews = { service: null, slices: new Map(), others: 0 };

export function createRouteWatching({
  watch,
  store,
  clock,
  wake,
  othersChanged,
}: {
  readonly watch: RouteWatch;
  readonly store: Pick<Store, 'groupsRouting' | 'routedKeys' | 'hasRoutes'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly wake: (key: string) => void;
  /** Slices that are not this operator's, in this namespace. */
  readonly othersChanged: (namespace: string) => void;
}): RouteWatching {
  const news = new Map<string, RouteNews>();
  const problems = new Map<RoutingKind, { readonly denied: boolean; readonly message: string }>();
  const unsynced = new Set<RoutingKind>(KINDS);
  let mark = 0;
  let whole: Mark | null = null;
  let lostMs: MonotonicMs | null = null;
  let running: { readonly stop: AbortController; readonly ended: Promise<void> } | null = null;
  let until: AbortSignal | null = null;

  const stands = (): boolean => whole !== null && problems.size === 0;
  const wakeAll = (): void => store.routedKeys().forEach(wake);

  function listener({ signal }: AbortController): RouteListener {
    /** Of one that was stopped nothing is heard any more. */
    const heard = (what: () => void): void => {
      if (!signal.aborted) what();
    };
    return {
      concerns: (namespace, service) => store.groupsRouting(namespace, service).length > 0,
      changed: (kind, before, after) => heard(() => changed(kind, before, after)),
      synced: (kind) => heard(() => synced(kind)),
      problem: (kind, problem) => heard(() => setProblem(kind, problem)),
    };
  }

  function changed(kind: RoutingKind, before: Sighting | null, after: Sighting | null): void {
    for (const place of placesOf(before, after)) {
      const concerned = store.groupsRouting(place.namespace, place.service);
      if (concerned.length === 0) continue;
      if (!told(kind, place, before, after)) continue;
      for (const group of concerned) wake(groupKey(group));
    }
  }

  /** Nothing was kept of the Service until now: whatever a group has read of it before, when its spec could be read last, is out of date. */
  function begin(key: string): void {
    if (news.has(key)) return;
    mark += 1;
    news.set(key, { ...QUIET, others: mark });
  }

  /** false: nobody need look. */
  function told(kind: RoutingKind, place: Place, before: Sighting | null, after: Sighting | null): boolean {
    const sighting = after ?? before;
    if (sighting === null) return false;
    const key = keyOf(place);
    const known = news.get(key) ?? QUIET;
    const { name, uid } = sighting;
    const next = (): Told => {
      mark += 1;
      return { mark, uid, resourceVersion: after?.resourceVersion ?? null };
    };
    if (kind === 'services') news.set(key, { ...known, service: next() });
    else if (isOwnName(place.service, name))
      news.set(key, { ...known, slices: new Map(known.slices).set(name, next()) });
    else if (before !== null && after !== null && before.service === after.service) return false;
    else {
      othersChanged(place.namespace);
      news.set(key, { ...known, others: next().mark });
    }
    return true;
  }

  function synced(kind: RoutingKind): void {
    unsynced.delete(kind);
    if (unsynced.size > 0) return;
    // What was read before may have changed before the lists were made.
    mark += 1;
    whole = mark;
  }

  function setProblem(kind: RoutingKind, problem: { readonly denied: boolean; readonly message: string } | null): void {
    const stood = stands();
    if (problem === null) problems.delete(kind);
    else problems.set(kind, problem);
    if (stood && !stands()) lostMs = clock.nowMs();
    if (stands()) lostMs = null;
    wakeAll();
  }

  function follow(): void {
    if (until === null || until.aborted) return;
    const wanted = store.hasRoutes();
    if (wanted && running === null) start(until);
    else if (!wanted && running !== null) stop();
  }

  function start(signal: AbortSignal): void {
    const stopping = new AbortController();
    const ended = watch.run(listener(stopping), AbortSignal.any([signal, stopping.signal]));
    running = { stop: stopping, ended };
  }

  function stop(): void {
    running?.stop.abort(new Error('no group has a route any more'));
    running = null;
    news.clear();
    problems.clear();
    for (const kind of KINDS) unsynced.add(kind);
    whole = null;
    lostMs = null;
  }

  return {
    run: async (signal) => {
      until = signal;
      follow();
      if (!signal.aborted)
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      await running?.ended;
    },
    groupChanged: (before, after) => {
      const [was, is] = [routeOf(before), routeOf(after)];
      if (was === null && is === null) return;
      if (was !== null && store.groupsRouting(was.namespace, was.service).length === 0) news.delete(keyOf(was));
      if (is !== null) begin(keyOf(is));
      follow();
    },
    mark: () => mark,
    of: (namespace, service) => news.get(keyOf({ namespace, service })) ?? null,
    state: () => ({
      sinceMark: stands() ? whole : null,
      lostMs,
      denied: deniedIn(problems),
    }),
  };
}

const isOwnName = (service: string, name: string): boolean =>
  FAMILIES.some((family) => sliceName(service, family) === name);

type Problems = ReadonlyMap<RoutingKind, { readonly denied: boolean; readonly message: string }>;

/** Always in the same order: the message is a part of the status. */
function deniedIn(problems: Problems): string | null {
  const messages = KINDS.map((kind) => problems.get(kind)).flatMap((each) =>
    each?.denied === true ? [each.message] : [],
  );
  return messages.length === 0 ? null : messages.join('; ');
}

type Place = Pick<Sighting, 'namespace' | 'service'>;

const keyOf = ({ namespace, service }: Place): string => `${namespace}/${service}`;

/** A slice may have been given to another Service. */
function placesOf(before: Sighting | null, after: Sighting | null): readonly Place[] {
  const places = [before, after].filter((each) => each !== null);
  return before?.service === after?.service ? places.slice(0, 1) : places;
}

function routeOf(parsed: ParsedLeaderGroup | null): Place | null {
  if (parsed?.kind !== 'valid' || parsed.group.spec.route === null) return null;
  return { namespace: parsed.group.namespace, service: parsed.group.spec.route.serviceName };
}
