/** Which rights each command uses; docs/reference/kubectl-leadergroup.md and `--help` show them. A test sees every request of every command. */

export type Rights = {
  readonly needed: readonly string[];
  /** Without one of these a part of the answer is unknown, and says so. */
  readonly better?: readonly string[];
};

const GROUPS = 'leadergroups.leadergroup.dev';
const OPERATOR = ['list deployments.apps', 'get deployments.apps'];

/** Its own answers, by the port that its pods have for that. */
const FORWARD = ['get pods/portforward', 'create pods/portforward'];

const LOOKING = [
  `list ${GROUPS}`,
  'list pods',
  'list services',
  'list endpointslices.discovery.k8s.io',
  'list statefulsets.apps',
  'list daemonsets.apps',
  'list poddisruptionbudgets.policy',
  'list networkpolicies.networking.k8s.io',
  'list events.events.k8s.io',
  'get customresourcedefinitions.apiextensions.k8s.io',
  'get configmaps',
];

const REVIEWS = [
  'create subjectaccessreviews.authorization.k8s.io',
  'create selfsubjectaccessreviews.authorization.k8s.io',
];

const MOVING = [
  'get services',
  'patch services',
  `list ${GROUPS}`,
  'list pods',
  'list endpointslices.discovery.k8s.io',
];
/** For --by slice alone. */
const BY_SLICE = [`patch ${GROUPS}`, 'delete endpointslices.discovery.k8s.io', 'get endpoints', 'delete endpoints'];
const OF_OWN = 'create selfsubjectaccessreviews.authorization.k8s.io';

export const RIGHTS: Readonly<Record<string, Rights>> = {
  list: { needed: [`list ${GROUPS}`], better: ['list pods', ...OPERATOR] },
  status: { needed: [`get ${GROUPS}`, 'list pods'], better: OPERATOR },
  history: { needed: [`get ${GROUPS}`] },
  watch: { needed: [`get ${GROUPS}`, `list ${GROUPS}`, `watch ${GROUPS}`] },
  audit: {
    needed: [`get ${GROUPS}`, `list ${GROUPS}`, `watch ${GROUPS}`, 'list pods', 'watch pods'],
  },
  pause: { needed: [`get ${GROUPS}`, `patch ${GROUPS}`], better: OPERATOR },
  resume: { needed: [`get ${GROUPS}`, `patch ${GROUPS}`], better: OPERATOR },
  switchover: {
    needed: [`get ${GROUPS}`, `patch ${GROUPS}`, 'list pods'],
    better: [`list ${GROUPS}`, `watch ${GROUPS}`, 'watch pods', ...OPERATOR],
  },
  why: { needed: [`list ${GROUPS}`, 'list pods'], better: [...OPERATOR, ...FORWARD] },
  'what-if': { needed: [`list ${GROUPS}`, 'list pods'], better: ['get nodes', ...OPERATOR, ...FORWARD] },
  rebalance: {
    needed: [`get ${GROUPS}`, `list ${GROUPS}`, `patch ${GROUPS}`, `watch ${GROUPS}`, 'list pods'],
    better: ['list nodes', 'watch pods'],
  },
  silence: {
    needed: [`get ${GROUPS}`, `patch ${GROUPS}`],
    better: ['create events.events.k8s.io', 'create selfsubjectreviews.authentication.k8s.io'],
  },
  route: { needed: [...MOVING, ...BY_SLICE, OF_OWN] },
  unroute: { needed: [...MOVING, OF_OWN] },
  doctor: { needed: [], better: [...LOOKING, ...REVIEWS, ...OPERATOR, ...FORWARD] },
  verify: {
    needed: [
      'create jobs.batch',
      'get jobs.batch',
      'delete jobs.batch',
      'create deployments.apps',
      'create services',
      `create ${GROUPS}`,
      `get ${GROUPS}`,
      `list ${GROUPS}`,
      `watch ${GROUPS}`,
      'list pods',
      'watch pods',
      'delete pods',
      'get pods/log',
      'create pods/eviction',
      'list endpointslices.discovery.k8s.io',
      'watch endpointslices.discovery.k8s.io',
      OF_OWN,
    ],
    better: OPERATOR,
  },
  report: { needed: [], better: [...LOOKING, ...REVIEWS, ...OPERATOR, ...FORWARD] },
  dashboard: {
    needed: [`list ${GROUPS}`, `watch ${GROUPS}`],
    better: ['watch pods', ...LOOKING, ...REVIEWS, ...OPERATOR, ...FORWARD],
  },
  'break-glass': {
    needed: [`get ${GROUPS}`, `patch ${GROUPS}`, 'list pods', 'create events.events.k8s.io', ...OPERATOR],
  },
  uninstall: { needed: [], better: [...LOOKING, ...OPERATOR] },
};

/** For `--help`. */
export function rightsText(command: string): string {
  const { needed, better = [] } = RIGHTS[command] ?? { needed: [] };
  const more = better.length === 0 ? '' : ` Optional, for a complete answer: ${better.join(', ')}.`;
  const must = needed.length === 0 ? 'none needed' : needed.join(', ');
  return RIGHTS[command] === undefined ? '' : `\nRights: ${must}.${more}`;
}
