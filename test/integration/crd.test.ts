/** What the real API server makes of crds/: which groups it takes, what it tells whom it refuses, what kubectl shows. */
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { LeaderGroupStatus } from '../../src/api/leadergroup.ts';
import { parseLeaderGroup } from '../../src/api/parse.ts';
import { type KeptCluster, startKeptCluster } from '../kit/rig/kept-cluster.ts';
import { type Kubectl, kubectlOf } from '../kit/rig/kubectl.ts';

type Spec = Readonly<Record<string, unknown>>;
type Group = { readonly spec: Record<string, unknown>; readonly status?: unknown };

let kept: KeptCluster | undefined;
let kubectl: Kubectl;

beforeAll(async () => {
  kept = await startKeptCluster();
  kubectl = kubectlOf(kept.cluster.env);
  await install();
});

afterAll(async () => {
  await kept?.[Symbol.asyncDispose]();
});

const CRD = 'leadergroups.leadergroup.dev';

async function install(): Promise<void> {
  await kubectl.must(['apply', '--validate=strict', '-f', 'crds/']);
  // kubectl refuses to wait for a condition of an object that has no status yet.
  const wait = ['wait', '--for=condition=Established', '--timeout=30s', `crd/${CRD}`];
  await vi.waitFor(() => kubectl.must(wait), 30_000);
}

const selector = { matchLabels: { app: 'notifier' } };

const manifest = (name: string, spec: unknown): string =>
  JSON.stringify({ apiVersion: 'leadergroup.dev/v1alpha1', kind: 'LeaderGroup', metadata: { name }, spec });

const dryRun = (spec: unknown, name = 'tried') =>
  kubectl.run(['apply', '--dry-run=server', '-o', 'json', '-f', '-'], manifest(name, spec));

const apply = (name: string, spec: Spec) => kubectl.run(['apply', '-f', '-'], manifest(name, spec));

const stored = async (name: string): Promise<Group> =>
  JSON.parse(await kubectl.must(['get', 'lg', name, '-o', 'json'])) as Group;

/** What the operator would say of the same spec, had the API server not checked it. */
const operatorsView = (spec: unknown, name = 'tried') =>
  parseLeaderGroup({ metadata: { namespace: 'default', name, uid: 'u' }, spec })?.kind;

const x = (count: number): string => 'x'.repeat(count);
const labels = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));
const expressions = (...matchExpressions: readonly unknown[]) => ({ selector: { matchExpressions } });
const prefixOf253 = `${x(63)}.${x(63)}.${x(63)}.${x(61)}`;

describe('the CRD', () => {
  it('is accepted with its names and without warnings about the schema', async () => {
    const crd = JSON.parse(await kubectl.must(['get', 'crd', CRD, '-o', 'json'])) as {
      status: { conditions: { type: string; status: string }[] };
    };
    const conditions = crd.status.conditions.map(({ type, status }) => `${type}=${status}`);
    expect(conditions.toSorted()).toEqual(['Established=True', 'NamesAccepted=True']);
    for (const name of ['lg', 'leadergroup', 'leadergroups']) await kubectl.must(['get', name]);
  });

  it('leaves nothing unexplained to kubectl explain, and says units and defaults', async () => {
    // The API server publishes a schema some time after it begins to serve it.
    const explained = () => kubectl.must(['explain', 'lg.spec']);
    expect(await vi.waitFor(explained, { timeout: 60_000, interval: 250 })).not.toMatch(/<no description>/);
    const recursive = await kubectl.must(['explain', 'lg', '--recursive']);
    const fields = [...recursive.matchAll(/^ {4}(\w+)\t/gm)].map((match) => match[1]);
    for (const name of ['selector', 'sessionTTLSeconds', 'lockDelaySeconds', 'lockKey', 'label', 'paused']) {
      expect(fields).toContain(name);
    }
    const ttl = (await kubectl.must(['explain', 'lg.spec.sessionTTLSeconds'])).replaceAll(/\s+/g, ' ');
    expect(ttl).toContain('in seconds, from 10');
    expect(ttl).toContain('60 by default');
    expect(ttl).toContain('not the failover time');
    const loss = await kubectl.must(['explain', 'lg.spec.onConsulLoss']);
    expect(loss).toMatch(/ENUM:\s+Hold\s+Demote/);
  });

  it('describes every field', async () => {
    const crd = JSON.parse(await kubectl.must(['get', 'crd', CRD, '-o', 'json'])) as {
      spec: { versions: { schema: { openAPIV3Schema: Schema } }[] };
    };
    const root = crd.spec.versions[0]?.schema.openAPIV3Schema as Schema;
    expect(undescribed('', root)).toEqual(['.metadata', '.metadata.name']);
  });

  it('has exactly the fields that work', async () => {
    const answer = await dryRun({ selector, preemptionPolicy: 'Never', leaders: 2 });
    expect(answer.stderr).toContain('unknown field "spec.leaders"');
    expect(answer.stderr).toContain('unknown field "spec.preemptionPolicy"');
  });
});

