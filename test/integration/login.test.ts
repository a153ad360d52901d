/** The operator logs in to a real Consul, whose auth method asks a real API server who it is. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createClock, createRandom } from '../../src/clock.ts';
import { type ConsulClient, createConsul } from '../../src/consul/consul.ts';
import { createFakeLog } from '../kit/fakes/log.ts';
import { type LoginCluster, startLoginCluster } from '../kit/rig/login.ts';

const forever = new AbortController().signal;

let cluster: LoginCluster;

beforeAll(async () => {
  cluster = await startLoginCluster(60_000);
});

afterAll(() => cluster[Symbol.asyncDispose]());

describe('a real operator that logs in', () => {
  it('makes a new login where its token is deleted', async () => {
    const { h, env, ask, tokensOf } = cluster;
    const operator = await h.startOperator({ env });
    const [token] = await tokensOf('leadergroup');
    expect(token?.Description).toContain('leadergroup-system/operator-a');
    await delay(5000);
    await ask('DELETE', `/acl/token/${token?.AccessorID ?? ''}`);
    await vi.waitFor(async () => expect(await tokensOf('leadergroup')).toHaveLength(1), { timeout: 30_000 });
    await operator.ready();
    await operator.kill();
    expect(await tokensOf('leadergroup')).toEqual([]);
  }, 120_000);

  it('moves no leader while its auth method is gone, with all tokens, and says so', async () => {
    const { h, env, ask, makeMethod, bind } = cluster;
    const operator = await h.startOperator({ env });
    const namespace = await h.world.namespace('method');
    await h.group(namespace, 'web');
    const leader = await h.led(namespace, 'web');
    const sessions = async () => (await h.world.consul.sessions()).filter(({ name }) => name.startsWith(namespace));
    await vi.waitFor(async () => expect(await sessions()).toHaveLength(3), { timeout: 20_000 });
    const before = await sessions();
    await delay(5000);
    await ask('DELETE', '/acl/auth-method/leadergroup');
    const failed = await operator.untilLog(({ message }) => message === 'logging in to Consul failed; retrying', {
      timeoutMs: 40_000,
      what: 'a login that fails',
    });
    expect(failed['reason']).toContain('Consul has no such auth method: correct CONSUL_LOGIN_AUTH_METHOD');
    await makeMethod('leadergroup', 'reviewer');
    await bind('leadergroup');
    await operator.untilLog(({ message }) => message === 'logged in to Consul again', {
      timeoutMs: 40_000,
      what: 'a login',
    });
    await operator.ready();
    expect(await h.led(namespace, 'web')).toMatchObject({ name: leader.name, token: leader.token });
    expect(await sessions()).toEqual(before);
    // The next one is elected by the new token.
    await h.world.deletePod(namespace, leader.name);
    await h.led(namespace, 'web', { not: leader.name });
    await operator.kill();
  }, 180_000);
});

describe('a login that a real Consul refuses', () => {
  beforeAll(async () => {
    await cluster.makeMethod('unbound', 'reviewer');
    await cluster.makeMethod('blind', 'other');
    await cluster.bind('blind');
  });

  function client(method: string, file = cluster.bearerFile): ConsulClient {
    const consul = createConsul({
      address: `http://${cluster.h.cluster.consulAddress}`,
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
    const file = join(cluster.h.dir, 'another-bearer');
    await writeFile(file, token);
    return file;
  }

  it.each<[what: string, refused: () => Promise<ConsulClient>, sentence: string]>([
    ['there is no such method', async () => client('none'), 'Consul has no such auth method'],
    ['no rule binds', async () => client('unbound'), 'consul acl binding-rule create -method unbound'],
    [
      'the rule is for another account',
      async () => client('leadergroup', await fileWith(await cluster.tokenOf('other'))),
      'consul acl binding-rule create -method leadergroup',
    ],
    [
      'the token is none',
      async () => client('leadergroup', await fileWith('x')),
      "does not accept the ServiceAccount's token",
    ],
    [
      'the signature is wrong',
      async () =>
        client('leadergroup', await fileWith(`${(await cluster.tokenOf('leadergroup')).slice(0, -8)}AAAAAAAA`)),
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
