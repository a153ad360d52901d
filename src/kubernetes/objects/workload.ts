/** The controllers of pods at the border: where each is read, and the label keys that are kept of it. Pure. */
import type { OwnerRef } from '../../api/pod.ts';
import { asObject, field, listField, type RawObject, textField } from '../../api/raw.ts';
import type { PodSelecting, Workload } from '../../ports/kubernetes.ts';
import { controllerOf } from './pod.ts';
import type { Resource } from './resources.ts';

/** `scale`: of a kind that we do not know, only its scale subresource may tell the selector. */
export type WorkloadSource = { readonly resource: Resource; readonly subresource?: 'scale' };

const KNOWN: Readonly<Record<string, Resource>> = {
  'apps ReplicaSet': { group: 'apps', version: 'v1', plural: 'replicasets' },
  'apps StatefulSet': { group: 'apps', version: 'v1', plural: 'statefulsets' },
  'apps DaemonSet': { group: 'apps', version: 'v1', plural: 'daemonsets' },
  'batch Job': { group: 'batch', version: 'v1', plural: 'jobs' },
  ' ReplicationController': { group: '', version: 'v1', plural: 'replicationcontrollers' },
};

/** null: the owner does not name a kind. */
export function sourceOf({ apiVersion, kind }: OwnerRef): WorkloadSource | null {
  const [, group = '', version = ''] = /^(?:([^/]+)\/)?([^/]+)$/.exec(apiVersion) ?? [];
  if (kind === '' || version === '') return null;
  const known = KNOWN[`${group} ${kind}`];
  if (known !== undefined) return { resource: known };
  // Kinds of others: nearly all are named by their plural so, and a wrong guess is a 404.
  return { resource: { group, version, plural: `${kind.toLowerCase()}s` }, subresource: 'scale' };
}

/** `gone`: another object has the name by now. null: it cannot be read. */
export const projectWorkload =
  (owner: OwnerRef) =>
  (raw: unknown): Workload | 'gone' | null => {
    const object = asObject(raw);
    if (object === null) return null;
    const metadata = section(object, 'metadata');
    if (textField(metadata, 'uid') !== owner.uid) return 'gone';
    const selector = keysOfWorkload(object);
    // A scale that tells no selector yet: nobody knows what it selects by.
    if (selector.length === 0) return null;
    const above = controllerOf(metadata);
    const template = section(section(object, 'spec'), 'template');
    return {
      kind: above?.kind ?? owner.kind,
      name: above?.name ?? owner.name,
      selectorKeys: selector,
      templateKeys: Object.keys(section(section(template, 'metadata'), 'labels')),
      placementKeys: placementKeys(section(template, 'spec')),
    };
  };

/** A LabelSelector in spec; a plain map of labels of a ReplicationController; text in the status of a scale. */
function keysOfWorkload(object: RawObject): readonly string[] {
  const selector = section(section(object, 'spec'), 'selector');
  const structured = 'matchLabels' in selector || 'matchExpressions' in selector;
  const text = textField(section(object, 'status'), 'selector');
  return [...(structured ? selectorKeys(selector) : Object.keys(selector)), ...keysOfText(text)];
}

/** Keys of a selector as text: `app=web,tier in (a,b),!debug`. Whoever writes the status of a scale can make it of a million brackets: each is looked at once. */
const keysOfText = (text: string): readonly string[] =>
  text
    .replaceAll(/\([^()]*\)/g, '')
    .split(',')
    .map((part) => /^!?\s*([^\s=!<>]+)/.exec(part.trim())?.[1] ?? '')
    .filter((key) => key !== '');

function selectorKeys(selector: RawObject): readonly string[] {
  const expressions = listField(selector, 'matchExpressions', asObject).map((each) => textField(each, 'key'));
  return [...Object.keys(section(selector, 'matchLabels')), ...expressions].filter((key) => key !== '');
}

function placementKeys(spec: RawObject): readonly string[] {
  const spread = listField(spec, 'topologySpreadConstraints', asObject);
  const affinity = section(spec, 'affinity');
  const terms = ['podAffinity', 'podAntiAffinity'].flatMap((side) => {
    const found = section(affinity, side);
    const preferred = listField(found, 'preferredDuringSchedulingIgnoredDuringExecution', asObject);
    const required = listField(found, 'requiredDuringSchedulingIgnoredDuringExecution', asObject);
    return [...required, ...preferred.map((each) => section(each, 'podAffinityTerm'))];
  });
  return [...spread, ...terms].flatMap((each) => [
    ...selectorKeys(section(each, 'labelSelector')),
    ...listField(each, 'matchLabelKeys', asText),
  ]);
}

const asText = (raw: unknown): string | null => (typeof raw === 'string' ? raw : null);

/** A PodDisruptionBudget by its selector; a NetworkPolicy by every pod selector in it. */
export const projectPodSelecting =
  (kind: 'PodDisruptionBudget' | 'NetworkPolicy') =>
  (raw: unknown): PodSelecting | null => {
    const object = asObject(raw);
    if (object === null) return null;
    const spec = section(object, 'spec');
    const peers = ['ingress', 'egress'].flatMap((way) =>
      listField(spec, way, asObject).flatMap((rule) => listField(rule, way === 'ingress' ? 'from' : 'to', asObject)),
    );
    const selectors = [section(spec, 'selector'), section(spec, 'podSelector')];
    const all = [...selectors, ...peers.map((peer) => section(peer, 'podSelector'))];
    return { kind, name: textField(section(object, 'metadata'), 'name'), keys: all.flatMap(selectorKeys) };
  };

const section = (object: RawObject, name: string): RawObject => asObject(field(object, name)) ?? {};
