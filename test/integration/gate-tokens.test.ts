/** Who asks, by tokens of a real API server: whichever replica is asked, and through it the owner, gives each pod its own answer and no other. */
import { createPrivateKey, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { metricsOf } from '../../dev/bench/cost.ts';
import { layoutOf } from '../../dev/cluster/layout.ts';
import { bucketName, bucketOf } from '../../src/election/keys.ts';
import { type GateAnswer, memberUrl } from '../kit/rig/asking.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';
import { metadataOf, podToken } from '../kit/rig/pod-tokens.ts';
import { accountKubeconfig, giveRights } from '../kit/rig/workloads.ts';

const TOKENS = { LEADERGROUP_GATE_AUTHENTICATION: 'Token', POD_IP: '127.0.0.1' };

let h: Harness;
let namespace: string;
/** By name of the replica. */
const operators = new Map<string, OperatorProcess>();

beforeAll(async () => {
  h = await startHarness();
  for (const replica of ['a', 'b']) operators.set(replica, await h.spawnOperator({ replica, env: TOKENS }));
  for (const operator of operators.values()) await operator.ready();
});

beforeEach(async () => {
  namespace = await h.world.namespace('tokens');
});

afterAll(async () => {
  const errors = [...operators.values()].flatMap(({ log }) => log.filter(({ level }) => level === 'error'));
  await h[Symbol.asyncDispose]();
  expect(errors).toEqual([]);
});

const tokenOf = (pod: string, options?: Parameters<typeof podToken>[3]): Promise<string> =>
  podToken(h, namespace, pod, options);

/** The same token as the API server would have made it, with other times. */
async function resigned(token: string, times: { readonly exp: number }): Promise<string> {
  const key = createPrivateKey(await readFile(join(layoutOf(h.cluster.dir).secrets, 'service-account.key')));
  const { alg = '', kid = '' } = decodeProtectedHeader(token);
  return await new SignJWT({ ...decodeJwt(token), ...times }).setProtectedHeader({ alg, kid }).sign(key);
}

type Headers = Readonly<Record<string, string>>;

async function send(method: 'GET' | 'POST', url: string, headers: Headers): Promise<GateAnswer> {
  const answer = await fetch(url, { method, headers });
  return { status: answer.status, body: (await answer.json()) as GateAnswer['body'] };
}

const bearer = (token: string, secret?: string): Headers => ({
  authorization: `Bearer ${token}`,
  ...(secret === undefined ? {} : { 'leadergroup-client': secret }),
});

async function urlOf(operator: OperatorProcess, group: string, pod: string, end = ''): Promise<string> {
  const { uid } = await metadataOf(h, namespace, pod);
  return `${memberUrl(operator.url, namespace, group, pod)}${end}?uid=${uid}`;
}

/** The replica that has the group, and the one that has not. */
async function ownerAndOther(group: string): Promise<readonly [OperatorProcess, OperatorProcess]> {
  const bucket = bucketName(bucketOf(namespace, group));
  const all = [...operators.values()];
  const owns = await Promise.all(
    all.map(async ({ url }) => {
      const { own } = (await (await fetch(`${url}/replicas`)).json()) as { readonly own: Headers };
      return own[bucket] === 'owned';
    }),
  );
  const [owner, other] = [all[owns.indexOf(true)], all[owns.indexOf(false)]];
  if (owner === undefined || other === undefined) throw new Error(`bucket ${bucket} is owned by none, or by all`);
  return [owner, other];
}

async function led(group: string): Promise<{ readonly leader: string; readonly follower: string }> {
  await h.group(namespace, group, { pods: 2 });
  const { name } = await h.led(namespace, group);
  return { leader: name, follower: name === `${group}-0` ? `${group}-1` : `${group}-0` };
}

describe('a token', () => {
  it('gives its pod its answer, from whichever replica, and no other pod’s', async () => {
    const { leader, follower } = await led('own');
    const [ofLeader, ofFollower] = await Promise.all([tokenOf(leader), tokenOf(follower)]);
    for (const operator of operators.values()) {
      const ask = async (pod: string, token: string) =>
        await send('GET', await urlOf(operator, 'own', pod), bearer(token));
      expect(await ask(leader, ofLeader)).toMatchObject({ status: 200, body: { leader: true } });
      expect(await ask(follower, ofFollower)).toMatchObject({ status: 409, body: { leader: false, pod: leader } });
      expect(await ask(leader, ofFollower)).toMatchObject({ status: 403, body: { reason: 'CallerNotMember' } });
      const self = await send('GET', `${operator.url}/v1/self`, bearer(ofLeader));
      expect(self).toMatchObject({ status: 200, body: { pod: leader, groups: [{ name: 'own', status: 200 }] } });
    }
  });

  it('for another audience, of no pod, expired, bent or missing is none, and the answer says why', async () => {
    const { leader } = await led('bad');
    const good = await tokenOf(leader);
    const nowS = Math.floor(Date.now() / 1000);
    const signedByHand = await resigned(good, { exp: nowS + 60 });
    const tokens: readonly (readonly [string, RegExp])[] = [
      [await tokenOf(leader, { audience: 'https://kubernetes.default.svc.cluster.local' }), /audience/],
      [await tokenOf(leader, { bound: false }), /belongs to no pod/],
      [await resigned(good, { exp: nowS - 60 }), /expired/],
      [`${good.slice(0, -8)}AAAAAAAA`, /no key/],
      ['x', /no token/],
    ];
    for (const operator of operators.values()) {
      const url = await urlOf(operator, 'bad', leader);
      for (const [token, why] of tokens)
        expect(await send('GET', url, bearer(token))).toMatchObject({
          status: 401,
          body: { reason: 'TokenRequired', message: expect.stringMatching(why) },
        });
      expect((await send('GET', url, {})).status).toBe(401);
      expect((await send('GET', url, bearer(signedByHand))).status).toBe(200);
    }
  });

  it('of a pod that was deleted gives nothing to whoever has it, also where a pod of that name is there again', async () => {
    const { leader } = await led('gone');
    const old = await tokenOf(leader);
    const urls = await Promise.all([...operators.values()].map((operator) => urlOf(operator, 'gone', leader)));
    for (const url of urls) expect((await send('GET', url, bearer(old))).status).toBe(200);
    await h.world.recreatePod({ namespace, name: leader, labels: { app: 'gone' } });
    const { uid } = await metadataOf(h, namespace, leader);
    const known = (body: GateAnswer['body']): boolean => body.reason !== 'MemberUnknown';
    for (const url of urls) {
      const renewed = url.replace(/uid=.*/, `uid=${uid}`);
      await expect
        .poll(async () => known((await send('GET', renewed, bearer(old))).body), { timeout: 20_000 })
        .toBe(true);
      expect(await send('GET', renewed, bearer(old))).toMatchObject({
        status: 403,
        body: { reason: 'CallerNotMember' },
      });
      expect((await send('GET', url, bearer(old))).status).toBe(404);
    }
  });
});

describe('a replica that does not own the group', () => {
  it('passes on who asks, signed: a release and a resignation through it are those of the pod', async () => {
    const { leader } = await led('passed');
    const [owner, other] = await ownerAndOther('passed');
    const secret = randomBytes(16).toString('base64url');
    const headers = bearer(await tokenOf(leader), secret);
    expect((await send('GET', await urlOf(other, 'passed', leader), headers)).status).toBe(200);
    const release = await send('POST', `${await urlOf(other, 'passed', leader, '/release')}&resign=true`, headers);
    expect(release).toEqual({ status: 200, body: { released: true, resigned: true } });
    await h.led(namespace, 'passed', { not: leader });
    const counted = await metricsOf(owner.url);
    expect(counted.sum('leadergroup_gate_resignations_total', { outcome: 'heeded' })).toBe(1);
    expect(counted.sum('leadergroup_gate_releases_total', { outcome: 'voided' })).toBe(1);
    expect((await send('GET', await urlOf(other, 'passed', leader), headers)).body).toMatchObject({ leader: false });
  });

  it('is not believed without its signature, nor with one that somebody has kept', async () => {
    const { leader } = await led('forged');
    const [owner] = await ownerAndOther('forged');
    const url = await urlOf(owner, 'forged', leader);
    const { replicas } = (await (await fetch(`${owner.url}/replicas`)).json()) as {
      readonly replicas: readonly { readonly id: string }[];
    };
    for (const { id } of replicas)
      for (const statement of ['', `${Buffer.from('["",0,"","","",""]').toString('base64url')}.${'A'.repeat(86)}`])
        expect(
          await send('GET', url, { 'leadergroup-forwarded': id, 'leadergroup-statement': statement }),
        ).toMatchObject({ status: 503, body: { reason: 'NotKnown' } });
  });
});

describe('where the keys of the cluster may not be read', () => {
  it('the API server is asked about each token', async () => {
    await giveRights(h);
    const rules = ['get', 'clusterrole', 'leadergroup', '-o', 'json'];
    const role = JSON.parse(await h.kubectl.must(rules)) as {
      readonly rules: readonly { nonResourceURLs?: unknown }[];
    };
    const left = role.rules.filter(({ nonResourceURLs }) => nonResourceURLs === undefined);
    await h.kubectl.must([
      'patch',
      'clusterrole',
      'leadergroup',
      '--type=merge',
      '-p',
      JSON.stringify({ rules: left }),
    ]);
    await h.kubectl.must(['delete', 'clusterrolebinding', 'system:service-account-issuer-discovery']);
    const { leader, follower } = await led('reviewed');
    const KUBECONFIG = await accountKubeconfig(h);
    await using third = await h.spawnOperator({ replica: 'c', env: { ...TOKENS, KUBECONFIG } });
    await third.ready();
    const url = await urlOf(third, 'reviewed', leader);
    const [own, others] = await Promise.all([tokenOf(leader), tokenOf(follower)]);
    await expect.poll(async () => (await send('GET', url, bearer(own))).status, { timeout: 30_000 }).toBe(200);
    expect((await send('GET', url, bearer(others))).status).toBe(403);
    expect((await send('GET', url, bearer(await tokenOf(leader, { audience: 'vault' })))).status).toBe(401);
    expect((await send('GET', url, bearer(`${own.slice(0, -8)}AAAAAAAA`))).status).toBe(401);
    const counted = await metricsOf(third.url);
    const operation = 'create tokenreviews';
    expect(counted.sum('leadergroup_kubernetes_requests_total', { operation })).toBeGreaterThan(0);
  });
});