type Schema = {
  readonly description?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
};

/** Paths of named fields without a description of at least a few words that ends as a sentence. */
function undescribed(path: string, { properties = {}, items }: Schema): string[] {
  const named = Object.entries(properties).flatMap(([name, schema]) => [
    ...(/\w+ .+\.$/s.test(schema.description ?? '') ? [] : [`${path}.${name}`]),
    ...undescribed(`${path}.${name}`, schema),
  ]);
  return items === undefined ? named : [...named, ...undescribed(`${path}[]`, items)];
}

describe('a good group', () => {
  it('of five lines gets the defaults, and no onConsulLoss', async () => {
    await kubectl.must(['apply', '-f', 'examples/leadergroup.yaml']);
    const { spec } = await stored('notifier');
    expect(spec).not.toHaveProperty('onConsulLoss');
    expect(spec).toMatchObject({
      selector,
      sessionTTLSeconds: 60,
      lockDelaySeconds: 0,
      label: { key: 'leadergroup.dev/role', leader: 'leader' },
      minReadySeconds: 0,
      failoverDelaySeconds: 0,
      paused: false,
    });
  });

  it.each<[string, Spec]>([
    ['a label value of its own gets the other defaults', { selector, label: { leader: 'active' } }],
    ['the longest TTL and lock-delay', { selector, sessionTTLSeconds: 86_400, lockDelaySeconds: 60 }],
    ['the shortest TTL', { selector, sessionTTLSeconds: 10 }],
    ['an empty label value in the selector', { selector: { matchLabels: { app: '' } } }],
    ['32 labels', { selector: { matchLabels: labels(32) } }],
    [
      'each operator',
      expressions(
        { key: 'a', operator: 'In', values: ['x', ''] },
        { key: 'b', operator: 'NotIn', values: ['y'] },
        { key: 'c', operator: 'Exists' },
        { key: 'd', operator: 'DoesNotExist', values: [] },
      ),
    ],
    [
      'the largest selector',
      expressions(
        ...Array.from({ length: 32 }, (_, i) => ({
          key: `${prefixOf253}/${x(60)}${i}`,
          operator: 'In',
          values: Array.from({ length: 64 }, (_, j) => `${x(60)}${j}`),
        })),
      ),
    ],
    ['the longest label key', { selector, label: { key: `${prefixOf253}/${x(63)}` } }],
    ['label keys beside those of Kubernetes', { selector, label: { key: 'kubernetes.io.example.com/role' } }],
    ['a follower value', { selector, label: { follower: 'standby' } }],
    ['a lock key', { selector, lockKey: 'jobs/Nightly_1.2-x' }],
    ['a lock key beside our prefix', { selector, lockKey: 'leadergroups/x' }],
    ['a dot in a lock key', { selector, lockKey: '.jobs/...' }],
    ['the longest lock key', { selector, lockKey: x(256) }],
    ['each policy', { selector, onConsulLoss: 'Demote' }],
    ['a pause', { selector, paused: true }],
    ['a route', { selector, route: { serviceName: 'web-0' } }],
    ['the longest Service name', { selector, route: { serviceName: x(63) } }],
    [
      'a leader probe that asks',
      {
        selector,
        leaderProbe: { httpGet: { path: '/healthz?x=1', port: 8443, scheme: 'HTTPS' }, timeoutMilliseconds: 3000 },
      },
    ],
    [
      'a question before a promotion',
      { selector, beforePromotion: { httpGet: { port: 1 }, timeoutSeconds: 5, onFailure: 'Promote' } },
    ],
    [
      'as many preferences as there may be, and a spread',
      {
        selector,
        spread: { topologyKey: 'topology.kubernetes.io/zone' },
        preferences: Array.from({ length: 8 }, () => ({
          weight: 100,
          podSelector: { matchLabels: labels(4) },
          nodeSelector: { matchExpressions: Array.from({ length: 4 }, () => ({ key: 'a', operator: 'Exists' })) },
        })),
      },
    ],
    ['another condition than Ready', { selector, candidateCondition: 'mail.example.com/could-lead' }],
    ['Ready by its name', { selector, candidateCondition: 'Ready' }],
    ['the longest delay of a preemption', { selector, preemption: { policy: 'WhenPreferred', delaySeconds: 3600 } }],
    ['a leader probe that listens', { selector, leaderProbe: { gate: {} } }],
    ['the fastest leader probe', { selector, leaderProbe: { periodMilliseconds: 100, failureThreshold: 1, gate: {} } }],
    [
      'the slowest leader probe',
      { selector, leaderProbe: { periodMilliseconds: 60_000, failureThreshold: 10, gate: {} } },
    ],
  ])('may have %s', async (_what, spec) => {
    const { code, stdout, stderr } = await dryRun(spec);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect((JSON.parse(stdout) as Group).spec).toMatchObject(spec);
    expect(operatorsView(spec)).toBe('valid');
  });

  it('may have a name of 63 characters', async () => {
    expect(await dryRun({ selector }, x(63))).toMatchObject({ code: 0 });
  });
});

