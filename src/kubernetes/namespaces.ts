/**
 * The namespaces that are watched where not all of them are. What a group is decided by lies in its own namespace, so each stands for itself: one whose
 * pods or groups may not be read is left out, and the others go on.
 */
import type { ReflectorProblem } from './reflector/reflector-problem.ts';

type Watched = 'pods' | 'groups';

export type Namespaces = {
  /** Where groups are. */
  readonly watched: readonly string[];
  /** Where the operator runs: its own pods are watched there. */
  readonly home: string;
  /** Why a namespace is left out; null: it is not. */
  leftOut(namespace: string): string | null;
  /** Calls `start` once the pods of the namespace are listed, at once if they are: a group without its pods would look as if it had none. */
  whenListed(namespace: string, start: () => void): void;
  /** To be told whenever `leftOut` may be another, until what is returned is called. */
  onChange(listener: () => void): () => void;
  podsListed(namespace: string): void;
  /** What keeps the watch of the pods or the groups of a namespace from its work. */
  problem(what: Watched, namespace: string, problem: ReflectorProblem | null): void;
};

export function createNamespaces(watched: readonly string[], home: string): Namespaces {
  const listed = new Set<string>();
  const denied = { pods: new Map<string, string>(), groups: new Map<string, string>() };
  const waiting = new Map<string, (() => void)[]>();
  const listeners = new Set<() => void>();
  return {
    watched,
    home,
    leftOut: (namespace) => denied.pods.get(namespace) ?? denied.groups.get(namespace) ?? null,
    whenListed: (namespace, start) => {
      if (listed.has(namespace)) start();
      else waiting.set(namespace, [...(waiting.get(namespace) ?? []), start]);
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    podsListed: (namespace) => {
      listed.add(namespace);
      for (const start of waiting.get(namespace) ?? []) start();
      waiting.delete(namespace);
    },
    problem: (what, namespace, problem) => {
      if (problem?.kind === 'denied') denied[what].set(namespace, problem.message);
      else denied[what].delete(namespace);
      for (const listener of listeners) listener();
    },
  };
}

/** With the operator's own, each once. */
export const withHome = ({ watched, home }: Namespaces): readonly string[] => [...new Set([...watched, home])];
