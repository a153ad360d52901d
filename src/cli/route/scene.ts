/** What a move of a Service rests on, as the API server shows it now. Read anew before each step, the Service first. */

import {
  FORMER_SELECTOR_ANNOTATION,
  MANAGED_BY_LABEL,
  SERVICE_NAME_LABEL,
  SLICE_GROUP_UID,
  UNROUTED_ANNOTATION,
} from '../../api/names.ts';
import type { Pod } from '../../api/pod.ts';
import { asObject, field, listField, type RawObject, textField } from '../../api/raw.ts';
import type { AddressFamily, Service } from '../../api/route.ts';
import { projectPod } from '../../kubernetes/objects/pod.ts';
import { familyOf, projectService } from '../../kubernetes/objects/service.ts';
import { section, texts } from '../doctor/objects.ts';
import { CliError } from '../errors.ts';
import { type Group, readGroups } from '../groups.ts';
import { ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES } from '../resources.ts';
import type { Session } from '../session.ts';
import { type Selector, selectorOf } from './selectors.ts';

/** An EndpointSlice of the Service. */
export type SliceSeen = {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly manager: string;
  /** Of the LeaderGroup that it is for; empty: of none. */
  readonly groupUid: string;
  readonly family: AddressFamily | null;
  readonly endpoints: number;
  /** Uids of the pods that it shows as ready. */
  readonly ready: readonly string[];
};

export type Scene = {
  readonly raw: RawObject;
  readonly service: Service;
  readonly selector: Selector;
  /** What its annotation says that it had; null: nothing. */
  readonly former: Selector | null;
  /** Groups that its annotation says it is led by no more, on purpose; empty: none. */
  readonly unrouted: string;
  /** All of the namespace. */
  readonly groups: readonly Group[];
  /** Those that its selector matches, or has matched, whatever it has of leader labels. */
  readonly pods: readonly Pod[];
  /** Pods of these get names of their own in DNS by the Service. */
  readonly names: boolean;
  readonly slices: readonly SliceSeen[];
  /** The object of the older API, of which Kubernetes makes slices where the Service has no selector. `unread`: nobody has asked. */
  readonly endpoints:
    | { readonly uid: string; readonly resourceVersion: string; readonly filled: boolean }
    | null
    | 'unread';
};

export type Looking = { readonly namespace: string; readonly name: string; readonly withEndpoints: boolean };

/** Rejects with a sentence where there is no such Service. */
export async function readScene(session: Session, { namespace, name, withEndpoints }: Looking): Promise<Scene> {
  const { api } = session;
  const raw = await api.get({ resource: SERVICES, namespace, name });
  const service = raw === null ? null : projectService(raw);
  if (raw === null || service === null)
    throw new CliError(
      `There is no Service ${name} in namespace ${namespace}: \`kubectl get services -A\` shows where they are.`,
    );
  const groups = await readGroups({ ...session, namespace });
  const selector = texts(section(raw, 'spec', 'selector'));
  const former = formerOf(raw);
  const labelSelector = selectorOf(broadest(selector, former, groups));
  const [pods, slices, endpoints] = await Promise.all([
    api.list(PODS, { namespace, ...(labelSelector === '' ? {} : { labelSelector }) }),
    api.list(ENDPOINT_SLICES, { namespace, labelSelector: `${SERVICE_NAME_LABEL}=${name}` }),
    withEndpoints ? api.get({ resource: ENDPOINTS, namespace, name }) : undefined,
  ]);
  return {
    raw,
    service,
    selector,
    former,
    unrouted: textField(section(raw, 'metadata', 'annotations'), UNROUTED_ANNOTATION),
    groups,
    pods: pods.items.map(projectPod).filter((pod) => pod !== null),
    names: pods.items.some((pod) => textField(section(pod, 'spec'), 'subdomain') === name),
    slices: slices.items.map(sliceSeen),
    endpoints: endpoints === undefined ? 'unread' : endpoints && endpointsSeen(endpoints),
  };
}

/** By which every pod is found that the Service has led to, or will: without leader labels. */
function broadest(selector: Selector, former: Selector | null, groups: readonly Group[]): Selector {
  const keys = new Set(groups.flatMap(({ valid }) => (valid === null ? [] : [valid.spec.label.key])));
  const base = isPlain(selector) ? selector : (former ?? {});
  return Object.fromEntries(Object.entries(base).filter(([key]) => !keys.has(key)));
}

/** What a move leaves in the selector while the endpoints of Kubernetes are to go and ours stay: no pod has it. */
export const NOBODY: Selector = { 'leadergroup.dev/route': 'by-slice' };

const isNobody = (selector: Selector): boolean => Object.keys(NOBODY).some((key) => selector[key] === NOBODY[key]);

/** One by which Kubernetes finds pods: neither none, nor what a move leaves for a moment. */
export const isPlain = (selector: Selector): boolean => Object.keys(selector).length > 0 && !isNobody(selector);

function formerOf(raw: RawObject): Selector | null {
  const text = textField(section(raw, 'metadata', 'annotations'), FORMER_SELECTOR_ANNOTATION);
  if (text === '') return null;
  try {
    const selector = texts(asObject(JSON.parse(text)) ?? {});
    if (Object.keys(selector).length > 0) return selector;
  } catch {
    // Not JSON: said below.
  }
  throw new CliError(
    `The annotation ${FORMER_SELECTOR_ANNOTATION} of the Service cannot be read: it is ${text.slice(0, 100)}. Set it to the selector that the Service had, as JSON, such as {"app":"notifier"}, or take it off.`,
  );
}

function sliceSeen(raw: RawObject): SliceSeen {
  const metadata = section(raw, 'metadata');
  const endpoints = listField(raw, 'endpoints', asObject);
  return {
    name: textField(metadata, 'name'),
    uid: textField(metadata, 'uid'),
    resourceVersion: textField(metadata, 'resourceVersion'),
    manager: textField(section(metadata, 'labels'), MANAGED_BY_LABEL),
    groupUid: textField(section(metadata, 'annotations'), SLICE_GROUP_UID),
    family: familyOf(field(raw, 'addressType')),
    endpoints: endpoints.length,
    // As consumers read it: what is not said is ready.
    ready: endpoints
      .filter((endpoint) => field(section(endpoint, 'conditions'), 'ready') !== false)
      .map((endpoint) => textField(section(endpoint, 'targetRef'), 'uid')),
  };
}

function endpointsSeen(raw: RawObject): Exclude<Scene['endpoints'], null | 'unread'> {
  const metadata = section(raw, 'metadata');
  return {
    uid: textField(metadata, 'uid'),
    resourceVersion: textField(metadata, 'resourceVersion'),
    filled: listField(raw, 'subsets', asObject).length > 0,
  };
}
