/** The operator logs in to a real Consul, whose auth method asks a real API server who it is. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createClock, createRandom } from '../../src/clock.ts';
import { type ConsulClient, createConsul } from '../../src/consul/consul.ts';
import { createFakeLog } from '../kit/fakes/log.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import { readKubeconfig } from '../kit/rig/kubeconfig.ts';

const SYSTEM = 'leadergroup-system';
/** The shortest that Consul allows. */
const LIFE_MS = 60_000;
const forever = new AbortController().signal;

let h: Harness;
let bearerFile: string;

beforeAll(async () => {
  h = await startHarness({ consulAcl: true });
  const { must } = h.kubectl;
  await must(['create', 'namespace', SYSTEM]);
  for (const account of ['leadergroup', 'other', 'reviewer'])
    await must(['-n', SYSTEM, 'create', 'serviceaccount', account]);
  const reviewer = `--serviceaccount=${SYSTEM}:reviewer`;
  await must(['create', 'clusterrolebinding', 'reviewer', '--clusterrole=system:auth-delegator', reviewer]);
  await must(['create', 'clusterrole', 'reads-accounts', '--verb=get', '--resource=serviceaccounts']);
  await must(['create', 'clusterrolebinding', 'reads-accounts', '--clusterrole=reads-accounts', reviewer]);
  bearerFile = join(h.dir, 'bearer');
  await writeFile(bearerFile, await tokenOf('leadergroup'));
  const policy = await readFile('deploy/consul-policy.hcl', 'utf8');
  const uid = await must(['get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}']);
  await put('/acl/policy', { Name: 'leadergroup', Rules: policy.replaceAll('CLUSTER', uid.slice(0, 8)) });
  await put('/acl/role', { Name: 'leadergroup', Policies: [{ Name: 'leadergroup' }] });
  await makeMethod('leadergroup', 'reviewer');
  await bind('leadergroup');
});

afterAll(() => h[Symbol.asyncDispose]());

