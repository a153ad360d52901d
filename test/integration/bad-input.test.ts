/** What is wrong around the operator: rights, configuration, CRD, identity. It says what to do, and nobody else is harmed. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import { installCrd } from '../kit/rig/crd.ts';
import { type ConditionWish, type Harness, type StartOptions, startHarness } from '../kit/rig/harness.ts';
import type { LogLine, OperatorProcess } from '../kit/rig/operator-process.ts';
import { consulRest, type Rest } from '../kit/rig/rest.ts';

let h: Harness;
let admin: Rest;
let namespace: string;
let clusterUid: string;
/** The name under which the operator works in Consul unless it is told another. */
let cluster: string;

const LOCK_KEYS = JSON.stringify([{ namespaces: ['*'], prefix: 'jobs' }]);

beforeAll(async () => {
  // Each test has an operator of its own, or several, and all of them one address.
  h = await startHarness({
    consulAcl: true,
    consulConnections: 2000,
    operatorEnv: { LEADERGROUP_LOCK_KEYS: LOCK_KEYS },
  });
  admin = consulRest({ address: h.cluster.consulAddress, token: h.cluster.consulToken });
  const system = await h.world.rest.must<{ metadata: { uid: string } }>('GET', '/api/v1/namespaces/kube-system');
  clusterUid = system.metadata.uid;
  cluster = clusterUid.slice(0, 8);
});

beforeEach(async () => {
  namespace = await h.world.namespace('bad');
});

afterAll(async () => {
  await admin[Symbol.asyncDispose]();
  await h[Symbol.asyncDispose]();
});

async function spawned(options: StartOptions): Promise<OperatorProcess> {
  const operator = await h.spawnOperator(options);
  onTestFinished(() => operator[Symbol.asyncDispose]());
  return operator;
}

async function started(options: StartOptions = {}): Promise<OperatorProcess> {
  const operator = await spawned(options);
  await operator.ready();
  return operator;
}

async function readyz({ url }: OperatorProcess): Promise<{ readonly status: number; readonly text: string }> {
  const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5_000) });
  return { status: answer.status, text: await answer.text() };
}

const untilReadyzSays = (operator: OperatorProcess, words: RegExp | string): Promise<void> =>
  expect
    .poll(async () => (await readyz(operator).catch((error: unknown) => ({ text: String(error) }))).text, {
      timeout: 60_000,
      interval: 100,
    })
    .toMatch(words);

const text = (line: LogLine): string => JSON.stringify(line);

const untilCondition = (group: string, ...wanted: ConditionWish) => h.condition(namespace, group, ...wanted);

/** deploy/consul-policy.hcl as its own comment says to use it, but for the blocks that `without` matches. */
async function rulesWithout(without: RegExp | null, name = cluster): Promise<string> {
  const hcl = (await readFile('deploy/consul-policy.hcl', 'utf8'))
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll('CLUSTER', name);
  const blocks = hcl.split(/\n(?=\w)/);
  const kept = blocks.filter((block) => without === null || !without.test(block));
  expect(kept.length).toBe(blocks.length - (without === null ? 0 : 1));
  return kept.join('\n');
}

