/** deploy/overlays/guard on the real API server: what each of its policies warns of or refuses, what it lets pass, and what it costs. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import { readKubeconfig } from '../kit/rig/kubeconfig.ts';
import { type Answer, kubeRest, MERGE_PATCH, type Rest } from '../kit/rig/rest.ts';
import { accountKubeconfig, applyAll, deployment, giveRights, startWithRights } from '../kit/rig/workloads.ts';

const OVERLAY = 'deploy/overlays/guard';
const KEY = 'leadergroup.dev/role';
const LABEL = 'leadergroup-guard-label';
const TEMPLATES = 'leadergroup-guard-templates';
const OPERATOR = 'leadergroup-guard-operator';
const APPLY = 'application/apply-patch+yaml';
/** A list is merged by the names in it: what kubectl and the operator do to labels comes to the same. */
const STRATEGIC = 'application/strategic-merge-patch+json';
/** Policies are compiled by the API server some time after they are made or changed. */
const SETTLED = { timeout: 30_000, interval: 250 };

let h: Harness;
let namespace: string;
/** May do everything by its role, and is none of system:masters. */
let somebody: Rest;
/** With the operator's token. */
let operator: Rest;
const made = new AsyncDisposableStack();

type Body = { readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> } };
type Act = (pod: string) => Promise<Answer<unknown>>;

const podsOf = (where = namespace): string => `/api/v1/namespaces/${where}/pods`;
const pod = (name: string): string => `${podsOf()}/${name}`;

const aPod = (name: string, labels: Readonly<Record<string, string>> = {}): object => ({
  metadata: { name, labels: { app: 'web', ...labels } },
  spec: { containers: [{ name: 'app', image: 'registry.example.com/app:1' }] },
});

const patch =
  (rest: () => Rest, body: object, at = (name: string) => pod(name)): Act =>
  (name) =>
    rest().send('PATCH', at(name), body, MERGE_PATCH);

const labels = (all: Readonly<Record<string, string | null>>): object => ({ metadata: { labels: all } });

const applied = (name: string, content: object): Promise<Answer<unknown>> =>
  somebody.send(
    'PATCH',
    `${pod(name)}?fieldManager=theirs&force=true`,
    { apiVersion: 'v1', kind: 'Pod', metadata: { name }, ...content },
    APPLY,
  );

const act = (): Rest => somebody;

/** What a guard says of an answer; null: nothing. */
function said({ status, headers, body }: Answer<unknown>, policy: string): string | null {
  const words = `${status === 403 ? JSON.stringify(body) : ''}${headers['warning'] ?? ''}`;
  return words.includes(policy) ? words : null;
}

async function does(policy: string, action: 'Warn' | 'Deny', tried: () => Promise<Answer<unknown>>): Promise<void> {
  const spec = { spec: { validationActions: [action] } };
  const path = `/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/${policy}`;
  await h.world.rest.must('PATCH', path, spec, MERGE_PATCH);
  await vi.waitFor(async () => {
    const answer = await tried();
    expect(said(answer, policy)).not.toBeNull();
    expect(answer.status === 403).toBe(action === 'Deny');
  }, SETTLED);
}

