/** Whether the operator's account has the rights of deploy/10-rbac.yaml, and, before an installation, one's own the rights to install. */
import type { RawObject } from '../../api/raw.ts';
import { asObject, field, listField, textField } from '../../api/raw.ts';
import { ApiError } from '../errors.ts';
import type { Group } from '../groups.ts';
import type { OperatorState } from '../operator.ts';
import { DEPLOYMENTS, OWN_RIGHTS, type Resource, RIGHTS_OF_OTHERS } from '../resources.ts';
import type { Session } from '../session.ts';
import type { Facts } from './facts.ts';
import type { Finding, Looked } from './findings.ts';
import { section } from './objects.ts';

export type Right = {
  readonly verbs: readonly string[];
  readonly group: string;
  /** With a subresource: `pods/eviction`. */
  readonly resource: string;
  /** Of the whole cluster: nobody asks for it where the operator watches some namespaces only. */
  readonly ofCluster?: boolean;
  /** Without it the operator goes on; what is not done then. */
  readonly without?: string;
};

/** deploy/10-rbac.yaml; a test compares. */
const TRIAL = 'it tries a label on one pod of a workload first, which takes two seconds';
const WARNING = 'it does not warn when one selects by the leader label';

export const OPERATOR_RIGHTS: readonly Right[] = [
  { verbs: ['get', 'list', 'watch', 'patch'], group: '', resource: 'pods' },
  { verbs: ['list', 'watch'], group: '', resource: 'nodes', ofCluster: true },
  ...['replicasets', 'statefulsets', 'daemonsets'].map((resource) => ({
    verbs: ['get'],
    group: 'apps',
    resource,
    without: TRIAL,
  })),
  { verbs: ['get'], group: 'batch', resource: 'jobs', without: TRIAL },
  { verbs: ['get'], group: '', resource: 'replicationcontrollers', without: TRIAL },
  { verbs: ['list'], group: 'policy', resource: 'poddisruptionbudgets', without: WARNING },
  { verbs: ['list'], group: 'networking.k8s.io', resource: 'networkpolicies', without: WARNING },
  { verbs: ['get', 'list', 'watch', 'patch'], group: 'leadergroup.dev', resource: 'leadergroups' },
  { verbs: ['patch'], group: 'leadergroup.dev', resource: 'leadergroups/status' },
  { verbs: ['create', 'patch'], group: 'events.k8s.io', resource: 'events' },
];

/** deploy/overlays/route; only where a group has a route, or evicts. */
export const ROUTE_RIGHTS: readonly Right[] = [
  { verbs: ['get', 'list', 'watch'], group: '', resource: 'services' },
  {
    verbs: ['get', 'list', 'watch', 'create', 'update', 'delete'],
    group: 'discovery.k8s.io',
    resource: 'endpointslices',
  },
  { verbs: ['get'], group: '', resource: 'endpoints' },
  { verbs: ['create'], group: '', resource: 'pods/eviction' },
];