/** What deploy/consul-policy.hcl has in its comment: for shared keys, and to know who else holds them. */
async function rulesOfTheComment(): Promise<readonly string[]> {
  const comment = (await readFile('deploy/consul-policy.hcl', 'utf8'))
    .replaceAll(/^(?!#).*\n/gm, '')
    .replaceAll(/^# ?/gm, '');
  return comment.match(/^ {2}\w+ "[^"]*" \{\n[^}]*\}/gm) ?? [];
}

let policies = 0;

type Policy = { readonly token: string; change(rules: string): Promise<void> };

async function policy(rules: string): Promise<Policy> {
  policies += 1;
  const name = `policy-${policies}`;
  const { ID } = await admin.must<{ readonly ID: string }>('PUT', '/v1/acl/policy', { Name: name, Rules: rules });
  const { SecretID } = await admin.must<{ readonly SecretID: string }>('PUT', '/v1/acl/token', {
    Policies: [{ Name: name }],
  });
  const change = async (Rules: string): Promise<void> => {
    await admin.must('PUT', `/v1/acl/policy/${ID}`, { ID, Name: name, Rules });
  };
  return { token: SecretID, change };
}

describe('a cluster without the CRD', () => {
  it('is waited for and told of, without an end, and works once it is installed', async () => {
    await h.kubectl.must(['delete', 'crd', 'leadergroups.leadergroup.dev', '--timeout=60s']);
    onTestFinished(() => installCrd(h.kubectl));
    const operator = await spawned({});
    await untilReadyzSays(operator, /leadergroups?.*(?:not installed|install|crds\/)/s);
    expect((await readyz(operator)).status).toBe(503);
    expect((await fetch(`${operator.url}/livez`)).status).toBe(200);
    expect(operator.log.some((line) => /leadergroups/.test(text(line)) && /crds\/|install/.test(text(line)))).toBe(
      true,
    );
    await installCrd(h.kubectl);
    await operator.ready(40_000);
    await h.group(namespace, 'late');
    await h.led(namespace, 'late');
  });
});

describe('a Consul token', () => {
  it('that is missing is named by the log and by /readyz, and the operator waits', async () => {
    const operator = await spawned({ env: { CONSUL_HTTP_TOKEN: '' } });
    await untilReadyzSays(operator, /\[-\] consul: .*(?:CONSUL_HTTP_TOKEN|anonymous)/);
    expect(operator.log.some((line) => /CONSUL_HTTP_TOKEN|anonymous/.test(text(line)))).toBe(true);
    expect(await operator.kill()).toEqual({ code: 0, signal: null });
  });

  it('that Consul does not know is said to be wrong, with the variable to look at', async () => {
    const operator = await spawned({ env: { CONSUL_HTTP_TOKEN: '00000000-1111-2222-3333-444444444444' } });
    await untilReadyzSays(operator, /\[-\] consul: .*ACL not found.*CONSUL_HTTP_TOKEN/);
    expect(operator.log.some((line) => /CONSUL_HTTP_TOKEN/.test(text(line)))).toBe(true);
    expect(await operator.kill()).toEqual({ code: 0, signal: null });
  });

  it('with the rights of deploy/consul-policy.hcl is enough', async () => {
    const { token } = await policy(await rulesWithout(null));
    const operator = await started({ env: { CONSUL_HTTP_TOKEN: token } });
    await h.group(namespace, 'plain');
    const leader = await h.led(namespace, 'plain');
    await h.world.deletePod(namespace, leader.name);
    await h.led(namespace, 'plain', { not: leader.name });
    expect(operator.log.filter((line) => /denied/i.test(text(line)))).toEqual([]);
    await h.world.deleteGroup(namespace, 'plain');
    await h.observer.until(() => h.observer.group(namespace, 'plain') === undefined, LIMIT);
  });

  it('has in deploy/consul-policy.hcl the three rules that the tests below take away, and no others', async () => {
    expect((await rulesWithout(null, 'c')).match(/^\w+ ".*(?= \{)/gm)).toEqual([
      'node "leadergroup-c"',
      'session "leadergroup-c"',
      'key_prefix "leadergroup/c/"',
    ]);
  });

  it.each(['node', 'session', 'key_prefix'])(
    'without the right to its %s is told which right is missing, and works once it is given',
    async (kind) => {
      // A name that nobody has used: the node of an earlier operator would stand there already.
      const name = `without-${kind.replace('_', '-')}`;
      const rule = `${kind} "leadergroup${kind === 'key_prefix' ? '/' : '-'}`;
      const { token, change } = await policy(await rulesWithout(new RegExp(`^${kind} `), name));
      const operator = await spawned({ env: { CONSUL_HTTP_TOKEN: token, LEADERGROUP_CLUSTER: name } });
      await untilReadyzSays(operator, rule);
      const told = (await readyz(operator)).text;
      expect(told).toMatch(new RegExp(`${rule}.*" \\{ policy = "write" \\}`));
      expect((await readyz(operator)).status).toBe(503);
      expect(operator.log.some((line) => text(line).includes(JSON.stringify(rule).slice(1, -1)))).toBe(true);
      await change(await rulesWithout(null, name));
      await operator.ready();
      await h.group(namespace, 'plain');
      await h.led(namespace, 'plain');
      await h.world.deleteGroup(namespace, 'plain');
      await h.observer.until(() => h.observer.group(namespace, 'plain') === undefined, LIMIT);
    },
  );

  it('that loses a right moves no leader: what is missing is told, and all goes on once it is back', async () => {
    const name = 'loses';
    const whole = await rulesWithout(null, name);
    const { token, change } = await policy(whole);
    const operator = await started({ env: { CONSUL_HTTP_TOKEN: token, LEADERGROUP_CLUSTER: name } });
    await h.group(namespace, 'kept', { spec: { sessionTTLSeconds: 30 } });
    const leader = await h.led(namespace, 'kept');
    await change(await rulesWithout(/^session /, name));
    await operator.untilLog(
      (line) => text(line).includes(JSON.stringify('session "leadergroup-loses"').slice(1, -1)),
      LIMIT,
    );
    await change(whole);
    await operator.ready();
    expect(await h.led(namespace, 'kept')).toMatchObject({ name: leader.name, token: leader.token });
    await h.world.setReady(namespace, leader.name, false);
    await h.led(namespace, 'kept', { not: leader.name });
    await h.world.deleteGroup(namespace, 'kept');
    await h.observer.until(() => h.observer.group(namespace, 'kept') === undefined, LIMIT);
  });

  it('without the right to one shared key stalls the groups of that key alone, until it is given', async () => {
    const rules = await rulesWithout(null);
    const allowed = 'key_prefix "jobs/allowed" { policy = "write" }';
    const { token, change } = await policy(`${rules}\n${allowed}`);
    await started({ env: { CONSUL_HTTP_TOKEN: token } });
    await h.group(namespace, 'plain');
    await h.group(namespace, 'allowed', { spec: { lockKey: 'jobs/allowed' } });
    await h.group(namespace, 'denied', { spec: { lockKey: 'jobs/denied' } });
    const { message } = await untilCondition('denied', 'Stalled', 'True', 'PermissionDenied');
    expect(message).toMatch(/key(?:_prefix)? "jobs\//);
    const [plain, shared] = await Promise.all([h.led(namespace, 'plain'), h.led(namespace, 'allowed')]);
    await h.world.setReady(namespace, plain.name, false);
    await h.led(namespace, 'plain', { not: plain.name });
    await h.world.setReady(namespace, shared.name, false);
    await h.led(namespace, 'allowed', { not: shared.name });
    expect(h.observer.leaders(namespace, 'denied')).toEqual([]);
    await change(`${rules}\nkey_prefix "jobs/" { policy = "write" }`);
    await h.led(namespace, 'denied', { timeoutMs: 60_000 });
    await untilCondition('denied', 'Stalled', 'False', 'NotStalled');
  });
});

describe('who else holds a shared key', () => {
  /** What the status says of somebody on a node that is not ours. */
  async function lockedBy(group: string): Promise<string | undefined> {
    await using _ = await h.world.consul.lockAsExternal(`jobs/${group}/.lock`);
    await h.group(namespace, group, { spec: { lockKey: `jobs/${group}` } });
    await untilCondition(group, 'Ready', 'True', 'LedElsewhere');
    return h.status(namespace, group)?.lockedBy;
  }

  it('is named by the second rule in the comment of deploy/consul-policy.hcl, and without it the group knows that somebody does', async () => {
    const own = await rulesWithout(null);
    const rules = await rulesOfTheComment();
    expect(rules.map((rule) => rule.trim().split(' {')[0])).toEqual(['key_prefix "jobs/"', 'session_prefix ""']);
    const [keys = '', sessions = ''] = rules;
    const { token, change } = await policy([own, keys, sessions].join('\n'));
    await started({ env: { CONSUL_HTTP_TOKEN: token } });
    expect(await lockedBy('named')).toContain('an external holder');
    await change([own, keys].join('\n'));
    const hidden = await lockedBy('hidden');
    expect(hidden).toContain('that the Consul token may not read');
    expect(hidden).not.toContain('an external holder');
    await change([own, keys, sessions].join('\n'));
    expect(await lockedBy('named-again')).toContain('an external holder');
  });
});

describe('a bad configuration', () => {
  it('is told with every problem at once, and ends with exit code 2', async () => {
    const file = join(h.dir, 'bad.yaml');
    const settings = {
      cluster: 'Not_A_Name',
      prefix: '/x//y',
      workers: 0,
      unknown: 1,
      log: { level: 'loud', colour: 1 },
    };
    await writeFile(file, stringify(settings));
    const operator = await spawned({
      args: ['--config', file, '--verbose'],
      env: { LEADERGROUP_LOCK_KEYS: '{', LEADERGROUP_NONSENSE: 'x', CONSUL_HTTP_ADDR: 'ftp://consul' },
    });
    expect(await operator.ended).toEqual({ code: 2, signal: null });
    const told = operator.log.map(text).join('\n');
    for (const name of [
      'cluster',
      'prefix',
      'workers',
      'unknown',
      'log.level',
      'log.colour',
      '--verbose',
      'LEADERGROUP_LOCK_KEYS',
      'LEADERGROUP_NONSENSE',
      'CONSUL_HTTP_ADDR',
    ]) {
      expect(told).toContain(name);
    }
    expect(operator.log.length).toBeGreaterThanOrEqual(10);
  });

  it('file that does not exist is named, and ends with exit code 2', async () => {
    const operator = await spawned({ args: ['--config', join(h.dir, 'missing.yaml')] });
    expect(await operator.ended).toEqual({ code: 2, signal: null });
    expect(operator.log.map(text).join('\n')).toContain('missing.yaml');
  });
});

describe("another cluster's identity under our prefix", () => {
  it('is refused with what to set, and nothing of the other is touched', async () => {
    // A name of its own: under the others, sessions of killed operators expire while this test looks.
    const prefix = 'leadergroup/both/';
    const key = `${prefix}.cluster`;
    const theirs = '11111111-2222-3333-4444-555555555555';
    await h.world.consul.overwrite(key, theirs);
    const bucket = await h.world.consul.lockAsExternal(`${prefix}buckets/00/.lock`);
    onTestFinished(() => bucket[Symbol.asyncDispose]());
    const before = await h.world.consul.entries(prefix);
    expect(before).toHaveLength(2);
    const operator = await spawned({ env: { LEADERGROUP_CLUSTER: 'both' } });
    expect(await operator.ended).toEqual({ code: 2, signal: null });
    const told = operator.log.map(text).join('\n');
    for (const words of ['LEADERGROUP_CLUSTER', theirs, clusterUid]) expect(told).toContain(words);
    expect(await h.world.consul.entries(prefix)).toEqual(before);

    await h.group(namespace, 'plain');
    await started({ env: { LEADERGROUP_CLUSTER: 'ours' } });
    await h.led(namespace, 'plain');
    expect((await h.world.consul.entry('leadergroup/ours/.cluster'))?.value).toBe(clusterUid);
    expect((await h.world.consul.entry(key))?.value).toBe(theirs);
    await h.world.deleteGroup(namespace, 'plain');
    await h.observer.until(() => h.observer.group(namespace, 'plain') === undefined, LIMIT);
  });
});

describe('a LeaderGroup that passed an older schema', () => {
  type Crd = { spec: { versions: { schema: object; selectableFields?: object }[] } };

  /** The same CRD, which checks nothing. */
  const laxCrd = async (): Promise<void> => {
    const crd = parse(await readFile('crds/leadergroups.yaml', 'utf8')) as Crd;
    const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } as const;
    const openAPIV3Schema = { type: 'object', properties: { spec: anything, status: anything } };
    for (const version of crd.spec.versions) {
      version.schema = { openAPIV3Schema };
      // They must be fields of the schema.
      delete version.selectableFields;
    }
    await h.kubectl.must(['apply', '-f', '-'], JSON.stringify(crd));
  };

  it('is named in the log, harms no other group, and can be deleted', async () => {
    const operator = await started();
    await h.group(namespace, 'good');
    const good = await h.led(namespace, 'good');
    await h.group(namespace, 'spoilt');
    await h.led(namespace, 'spoilt');
    await laxCrd();
    onTestFinished(() => installCrd(h.kubectl));
    await expect
      .poll(() => h.world.applyGroup({ namespace, name: 'broken', spec: { selector: {}, sessionTTLSeconds: 3 } }), {
        timeout: 60_000,
      })
      .toMatchObject({ metadata: { name: 'broken' } });
    await h.world.applyGroup({ namespace, name: 'spoilt', spec: { sessionTTLSeconds: 'long' } });
    await installCrd(h.kubectl);
    for (const name of ['broken', 'spoilt']) {
      await operator.untilLog((line) => line['group'] === `${namespace}/${name}` && /is invalid/.test(text(line)), {
        timeoutMs: 60_000,
        what: `the log names ${name}`,
      });
    }
    await h.world.setReady(namespace, good.name, false);
    await h.led(namespace, 'good', { not: good.name });
    await h.world.deleteGroup(namespace, 'broken');
    await h.world.deleteGroup(namespace, 'spoilt');
    await h.observer.until(() => h.observer.group(namespace, 'broken') === undefined, LIMIT);
    await h.observer.until(() => h.observer.group(namespace, 'spoilt') === undefined, {
      timeoutMs: 20_000,
      what: 'a group that became invalid while it led is gone after it was deleted',
    });
  });
});

const LIMIT = { timeoutMs: 20_000, what: 'the state that the test names' };
