/** Deployments whose pods the real controllers make, and an operator with the rights of deploy/, or with fewer. */
import { join } from 'node:path';
import type { Harness } from './harness.ts';
import { readKubeconfig, writeKubeconfig } from './kubeconfig.ts';
import type { OperatorProcess } from './operator-process.ts';

type Labels = Readonly<Record<string, string>>;

export type WorkloadWish = {
  readonly name: string;
  /** Also in the template. */
  readonly selects: Labels;
  readonly replicas?: number;
};

const POD = { terminationGracePeriodSeconds: 1, containers: [{ name: 'app', image: 'registry.example.com/app:1' }] };

export const deployment = ({ name, selects, replicas = 3 }: WorkloadWish): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: selects },
    template: { metadata: { labels: selects }, spec: POD },
  },
});

/** Ends what would have no end. */
export const brake = (pods: number): object => ({
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: { name: 'brake' },
  spec: { hard: { pods: String(pods) } },
});

export async function applyAll({ kubectl }: Harness, namespace: string, objects: readonly object[]): Promise<void> {
  const list = { apiVersion: 'v1', kind: 'List', items: objects };
  await kubectl.must(['apply', '-n', namespace, '-f', '-'], JSON.stringify(list));
}

const ACCOUNT = 'leadergroup';
const SYSTEM = 'leadergroup-system';

/** As deploy/10-rbac.yaml makes it, and before the first operator. */
export async function giveRights({ kubectl }: Harness): Promise<void> {
  await kubectl.must(['apply', '-f', 'deploy/00-namespace.yaml', '-f', 'deploy/10-rbac.yaml']);
}

const OPTIONAL = new Set(['apps', 'batch', 'policy', 'networking.k8s.io']);

/** Without those that deploy/10-rbac.yaml says may be left out. */
export async function takeOptionalRights({ kubectl }: Harness): Promise<void> {
  const role = JSON.parse(await kubectl.must(['get', 'clusterrole', 'leadergroup', '-o', 'json'])) as {
    readonly rules: readonly { readonly apiGroups?: readonly string[]; readonly resources?: readonly string[] }[];
  };
  const rules = role.rules.filter(
    ({ apiGroups = [], resources = [] }) =>
      !apiGroups.some((group) => OPTIONAL.has(group)) && !resources.includes('replicationcontrollers'),
  );
  await kubectl.must(['patch', 'clusterrole', 'leadergroup', '--type=merge', '-p', JSON.stringify({ rules })]);
}

/** A kubeconfig of the operator's own account, as deploy/10-rbac.yaml makes it. Returns its path. */
export async function accountKubeconfig(h: Harness): Promise<string> {
  const path = join(h.dir, 'operator.kubeconfig');
  const { server, ca } = await readKubeconfig(h.cluster.kubeconfigPath);
  const token = (await h.kubectl.must(['-n', SYSTEM, 'create', 'token', ACCOUNT])).trim();
  await writeKubeconfig(path, { server: server.href, ca, cert: undefined, key: undefined, token });
  return path;
}

export const startWithRights = async (
  h: Harness,
  env: Readonly<Record<string, string>> = {},
  replica = 'a',
): Promise<OperatorProcess> =>
  await h.startOperator({ env: { ...env, KUBECONFIG: await accountKubeconfig(h) }, replica });