beforeAll(async () => {
  h = made.use(await startHarness());
  await giveRights(h);
  const { code, stderr } = await h.kubectl.run(['apply', '--validate=strict', '-k', OVERLAY]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  operator = made.use(kubeRest(await readKubeconfig(await accountKubeconfig(h))));
  const access = await readKubeconfig(h.cluster.kubeconfigPath);
  await h.kubectl.must(['-n', 'default', 'create', 'serviceaccount', 'somebody']);
  const everything = ['--clusterrole=cluster-admin', '--serviceaccount=default:somebody'];
  await h.kubectl.must(['create', 'clusterrolebinding', 'somebody', ...everything]);
  const token = (await h.kubectl.must(['-n', 'default', 'create', 'token', 'somebody'])).trim();
  somebody = made.use(kubeRest({ ...access, cert: undefined, key: undefined, token }));
});

afterAll(() => made.disposeAsync());

beforeEach(async () => {
  namespace = await h.world.namespace('guard');
  await h.world.pod({ namespace, name: 'leader', labels: { app: 'web', [KEY]: 'leader' } });
  await h.world.pod({ namespace, name: 'other', labels: { app: 'web' } });
});

const WRITES_OF_THE_LABEL: readonly (readonly [what: string, act: Act, on: string])[] = [
  ['makes a pod with the label', () => somebody.send('POST', podsOf(), aPod('new', { [KEY]: 'leader' })), ''],
  ['sets it', patch(act, labels({ [KEY]: 'leader' })), 'other'],
  ['sets it to another value', patch(act, labels({ [KEY]: 'follower' })), 'other'],
  ['changes it', patch(act, labels({ [KEY]: 'follower' })), 'leader'],
  ['takes it off', patch(act, labels({ [KEY]: null })), 'leader'],
  ['applies it', (name) => applied(name, labels({ [KEY]: 'leader' })), 'other'],
  [
    'sets it by a write of the status',
    patch(act, labels({ [KEY]: 'leader' }), (name) => `${pod(name)}/status`),
    'other',
  ],
  [
    'replaces the pod without it',
    async (name) => {
      const { metadata, ...rest } = await h.world.rest.must<Body>('GET', pod(name));
      return await somebody.send('PUT', pod(name), { ...rest, metadata: { ...metadata, labels: { app: 'web' } } });
    },
    'leader',
  ],
];

const OTHER_WRITES: readonly (readonly [what: string, act: Act, on: string])[] = [
  ['makes a pod without the label', () => somebody.send('POST', podsOf(), aPod('new')), ''],
  ['sets another label of the leader', patch(act, labels({ tier: 'back' })), 'leader'],
  ['annotates the leader', patch(act, { metadata: { annotations: { note: 'x' } } }), 'leader'],
  [
    'gives the leader another image',
    (name) =>
      somebody.send('PATCH', pod(name), { spec: { containers: [{ name: 'main', image: 'app:2' }] } }, STRATEGIC),
    'leader',
  ],
  ['applies something else to the leader', (name) => applied(name, labels({ tier: 'back' })), 'leader'],
  ['applies the label as it is', (name) => applied(name, labels({ [KEY]: 'leader' })), 'leader'],
  [
    'tells the status of the leader, as a kubelet does',
    patch(act, { status: { conditions: [{ type: 'Ready', status: 'False' }] } }, (name) => `${pod(name)}/status`),
    'leader',
  ],
  [
    'adds an ephemeral container to the leader',
    (name) =>
      somebody.send(
        'PATCH',
        `${pod(name)}/ephemeralcontainers`,
        { spec: { ephemeralContainers: [{ name: 'debug', image: 'busybox' }] } },
        STRATEGIC,
      ),
    'leader',
  ],
  ['deletes the leader', (name) => somebody.send('DELETE', pod(name)), 'leader'],
  ['evicts the leader', (name) => somebody.send('POST', `${pod(name)}/eviction`, { metadata: { name } }), 'leader'],
];

describe.each(['Warn', 'Deny'] as const)('the guard of the label that is to %s', (action) => {
  beforeAll(async () => {
    const probing = await h.world.namespace('guard');
    const dry = `${podsOf(probing)}?dryRun=All`;
    await does(LABEL, action, () => somebody.send('POST', dry, aPod('probe', { [KEY]: 'leader' })));
  });

  it.each(WRITES_OF_THE_LABEL)('finds somebody who %s', async (_what, tried, on) => {
    const before = on === '' ? null : await h.world.rest.must<Body>('GET', pod(on));
    const answer = await tried(on);
    expect(said(answer, LABEL)).toContain(
      `label ${KEY} of pod ${on === '' ? 'new' : on} is written by the LeaderGroup operator`,
    );
    expect(answer.status === 403).toBe(action === 'Deny');
    if (action === 'Deny' && on !== '') expect(await h.world.rest.must('GET', pod(on))).toEqual(before);
  });

  it.each(OTHER_WRITES)('lets pass somebody who %s', async (_what, tried, on) => {
    const answer = await tried(on);
    expect([answer.status, answer.headers['warning']]).toEqual([expect.toSatisfy((is: number) => is < 300), undefined]);
  });

  it("lets pass the operator and the cluster's administrators", async () => {
    for (const rest of [operator, h.world.rest]) {
      const answer = await rest.send('PATCH', pod('other'), labels({ [KEY]: 'leader' }), MERGE_PATCH);
      expect([answer.status, answer.headers['warning']]).toEqual([200, undefined]);
      await h.world.rest.must('PATCH', pod('other'), labels({ [KEY]: null }), MERGE_PATCH);
    }
  });

  it('lets a Deployment make, roll out and remove its pods', async () => {
    await applyAll(h, namespace, [deployment({ name: 'web', selects: { app: 'rolled' } })]);
    const ready = (): readonly { readonly image: string | undefined }[] =>
      h.observer
        .pods(namespace)
        .filter((each) => each.labels['app'] === 'rolled' && each.ready && !each.deleting)
        .map((each) => ({ image: each.annotations['image'] }));
    await h.observer.until(() => ready().length === 3, { timeoutMs: 30_000, what: 'three pods' });
    const patch = JSON.stringify({ spec: { template: { metadata: { annotations: { image: 'next' } } } } });
    await h.kubectl.must(['-n', namespace, 'patch', 'deployment', 'web', '--type=merge', '-p', patch]);
    const next = () => ready().length === 3 && ready().every(({ image }) => image === 'next');
    await h.observer.until(next, { timeoutMs: 60_000, what: 'three pods of the next revision' });
  });
});

const TEMPLATE = {
  metadata: { labels: { app: 'web', [KEY]: 'leader' } },
  spec: { containers: [{ name: 'a', image: 'a' }] },
};
const PLAIN = { ...TEMPLATE, metadata: { labels: { app: 'web' } } };
const ONCE = { ...TEMPLATE, spec: { ...TEMPLATE.spec, restartPolicy: 'Never' } };

type Workload = readonly [resource: string, spec: (template: object) => object, template: object];
const selecting = (template: object): object => ({ selector: { matchLabels: { app: 'web' } }, template });
const WORKLOADS: readonly Workload[] = [
  ['apis/apps/v1 deployments', selecting, TEMPLATE],
  ['apis/apps/v1 statefulsets', (template) => ({ ...selecting(template), serviceName: 'web' }), TEMPLATE],
  ['apis/apps/v1 daemonsets', selecting, TEMPLATE],
  ['apis/apps/v1 replicasets', selecting, TEMPLATE],
  ['apis/batch/v1 jobs', (template) => ({ suspend: true, template }), ONCE],
  ['apis/batch/v1 cronjobs', (template) => ({ schedule: '0 0 1 1 *', jobTemplate: { spec: { template } } }), ONCE],
  ['api/v1 replicationcontrollers', (template) => ({ selector: { app: 'web' }, template }), TEMPLATE],
];

describe('the guard of templates', () => {
  const collection = (resource: string): string => {
    const [version, plural] = resource.split(' ');
    return `/${version}/namespaces/${namespace}/${plural}`;
  };

  beforeAll(async () => {
    await does(TEMPLATES, 'Warn', () =>
      somebody.send('POST', '/apis/apps/v1/namespaces/default/deployments?dryRun=All', {
        metadata: { name: 'probe' },
        spec: selecting(TEMPLATE),
      }),
    );
  });

  it.each(WORKLOADS)(
    'warns of %s that are made with the label in their template, and of none without',
    async (...row) => {
      const [resource, spec, template] = row;
      const plain = { ...template, metadata: PLAIN.metadata };
      const create = (of: object): Promise<Answer<unknown>> =>
        somebody.send('POST', `${collection(resource)}?dryRun=All`, { metadata: { name: 'web' }, spec: spec(of) });
      const warned = await create(template);
      expect([warned.status, said(warned, TEMPLATES)]).toEqual([
        201,
        expect.stringContaining(`label ${KEY} in the pod template`),
      ]);
      const passed = await create(plain);
      expect([passed.status, passed.headers['warning']]).toEqual([201, undefined]);
    },
  );

  it('warns of an edit that adds the label, and of no later one', async () => {
    const path = `${collection('apis/apps/v1 deployments')}/web`;
    await somebody.must('POST', collection('apis/apps/v1 deployments'), {
      metadata: { name: 'web' },
      spec: { ...selecting(PLAIN), replicas: 0 },
    });
    const edit = (spec: object): Promise<Answer<unknown>> => somebody.send('PATCH', path, { spec }, MERGE_PATCH);
    expect(said(await edit({ template: TEMPLATE }), TEMPLATES)).not.toBeNull();
    for (const later of [{ replicas: 0, paused: true }, { template: { metadata: { annotations: { at: 'x' } } } }])
      expect((await edit(later)).headers['warning']).toBeUndefined();
    expect((await edit({ template: { metadata: { labels: { [KEY]: null } } } })).headers['warning']).toBeUndefined();
  });

  it('says nothing to a controller, which could do nothing about it', async () => {
    const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u', controller: true };
    const { status, headers } = await somebody.send('POST', `${collection('apis/apps/v1 replicasets')}?dryRun=All`, {
      metadata: { name: 'web', ownerReferences: [owner] },
      spec: selecting(TEMPLATE),
    });
    expect([status, headers['warning']]).toEqual([201, undefined]);
  });
});

const OWN = { 'token.leadergroup.dev/web': '7', 'since.leadergroup.dev/web': 'x', 'fenced.leadergroup.dev/web': 'y' };
const NONE = {
  'token.leadergroup.dev/web': null,
  'since.leadergroup.dev/web': null,
  'fenced.leadergroup.dev/web': null,
};
const OWNER = { apiVersion: 'v1', kind: 'ConfigMap', name: 'a', uid: 'u' };

describe('the guard of the operator', () => {
  beforeAll(async () => {
    namespace = await h.world.namespace('guard');
    await h.world.pod({ namespace, name: 'probe', labels: { app: 'web' } });
    await does(OPERATOR, 'Deny', () =>
      operator.send('PATCH', `${pod('probe')}?dryRun=All`, labels({ tier: 'back' }), MERGE_PATCH),
    );
  });

  it('lets it set, change and take off its label and its annotations', async () => {
    const writes = [
      { labels: { [KEY]: 'leader' }, annotations: OWN },
      { labels: { [KEY]: 'follower' }, annotations: { 'token.leadergroup.dev/web': '8' } },
      { labels: { [KEY]: null }, annotations: NONE },
    ];
    for (const metadata of writes) {
      const answer = await operator.send('PATCH', pod('other'), { metadata }, MERGE_PATCH);
      expect([answer.status, answer.headers['warning']]).toEqual([200, undefined]);
    }
  });

  it.each([
    ['an image', { spec: { containers: [{ name: 'main', image: 'evil' }] } }, 'the spec of a pod'],
    ['an end', { spec: { activeDeadlineSeconds: 1 } }, 'the spec of a pod'],
    ['an owner', { metadata: { ownerReferences: [OWNER] } }, 'the owners of a pod'],
    ['a finalizer', { metadata: { finalizers: ['example.com/held'] } }, 'the finalizers of a pod'],
    ['another label', labels({ tier: 'back' }), 'no label of a pod but'],
    ['the value of another label', labels({ app: 'db' }), 'no label of a pod but'],
    ['another label, away', labels({ app: null }), 'no label of a pod but'],
    ['another annotation', { metadata: { annotations: { note: 'x' } } }, 'no annotation of a pod but its own'],
    [
      'an annotation that only looks like its own',
      { metadata: { annotations: { 'token.leadergroup.dev.evil/a': 'x' } } },
      'no annotation',
    ],
    ['another annotation, away', { metadata: { annotations: { theirs: null } } }, 'no annotation of a pod but its own'],
  ])('refuses it %s, also beside a write of its own', async (_what, change, words) => {
    await h.world.rest.must('PATCH', pod('other'), { metadata: { annotations: { theirs: 'x' } } }, MERGE_PATCH);
    const before = await h.world.rest.must('GET', pod('other'));
    const { metadata = {} } = change as {
      readonly metadata?: { readonly labels?: object; readonly annotations?: object };
    };
    const both = {
      ...change,
      metadata: {
        ...metadata,
        labels: { [KEY]: 'leader', ...metadata.labels },
        annotations: { ...OWN, ...metadata.annotations },
      },
    };
    for (const each of [change, both]) {
      const answer = await operator.send<{ readonly message: string }>('PATCH', pod('other'), each, STRATEGIC);
      expect([answer.status, answer.body.message]).toEqual([403, expect.stringContaining(words)]);
    }
    expect(await h.world.rest.must('GET', pod('other'))).toEqual(before);
  });

  it('looks at nobody else', async () => {
    const answer = await somebody.send('PATCH', pod('other'), labels({ tier: 'back' }), MERGE_PATCH);
    expect([answer.status, answer.headers['warning']]).toEqual([200, undefined]);
  });
});

describe('with both guards that deny', () => {
  beforeAll(async () => {
    const probing = await h.world.namespace('guard');
    const dry = `${podsOf(probing)}?dryRun=All`;
    await does(LABEL, 'Deny', () => somebody.send('POST', dry, aPod('probe', { [KEY]: 'leader' })));
  });

  it('the operator elects, labels followers, hands over, and takes its traces off', async () => {
    await using running = await startWithRights(h);
    await h.group(namespace, 'app', { spec: { label: { key: KEY, follower: 'follower' } } });
    const first = await h.led(namespace, 'app');
    const followers = (): number => h.observer.pods(namespace).filter((each) => each.labels[KEY] === 'follower').length;
    await h.observer.until(() => followers() === 2, { timeoutMs: 20_000, what: 'two followers' });
    await h.world.setReady(namespace, first.name, false);
    const next = await h.led(namespace, 'app', { not: first.name });
    expect(next.token).toBeGreaterThan(first.token);
    await h.world.deleteGroup(namespace, 'app');
    const traces = (): number =>
      h.observer
        .pods(namespace)
        .filter((each) => each.name.startsWith('app-'))
        .filter(
          (each) =>
            each.labels[KEY] !== undefined ||
            Object.keys(each.annotations).some((key) => key.includes('leadergroup.dev/')),
        ).length;
    await h.observer.until(() => traces() === 0 && h.observer.group(namespace, 'app') === undefined, {
      timeoutMs: 30_000,
      what: 'no traces',
    });
    expect(running.url).toContain('http');
  });

  it('judge each write of a pod once at most, whoever makes it', async () => {
    const conditions = 'apiserver_admission_match_condition_evaluation_seconds_count';
    const judged = 'apiserver_validating_admission_policy_check_total';
    const write = (rest: Rest, all: Readonly<Record<string, string | null>>): Promise<Answer<unknown>> =>
      rest.send('PATCH', pod('other'), labels(all), MERGE_PATCH);
    const counted = async (): Promise<readonly number[]> => {
      const { text } = await h.world.rest.raw('GET', '/metrics');
      return [judged, conditions].flatMap((metric) => [LABEL, OPERATOR].map((policy) => sumOf(text, metric, policy)));
    };
    const round = async (number: number): Promise<readonly number[]> => {
      const before = await atRest(counted);
      for (let times = 0; times < 5; times += 1) {
        expect((await write(somebody, { [KEY]: 'leader' })).status).toBe(403);
        expect((await write(operator, { tier: 'back' })).status).toBe(403);
        expect((await write(somebody, { tier: `${number}-${times}` })).status).toBe(200);
        expect((await write(operator, { [KEY]: `v-${number}-${times}` })).status).toBe(200);
      }
      const after = await counted();
      return after.map((count, at) => count - (before[at] ?? 0));
    };
    // The fake kubelet writes pods, too, late where the machine has other work. Whoever judged a write twice would do so in each round.
    let least = await round(0);
    for (let more = 1; more < ROUNDS && least.join() !== EACH_ONCE.join(); more += 1) {
      const next = await round(more);
      least = least.map((count, at) => Math.min(count, next[at] ?? count));
    }
    expect(least).toEqual(EACH_ONCE);
  });
});

/** Of each account ten writes, of which five are refused: those of one policy concern one account, and come to no more. */
const EACH_ONCE = [5, 5, 10, 10];
const ROUNDS = 5;

/** What it returns once that has been the same for a second. */
async function atRest<T>(read: () => Promise<T>): Promise<T> {
  for (let last = await read(); ; ) {
    await delay(1000);
    const now = await read();
    if (JSON.stringify(now) === JSON.stringify(last)) return now;
    last = now;
  }
}

describe('the policies', () => {
  it('have no warning of the type checker', async () => {
    const path = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';
    type Policy = { readonly status?: { readonly typeChecking?: object } };
    for (const name of [LABEL, TEMPLATES, OPERATOR]) {
      await vi.waitFor(async () => {
        const { status } = await h.world.rest.must<Policy>('GET', `${path}/${name}`);
        expect(status?.typeChecking).toEqual({});
      }, SETTLED);
    }
  });
});

describe('with strip.yaml', () => {
  beforeAll(async () => {
    const { code, stderr } = await h.kubectl.run(['apply', '--validate=strict', '-f', `${OVERLAY}/strip.yaml`]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const probing = await h.world.namespace('guard');
    const dry = `${podsOf(probing)}?dryRun=All`;
    await vi.waitFor(async () => {
      const { status, body } = await somebody.send<Body>('POST', dry, aPod('probe', { [KEY]: 'leader' }));
      expect([status, body.metadata.labels?.[KEY]]).toEqual([201, undefined]);
    }, SETTLED);
  });

  it('a pod that is made with the label loses it, and nobody is refused or warned', async () => {
    const { status, headers, body } = await somebody.send<Body>(
      'POST',
      podsOf(),
      aPod('new', { [KEY]: 'leader', tier: 'back' }),
    );
    expect([status, headers['warning'], body.metadata.labels]).toEqual([201, undefined, { app: 'web', tier: 'back' }]);
  });

  it('a Deployment with the label in its template has its pods, without it', async () => {
    const template = { metadata: { labels: { app: 'labelled', [KEY]: 'leader' } } };
    const { spec, ...rest } = deployment({ name: 'web', selects: { app: 'labelled' } }) as {
      readonly spec: { readonly template: object };
    };
    await applyAll(h, namespace, [{ ...rest, spec: { ...spec, template: { ...spec.template, ...template } } }]);
    const pods = () => h.observer.pods(namespace).filter((each) => each.labels['app'] === 'labelled' && each.ready);
    await h.observer.until(() => pods().length === 3, { timeoutMs: 30_000, what: 'three pods' });
    expect(pods().filter((each) => each.labels[KEY] !== undefined)).toEqual([]);
  });

  it('a label of a pod that is there stays as it is', async () => {
    const answer = await somebody.send<Body>('PATCH', pod('leader'), labels({ tier: 'back' }), MERGE_PATCH);
    expect([answer.status, answer.body.metadata.labels?.[KEY]]).toEqual([200, 'leader']);
  });
});

/** Of all lines of the metric about this policy. */
const sumOf = (text: string, metric: string, policy: string): number =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`${metric}{`) && line.includes(`"${policy}"`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
