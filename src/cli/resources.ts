/** The kinds that the commands read beside those that the operator knows, and how a right to one is named. */
import { qualified, type Resource } from '../kubernetes/objects/resources.ts';

export {
  ENDPOINT_SLICES,
  ENDPOINTS,
  EVENTS,
  LEADER_GROUPS,
  NETWORK_POLICIES,
  NODES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  type Resource,
  SERVICES,
} from '../kubernetes/objects/resources.ts';

export const DEPLOYMENTS: Resource = { group: 'apps', version: 'v1', plural: 'deployments' };
export const STATEFUL_SETS: Resource = { group: 'apps', version: 'v1', plural: 'statefulsets' };
export const DAEMON_SETS: Resource = { group: 'apps', version: 'v1', plural: 'daemonsets' };
export const JOBS: Resource = { group: 'batch', version: 'v1', plural: 'jobs' };
export const CONFIG_MAPS: Resource = { group: '', version: 'v1', plural: 'configmaps' };
export const CRDS: Resource = { group: 'apiextensions.k8s.io', version: 'v1', plural: 'customresourcedefinitions' };

const REVIEW = { group: 'authorization.k8s.io', version: 'v1' } as const;
/** Of one's own rights, which everybody may ask for. */
export const OWN_RIGHTS: Resource = { ...REVIEW, plural: 'selfsubjectaccessreviews' };
/** Who the API server takes one for, which everybody may ask, too. */
export const WHO_AM_I: Resource = { group: 'authentication.k8s.io', version: 'v1', plural: 'selfsubjectreviews' };
/** Kubernetes asks for `get` or for `create`, by its version. */
export const PORT_FORWARD: Resource = { group: '', version: 'v1', plural: 'pods/portforward' };
/** Of somebody else's. */
export const RIGHTS_OF_OTHERS: Resource = { ...REVIEW, plural: 'subjectaccessreviews' };

export type Verb = 'get' | 'list' | 'watch' | 'patch' | 'create' | 'delete';

/** As docs and messages name a right: `list pods`, `patch leadergroups.leadergroup.dev`. */
export const rightOf = (verb: Verb, resource: Resource): string => `${verb} ${qualified(resource)}`;
