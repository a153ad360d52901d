/**
 * The watches of routes: two reflectors that run while a group has a route. They ask for metadata only, and keep of these what tells one version from another, of the objects that
 * concern a route; the rest of the cluster passes by.
 */
import { asObject, field } from '../api/raw.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { RouteListener, RouteWatch, RoutingKind, Sighting } from '../ports/kubernetes.ts';
import type { Log } from '../ports/log.ts';
import { runInNamespaces } from './namespaced-watch.ts';
import type { Namespaces } from './namespaces.ts';
import { ENDPOINT_SLICES, type Resource, SERVICES } from './objects/resources.ts';
import { isOwnSlice, lendsItself, projectSighting } from './objects/sighting.ts';
import type { ListWatch } from './reflector/list-watch.ts';
import { createReflector, type Reflector } from './reflector/reflector.ts';
import type { ReflectorProblem } from './reflector/reflector-problem.ts';
import type { Selection } from './reflector/watch-transport.ts';

/** Those that Kubernetes makes by selectors are by far the most, and change with the readiness of every pod. */
const SELECTIONS: Readonly<Record<RoutingKind, Selection>> = {
  services: { metadataOnly: true },
  endpointslices: {
    metadataOnly: true,
    labelSelector: 'endpointslice.kubernetes.io/managed-by!=endpointslice-controller.k8s.io',
  },
};

const RESOURCES: Readonly<Record<RoutingKind, Resource>> = { services: SERVICES, endpointslices: ENDPOINT_SLICES };
const KINDS = ['services', 'endpointslices'] as const;

export type RouteWatchOptions = {
  readonly source: (resource: Resource, selection: Selection, namespace: string | null) => ListWatch;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** As WatchesOptions has them. */
  readonly onRelist?: (kind: string) => void;
  readonly namespaces?: Namespaces | null;
};

export function createRouteWatch(options: RouteWatchOptions): RouteWatch {
  return {
    run: async (listener, signal) => {
      if (signal.aborted) return;
      const running = KINDS.map((kind) => start(options, kind, listener));
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      await Promise.all(running.map((each) => each.stop()));
    },
  };
}

function start(
  options: RouteWatchOptions,
  kind: RoutingKind,
  listener: RouteListener,
): { readonly stop: () => Promise<void> } {
  const { namespaces = null } = options;
  const told = {
    synced: () => listener.synced(kind),
    onProblem: (problem: ReflectorProblem | null) =>
      listener.problem(kind, problem === null ? null : { denied: problem.kind === 'denied', message: problem.message }),
  };
  if (namespaces !== null) {
    const names = namespaces.watched;
    const make = (namespace: string, part: typeof told) => reflectorOf(options, { kind, namespace }, listener, part);
    return runInNamespaces({ names, namespaces, needs: 'all', afterPods: true, make, ...told });
  }
  const reflector = reflectorOf(options, { kind, namespace: null }, listener, told);
  reflector.start();
  return reflector;
}

function reflectorOf(
  { source, clock, random, log, onRelist }: RouteWatchOptions,
  { kind, namespace }: { readonly kind: RoutingKind; readonly namespace: string | null },
  listener: RouteListener,
  told: { readonly synced: () => void; readonly onProblem: (problem: ReflectorProblem | null) => void },
): Reflector {
  const found = source(RESOURCES[kind], SELECTIONS[kind], namespace);
  return createReflector<Sighting>({
    kind: namespace === null ? kind : `${kind} of ${namespace}`,
    source: filtered(found, (raw) => concerns(kind, raw, listener)),
    project: (raw) => projectSighting(kind, raw),
    handler: {
      changed: (before, after) => listener.changed(kind, before, after),
      synced: told.synced,
    },
    clock,
    random,
    log,
    onProblem: told.onProblem,
    onRelist: () => onRelist?.(kind),
  });
}

/** What cannot be read passes: the reflector says so. */
function concerns(kind: RoutingKind, raw: unknown, listener: RouteListener): boolean {
  if (kind === 'services' ? lendsItself(raw) : isOwnSlice(raw)) return true;
  const seen = projectSighting(kind, raw);
  return seen === null || listener.concerns(seen.namespace, seen.service);
}

/** A removal passes always: what was kept may not be of concern any more, and must not be kept for ever. */
function filtered(source: ListWatch, keeps: (raw: unknown) => boolean): ListWatch {
  return {
    list: async (page, signal) => {
      const listed = await source.list(page, signal);
      return { ...listed, items: listed.items.filter(keeps) };
    },
    async *watch(request, signal) {
      for await (const batch of source.watch(request, signal)) yield batch.filter((event) => passes(event, keeps));
    },
  };
}

function passes(raw: unknown, keeps: (object: unknown) => boolean): boolean {
  const event = asObject(raw);
  const type = event === null ? null : field(event, 'type');
  return type !== 'ADDED' && type !== 'MODIFIED' ? true : keeps(event === null ? null : field(event, 'object'));
}
