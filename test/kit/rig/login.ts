/** A cluster whose Consul has ACLs and an auth method that asks the cluster's API server, by which an operator logs in. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Harness, startHarness } from './harness.ts';
import { readKubeconfig } from './kubeconfig.ts';

const SYSTEM = 'leadergroup-system';

export type ConsulToken = { readonly AccessorID: string; readonly AuthMethod?: string; readonly Description: string };

export type LoginCluster = {
  readonly h: Harness;
  /** Holds the token of the operator's account. */
  readonly bearerFile: string;
  /** For an operator that logs in. */
  readonly env: Readonly<Record<string, string>>;
  /** Consul's HTTP API, with the management token. */
  readonly ask: (method: string, path: string, body?: object) => Promise<unknown>;
  /** A token of an account in the operator's namespace: leadergroup, other, or reviewer. */
  readonly tokenOf: (account: string) => Promise<string>;
  /** `reviewer`: the account that asks the API server. */
  readonly makeMethod: (name: string, reviewer: string) => Promise<void>;
  /** Binds the operator's account to its role. */
  readonly bind: (method: string) => Promise<unknown>;
  /** The tokens that logins by this method have now. */
  readonly tokensOf: (method: string) => Promise<readonly ConsulToken[]>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
};

/** The method `leadergroup`, whose tokens live so long, a minute at least: the shortest that Consul allows. */
export async function startLoginCluster(lifeMs: number): Promise<LoginCluster> {
  await using made = new AsyncDisposableStack();
  const h = made.use(await startHarness({ consulAcl: true }));
  await makeAccounts(h);
  const tokenOf = async (account: string): Promise<string> =>
    (await h.kubectl.must(['-n', SYSTEM, 'create', 'token', account, '--duration=2h'])).trim();
  const ask = consulOf(h);
  const makeMethod = async (name: string, reviewer: string): Promise<void> => {
    const { server, ca } = await readKubeconfig(h.cluster.kubeconfigPath);
    const config = { Host: server.origin, CACert: ca, ServiceAccountJWT: await tokenOf(reviewer) };
    const MaxTokenTTL = `${lifeMs / 1000}s`;
    await ask('PUT', '/acl/auth-method', { Name: name, Type: 'kubernetes', MaxTokenTTL, Config: config });
  };
  const bind = (method: string): Promise<unknown> =>
    ask('PUT', '/acl/binding-rule', {
      AuthMethod: method,
      BindType: 'role',
      BindName: 'leadergroup',
      Selector: `serviceaccount.namespace=="${SYSTEM}" and serviceaccount.name=="leadergroup"`,
    });
  const bearerFile = join(h.dir, 'bearer');
  await writeFile(bearerFile, await tokenOf('leadergroup'));
  const policy = await readFile('deploy/consul-policy.hcl', 'utf8');
  const uid = await h.kubectl.must(['get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}']);
  await ask('PUT', '/acl/policy', { Name: 'leadergroup', Rules: policy.replaceAll('CLUSTER', uid.slice(0, 8)) });
  await ask('PUT', '/acl/role', { Name: 'leadergroup', Policies: [{ Name: 'leadergroup' }] });
  await makeMethod('leadergroup', 'reviewer');
  await bind('leadergroup');
  const env = {
    CONSUL_HTTP_TOKEN: '',
    CONSUL_LOGIN_AUTH_METHOD: 'leadergroup',
    CONSUL_LOGIN_BEARER_TOKEN_FILE: bearerFile,
  };
  const all = made.move();
  return {
    h,
    bearerFile,
    env,
    ask,
    tokenOf,
    makeMethod,
    bind,
    tokensOf: async (method) => (await ask('GET', `/acl/tokens?authmethod=${method}`)) as readonly ConsulToken[],
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function makeAccounts({ kubectl: { must } }: Harness): Promise<void> {
  await must(['create', 'namespace', SYSTEM]);
  for (const account of ['leadergroup', 'other', 'reviewer'])
    await must(['-n', SYSTEM, 'create', 'serviceaccount', account]);
  const reviewer = `--serviceaccount=${SYSTEM}:reviewer`;
  await must(['create', 'clusterrolebinding', 'reviewer', '--clusterrole=system:auth-delegator', reviewer]);
  await must(['create', 'clusterrole', 'reads-accounts', '--verb=get', '--resource=serviceaccounts']);
  await must(['create', 'clusterrolebinding', 'reads-accounts', '--clusterrole=reads-accounts', reviewer]);
}

const consulOf =
  ({ cluster }: Harness): LoginCluster['ask'] =>
  async (method, path, body) => {
    const headers = { 'x-consul-token': cluster.consulToken ?? '' };
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await fetch(`http://${cluster.consulAddress}/v1${path}`, { method, headers, ...sent });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  };
