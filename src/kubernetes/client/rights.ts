/** Which right a refusal asks for, and where it is to be had. Pure. */
import {
  ENDPOINT_SLICES,
  ENDPOINTS,
  type Place,
  PODS,
  qualified,
  type Resource,
  SERVICES,
} from '../objects/resources.ts';
import { type Answer, statusOf } from './answer.ts';

/** As a rule of a role names it. */
export type Right = {
  /** get, list, watch, create, update, patch, delete */
  readonly verb: string;
  readonly resource: Resource;
  readonly subresource?: Place['subresource'] | undefined;
};

/** What only groups with a route need, and the base does not give. */
const isOfRoutes = ({ resource, subresource }: Right): boolean =>
  [SERVICES, ENDPOINTS, ENDPOINT_SLICES].includes(resource) || (resource === PODS && subresource === 'eviction');

/** `patch leadergroups.leadergroup.dev/status` */
export const nameOfRight = ({ verb, resource, subresource }: Right): string =>
  `${verb} ${qualified(resource)}${subresource === undefined ? '' : `/${subresource}`}`;

/** The end of a sentence that says what was refused. */
export const adviceOnRight = (right: Right): string =>
  `; give the operator's account the right to ${nameOfRight(right)} (${isOfRoutes(right) ? 'deploy/overlays/route has' : 'deploy/ has'} the rules)`;

/** As every authorizer of Kubernetes says it. Admission policies and quotas answer 403 too, and no right would help. */
export const isMissingRight = ({ status, body }: Answer): boolean =>
  status === 403 && / cannot \w+ resource "/.test(statusOf(body)?.message ?? '');
