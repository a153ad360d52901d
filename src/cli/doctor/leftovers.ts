/** What of LeaderGroup is in a cluster, for whoever takes it out. Pure. */
import { API_GROUP, DEFAULT_LABEL_KEY, MANAGED_BY_LABEL } from '../../api/names.ts';
import type { Pod } from '../../api/pod.ts';
import type { RawObject } from '../../api/raw.ts';
import type { Group } from '../groups.ts';
import { isWorking } from '../operator.ts';
import type { Fact, Facts } from './facts.ts';
import { nameOf, namespaceOf, section, texts, titleOf } from './objects.ts';
import { annotationsLeft, removing } from './remains.ts';

export type Step = {
  /** What is there. */
  readonly object: string;
  /** What to do about it, in the order of the list. */
  readonly action: string;
};

export type Leftovers = { readonly steps: readonly Step[]; readonly unknown: readonly string[] };

/** In the order in which they are to be done: whoever uses leaders first, the groups while an operator runs, and what remains. */
export function leftovers(facts: Facts): Leftovers {
  const parts = [
    over(facts.services, (services) => services.flatMap((service) => ofService(service, facts))),
    over(facts.groups, (groups) => groups.map((group) => ofGroup(group, facts))),
    over(facts.slices, (slices) => slices.filter(isOurs).map(ofSlice)),
    over(facts.pods, (pods) => pods.flatMap((pod) => ofPod(pod, facts))),
    over(facts.operator, (operator) =>
      operator.kind === 'found'
        ? [
            {
              object: `Deployment ${operator.namespace}/${operator.name}`,
              action:
                'Remove the operator once the groups are gone: `helm uninstall`, or `kubectl delete -f deploy/install.yaml` without the crds (docs/install.md).',
            },
          ]
        : [],
    ),
    over(facts.crd, (crd) =>
      crd === null
        ? []
        : [
            {
              object: 'CustomResourceDefinition leadergroups.leadergroup.dev',
              action: 'Delete it last: with it go all groups that are left.',
            },
          ],
    ),
  ];
  return { steps: parts.flatMap(({ steps }) => steps), unknown: [...new Set(parts.flatMap(({ unknown }) => unknown))] };
}

function over<T>(fact: Fact<T>, steps: (value: T) => readonly Step[]): Leftovers {
  return fact.kind === 'unknown' ? { steps: [], unknown: [fact.why] } : { steps: steps(fact.value), unknown: [] };
}

function ofGroup({ namespace, name, known }: Group, { operator }: Facts): Step {
  const object = `LeaderGroup ${namespace}/${name}`;
  const works = operator.kind === 'known' && isWorking(operator.value);
  if (works || known.finalizers.length === 0)
    return {
      object,
      action: `Delete it while the operator runs: \`kubectl -n ${namespace} delete leadergroup ${name}\`. It takes labels, annotations and slices away.`,
    };
  return {
    object,
    action:
      'Start an operator first: it is held by a finalizer, which the operator takes off once label and lock are gone.',
  };
}

/** It has no endpoint any more once the label is gone. */
function ofService(service: RawObject, { groups }: Facts): readonly Step[] {
  if (groups.kind === 'unknown') return [];
  const selector = texts(section(service, 'spec', 'selector'));
  const group = groups.value.find(({ namespace, valid }) => {
    const label = valid?.spec.label;
    return namespace === namespaceOf(service) && label !== undefined && selector[label.key] === label.leader;
  });
  const routing = groups.value.find(
    ({ namespace, valid }) => namespace === namespaceOf(service) && valid?.spec.route?.serviceName === nameOf(service),
  );
  const by = group ?? routing;
  if (by === undefined) return [];
  return [
    {
      object: titleOf(service),
      action: `It leads to the leader of ${by.name}, and has no endpoint without it: change its selector, or delete it.`,
    },
  ];
}

const isOurs = (slice: RawObject): boolean =>
  texts(section(slice, 'metadata', 'labels'))[MANAGED_BY_LABEL] === API_GROUP;

const ofSlice = (slice: RawObject): Step => ({
  object: titleOf(slice),
  action: `It goes with its group. If it stays: \`kubectl -n ${namespaceOf(slice)} delete endpointslice ${nameOf(slice)}\`.`,
});

/** Only those that no group will clean up. */
function ofPod(pod: Pod, { groups }: Facts): readonly Step[] {
  const { namespace, name } = pod;
  const there = groups.kind === 'known' && groups.value.some((group) => group.namespace === namespace);
  if (there) return [];
  const labels = Object.keys(pod.labels).filter((key) => key === DEFAULT_LABEL_KEY);
  const annotations = annotationsLeft(pod, () => true);
  const commands = [
    ...(labels.length === 0 ? [] : [removing('label', pod, labels)]),
    ...(annotations.length === 0 ? [] : [removing('annotate', pod, annotations)]),
  ];
  if (commands.length === 0) return [];
  const what = [...labels, ...annotations].join(', ');
  return [
    { object: `Pod ${namespace}/${name}`, action: `It has ${what} of a group that is gone: ${commands.join(', ')}.` },
  ];
}
