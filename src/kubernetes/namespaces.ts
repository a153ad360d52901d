/**
 * The namespaces that are watched where not all of them are. What a group is decided by lies in its own namespace, so each stands for itself: one whose
 * pods or groups may not be read is left out, and the others go on. What has not been listed is unknown, and never taken for empty.
 */
import type { Unwatched } from '../ports/gate.ts';
import type { GroupsShown } from '../ports/kubernetes.ts';
import type { ReflectorProblem } from './reflector/reflector-problem.ts';

export type Watched = 'pods' | 'groups';

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
  /** The first full list of them has been delivered. */
  listed(what: Watched, namespace: string): void;
  /** Whether a group of the namespace that is not shown is not there. A list is kept while the namespace may not be read any more. */
  groupsIn(namespace: string): GroupsShown;
  /** What keeps the watch of the pods or the groups of a namespace from its work. */
  problem(what: Watched, namespace: string, problem: ReflectorProblem | null): void;
};

export function createNamespaces(watched: readonly string[], home: string): Namespaces {
  const listed = { pods: new Set<string>(), groups: new Set<string>() };
  const denied = { pods: new Map<string, string>(), groups: new Map<string, string>() };
  const waiting = new Map<string, (() => void)[]>();
  const listeners = new Set<() => void>();
  return {
    watched,
    home,
    leftOut: (namespace) => denied.pods.get(namespace) ?? denied.groups.get(namespace) ?? null,
    whenListed: (namespace, start) => {
      if (listed.pods.has(namespace)) start();
      else waiting.set(namespace, [...(waiting.get(namespace) ?? []), start]);
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    listed: (what, namespace) => {
      listed[what].add(namespace);
      if (what === 'groups') return;
      for (const start of waiting.get(namespace) ?? []) start();
      waiting.delete(namespace);
    },
    groupsIn: (namespace) => {
      if (listed.groups.has(namespace)) return 'listed';
      return watched.includes(namespace) ? 'unread' : 'unwatched';
    },
    problem: (what, namespace, problem) => {
      if (problem?.kind === 'denied') denied[what].set(namespace, problem.message);
      else denied[what].delete(namespace);
      for (const listener of listeners) listener();
    },
  };
}

/** Why nothing is said of a group that is not shown; null: it is not there. */
export function unwatchedIn({ watched, groupsIn, leftOut }: Namespaces, namespace: string): Unwatched | null {
  switch (groupsIn(namespace)) {
    case 'listed': {
      const why = leftOut(namespace);
      return why === null ? null : { why, passing: true };
    }
    case 'unread':
      return { why: leftOut(namespace) ?? 'they are not listed yet', passing: true };
    case 'unwatched':
      return { why: `this operator watches ${watched.join(', ')} only (setting watchNamespaces)`, passing: false };
  }
}

/** Of each that is watched, whether it is not left out. */
export const readableOf = ({ watched, leftOut }: Namespaces): ReadonlyMap<string, boolean> =>
  new Map(watched.map((namespace) => [namespace, leftOut(namespace) === null]));

/** With the operator's own, each once. */
export const withHome = ({ watched, home }: Namespaces): readonly string[] => [...new Set([...watched, home])];
