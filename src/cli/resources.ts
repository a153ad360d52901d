/** The kinds that the commands read beside those that the operator knows, and how a right to one is named. */
import { qualified, type Resource } from '../kubernetes/objects/resources.ts';

export { LEADER_GROUPS, PODS, type Resource } from '../kubernetes/objects/resources.ts';

export const DEPLOYMENTS: Resource = { group: 'apps', version: 'v1', plural: 'deployments' };

export type Verb = 'get' | 'list' | 'watch' | 'patch' | 'create' | 'delete';

/** As docs and messages name a right: `list pods`, `patch leadergroups.leadergroup.dev`. */
export const rightOf = (verb: Verb, resource: Resource): string => `${verb} ${qualified(resource)}`;
