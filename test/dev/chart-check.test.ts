/** deploy/chart/files/check.mjs, which fails an installation: its last line is one sentence that names the value to change. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Certificate, selfSigned } from '../kit/fakes/certificate.ts';

const SCRIPT = join(import.meta.dirname, '../../deploy/chart/files/check.mjs');
const NOT_FOUND = 404;

type Answer = readonly [status: number, body: string];

const answering =
  (answers: Readonly<Record<string, Answer>>): RequestListener =>
  ({ url = '' }, response) => {
    const [status, body] = answers[url] ?? [NOT_FOUND, 'no such page'];
    response.writeHead(status).end(body);
  };

async function listening(answers: Readonly<Record<string, Answer>>, tls?: Certificate) {
  const server = tls === undefined ? createServer(answering(answers)) : createTlsServer(tls, answering(answers));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const WELL = {
  '/v1/status/leader': [200, '"10.0.0.1:8300"'],
  '/v1/acl/token/self': [401, 'ACL support disabled'],
} as const;
const READY = { '/readyz': [200, 'ok'] } as const;
/** Port 1 is nobody's. */
const NOBODY = 'http://127.0.0.1:1';

async function check(env: Readonly<Record<string, string>>) {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [SCRIPT], {
    reject: false,
    extendEnv: false,
    env: {
      CHECK_SECONDS: '0',
      CHECK_PAUSE_MILLISECONDS: '10',
      CHECK_NAMESPACE: 'leadergroup-system',
      CHECK_OPERATOR: NOBODY,
      CHECK_CA: 'consul-consul-ca-cert',
      CHECK_CA_KIND: 'Secret',
      CHECK_CONSUL_NAMESPACE: 'consul',
      CHECK_TOKEN_SECRET: 'leadergroup-consul',
      ...env,
    },
  });
  return { exitCode, stderr, last: stdout.trim().split('\n').at(-1) ?? '' };
}

