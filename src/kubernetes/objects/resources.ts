/** The kinds of objects that the operator touches, and their addresses below the API server. */
import { API_GROUP, API_VERSION, PLURAL } from '../../api/names.ts';

export type Resource = {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
};

export const PODS: Resource = { group: '', version: 'v1', plural: 'pods' };
export const NODES: Resource = { group: '', version: 'v1', plural: 'nodes' };
export const NAMESPACES: Resource = { group: '', version: 'v1', plural: 'namespaces' };
export const SERVICES: Resource = { group: '', version: 'v1', plural: 'services' };
export const ENDPOINTS: Resource = { group: '', version: 'v1', plural: 'endpoints' };
export const ENDPOINT_SLICES: Resource = { group: 'discovery.k8s.io', version: 'v1', plural: 'endpointslices' };
export const EVENTS: Resource = { group: 'events.k8s.io', version: 'v1', plural: 'events' };
export const POD_DISRUPTION_BUDGETS: Resource = { group: 'policy', version: 'v1', plural: 'poddisruptionbudgets' };
export const NETWORK_POLICIES: Resource = { group: 'networking.k8s.io', version: 'v1', plural: 'networkpolicies' };
export const LEADER_GROUPS: Resource = { group: API_GROUP, version: API_VERSION, plural: PLURAL };

export type Place = {
  /** null: all namespaces, or a kind without any. */
  readonly namespace: string | null;
  /** null: the collection. */
  readonly name: string | null;
  readonly subresource?: 'status' | 'scale' | 'eviction' | 'log';
};

export type Query = Readonly<Record<string, string | null>>;

/** Path and query, encoded; query fields that are null are left out. */
export function pathOf(resource: Resource, place: Place, query: Query = {}): string {
  const root = resource.group === '' ? ['api'] : ['apis', resource.group];
  const namespace = place.namespace === null ? [] : ['namespaces', place.namespace];
  const name = place.name === null ? [] : [place.name];
  const parts = [...root, resource.version, ...namespace, resource.plural, ...name];
  if (place.subresource !== undefined) parts.push(place.subresource);
  const path = `/${parts.map(encodeURIComponent).join('/')}`;
  const fields = Object.entries(query).filter((field): field is [string, string] => field[1] !== null);
  return fields.length === 0 ? path : `${path}?${new URLSearchParams(fields).toString()}`;
}

/** As Kubernetes names a kind in its own messages: `pods`, `leadergroups.leadergroup.dev`. */
export const qualified = ({ plural, group }: Resource): string => (group === '' ? plural : `${plural}.${group}`);
