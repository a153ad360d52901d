/**
 * What the watches have delivered, indexed by group. Answers to our own writes and GETs are merged per group elsewhere
 * (memory.ts): this store holds only what the watches said, so nothing deleted is ever brought back.
 */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { LeaderGroup, ParsedLeaderGroup } from '../../api/leadergroup.ts';
import type { ClusterNode, Pod } from '../../api/pod.ts';
import { indexPair, matches } from '../../api/selector.ts';
import { goesByReady } from '../../election/candidacy.ts';
import { finished } from '../../election/candidates.ts';
import type { Clock } from '../../ports/clock.ts';
import { createGoneNames } from './gone-names.ts';
import { createNodes } from './nodes.ts';
import { type StoredPod, timesOf } from './pod-times.ts';

export type Store = {
  /** Each returns the keys of the groups concerned. Events must come in order, as a reflector delivers them. */
  podChanged(before: Pod | null, after: Pod | null): readonly string[];
  groupChanged(before: ParsedLeaderGroup | null, after: ParsedLeaderGroup | null): readonly string[];
  /** Of a node that was lost, or is lost no more; where it was cordoned or given other labels of those whose leader may be preempted. */
  nodeChanged(before: ClusterNode | null, after: ClusterNode | null): readonly string[];
  group(key: string): ParsedLeaderGroup | null;
  /** Another group of this key was shown before, and is gone: its label may be on pods of which no watch has told since. */
  hadAnother(key: string): boolean;
  groupKeys(): readonly string[];
  /** Pods that the group selects or that carry its annotations. */
  podsConcerning(key: string): readonly StoredPod[];
  /** Whether `podsConcerning` has a pod of this name. */
  concerns(key: string, pod: string): boolean;
  pod(namespace: string, name: string): StoredPod | null;
  /** Running pods that have this address for themselves; one, unless a watch lags behind its being used again. */
  podsAt(address: string): readonly Pod[];
  /** Valid groups of the pod's namespace that select it. */
  groupsSelecting(pod: Pod): readonly LeaderGroup[];
  /** Valid groups whose route names this Service. */
  groupsRouting(namespace: string, service: string): readonly LeaderGroup[];
  /** Keys of all valid groups that have a route. */
  routedKeys(): readonly string[];
  hasRoutes(): boolean;
  /** Keys of all valid groups in which a pod counts only while its node is Ready, or in which nobody is preempted by nodes that are not seen. */
  keysNeedingNodes(): readonly string[];
  /** As the watch has shown it last; null: it has not, or the node is deleted. */
  node(name: string | null): ClusterNode | null;
  /** Since when it has been Ready, or not, by own observation; null: nothing was shown of it. */
  nodeReadyChangedMs(name: string | null): MonotonicMs | null;
  /** The node is deleted, or out of service. */
  nodeLost(node: string | null): boolean;
};

const nameOf = (pod: Pod): string => `${pod.namespace}/${pod.name}`;

export const groupKey = (group: { namespace: string; name: string }): string => `${group.namespace}/${group.name}`;

const routeOf = ({ namespace, spec: { route } }: LeaderGroup): string | null =>
  route === null ? null : `${namespace}/${route.serviceName}`;