async function ask(method: string, path: string, body?: object): Promise<unknown> {
  const headers = { 'x-consul-token': h.cluster.consulToken ?? '' };
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer = await fetch(`http://${h.cluster.consulAddress}/v1${path}`, { method, headers, ...sent });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

const put = (path: string, body: object): Promise<unknown> => ask('PUT', path, body);

const tokenOf = async (account: string): Promise<string> =>
  (await h.kubectl.must(['-n', SYSTEM, 'create', 'token', account, '--duration=2h'])).trim();

/** `reviewer`: the account that asks the API server. */
async function makeMethod(name: string, reviewer: string): Promise<void> {
  const { server, ca } = await readKubeconfig(h.cluster.kubeconfigPath);
  const config = { Host: server.origin, CACert: ca, ServiceAccountJWT: await tokenOf(reviewer) };
  await put('/acl/auth-method', { Name: name, Type: 'kubernetes', MaxTokenTTL: `${LIFE_MS / 1000}s`, Config: config });
}

const bind = (method: string): Promise<unknown> =>
  put('/acl/binding-rule', {
    AuthMethod: method,
    BindType: 'role',
    BindName: 'leadergroup',
    Selector: `serviceaccount.namespace=="${SYSTEM}" and serviceaccount.name=="leadergroup"`,
  });

type Token = { readonly AccessorID: string; readonly AuthMethod?: string; readonly Description: string };

const tokensOf = async (method: string): Promise<readonly Token[]> =>
  (await ask('GET', `/acl/tokens?authmethod=${method}`)) as readonly Token[];

describe('a real operator that logs in', () => {
  const login = () => ({
    CONSUL_HTTP_TOKEN: '',
    CONSUL_LOGIN_AUTH_METHOD: 'leadergroup',
    CONSUL_LOGIN_BEARER_TOKEN_FILE: bearerFile,
  });

  it('leads past the ends of its tokens, though the API server is down at half of their life', async () => {
    const namespace = await h.world.namespace('login');
    const operator = await h.startOperator({ env: login() });
    const begunMs = performance.now();
    await h.group(namespace, 'web');
    const leader = await h.led(namespace, 'web');
    const [first] = await tokensOf('leadergroup');
    expect(first?.Description).toContain('leadergroup-system/operator-a');
    await delay(LIFE_MS * 0.4 - (performance.now() - begunMs));
    await h.cluster.component('kube-apiserver').kill();
    const failed = await operator.untilLog(({ message }) => message === 'logging in to Consul failed; retrying', {
      timeoutMs: LIFE_MS / 2,
      what: 'a login that fails',
    });
    expect(failed['reason']).toContain('Consul cannot reach the API server');
    await h.cluster.component('kube-apiserver').start();
    await operator.untilLog(({ message }) => message === 'logged in to Consul again', {
      timeoutMs: 45_000,
      what: 'a login',
    });
    // Past the end of the first token.
    await vi.waitFor(
      async () =>
        expect((await tokensOf('leadergroup')).map(({ AccessorID }) => AccessorID)).not.toContain(first?.AccessorID),
      { timeout: LIFE_MS * 2, interval: 500 },
    );
    expect((await h.led(namespace, 'web')).token).toBe(leader.token);
    // A session that was opened by the first token has been renewed by the next, and another is opened by it.
    await h.world.deletePod(namespace, leader.name);
    expect((await h.led(namespace, 'web', { not: leader.name })).token).toBeGreaterThan(leader.token);
    expect(await (await fetch(`${operator.url}/metrics`)).text()).toMatch(
      /^leadergroup_consul_token_remaining_seconds \d/m,
    );
    await operator.kill();
    expect(await tokensOf('leadergroup')).toEqual([]);
  }, 300_000);

  it('makes a new login where its token is deleted', async () => {
    const operator = await h.startOperator({ env: login(), replica: 'b' });
    const [token] = await tokensOf('leadergroup');
    await delay(5000);
    await ask('DELETE', `/acl/token/${token?.AccessorID ?? ''}`);
    await vi.waitFor(async () => expect(await tokensOf('leadergroup')).toHaveLength(1), { timeout: 30_000 });
    await operator.ready();
    await operator.kill();
  }, 120_000);
});

describe('a login that a real Consul refuses', () => {
  beforeAll(async () => {
    await makeMethod('unbound', 'reviewer');
    await makeMethod('blind', 'other');
    await bind('blind');
  });

  function client(method: string, file = bearerFile): ConsulClient {
    const consul = createConsul({
      address: `http://${h.cluster.consulAddress}`,
      token: null,
      tokenFile: null,
      tls: null,
      requestTimeoutMs: 5000,
      prefix: 'login',
      log: createFakeLog(),
      login: { method, bearerFile: file, meta: {}, clock: createClock(), random: createRandom(), log: createFakeLog() },
    });
    onTestFinished(() => consul.close());
    return consul;
  }

  async function fileWith(token: string): Promise<string> {
    const file = join(h.dir, 'another-bearer');
    await writeFile(file, token);
    return file;
  }

  it.each<[what: string, refused: () => Promise<ConsulClient>, sentence: string]>([
    ['there is no such method', async () => client('none'), 'Consul has no such auth method'],
    ['no rule binds', async () => client('unbound'), 'consul acl binding-rule create -method unbound'],
    [
      'the rule is for another account',
      async () => client('leadergroup', await fileWith(await tokenOf('other'))),
      'consul acl binding-rule create -method leadergroup',
    ],
    [
      'the token is none',
      async () => client('leadergroup', await fileWith('x')),
      "does not accept the ServiceAccount's token",
    ],
    [
      'the signature is wrong',
      async () => client('leadergroup', await fileWith(`${(await tokenOf('leadergroup')).slice(0, -8)}AAAAAAAA`)),
      "does not accept the ServiceAccount's token",
    ],
    ['the method may not ask', async () => client('blind'), 'needs the ClusterRole system:auth-delegator'],
  ])('is told in a sentence where %s', async (_, refused, sentence) => {
    const consul = await refused();
    await expect(consul.registerNode('leadergroup-x', forever)).rejects.toMatchObject({
      kind: 'denied',
      message: expect.stringMatching(
        /^Cannot register node leadergroup-x: Cannot log in to Consul by the auth method "/,
      ),
    });
    await expect(consul.registerNode('leadergroup-x', forever)).rejects.toThrow(sentence);
  });
});
