/** The three watches of a replica, one adapter for all: a reflector, or one for each namespace, that runs until it is told to stop. */
import type { ParsedLeaderGroup } from '../api/leadergroup.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { ReflectorHandler, Watch, Watches } from '../ports/kubernetes.ts';
import type { Log } from '../ports/log.ts';
import { type Running, runInNamespaces } from './namespaced-watch.ts';
import { type Namespaces, withHome } from './namespaces.ts';
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

export function createWatches(options: WatchesOptions): Watches {
  const { namespaces = null, parseGroup } = options;
  if (namespaces === null)
    return {
      pods: watchOf(options, PODS, projectPod),
      groups: watchOf(options, LEADER_GROUPS, parseGroup),
      nodes: watchOf(options, NODES, projectNode),
    };
  return {
    pods: watchIn(options, { namespaces, names: withHome(namespaces), resource: PODS, project: projectPod }),
    groups: watchIn(options, {
      namespaces,
      names: namespaces.watched,
      resource: LEADER_GROUPS,
      project: parseGroup,
    }),
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
};

function watchOf<T>(options: WatchesOptions, resource: Resource, project: (raw: unknown) => T | null): Watch<T> {
  let reflector: Reflector | null = null;
  return {
    run: async (handler, onProblem, signal) => {
      reflector = reflectorOf(options, { resource, namespace: null, project }, handler, (problem) =>
        onProblem(problem?.message ?? null),
      );
      reflector.start();
      await aborted(signal);
      await reflector.stop();
    },
    lastContactMs: () => reflector?.lastContactMs() ?? null,
  };
}

function watchIn<T>(
  options: WatchesOptions,
  {
    namespaces,
    names,
    resource,
    project,
  }: {
    readonly namespaces: Namespaces;
    readonly names: readonly string[];
    readonly resource: Resource;
    readonly project: (raw: unknown) => T | null;
  },
): Watch<T> {
  const isPods = resource === PODS;
  let running: Running | null = null;
  return {
    run: async (handler, onProblem, signal) => {
      running = runInNamespaces({
        names,
        namespaces,
        afterPods: !isPods,
        needs: 'any',
        make: (namespace, { synced, onProblem: noted }) =>
          reflectorOf(
            options,
            { resource, namespace, project },
            {
              changed: handler.changed,
              synced: () => {
                synced();
                if (isPods) namespaces.podsListed(namespace);
              },
            },
            (problem) => {
              noted(problem);
              namespaces.problem(isPods ? 'pods' : 'groups', namespace, problem);
            },
          ),
        synced: handler.synced,
        onProblem: (problem) => onProblem(problem?.message ?? null),
      });
      await aborted(signal);
      await running.stop();
    },
    lastContactMs: () => running?.lastContactMs() ?? null,
  };
}

function reflectorOf<T>(
  { source, clock, random, log, onRelist }: WatchesOptions,
  {
    resource,
    namespace,
    project,
  }: {
    readonly resource: Resource;
    readonly namespace: string | null;
    readonly project: (raw: unknown) => T | null;
  },
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