export function createStore(clock: Clock): Store {
  const pods = new Map<string, Map<string, StoredPod>>();
  const groups = new Map<string, ParsedLeaderGroup>();
  const selectors = createSelectorIndex();
  const concerned = new Map<string, Set<string>>();
  /** By namespace and Service, groups whose route names it, by name. */
  const routes = new Map<string, Map<string, LeaderGroup>>();
  const nodes = createNodes(clock);
  const names = createGoneNames();
  /** One, but for a moment; a list takes a fifth of the memory that a map would. */
  const addressed = new Map<string, readonly Pod[]>();
  /** By what a new group can be told to concern a pod, names of pods: else each group would have to look at every pod of its namespace. */
  const findable = new Map<string, Set<string>>();

  function podChanged(before: Pod | null, after: Pod | null): readonly string[] {
    const keys = new Set<string>();
    const name = after ?? before;
    const previous = name === null ? null : (pods.get(name.namespace)?.get(name.name) ?? null);
    nodes.podChanged(before === null ? null : (previous?.pod ?? null), after);
    if (before !== null) for (const key of forget(before)) keys.add(key);
    if (after !== null) for (const key of remember(previous, after)) keys.add(key);
    return [...keys].filter((key) => groups.has(key));
  }

  function forget(pod: Pod): readonly string[] {
    const known = pods.get(pod.namespace)?.get(pod.name)?.pod;
    dropFrom(pods, pod.namespace, pod.name);
    for (const address of known?.addresses ?? []) leaveAddress(address, pod);
    for (const mark of marksOf(known)) dropFrom(findable, mark, pod.name);
    const keys = concernedBy(pod);
    for (const key of keys) dropFrom(concerned, key, pod.name);
    return keys;
  }

  const others = (address: string, pod: Pod): readonly Pod[] =>
    (addressed.get(address) ?? []).filter((other) => nameOf(other) !== nameOf(pod));

  function leaveAddress(address: string, pod: Pod): void {
    const left = others(address, pod);
    if (left.length === 0) addressed.delete(address);
    else addressed.set(address, left);
  }

  function remember(previous: StoredPod | null, pod: Pod): readonly string[] {
    const same = previous !== null && previous.pod.uid === pod.uid;
    namespaced(pod.namespace).set(pod.name, { pod, ...timesOf(same ? previous : null, pod, clock) });
    // The address of a pod that has ended may be another's already.
    if (!finished(pod)) for (const address of pod.addresses) addressed.set(address, [...others(address, pod), pod]);
    for (const mark of marksOf(pod)) getOrPut(findable, mark, () => new Set()).add(pod.name);
    const keys = concernedBy(pod);
    for (const key of keys) setOf(key).add(pod.name);
    return keys;
  }

  const namespaced = (namespace: string): Map<string, StoredPod> => getOrPut(pods, namespace, () => new Map());
  const setOf = (key: string): Set<string> => getOrPut(concerned, key, () => new Set());

  const concernedBy = (pod: Pod): readonly string[] => [
    ...new Set([
      ...selectors.selecting(pod).map(groupKey),
      ...annotatedGroups(pod).map((name) => `${pod.namespace}/${name}`),
    ]),
  ];

  function groupChanged(before: ParsedLeaderGroup | null, after: ParsedLeaderGroup | null): readonly string[] {
    const keys = new Set<string>();
    for (const parsed of [before, after]) if (parsed !== null) for (const key of rivals(parsed)) keys.add(key);
    if (before !== null && before.group.uid !== after?.group.uid) names.note(groupKey(before.group));
    if (before !== null) dropGroup(before);
    if (after !== null) addGroup(after);
    if (after !== null) for (const key of rivals(after)) keys.add(key);
    return [...keys];
  }

  function dropGroup({ kind, group }: ParsedLeaderGroup): void {
    groups.delete(groupKey(group));
    concerned.delete(groupKey(group));
    if (kind !== 'valid') return;
    selectors.remove(group);
    const route = routeOf(group);
    if (route !== null) dropFrom(routes, route, group.name);
  }

  function addGroup(parsed: ParsedLeaderGroup): void {
    const key = groupKey(parsed.group);
    groups.set(key, parsed);
    if (parsed.kind === 'valid') addValid(parsed.group);
    const here = pods.get(parsed.group.namespace);
    for (const name of perhapsConcerned(parsed)) {
      const stored = here?.get(name);
      if (stored !== undefined && concernedBy(stored.pod).includes(key)) setOf(key).add(name);
    }
  }

  function addValid(group: LeaderGroup): void {
    selectors.add(group);
    const route = routeOf(group);
    if (route !== null) getOrPut(routes, route, () => new Map()).set(group.name, group);
  }

  function perhapsConcerned(parsed: ParsedLeaderGroup): Iterable<string> {
    const { namespace } = parsed.group;
    const annotated = findable.get(groupKey(parsed.group)) ?? [];
    if (parsed.kind === 'invalid') return annotated;
    const pair = indexPair(parsed.group.spec.selector);
    if (pair === null) return pods.get(namespace)?.keys() ?? [];
    return [...annotated, ...(findable.get(`${namespace}/${pair}`) ?? [])];
  }

  /** The group itself and those that share a pod or a Service with it: whether they overlap may just have changed. */
  function rivals(parsed: ParsedLeaderGroup): readonly string[] {
    const { group } = parsed;
    const key = groupKey(group);
    const route = parsed.kind === 'valid' ? routeOf(parsed.group) : null;
    const routing = [...((route === null ? undefined : routes.get(route)?.values()) ?? [])].map(groupKey);
    const sharing = [...(concerned.get(key) ?? [])].flatMap((name) => {
      const stored = pods.get(group.namespace)?.get(name);
      return stored === undefined ? [] : selectors.selecting(stored.pod).map(groupKey);
    });
    return [...new Set([key, ...sharing, ...routing])];
  }

  function podNamed(name: string): StoredPod | null {
    const slash = name.indexOf('/');
    return pods.get(name.slice(0, slash))?.get(name.slice(slash + 1)) ?? null;
  }

  /** Else whoever is preferred matters when somebody is elected, and no sooner. */
  function preempts(key: string): boolean {
    const parsed = groups.get(key);
    return parsed?.kind === 'valid' && parsed.group.spec.preemption.policy !== 'Never';
  }

  function nodeChanged(before: ClusterNode | null, after: ClusterNode | null): readonly string[] {
    const { lost, pods: itsPods } = nodes.changed(before, after);
    const keys = itsPods.flatMap((name) => {
      const stored = podNamed(name);
      return stored === null ? [] : concernedBy(stored.pod);
    });
    return [...new Set(keys)].filter((key) => groups.has(key) && (lost || preempts(key)));
  }

  return {
    podChanged,
    groupChanged,
    nodeChanged,
    group: (key) => groups.get(key) ?? null,
    hadAnother: names.has,
    groupKeys: () => [...groups.keys()],
    podsConcerning: (key) => {
      const namespace = pods.get(key.slice(0, key.indexOf('/')));
      return [...(concerned.get(key) ?? [])].flatMap((name) => namespace?.get(name) ?? []);
    },
    concerns: (key, pod) => concerned.get(key)?.has(pod) === true,
    pod: (namespace, name) => pods.get(namespace)?.get(name) ?? null,
    podsAt: (address) => addressed.get(address) ?? [],
    groupsSelecting: (pod) => selectors.selecting(pod),
    groupsRouting: (namespace, service) => [...(routes.get(`${namespace}/${service}`)?.values() ?? [])],
    hasRoutes: () => routes.size > 0,
    keysNeedingNodes: () =>
      [...groups].flatMap(([key, parsed]) =>
        parsed.kind === 'valid' && (!goesByReady(parsed.group.spec) || preempts(key)) ? [key] : [],
      ),
    routedKeys: () => [...routes.values()].flatMap((groups) => [...groups.values()].map(groupKey)),
    node: nodes.node,
    nodeReadyChangedMs: nodes.readyChangedMs,
    nodeLost: nodes.lost,
  };
}