describe('a bad group', () => {
  const expression = (over: object) => expressions({ key: 'a', operator: 'In', values: ['x'], ...over });
  const key = (labelKey: string) => ({ selector, label: { key: labelKey } });

  // The message must name the field, say what is wrong and what to do.
  it.each<[string, unknown, RegExp]>([
    ['no spec', undefined, /spec: Required value/],
    ['no selector', {}, /spec\.selector: Required value/],
    [
      'an empty selector',
      { selector: {} },
      /spec\.selector: Required value: the selector must not be empty: set matchL/,
    ],
    [
      'empty parts',
      { selector: { matchLabels: {}, matchExpressions: [] } },
      /spec\.selector: .* must not be empty: set/,
    ],
    [
      'a bad label key',
      { selector: { matchLabels: { 'a b': 'x' } } },
      /spec\.selector\.matchLabels: .*must be a label key/,
    ],
    [
      'a label key too long',
      { selector: { matchLabels: { [x(64)]: 'x' } } },
      /matchLabels: .* name of at most 63 charac/,
    ],
    ['a key prefix too long', { selector: { matchLabels: { [`${prefixOf253}x/a`]: 'x' } } }, /at most 253 characters/],
    [
      'a bad label value',
      { selector: { matchLabels: { a: 'x y' } } },
      /matchLabels\[a\]: .*"x y": must be a label value/,
    ],
    [
      'a long label value',
      { selector: { matchLabels: { a: x(64) } } },
      /matchLabels\.a: Too long: may not be more than 63/,
    ],
    [
      'a number as a label',
      { selector: { matchLabels: { a: 5 } } },
      /matchLabels\.a: .*must be of type string: "integer"/,
    ],
    ['33 labels', { selector: { matchLabels: labels(33) } }, /matchLabels: Too many: 33: must have at most 32 items/],
    ['an expression without a key', expression({ key: undefined }), /matchExpressions\[0\]\.key: Required value/],
    [
      'an expression with a bad key',
      expression({ key: 'a b' }),
      /matchExpressions\[0\]\.key: .*"a b": must be a label key/,
    ],
    [
      'an unknown operator',
      expression({ operator: 'Is' }),
      /\.operator: Unsupported value: "Is": supported .* "NotIn"/,
    ],
    [
      'In without values',
      expression({ values: [] }),
      /\[0\]\.values: Required value: operator In needs at least one value/,
    ],
    [
      'NotIn without values',
      expression({ operator: 'NotIn', values: undefined }),
      /operator NotIn needs at least one val/,
    ],
    [
      'Exists with values',
      expression({ operator: 'Exists' }),
      /\[0\]\.values: Forbidden: operator Exists takes no values/,
    ],
    [
      'DoesNotExist with values',
      expression({ operator: 'DoesNotExist' }),
      /operator DoesNotExist takes no values; remov/,
    ],
    ['a bad value', expression({ values: ['x', 'a b'] }), /\[0\]\.values\[1\]: .*"a b": must be a label value/],
    [
      'a TTL below 10',
      { selector, sessionTTLSeconds: 9 },
      /spec\.sessionTTLSeconds: .*9.* greater than or equal to 10/,
    ],
    [
      'a TTL above a day',
      { selector, sessionTTLSeconds: 86_401 },
      /spec\.sessionTTLSeconds: .*less than or equal to 86400/,
    ],
    ['a TTL with a unit', { selector, sessionTTLSeconds: '30s' }, /spec\.sessionTTLSeconds: .*must be of type integer/],
    ['a TTL of half seconds', { selector, sessionTTLSeconds: 10.5 }, /spec\.sessionTTLSeconds: .*must be of type int/],
    ['a lock-delay above 60', { selector, lockDelaySeconds: 61 }, /spec\.lockDelaySeconds: .*less than or equal to 60/],
    [
      'a negative lock-delay',
      { selector, lockDelaySeconds: -1 },
      /spec\.lockDelaySeconds: .*greater than or equal to 0/,
    ],
    [
      'a negative minReadySeconds',
      { selector, minReadySeconds: -1 },
      /spec\.minReadySeconds: .*greater than or equal to 0/,
    ],
    [
      'a condition that is none',
      { selector, candidateCondition: 'could lead' },
      /spec\.candidateCondition: .*must be the type of a pod condition/,
    ],
    [
      'a condition without a name',
      { selector, candidateCondition: '' },
      /spec\.candidateCondition: .*at least 1 chars long/,
    ],
    [
      'a condition that says nothing of leading',
      { selector, candidateCondition: 'PodScheduled' },
      /spec\.candidateCondition: .*must be a condition that says of a pod that it can lead/,
    ],
    ['a long minReadySeconds', { selector, minReadySeconds: 86_401 }, /spec\.minReadySeconds: .*or equal to 86400/],
    ['a negative failover delay', { selector, failoverDelaySeconds: -1 }, /spec\.failoverDelaySeconds: .*equal to 0/],
    [
      'a long failover delay',
      { selector, failoverDelaySeconds: 86_401 },
      /spec\.failoverDelaySeconds: .*equal to 86400/,
    ],
    ['a label key with two slashes', key('a/b/c'), /spec\.label\.key: .*"a\/b\/c": must be a label key/],
    ['a label key with a space', key('a b'), /spec\.label\.key: .*"a b": must be a label key/],
    ['a label key with upper case in its prefix', key('A/b'), /spec\.label\.key: .*must be a label key/],
    ['an empty label key', key(''), /spec\.label\.key: .*at least 1 chars long/],
    ['a label name of 64', key(`a/${x(64)}`), /spec\.label\.key: .*a name of at most 63 characters/],
    ['a label prefix of 254', key(`${prefixOf253}x/a`), /spec\.label\.key: .*prefix of at most 253 characters/],
    [
      'a label key too long at all',
      key(`${prefixOf253}/${x(64)}`),
      /spec\.label\.key: Too long: may not be more than 317/,
    ],
    [
      'a label key of kubernetes.io',
      key('kubernetes.io/role'),
      /spec\.label\.key: Forbidden: .*choose a domain of your own/,
    ],
    ['a label key of k8s.io', key('k8s.io/role'), /spec\.label\.key: Forbidden: .*choose a domain of your own/],
    [
      'a label key below kubernetes.io',
      key('app.kubernetes.io/role'),
      /spec\.label\.key: Forbidden: .*choose a domain/,
    ],
    ['a label key below k8s.io', key('a.b.k8s.io/role'), /spec\.label\.key: Forbidden: .*choose a domain of your own/],
    ["a controller's label", key('pod-template-hash'), /spec\.label\.key: Forbidden: .*choose another key/],
    [
      'a label key of its selector',
      key('app'),
      /spec\.label\.key: .*not be a key of selector\.matchLabels.*another label key/,
    ],
    [
      'a label key of its expressions',
      { ...expression({}), label: { key: 'a' } },
      /label\.key: .*selector\.matchExpressions/,
    ],
    [
      'the default key in its selector',
      { selector: { matchLabels: { 'leadergroup.dev/role': 'x' } } },
      /spec\.label\.key: /,
    ],
    [
      'a bad leader value',
      { selector, label: { leader: 'a b' } },
      /spec\.label\.leader: .*"a b": must be a label value/,
    ],
    ['an empty leader value', { selector, label: { leader: '' } }, /spec\.label\.leader: .*at least 1 chars long/],
    ['a long leader value', { selector, label: { leader: x(64) } }, /spec\.label\.leader: Too long: may not be more/],
    [
      'a bad follower value',
      { selector, label: { follower: 'a b' } },
      /spec\.label\.follower: .*must be a label value/,
    ],
    [
      'an empty follower value',
      { selector, label: { follower: '' } },
      /spec\.label\.follower: .*at least 1 chars long/,
    ],
    [
      'a long follower value',
      { selector, label: { follower: x(64) } },
      /spec\.label\.follower: Too long: may not be more/,
    ],
    [
      'equal label values',
      { selector, label: { leader: 'x', follower: 'x' } },
      /spec\.label\.follower: .*must differ from/,
    ],
    [
      'the default leader as follower',
      { selector, label: { follower: 'leader' } },
      /spec\.label\.follower: .*change one/,
    ],
    ['a route without a Service', { selector, route: {} }, /spec\.route\.serviceName: Required value/],
    [
      'no name of a Service',
      { selector, route: { serviceName: 'Web' } },
      /spec\.route\.serviceName: .*must be the name of a Service/,
    ],
    [
      'a Service of another namespace',
      { selector, route: { serviceName: 'mail/web' } },
      /spec\.route\.serviceName: .*must be the name of a Service/,
    ],
    ['a Service name too long', { selector, route: { serviceName: x(64) } }, /spec\.route\.serviceName: Too long/],
    [
      'a space in its lock key',
      { selector, lockKey: 'a b' },
      /spec\.lockKey: .*"a b": may only contain letters, digits/,
    ],
    ['a newline in its lock key', { selector, lockKey: 'a\n' }, /spec\.lockKey: .*may only contain letters, digits/],
    ['a per cent sign in its lock key', { selector, lockKey: 'a%2f' }, /spec\.lockKey: .*may only contain letters/],
    ['an empty lock key', { selector, lockKey: '' }, /spec\.lockKey: .*at least 1 chars long/],
    ['a lock key too long', { selector, lockKey: x(257) }, /spec\.lockKey: Too long: may not be more than 256/],
    ['a leading slash', { selector, lockKey: '/a' }, /spec\.lockKey: .*must not begin or end with '\/'.*write it as/],
    ['a trailing slash', { selector, lockKey: 'a/' }, /spec\.lockKey: .*must not begin or end with '\/'/],
    ['an empty part', { selector, lockKey: 'a//b' }, /spec\.lockKey: .*nor contain '\/\/'/],
    ['a part of one dot', { selector, lockKey: './a' }, /spec\.lockKey: .*'\.' or '\.\.'.*write the key in full/],
    ['a part of two dots', { selector, lockKey: 'a/../b' }, /spec\.lockKey: .*'\.' or '\.\.'/],
    ['only two dots', { selector, lockKey: '..' }, /spec\.lockKey: .*'\.' or '\.\.'/],
    [
      'the lock itself',
      { selector, lockKey: 'a/.lock' },
      /spec\.lockKey: .*must not end in '\.lock'; leave that part out/,
    ],
    ['our own prefix', { selector, lockKey: 'leadergroup' }, /spec\.lockKey: Forbidden: .*choose another prefix/],
    [
      'a key below our own prefix',
      { selector, lockKey: 'leadergroup/x' },
      /spec\.lockKey: Forbidden: .*another prefix/,
    ],
    ['an unknown policy', { selector, onConsulLoss: 'hold' }, /spec\.onConsulLoss: Unsupported .* "Hold", "Demote"/],
    [
      'a leader probe that listens and asks',
      { selector, leaderProbe: { gate: {}, httpGet: { port: 80 } } },
      /spec\.leaderProbe: Required value: .*exactly one/,
    ],
    [
      'a leader probe without a port',
      { selector, leaderProbe: { httpGet: {} } },
      /spec\.leaderProbe\.httpGet\.port: Required/,
    ],
    [
      'a leader probe at a port that is none',
      { selector, leaderProbe: { httpGet: { port: 65_536 } } },
      /spec\.leaderProbe\.httpGet\.port: .*equal to 65535/,
    ],
    ...['healthz', '//elsewhere/', '/a//b', '/\\elsewhere/', '/a b', '/a\u0000', 'http://elsewhere/'].map(
      (path): [string, Spec, RegExp] => [
        `a leader probe at the path ${JSON.stringify(path)}`,
        { selector, leaderProbe: { httpGet: { port: 80, path } } },
        /spec\.leaderProbe\.httpGet\.path: .*must begin with one '\/'/,
      ],
    ),
    [
      'a leader probe that waits for longer than it may fail',
      { selector, leaderProbe: { timeoutMilliseconds: 3001, httpGet: { port: 80 } } },
      /spec\.leaderProbe\.timeoutMilliseconds: .*periodMilliseconds times failureThreshold/,
    ],
    [
      'a question before a promotion without a port',
      { selector, beforePromotion: { httpGet: {} } },
      /spec\.beforePromotion\.httpGet\.port: Required/,
    ],
    [
      'a question before a promotion to nobody',
      { selector, beforePromotion: {} },
      /spec\.beforePromotion\.httpGet: Required/,
    ],
    [
      'a question before a promotion that waits for too long',
      { selector, beforePromotion: { httpGet: { port: 80 }, timeoutSeconds: 6 } },
      /spec\.beforePromotion\.timeoutSeconds: .*equal to 5/,
    ],
    [
      'a question before a promotion of which nothing follows',
      { selector, beforePromotion: { httpGet: { port: 80 }, onFailure: 'Ignore' } },
      /spec\.beforePromotion\.onFailure: .*NextCandidate/,
    ],
    [
      'a preemption by a policy that there is not',
      { selector, preemption: { policy: 'Always' } },
      /spec\.preemption\.policy: .*WhenPreferred/,
    ],
    [
      'a preemption without a delay',
      { selector, preemption: { delaySeconds: 0 } },
      /spec\.preemption\.delaySeconds: .*equal to 1/,
    ],
    [
      'a preference for nothing',
      { selector, preferences: [{ weight: 1 }] },
      /spec\.preferences\[0\]: Required value: .*podSelector, nodeSelector or both/,
    ],
    [
      'a preference that weighs nothing',
      { selector, preferences: [{ weight: 0, podSelector: selector }] },
      /spec\.preferences\[0\]\.weight: .*equal to 1/,
    ],
    [
      'a preference with an empty selector',
      { selector, preferences: [{ weight: 1, nodeSelector: {} }] },
      /spec\.preferences\[0\]\.nodeSelector: Required value: .*must not be empty/,
    ],
    [
      'a spread over no label key',
      { selector, spread: { topologyKey: 'a b' } },
      /spec\.spread\.topologyKey: .*must be a label key/,
    ],
    ['a leader probe by nothing', { selector, leaderProbe: {} }, /spec\.leaderProbe: Required value: .*gate/],
    [
      'a leader probe that is too fast',
      { selector, leaderProbe: { periodMilliseconds: 99, gate: {} } },
      /spec\.leaderProbe\.periodMilliseconds: .*equal to 100/,
    ],
    [
      'a leader probe that may never fail',
      { selector, leaderProbe: { failureThreshold: 0, gate: {} } },
      /spec\.leaderProbe\.failureThreshold: .*equal to 1/,
    ],
    [
      'a label that outlives a shared lock',
      { selector, lockKey: 'jobs/x', deletionPolicy: 'Retain' },
      /spec\.deletionPolicy: .*must be Demote with a lockKey/,
    ],
    ['another order of scaling down', { selector, scaleDown: 'LeaderFirst' }, /spec\.scaleDown: Unsupported value/],
    ['another policy of deletion', { selector, deletionPolicy: 'Orphan' }, /spec\.deletionPolicy: Unsupported value/],
    ['a text for paused', { selector, paused: 'yes' }, /spec\.paused: .*must be of type boolean/],
  ])('with %s is refused and told so, and the operator refuses it too', async (_what, spec, expected) => {
    const { code, stderr } = await dryRun(spec);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(expected);
    expect(operatorsView(spec)).toBe('invalid');
  });

  it('with a name of 64 characters is refused, and the operator refuses it too', async () => {
    const { stderr } = await dryRun({ selector }, x(64));
    expect(stderr).toMatch(/metadata\.name: .*at most 63 characters.*choose a shorter name/);
    expect(operatorsView({ selector }, x(64))).toBe('invalid');
  });

  it('is told all its problems at once', async () => {
    const spec = {
      selector: {},
      lockKey: 'leadergroup/..',
      label: { key: 'k8s.io/x', leader: 'a b' },
      sessionTTLSeconds: 3,
    };
    const { stderr } = await dryRun(spec);
    for (const name of [
      'spec.selector',
      'spec.lockKey',
      'spec.label.key',
      'spec.label.leader',
      'spec.sessionTTLSeconds',
    ]) {
      expect(stderr).toContain(`* ${name}: `);
    }
  });
});