describe('the check after an installation', () => {
  it('passes where Consul has a leader and a replica is ready', async () => {
    const [consul, operator] = [await listening(WELL), await listening(READY)];
    const { exitCode, stderr, last } = await check({ CONSUL_HTTP_ADDR: consul, CHECK_OPERATOR: operator });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(last).toBe(`Consul answers at ${consul}, and the operator is ready.`);
  });

  it('waits for what is not there yet', async () => {
    let asked = 0;
    const answers = {
      ...READY,
      get '/readyz'(): Answer {
        asked += 1;
        return asked < 3 ? [503, 'consul: not yet'] : [200, 'ok'];
      },
    };
    const env = { CONSUL_HTTP_ADDR: await listening(WELL), CHECK_OPERATOR: await listening(answers) };
    expect((await check({ ...env, CHECK_SECONDS: '20' })).exitCode).toBe(0);
    expect(asked).toBe(3);
  });

  it.each<
    [what: string, answers: Readonly<Record<string, Answer>>, env: Readonly<Record<string, string>>, sentence: RegExp]
  >([
    [
      'Consul speaks TLS',
      { ...WELL, '/v1/status/leader': [400, 'Client sent an HTTP request to an HTTPS server.\n'] },
      {},
      /^Consul speaks TLS at 127\.0\.0\.1:\d+: set consul\.tls\.enabled to true/,
    ],
    ['Consul has no leader', { ...WELL, '/v1/status/leader': [200, '""'] }, {}, /has no leader: see to its servers/],
    ['another server answers', {}, {}, /answers 404 no such page: is it Consul\? See consul\.address\.$/],
    [
      'the token is unknown',
      { ...WELL, '/v1/acl/token/self': [403, 'ACL not found'] },
      { CONSUL_HTTP_TOKEN: 'x' },
      /^Consul refuses the token of Secret leadergroup-consul \(ACL not found\): see consul\.token\.$/,
    ],
    [
      'there is no token, and ACLs are on',
      { ...WELL, '/v1/acl/token/self': [200, '{}'] },
      {},
      /No replica of the operator is ready \(ECONNREFUSED\).*ACLs are on and there is no token: make one by deploy\/consul-policy\.hcl and put it into Secret leadergroup-consul of namespace leadergroup-system \(consul\.token\.secretName\)/,
    ],
    [
      'the file of the token is not there',
      WELL,
      { CONSUL_HTTP_TOKEN_FILE: '/nowhere/token' },
      /^There is no Consul token at \/nowhere\/token: is the Secret of consul\.token\.secretName/,
    ],
    [
      'no replica is ready',
      WELL,
      {},
      /^No replica of the operator is ready \(ECONNREFUSED\), though Consul answers.*kubectl -n leadergroup-system logs deployment\/leadergroup/,
    ],
  ])('fails where %s', async (_, answers, env, sentence) => {
    const { exitCode, stderr, last } = await check({ CONSUL_HTTP_ADDR: await listening(answers), ...env });
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
    expect(last).toMatch(sentence);
  });

  it.each<[what: string, env: Readonly<Record<string, string>>, sentence: RegExp]>([
    [
      'nobody listens at the address',
      { CONSUL_HTTP_ADDR: NOBODY },
      /^Consul cannot be reached at http:\/\/127\.0\.0\.1:1: it refuses the connection.*set consul\.tls\.enabled to true/,
    ],
    [
      'the host is unknown',
      { CONSUL_HTTP_ADDR: 'http://consul-server.consul.invalid:8500' },
      /there is no such host: set consul\.releaseName, consul\.releaseNamespace and consul\.globalName, or consul\.address/,
    ],
    [
      'the authority has not been copied',
      { CONSUL_HTTP_ADDR: 'https://127.0.0.1:1', CONSUL_CACERT: '/nowhere/tls.crt' },
      /^There is no authority for Consul's certificate: Secret consul-consul-ca-cert is not in namespace leadergroup-system.*consul\.tls\.ca.*kubectl -n consul get secret consul-consul-ca-cert/,
    ],
    [
      'the client certificate is not there',
      { CONSUL_HTTP_ADDR: 'https://127.0.0.1:1', CONSUL_CLIENT_CERT: '/nowhere/tls.crt' },
      /^There is no client certificate: the Secret of consul\.tls\.clientSecretName/,
    ],
  ])('fails where %s', async (_, env, sentence) => {
    const { exitCode, stderr, last } = await check(env);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
    expect(last).toMatch(sentence);
  });

  describe('of the replicas that were asked for last', () => {
    const certificate = selfSigned();
    const DEPLOYMENT = '/apis/apps/v1/namespaces/leadergroup-system/deployments/leadergroup';
    const PODS = '/api/v1/namespaces/leadergroup-system/pods?labelSelector=app.kubernetes.io/name=leadergroup';
    const ROLLED = { observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2 };
    const deployment = (status: object) =>
      JSON.stringify({ metadata: { generation: 2 }, spec: { replicas: 2 }, status });

    /** Of before, and ready. */
    const OLD = {
      metadata: { name: 'leadergroup-old', creationTimestamp: '2026-01-01T00:00:00Z' },
      status: { podIP: '127.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
    };
    const pods = (status: object) =>
      JSON.stringify({
        items: [OLD, { metadata: { name: 'leadergroup-new', creationTimestamp: '2026-01-02T00:00:00Z' }, status }],
      });

    /** A replica of before is ready, as the Service has it. */
    async function checkRollout(answers: Readonly<Record<string, Answer>>, ofNew: Answer = [503, '']) {
      const api = new URL(await listening(answers, certificate));
      const account = await mkdtemp(join(tmpdir(), 'leadergroup-account-'));
      onTestFinished(() => rm(account, { recursive: true, force: true }));
      await writeFile(join(account, 'token'), 'the-token');
      await writeFile(join(account, 'ca.crt'), certificate.cert);
      return await check({
        CONSUL_HTTP_ADDR: await listening(WELL),
        CHECK_OPERATOR: await listening(READY),
        CHECK_PORT: new URL(await listening({ '/readyz': ofNew })).port,
        CHECK_ROLLOUT: 'true',
        CHECK_ACCOUNT: account,
        KUBERNETES_SERVICE_HOST: api.hostname,
        KUBERNETES_SERVICE_PORT: api.port,
      });
    }

    it('passes once all of them are there and ready', async () => {
      expect((await checkRollout({ [DEPLOYMENT]: [200, deployment(ROLLED)] })).exitCode).toBe(0);
    });

    it.each<[what: string, status: object]>([
      ['has not been seen', { ...ROLLED, observedGeneration: 1 }],
      ['has replicas of before', { ...ROLLED, replicas: 3 }],
      ['has not all of the new ones', { ...ROLLED, updatedReplicas: 1 }],
      ['has some that are not ready', { ...ROLLED, availableReplicas: 1 }],
    ])('fails where the Deployment %s', async (_, status) => {
      const { exitCode, last } = await checkRollout({
        [DEPLOYMENT]: [200, deployment(status)],
        [PODS]: [200, JSON.stringify({ items: [OLD] })],
      });
      expect({ exitCode, last }).toEqual({
        exitCode: 1,
        last: expect.stringMatching(/^The operator's pods are still being replaced: [12] of 2\.$/),
      });
    });

    it.each<[what: string, status: object, sentence: RegExp]>([
      [
        'what the replica itself says',
        { podIP: '127.0.0.1' },
        /^Replica leadergroup-new of the operator is not ready, though Consul answers: consul: give the token the rule: x\.$/,
      ],
      [
        'that its image cannot be had',
        { containerStatuses: [{ state: { waiting: { reason: 'ImagePullBackOff', message: 'no such host' } } }] },
        /its image cannot be had \(ImagePullBackOff: no such host\): see image\.repository, image\.tag and imagePullSecrets\.$/,
      ],
      [
        'with what its container ended',
        {
          containerStatuses: [
            {
              state: { waiting: { reason: 'CrashLoopBackOff' } },
              lastState: {
                terminated: { exitCode: 2, message: 'starting\nconfiguration: workers: it is not a number\n' },
              },
            },
          ],
        },
        /its container ended with 2: configuration: workers: it is not a number\.$/,
      ],
      [
        'that it has no node',
        { conditions: [{ type: 'PodScheduled', status: 'False', message: '0/3 nodes are available' }] },
        /it has no node: 0\/3 nodes are available\.$/,
      ],
    ])('says of a new one that is not ready %s', async (_, status, sentence) => {
      const { exitCode, stderr, last } = await checkRollout(
        { [DEPLOYMENT]: [200, deployment({ ...ROLLED, updatedReplicas: 1 })], [PODS]: [200, pods(status)] },
        [503, '[-] consul: give the token the rule: x\n[+] caches: listed\nnot ready\n'],
      );
      expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
      expect(last).toMatch(sentence);
    });

    it('fails where they cannot be seen', async () => {
      const { exitCode, last } = await checkRollout({ [DEPLOYMENT]: [403, 'deployments is forbidden'] });
      expect({ exitCode, last }).toEqual({
        exitCode: 1,
        last: "What became of the operator's pods cannot be seen: the API server answers 403 deployments is forbidden",
      });
    });
  });

  describe('by TLS', () => {
    async function fileOf({ cert }: Certificate): Promise<string> {
      const dir = await mkdtemp(join(tmpdir(), 'leadergroup-check-'));
      onTestFinished(() => rm(dir, { recursive: true, force: true }));
      await writeFile(join(dir, 'tls.crt'), cert);
      return join(dir, 'tls.crt');
    }

    const certificate = selfSigned('server.dc1.consul');

    it('passes with the authority, and by the name in the certificate', async () => {
      const consul = (await listening(WELL, certificate)).replace('127.0.0.1', 'localhost');
      const env = { CONSUL_CACERT: await fileOf(certificate), CHECK_OPERATOR: await listening(READY) };
      const named = await check({ ...env, CONSUL_HTTP_ADDR: consul, CONSUL_TLS_SERVER_NAME: 'server.dc1.consul' });
      expect(named).toMatchObject({ exitCode: 0, last: `Consul answers at ${consul}, and the operator is ready.` });
      const { exitCode, last } = await check({ ...env, CONSUL_HTTP_ADDR: consul });
      expect(exitCode).toBe(1);
      expect(last).toMatch(
        /its certificate is for another name: set consul\.tls\.serverName, as server\.dc1\.consul\.$/,
      );
    });

    it('fails where another authority signed the certificate', async () => {
      const env = { CONSUL_HTTP_ADDR: await listening(WELL, certificate), CONSUL_CACERT: await fileOf(selfSigned()) };
      const { exitCode, last } = await check(env);
      expect(exitCode).toBe(1);
      expect(last).toMatch(
        /is not signed by the authority that was given: set consul\.tls\.ca to the one of this Consul\.$/,
      );
    });

    it('passes any certificate where it need not be right', async () => {
      const env = { CONSUL_HTTP_ADDR: await listening(WELL, certificate), CHECK_OPERATOR: await listening(READY) };
      expect((await check({ ...env, CONSUL_HTTP_SSL_VERIFY: 'false' })).exitCode).toBe(0);
    });
  });

  it('fails where plain HTTP is spoken and TLS expected', async () => {
    const consul = (await listening(WELL)).replace('http:', 'https:');
    expect((await check({ CONSUL_HTTP_ADDR: consul })).last).toMatch(
      /it does not speak TLS there: set consul\.tls\.enabled to false/,
    );
  });
});