/** Names in the operator's annotations: `token.leadergroup.dev/<group>` and its siblings. */
function annotatedGroups(pod: Pod): readonly string[] {
  return Object.keys(pod.annotations).flatMap((key) => {
    const [domain, name] = key.split('/');
    return name !== undefined && /^(token|since|fenced)\.leadergroup\.dev$/.test(domain ?? '') ? [name] : [];
  });
}

/** Each of its label pairs, and each group that its annotations name: a pair has a `=`, which no name can have. */
const marksOf = (pod: Pod | undefined): readonly string[] =>
  pod === undefined
    ? []
    : [...Object.entries(pod.labels).map(([key, value]) => `${key}=${value}`), ...annotatedGroups(pod)].map(
        (mark) => `${pod.namespace}/${mark}`,
      );

type SelectorIndex = {
  add(group: LeaderGroup): void;
  remove(group: LeaderGroup): void;
  selecting(pod: Pod): readonly LeaderGroup[];
};

/** Groups by one label that every pod of theirs must have, so that a pod event does not try every selector. */
function createSelectorIndex(): SelectorIndex {
  const byPair = new Map<string, Map<string, LeaderGroup>>();
  const slot = (group: LeaderGroup): string => `${group.namespace}/${indexPair(group.spec.selector) ?? ''}`;
  return {
    add: (group) => void getOrPut(byPair, slot(group), () => new Map<string, LeaderGroup>()).set(group.name, group),
    remove: (group) => {
      byPair.get(slot(group))?.delete(group.name);
      if (byPair.get(slot(group))?.size === 0) byPair.delete(slot(group));
    },
    selecting: (pod) => {
      const pairs = ['', ...Object.entries(pod.labels).map(([key, value]) => `${key}=${value}`)];
      return pairs
        .flatMap((pair) => [...(byPair.get(`${pod.namespace}/${pair}`)?.values() ?? [])])
        .filter(({ spec }) => matches(spec.selector, pod.labels));
    },
  };
}

/** Nothing empty is kept. */
function dropFrom(
  all: Map<string, { delete(name: string): boolean; readonly size: number }>,
  key: string,
  name: string,
): void {
  all.get(key)?.delete(name);
  if (all.get(key)?.size === 0) all.delete(key);
}

function getOrPut<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