describe('a change', () => {
  const label = { key: 'example.com/role', leader: 'a', follower: 'b' };
  const own = { selector, label };
  const shared = { selector, label, lockKey: 'jobs/x' };

  it.each<[string, Spec, Spec, RegExp]>([
    [
      'the value of a label',
      own,
      { ...own, selector: { matchLabels: { app: 'other' } } },
      /spec\.selector: .*immutable/,
    ],
    [
      'a further label',
      own,
      { ...own, selector: { matchLabels: { app: 'notifier', a: 'b' } } },
      /spec\.selector: .*immut/,
    ],
    [
      'a further expression',
      own,
      { ...own, selector: { ...selector, matchExpressions: [{ key: 'a', operator: 'Exists' }] } },
      /spec\.selector: .*immutable; delete the LeaderGroup and create it anew/,
    ],
    [
      'the label key',
      own,
      { ...own, label: { ...label, key: 'example.com/other' } },
      /spec\.label: .*immutable; delete/,
    ],
    [
      'the leader value',
      own,
      { ...own, label: { ...label, leader: 'c' } },
      /spec\.label: .*immutable; delete the Lead/,
    ],
    [
      'the follower value',
      own,
      { ...own, label: { ...label, follower: 'c' } },
      /spec\.label: .*immutable; delete the Lead/,
    ],
    ['a label removed', own, { selector }, /spec\.label: .*immutable; delete the LeaderGroup and create it anew/],
    ['a follower value removed', own, { ...own, label: { key: label.key, leader: 'a' } }, /spec\.label: .*immutable/],
    ['a label added', { selector }, own, /spec\.label: .*immutable; delete the LeaderGroup and create it anew/],
    [
      'a follower value added',
      { selector },
      { selector, label: { follower: 'b' } },
      /spec\.label: .*immutable; delete/,
    ],
    [
      'the lock key',
      shared,
      { ...shared, lockKey: 'jobs/y' },
      /spec\.lockKey: .*immutable .*neither added nor removed/,
    ],
    ['a route removed', { ...own, route: { serviceName: 'a' } }, own, /spec\.route: .*neither changed nor removed/],
    [
      'another Service',
      { ...own, route: { serviceName: 'a' } },
      { ...own, route: { serviceName: 'b' } },
      /spec\.route: .*neither changed nor removed: delete the LeaderGroup/,
    ],
    ['a lock key removed', shared, own, /spec\.lockKey: .*immutable and can be neither added nor removed; delete/],
    ['a lock key added', own, shared, /spec\.lockKey: .*immutable and can be neither added nor removed; delete/],
  ])('of %s is refused', async (_what, before, after, expected) => {
    await kubectl.must(['delete', 'lg', 'changed', '--ignore-not-found']);
    expect(await apply('changed', before)).toMatchObject({ code: 0 });
    const { code, stderr } = await apply('changed', after);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(expected);
  });

  it('of everything else is taken, and so is a default written out', async () => {
    const first = await apply('edited', { selector });
    const second = await apply('edited', {
      selector,
      label: { key: 'leadergroup.dev/role', leader: 'leader' },
      sessionTTLSeconds: 60,
      lockDelaySeconds: 5,
      minReadySeconds: 1,
      candidateCondition: 'Ready',
      failoverDelaySeconds: 2,
      onConsulLoss: 'Demote',
      paused: true,
    });
    const third = await apply('edited', { selector });
    expect([first, second, third].map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      Array.from({ length: 3 }, () => ({ code: 0, stderr: '' })),
    );
  });

  it('that is bad is refused as a bad group is', async () => {
    await apply('turning', { selector });
    expect((await apply('turning', { selector, sessionTTLSeconds: 5 })).stderr).toMatch(/spec\.sessionTTLSeconds: /);
  });
});

