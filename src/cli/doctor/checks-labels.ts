/** Labels, annotations and who else selects by them. Pure. */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { DEFAULT_LABEL_KEY, DEFAULT_LABEL_LEADER } from '../../api/names.ts';
import type { Pod } from '../../api/pod.ts';
import { asObject, listField, type RawObject } from '../../api/raw.ts';
import type { Group } from '../groups.ts';
import { check } from './check.ts';
import type { Finding } from './findings.ts';
import { createMembership } from './membership.ts';
import { grouped, namespaceOf, section, selectorKeys, titleOf } from './objects.ts';
import { annotationsLeft, removing } from './remains.ts';

const podTitle = ({ namespace, name }: Pod): string => `Pod ${namespace}/${name}`;

export const overlaps = check(['groups-overlap'], ['groups', 'pods'], ({ groups, pods }) => {
  const { groupsOf } = createMembership(groups, pods);
  const pairs = new Map<string, Finding>();
  for (const pod of pods)
    for (const [older, younger] of overlapping(groupsOf(pod))) {
      const object = `LeaderGroup ${younger.namespace}/${younger.name}`;
      const message = `It selects ${pod.name}, which the older ${older.name} selects by the same label key ${older.spec.label.key}.`;
      const key = `${object} ${older.name}`;
      if (!pairs.has(key)) pairs.set(key, { id: 'groups-overlap', object, message });
    }
  return [...pairs.values()];
});

/** The oldest of each label key with each younger one. */
const overlapping = (groups: readonly LeaderGroup[]): readonly (readonly [LeaderGroup, LeaderGroup])[] =>
  [...grouped(groups, ({ spec }) => spec.label.key).values()].flatMap(([oldest, ...younger]) =>
    oldest === undefined ? [] : younger.map((each) => [oldest, each] as const),
  );

export const twoLabels = check(['two-labels'], ['groups', 'pods'], ({ groups, pods }) => {
  const { membersOf } = createMembership(groups, pods);
  return groups.flatMap(({ valid }): readonly Finding[] => {
    if (valid === null) return [];
    const { key, leader } = valid.spec.label;
    const carriers = membersOf(valid).filter(({ labels }) => labels[key] === leader);
    if (carriers.length < 2) return [];
    const names = carriers.map(({ name }) => name).join(', ');
    return [
      {
        id: 'two-labels',
        object: `LeaderGroup ${valid.namespace}/${valid.name}`,
        message: `${names} carry ${key}=${leader}.`,
      },
    ];
  });
});

/** Of the groups that are there, and of those that are gone: their keys are forgotten, but for the usual one. */
export const staleLabels = check(['stale-label'], ['groups', 'pods'], ({ groups, pods }) => {
  const { groupsOf } = createMembership(groups, pods);
  // Whom a group selects whose spec cannot be read nobody knows.
  const unsure = new Set(groups.filter(({ valid }) => valid === null).map(({ namespace }) => namespace));
  const labels = new Map<string, ReturnType<typeof labelsIn>>();
  return pods.flatMap((pod): readonly Finding[] => {
    if (unsure.has(pod.namespace)) return [];
    const known = labels.get(pod.namespace) ?? labelsIn(groups, pod.namespace);
    labels.set(pod.namespace, known);
    const left = known.filter(
      ({ key, leader }) => pod.labels[key] === leader && !groupsOf(pod).some(({ spec }) => spec.label.key === key),
    );
    return left.map(({ key, leader }) => ({
      id: 'stale-label',
      object: podTitle(pod),
      message: `It carries ${key}=${leader}, and no group selects it.`,
    }));
  });
});

function labelsIn(groups: readonly Group[], namespace: string) {
  const own = groups.flatMap(({ valid }) => (valid?.namespace === namespace ? [valid.spec.label] : []));
  const all = [{ key: DEFAULT_LABEL_KEY, leader: DEFAULT_LABEL_LEADER }, ...own];
  return [...new Map(all.map(({ key, leader }) => [`${key}=${leader}`, { key, leader }])).values()];
}

export const staleAnnotations = check(['stale-annotation'], ['groups', 'pods'], ({ groups, pods }) => {
  const there = new Set(groups.map(({ namespace, name }) => `${namespace}/${name}`));
  return pods.flatMap((pod): readonly Finding[] => {
    const keys = annotationsLeft(pod, (group) => !there.has(`${pod.namespace}/${group}`));
    if (keys.length === 0) return [];
    const message = `Of a group that is not there: ${removing('annotate', pod, keys)}.`;
    return [{ id: 'stale-annotation', object: podTitle(pod), message }];
  });
});

/** The label keys of the groups of each namespace. */
function keysByNamespace(groups: readonly Group[]): ReadonlyMap<string, ReadonlySet<string>> {
  const valid = groups.flatMap((group) => (group.valid === null ? [] : [group.valid]));
  const keys = grouped(valid, ({ namespace }) => namespace);
  return new Map([...keys].map(([namespace, all]) => [namespace, new Set(all.map(({ spec }) => spec.label.key))]));
}

export const workloads = check(
  ['workload-selects-label', 'template-has-label'],
  ['groups', 'workloads'],
  ({ groups, workloads }) => {
    const keys = keysByNamespace(groups);
    return workloads.flatMap((workload) => ofWorkload(workload, keys.get(namespaceOf(workload)) ?? new Set()));
  },
);

export function ofWorkload(workload: RawObject, keys: ReadonlySet<string>): readonly Finding[] {
  const object = titleOf(workload);
  const selected = selectorKeys(section(workload, 'spec', 'selector')).filter((key) => keys.has(key));
  const born = Object.keys(section(workload, 'spec', 'template', 'metadata', 'labels')).filter((key) => keys.has(key));
  return [
    ...selected.map((key): Finding => ({ id: 'workload-selects-label', object, message: `Its selector has ${key}.` })),
    ...born.map((key): Finding => ({ id: 'template-has-label', object, message: `Its pod template has ${key}.` })),
  ];
}

export const selectedByOthers = check(
  ['label-selected-by-others'],
  ['groups', 'selecting'],
  ({ groups, selecting }) => {
    const keys = keysByNamespace(groups);
    return selecting.flatMap((each) => {
      const own = keys.get(namespaceOf(each));
      const found = own === undefined ? [] : [...new Set(keysOf(each))].filter((key) => own.has(key));
      return found.map(
        (key): Finding => ({ id: 'label-selected-by-others', object: titleOf(each), message: `It selects by ${key}.` }),
      );
    });
  },
);

/** A budget's selector; of a policy also those of its peers. */
function keysOf(object: RawObject): readonly string[] {
  const spec = section(object, 'spec');
  const peers = ['ingress', 'egress'].flatMap((way) =>
    listField(spec, way, asObject).flatMap((rule) => listField(rule, way === 'ingress' ? 'from' : 'to', asObject)),
  );
  const selectors = [
    section(spec, 'selector'),
    section(spec, 'podSelector'),
    ...peers.map((peer) => section(peer, 'podSelector')),
  ];
  return selectors.flatMap(selectorKeys);
}
