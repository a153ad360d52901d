/** The three watches of a replica, one adapter for all: a reflector that runs until it is told to stop. */
import type { ParsedLeaderGroup } from '../api/leadergroup.ts';
import type { Clock, Random } from '../ports/clock.ts';
import type { Watch, Watches } from '../ports/kubernetes.ts';
import type { Log } from '../ports/log.ts';
import { projectNode } from './objects/node.ts';
import { projectPod } from './objects/pod.ts';
import { LEADER_GROUPS, NODES, PODS, type Resource } from './objects/resources.ts';
import type { ListWatch } from './reflector/list-watch.ts';
import { createReflector, type Reflector } from './reflector/reflector.ts';

export type WatchesOptions = {
  /** Lists and watches of one resource, over all namespaces. */
  readonly source: (resource: Resource) => ListWatch;
  readonly parseGroup: (raw: unknown) => ParsedLeaderGroup | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** After each list that was not the first; `kind` is the resource's plural name. */
  readonly onRelist?: (kind: string) => void;
};

export function createWatches(options: WatchesOptions): Watches {
  return {
    pods: watchOf(options, PODS, projectPod),
    groups: watchOf(options, LEADER_GROUPS, options.parseGroup),
    nodes: watchOf(options, NODES, projectNode),
  };
}

function watchOf<T>(
  { source, clock, random, log, onRelist }: WatchesOptions,
  resource: Resource,
  project: (raw: unknown) => T | null,
): Watch<T> {
  const kind = resource.plural;
  let reflector: Reflector | null = null;
  return {
    run: async (handler, onProblem, signal) => {
      reflector = createReflector({
        kind,
        source: source(resource),
        project,
        handler,
        clock,
        random,
        log,
        onProblem: (problem) => onProblem(problem?.message ?? null),
        onRelist: () => onRelist?.(kind),
      });
      reflector.start();
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      await reflector.stop();
    },
    lastContactMs: () => reflector?.lastContactMs() ?? null,
  };
}