describe('status', () => {
  const time = '2026-01-01T00:00:00Z';
  const status: LeaderGroupStatus = {
    leader: 'notifier-a',
    leaders: [
      { slot: 0, pod: 'notifier-a', uid: 'u-1', node: 'node-7', token: 42, sessionID: 's-1', acquireTime: time },
    ],
    members: 3,
    candidates: 2,
    ineligible: [{ reason: 'NotReady', count: 1, examples: ['notifier-c'] }],
    leaderTransitions: 5,
    recentTransitions: Array.from({ length: 10 }, (_, index) => ({
      time,
      from: '',
      to: 'notifier-a',
      reason: 'Elected',
      token: 33 + index,
      fromUID: '',
      chosenBy: '',
      durationMilliseconds: 12,
    })),
    lockKey: 'leadergroup/c/groups/00/default/told/0/.lock',
    lockedBy: '',
    onConsulLoss: 'Hold',
    observedGeneration: 1,
    conditions: (['Ready', 'Reconciling', 'Stalled', 'Paused'] as const).map((type) => ({
      type,
      status: type === 'Ready' ? ('True' as const) : ('False' as const),
      reason: 'Led',
      message: 'notifier-a leads since 2026-01-01 00:00:00 UTC.',
      lastTransitionTime: time,
      observedGeneration: 1,
    })),
  };
  const patchStatus = (name: string, patch: unknown) =>
    kubectl.run(['patch', 'lg', name, '--subresource=status', '--type=merge', '-p', JSON.stringify({ status: patch })]);

  it('as the operator writes it is taken whole, and read back as it was', async () => {
    await apply('told', { selector });
    expect(await patchStatus('told', status)).toMatchObject({ code: 0, stderr: '' });
    const read = await stored('told');
    expect(read.status).toEqual(status);
    expect(parseLeaderGroup(read)?.group.status).toEqual(status);
  });

  it('is not changed through the group itself', async () => {
    await apply('told', { selector });
    await patchStatus('told', status);
    await kubectl.must(['patch', 'lg', 'told', '--type=merge', '-p', '{"status":{"leader":"somebody"}}']);
    expect((await stored('told')).status).toEqual(status);
  });

  it('shows in the columns of kubectl get', async () => {
    await apply('told', { selector });
    await patchStatus('told', status);
    const table = (text: string): string[][] =>
      text
        .trim()
        .split('\n')
        .map((line) => line.split(/ {2,}/));
    const narrow = ['NAME', 'LEADER', 'SINCE', 'CANDIDATES', 'READY', 'REASON', 'AGE'];
    const [header, row] = table(await kubectl.must(['get', 'lg', 'told']));
    expect(header).toEqual(narrow);
    expect(row).toEqual([
      'told',
      'notifier-a',
      expect.stringMatching(/^\d+d|^\d+y/),
      '2',
      'True',
      'Led',
      expect.any(String),
    ]);
    const [wideHeader, wideRow] = table(await kubectl.must(['get', 'lg', 'told', '-o', 'wide']));
    expect(wideHeader).toEqual([...narrow, 'TOKEN', 'NODE', 'LOCK']);
    expect(wideRow?.slice(-3)).toEqual(['42', 'node-7', status.lockKey]);
  });

  it('is selected by its leader, also where there is none', async () => {
    await apply('told', { selector });
    await patchStatus('told', status);
    const named = async (leader: string): Promise<string> =>
      await kubectl.must(['get', 'lg', '-o', 'name', `--field-selector=status.leader=${leader}`]);
    expect(await named('notifier-a')).toContain('/told\n');
    expect(await named('somebody')).toBe('');
    await apply('unled', { selector });
    await patchStatus('unled', { ...status, leader: '', leaders: [] });
    expect(await named('')).toMatch(/\/unled$/m);
    expect(await named('')).not.toMatch(/\/told$/m);
  });

  it('of a group without a leader shows no leader and no time', async () => {
    await apply('leaderless', { selector });
    await patchStatus('leaderless', { ...status, leader: '', leaders: [], candidates: 0 });
    const row = await kubectl.must(['get', 'lg', 'leaderless', '--no-headers']);
    expect(row).toMatch(/^leaderless\s+0\s+True\s+Led\s+\d+s\n$/);
  });

  it.each<[string, object]>([
    ['two leaders of one slot', { leaders: [...status.leaders, ...status.leaders] }],
    ['a negative token', { leaders: [{ ...status.leaders[0], token: -1 }] }],
    ['a time that is none', { leaders: [{ ...status.leaders[0], acquireTime: 'yesterday' }] }],
    ['eleven transitions', { recentTransitions: Array(11).fill(status.recentTransitions[0]) }],
    ['two conditions of one type', { conditions: [status.conditions[0], status.conditions[0]] }],
    ['a condition without a reason', { conditions: [{ ...status.conditions[0], reason: '' }] }],
  ])('with %s is refused', async (_what, over) => {
    await apply('told', { selector });
    expect((await patchStatus('told', { ...status, ...over })).code).not.toBe(0);
  });
});

