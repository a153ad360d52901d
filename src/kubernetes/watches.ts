/** The three watches of a replica, one adapter for all: a reflector, or one for each namespace, that runs until it is told to stop. */
import type { ParsedLeaderGroup } from '../api/leadergroup.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { ReflectorHandler, Watch, Watches, WatchHandler } from '../ports/kubernetes.ts';
import type { Log } from '../ports/log.ts';
import { type Running, runInNamespaces } from './namespaced-watch.ts';
import { type Namespaces, type Watched, withHome } from './namespaces.ts';
import { projectNode } from './objects/node.ts';
import { projectPod } from './objects/pod.ts';
import { LEADER_GROUPS, NODES, PODS, type Resource } from './objects/resources.ts';
import type { ListWatch } from './reflector/list-watch.ts';
import { createReflector, type Reflector } from './reflector/reflector.ts';
import type { ReflectorProblem } from './reflector/reflector-problem.ts';

export type WatchesOptions = {
  /** Lists and watches of one resource in one namespace; null: in all of them. */
  readonly source: (resource: Resource, namespace: string | null) => ListWatch;
  readonly parseGroup: (raw: unknown) => ParsedLeaderGroup | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** After each list that was not the first; `kind` is the resource's plural name. */
  readonly onRelist?: (kind: string) => void;
  /** null, and by default: all of them. */
  readonly namespaces?: Namespaces | null;
};

type Kind<T> = { readonly resource: Resource; readonly project: (raw: unknown) => T | null };

/** Begins to watch; what it returns is running. */
type Begin<T> = (handler: WatchHandler<T>, onProblem: (problem: ReflectorProblem | null) => void) => Running;

export function createWatches(options: WatchesOptions): Watches {
  const { namespaces = null } = options;
  const pods = { resource: PODS, project: projectPod };
  const groups = { resource: LEADER_GROUPS, project: options.parseGroup };
  if (namespaces === null)
    return {
      pods: watchOf(everywhere(options, pods)),
      groups: watchOf(everywhere(options, groups)),
      nodes: watchOf(everywhere(options, { resource: NODES, project: projectNode })),
    };
  return {
    pods: watchOf(inNamespaces(options, pods, namespaces, 'pods')),
    groups: watchOf(inNamespaces(options, groups, namespaces, 'groups')),
    nodes: UNWATCHED,
  };
}

/** Nodes are no namespace's: nothing is known of them. */
const UNWATCHED: Watch<never> = {
  run: async (handler, _onProblem, signal) => {
    handler.synced();
    await aborted(signal);
  },
  lastContactMs: () => null,
  denied: () => true,
};

function watchOf<T>(begin: Begin<T>): Watch<T> {
  let running: Running | null = null;
  let denied = false;
  return {
    run: async (handler, onProblem, signal) => {
      running = begin(handler, (problem) => {
        // Whatever else goes wrong meanwhile gives the right back to nobody; the watch that stands again does.
        denied = problem !== null && (denied || problem.kind === 'denied');
        onProblem(problem?.message ?? null);
      });
      await aborted(signal);
      await running.stop();
    },
    lastContactMs: () => running?.lastContactMs() ?? null,
    denied: () => denied,
  };
}

function everywhere<T>(options: WatchesOptions, kind: Kind<T>): Begin<T> {
  return (handler, onProblem) => {
    const reflector = reflectorOf(options, { ...kind, namespace: null }, handler, onProblem);
    reflector.start();
    return reflector;
  };
}

function inNamespaces<T>(options: WatchesOptions, kind: Kind<T>, namespaces: Namespaces, what: Watched): Begin<T> {
  const isPods = what === 'pods';
  return ({ changed, synced, listed: told }, onProblem) =>
    runInNamespaces({
      names: isPods ? withHome(namespaces) : namespaces.watched,
      namespaces,
      afterPods: !isPods,
      needs: 'any',
      make: (namespace, part) => {
        const listed = (): void => {
          namespaces.listed(what, namespace);
          part.synced();
          told?.(namespace);
        };
        return reflectorOf(options, { ...kind, namespace }, { changed, synced: listed }, (problem) => {
          part.onProblem(problem);
          namespaces.problem(what, namespace, problem);
        });
      },
      synced,
      onProblem,
    });
}

function reflectorOf<T>(
  { source, clock, random, log, onRelist }: WatchesOptions,
  { resource, namespace, project }: Kind<T> & { readonly namespace: string | null },
  handler: ReflectorHandler<T>,
  onProblem: (problem: ReflectorProblem | null) => void,
): Reflector {
  const { plural } = resource;
  return createReflector({
    kind: namespace === null ? plural : `${plural} of ${namespace}`,
    source: source(resource, namespace),
    project,
    handler,
    clock,
    random,
    log,
    onProblem,
    onRelist: () => onRelist?.(plural),
  });
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