/** What docs/install.md applies. */
const INSTALL_RIGHTS: readonly Right[] = [
  { verbs: ['create'], group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' },
  { verbs: ['create'], group: '', resource: 'namespaces' },
  { verbs: ['create'], group: '', resource: 'serviceaccounts' },
  { verbs: ['create'], group: '', resource: 'services' },
  { verbs: ['create'], group: 'apps', resource: 'deployments' },
  { verbs: ['create'], group: 'policy', resource: 'poddisruptionbudgets' },
  { verbs: ['create'], group: 'networking.k8s.io', resource: 'networkpolicies' },
  { verbs: ['create'], group: 'rbac.authorization.k8s.io', resource: 'clusterroles' },
  { verbs: ['create'], group: 'rbac.authorization.k8s.io', resource: 'clusterrolebindings' },
];

/** Asks the API server about the account of the operator that runs. */
export async function lookAtOperatorRights(session: Session, { operator, groups }: Facts): Promise<Looked> {
  if (operator.kind === 'unknown') return unknown(operator.why);
  if (operator.value.kind !== 'found') return { findings: [], unknown: [] };
  const account = operator.value;
  const wanted = [...OPERATOR_RIGHTS, ...(groups.kind === 'known' ? routeRightsFor(groups.value) : [])];
  try {
    const where = await watchedBy(session, account);
    const user = `system:serviceaccount:${account.namespace}:${account.serviceAccount}`;
    const object = `ServiceAccount ${account.namespace}/${account.serviceAccount}`;
    const asked = questions(wanted, where).map(async (question): Promise<readonly Finding[]> => {
      const allowed = await isAllowed(session, RIGHTS_OF_OTHERS, { user, ...question });
      return allowed ? [] : [{ id: 'operator-right-missing', object, message: sentenceOn(question) }];
    });
    return { findings: (await Promise.all(asked)).flat(), unknown: [] };
  } catch (error) {
    if (error instanceof ApiError && error.kind !== 'unreachable') return unknown(error.message);
    throw error;
  }
}

const unknown = (why: string): Looked => ({ findings: [], unknown: [{ id: 'operator-right-missing', why }] });

/** Of the rights of the overlay those that some group needs. */
function routeRightsFor(groups: readonly Group[]): readonly Right[] {
  const specs = groups.flatMap(({ valid }) => (valid === null ? [] : [valid.spec]));
  const [isRouted, evicts] = [
    specs.some(({ route }) => route !== null),
    specs.some(({ formerLeader }) => formerLeader === 'Evict'),
  ];
  return ROUTE_RIGHTS.filter(({ resource }) => (resource === 'pods/eviction' ? evicts : isRouted));
}

export async function lookAtOwnRights(session: Session): Promise<Looked> {
  const asked = questions(INSTALL_RIGHTS, [null]).map(async (question): Promise<readonly Finding[]> => {
    const allowed = await isAllowed(session, OWN_RIGHTS, question);
    return allowed ? [] : [{ id: 'install-right-missing', object: 'your account', message: sentenceOn(question) }];
  });
  return { findings: (await Promise.all(asked)).flat(), unknown: [] };
}

/** The setting watchNamespaces, where it stands in the environment; [null]: all namespaces. */
async function watchedBy({ api }: Session, { namespace, name }: Extract<OperatorState, { kind: 'found' }>) {
  const deployment = (await api.get({ resource: DEPLOYMENTS, namespace, name })) ?? {};
  const [container] = listField(section(deployment, 'spec', 'template', 'spec'), 'containers', asObject);
  const variable = listField(container ?? {}, 'env', asObject).find(
    (each) => textField(each, 'name') === 'LEADERGROUP_WATCH_NAMESPACES',
  );
  const named = textField(variable ?? {}, 'value')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
  return named.length === 0 ? [null] : named;
}

type Question = {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  /** null: all. */
  readonly namespace: string | null;
  readonly without: string | null;
};

/** Each verb by itself, in each namespace. */
const questions = (rights: readonly Right[], where: readonly (string | null)[]): readonly Question[] =>
  rights.flatMap(({ verbs, group, resource, ofCluster = false, without = null }) =>
    where.flatMap((namespace) =>
      ofCluster && namespace !== null ? [] : verbs.map((verb) => ({ verb, group, resource, namespace, without })),
    ),
  );

async function isAllowed(
  { api }: Session,
  review: Resource,
  { verb, group, resource: named, namespace, user }: Question & { readonly user?: string },
): Promise<boolean> {
  const [resource = '', subresource = ''] = named.split('/');
  const attributes = {
    verb,
    group,
    resource,
    ...(subresource === '' ? {} : { subresource }),
    ...(namespace === null ? {} : { namespace }),
  };
  const answer: RawObject = await api.create(review, null, {
    apiVersion: 'authorization.k8s.io/v1',
    kind: user === undefined ? 'SelfSubjectAccessReview' : 'SubjectAccessReview',
    spec: { resourceAttributes: attributes, ...(user === undefined ? {} : { user }) },
  });
  return field(section(answer, 'status'), 'allowed') === true;
}

function sentenceOn({ verb, group, resource, namespace, without }: Question): string {
  const [plural = '', sub] = resource.split('/');
  const named = `${plural}${group === '' ? '' : `.${group}`}${sub === undefined ? '' : `/${sub}`}`;
  const where = namespace === null ? '' : ` in ${namespace}`;
  return `It may not ${verb} ${named}${where}${without === null ? '' : ` (optional: without it ${without})`}.`;
}