describe('the examples', () => {
  it('are taken by the API server under strict validation, and by the operator', async () => {
    await kubectl.must(['apply', '--dry-run=server', '--validate=strict', '-f', 'examples/']);
    const { stdout } = await kubectl.run(['apply', '--dry-run=server', '-o', 'json', '-f', 'examples/']);
    const { items } = JSON.parse(stdout) as {
      items: readonly { kind: string; metadata: { name: string }; spec: unknown }[];
    };
    const groups = items.filter(({ kind }) => kind === 'LeaderGroup');
    expect(groups.map(({ metadata }) => metadata.name).toSorted()).toEqual([
      'cache',
      'ledger',
      'mailer',
      'nightly',
      'notifier',
      'notifier',
      'notifier',
      'notifier',
      'notifier',
      'notifier',
    ]);
    expect(groups.map(({ spec }) => operatorsView(spec))).toEqual(groups.map(() => 'valid'));
  });
});

/** Nothing follows it: with the CRD all groups go. */
describe('a cluster without the CRD', () => {
  const doctor = async (): Promise<unknown> => {
    const args = ['src/kubectl-leadergroup.ts', 'doctor', '--once', '-o', 'json'];
    const cwd = join(import.meta.dirname, '../..');
    const { stdout } = await execa(process.execPath, args, { cwd, env: { ...kept?.cluster.env }, reject: false });
    const { findings, unknown } = JSON.parse(stdout) as { findings: { id: string }[]; unknown: unknown };
    return { found: findings.map(({ id }) => id), unknown };
  };

  it('is told by doctor, which knows everything else, until the CRD is there', async () => {
    await kubectl.must(['delete', 'crd', CRD]);
    expect(await doctor()).toEqual({ found: ['no-operator', 'crd-missing'], unknown: [] });
    await install();
    expect(await doctor()).toEqual({ found: ['no-operator'], unknown: [] });
  });
});
