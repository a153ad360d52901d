/** What a report holds: listed fields, and nothing that is not listed. No environment, no last-applied configuration, no labels of others. Pure. */

import { API_GROUP } from '../../api/names.ts';
import type { Pod } from '../../api/pod.ts';
import { field, type RawObject, textField } from '../../api/raw.ts';
import { selectorKeys } from '../../api/selector.ts';
import { asWritten } from '../../api/spec.ts';
import type { Facts } from '../doctor/facts.ts';
import type { Looked } from '../doctor/findings.ts';
import { createMembership } from '../doctor/membership.ts';
import { nameOf, namespaceOf, section, texts } from '../doctor/objects.ts';
import type { Group } from '../groups.ts';

export type Section = { readonly name: string; readonly what: string; readonly items: readonly object[] };

export type ContentOptions = {
  readonly facts: Facts;
  readonly looked: Looked;
  readonly events: readonly RawObject[];
  readonly version: string;
  readonly kubernetes: string;
};

/** In the order of the file. What may not be read stands in `unknown`. */
export function contentsOf({ facts, looked, events, version, kubernetes }: ContentOptions): readonly Section[] {
  const groups = facts.groups.kind === 'known' ? facts.groups.value : [];
  const pods = facts.pods.kind === 'known' ? facts.pods.value : [];
  const services = facts.services.kind === 'known' ? facts.services.value : [];
  const slices = facts.slices.kind === 'known' ? facts.slices.value : [];
  const membership = createMembership(groups, pods);
  return [
    { name: 'versions', what: 'versions of Kubernetes and of this program', items: [{ kubernetes, program: version }] },
    {
      name: 'operator',
      what: 'its Deployment: replicas and image',
      items: facts.operator.kind === 'known' ? [facts.operator.value] : [],
    },
    { name: 'groups', what: 'spec and status of each LeaderGroup', items: groups.map(ofGroup) },
    {
      name: 'members',
      what: 'name, node, readiness, the labels by which groups select, and our annotations',
      items: groups.flatMap((group) => membership.membersOf(group).map((pod) => ofPod(pod, group))),
    },
    {
      name: 'services',
      what: 'name and selector of Services that select by a leader label',
      items: services.flatMap((service) => ofService(service, groups)),
    },
    {
      name: 'slices',
      what: 'EndpointSlices of the operator: their Service, and which pod they show',
      items: slices.filter(isOurs).map(ofSlice),
    },
    { name: 'events', what: 'events about LeaderGroups', items: events.map(ofEvent) },
    { name: 'findings', what: 'what doctor finds, at one look', items: looked.findings },
    { name: 'unknown', what: 'what doctor may not look at', items: looked.unknown },
  ];
}

const isOurs = (slice: RawObject): boolean =>
  texts(section(slice, 'metadata', 'labels'))['endpointslice.kubernetes.io/managed-by'] === API_GROUP;

/** Of the domain itself and its subdomains. */
const ours = (annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(annotations).filter(([key]) => /^(?:[\w-]+\.)*leadergroup\.dev\//.test(key)));

const ofGroup = ({ namespace, name, known, valid, problems, raw }: Group) => ({
  namespace,
  name,
  uid: known.uid,
  generation: known.generation,
  created: textField(section(raw, 'metadata'), 'creationTimestamp'),
  deleted: textField(section(raw, 'metadata'), 'deletionTimestamp'),
  finalizers: known.finalizers,
  annotations: ours(texts(section(raw, 'metadata', 'annotations'))),
  spec: valid === null ? null : asWritten(valid.spec),
  problems,
  status: known.status,
});

function ofPod(
  { namespace, name, uid, node, phase, ready, deleting, labels, annotations }: Pod,
  { name: group, valid }: Group,
) {
  const keys = valid === null ? [] : [...selectorKeys(valid.spec.selector), valid.spec.label.key];
  const shown = Object.fromEntries(Object.entries(labels).filter(([key]) => keys.includes(key)));
  return { group, namespace, name, uid, node, phase, ready, deleting, labels: shown, annotations };
}

function ofService(service: RawObject, groups: readonly Group[]): readonly object[] {
  const selector = texts(section(service, 'spec', 'selector'));
  const leads = groups.some(
    ({ namespace, valid }) =>
      namespace === namespaceOf(service) && valid !== null && selector[valid.spec.label.key] !== undefined,
  );
  return leads ? [{ namespace: namespaceOf(service), name: nameOf(service), selector }] : [];
}

function ofSlice(slice: RawObject) {
  const [endpoint] = Array.isArray(field(slice, 'endpoints'))
    ? (field(slice, 'endpoints') as readonly RawObject[])
    : [];
  const shows = endpoint === undefined ? '' : textField(section(endpoint, 'targetRef'), 'name');
  const service = texts(section(slice, 'metadata', 'labels'))['kubernetes.io/service-name'] ?? '';
  return { namespace: namespaceOf(slice), name: nameOf(slice), service, shows };
}

const ofEvent = (event: RawObject) => ({
  time: textField(event, 'eventTime') || textField(event, 'deprecatedLastTimestamp'),
  type: textField(event, 'type'),
  reason: textField(event, 'reason'),
  about: `${textField(section(event, 'regarding'), 'namespace')}/${textField(section(event, 'regarding'), 'name')}`,
  note: textField(event, 'note'),
});
