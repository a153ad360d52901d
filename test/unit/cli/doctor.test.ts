/** doctor: each mistake is found by its id, and nothing else is; a clean cluster has no finding. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { CONSUL_DENIES } from '../../../src/api/condition-reasons.ts';
import { FINDINGS } from '../../../src/cli/doctor/findings.ts';
import { OPERATOR_RIGHTS, type Right, ROUTE_RIGHTS } from '../../../src/cli/doctor/rights.ts';
import {
  CONFIG_MAPS,
  CRDS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  EVENTS,
  LEADER_GROUPS,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  SERVICES,
} from '../../../src/cli/resources.ts';
import { openTerminal, type Terminal } from '../../kit/fakes/cli/command-line.ts';
import {
  ago,
  condition,
  groupObject,
  LEADER,
  LED,
  MAIL,
  operatorObject,
  podObject,
  putExample,
  unled,
} from '../../kit/fakes/cli/objects.ts';

const ROOT = join(import.meta.dirname, '../../..');
const CRD = parse(readFileSync(join(ROOT, 'crds/leadergroups.yaml'), 'utf8')) as { metadata: object; spec: object };
const KEY = 'leadergroup.dev/role';

let t: Terminal;

beforeEach(() => {
  t = openTerminal();
  putExample(t.api);
  t.api.put(CRDS, CRD);
  t.api.put(SERVICES, service('notifier-leader', { app: 'notifier', [KEY]: 'leader' }));
  t.api.put(DEPLOYMENTS, workload({ app: 'notifier' }, { app: 'notifier' }));
  t.api.put(POD_DISRUPTION_BUDGETS, budget({ app: 'notifier' }));
});

const object = (name: string, more: object) => ({ metadata: { name, namespace: MAIL }, ...more });
const service = (name: string, selector: object) => object(name, { spec: { selector } });
const workload = (selector: object, labels: object) =>
  object('notifier', { spec: { selector: { matchLabels: selector }, template: { metadata: { labels } } } });
const budget = (matchLabels: object) => object('notifier', { spec: { selector: { matchLabels } } });
const slice = (name: string, manager: string, of: string) => ({
  metadata: {
    name,
    namespace: MAIL,
    labels: { 'kubernetes.io/service-name': of, 'endpointslice.kubernetes.io/managed-by': manager },
  },
});
const proxy = (config: string) => ({
  metadata: { name: 'kube-proxy', namespace: 'kube-system' },
  data: { 'config.conf': config },
});
const put = (wish: Parameters<typeof groupObject>[0]): void => t.api.put(LEADER_GROUPS, groupObject(wish));
const UNROUTED = 'leadergroup.dev/unrouted';
const routed = { spec: { route: { serviceName: 'notifier-leader' } } };

/** As `unroute` leaves it, with these annotations of the Service. */
function putUnrouted(annotations: Readonly<Record<string, string>>): void {
  const conditions = [condition('Ready', 'True', 'Led'), condition('Routed', 'False', 'ServiceHasSelector')];
  put({ ...routed, status: { conditions } });
  const led = service('notifier-leader', { app: 'notifier' });
  t.api.put(SERVICES, { ...led, metadata: { ...led.metadata, annotations } });
  t.api.put(ENDPOINT_SLICES, slice('ours', 'leadergroup.dev', 'notifier-leader'));
  t.api.put(ENDPOINT_SLICES, slice('kubernetes', 'endpointslice-controller.k8s.io', 'notifier-leader'));
}

/** The followers are not ready since `unready`, and their containers run since `started`. */
function followersStarted(started: string, unready: string): void {
  for (const name of ['notifier-1', 'notifier-2']) {
    const pod = podObject(name, { ready: false });
    const conditions = [{ type: 'Ready', status: 'False', lastTransitionTime: unready }];
    const containerStatuses = [{ name: 'main', state: { running: { startedAt: started } } }];
    t.api.put(PODS, { ...pod, status: { ...pod.status, conditions, containerStatuses } });
  }
}

type Told = {
  readonly findings: readonly { readonly id: string; readonly object: string; readonly message: string }[];
  readonly unknown: readonly { readonly id: string; readonly why: string }[];
};

async function found(...flags: readonly string[]): Promise<Told & { readonly code: number }> {
  const { code, out } = await t.run('doctor', '--once', '-o', 'json', ...flags);
  return { ...(JSON.parse(out) as Told), code };
}

describe('a clean cluster', () => {
  it('has no finding, and nothing is unknown', async () => {
    expect(await found()).toEqual({ code: 0, findings: [], unknown: [] });
    expect(await t.run('doctor')).toEqual({ code: 0, out: 'Nothing is wrong.\n', err: '' });
  });

  it('has none before an installation', async () => {
    t.api.remove({ resource: CRDS, namespace: null, name: 'leadergroups.leadergroup.dev' });
    expect(await found('--pre')).toEqual({ code: 0, findings: [], unknown: [] });
  });
});

const stalled = (reason: string) => ({
  conditions: [condition('Ready', 'False', reason), condition('Stalled', 'True', reason, 'Do this.')],
});

/** The mistake, and who has the finding. Each is the only one. */
const MISTAKES: readonly (readonly [id: string, object: string, plant: () => void])[] = [
  ['no-operator', 'Deployment leadergroup-system/leadergroup', () => t.api.put(DEPLOYMENTS, operatorObject(0))],
  [
    'no-operator',
    'Deployment leadergroup',
    () => t.api.remove({ resource: DEPLOYMENTS, namespace: 'leadergroup-system', name: 'leadergroup' }),
  ],
  [
    'operator-right-missing',
    'ServiceAccount leadergroup-system/leadergroup',
    () => void (t.api.reviewed = (_, right) => right !== 'patch leadergroups/status.leadergroup.dev'),
  ],
  [
    'crd-older',
    'CustomResourceDefinition leadergroups.leadergroup.dev',
    () => t.api.put(CRDS, withField(CRD, 'spec.route', undefined)),
  ],
  [
    'crd-newer',
    'CustomResourceDefinition leadergroups.leadergroup.dev',
    () => t.api.put(CRDS, withField(CRD, 'spec.later', {})),
  ],
  ...['spec.leaderProbe.httpGet.scheme', 'status.recentTransitions.chosenBy'].map(
    (path) =>
      [
        'crd-older',
        'CustomResourceDefinition leadergroups.leadergroup.dev',
        () => t.api.put(CRDS, withField(CRD, path, undefined)),
      ] as const,
  ),
  [
    'crd-newer',
    'CustomResourceDefinition leadergroups.leadergroup.dev',
    () => t.api.put(CRDS, withField(CRD, 'spec.leaderProbe.httpGet.later', { type: 'string' })),
  ],
  ['not-led', 'LeaderGroup mail/notifier', () => put({ status: unled('NoCandidate', 'None is ready.') })],
  ['consul-unreachable', 'LeaderGroup mail/notifier', () => put({ status: unled('ConsulUnreachable', 'No answer.') })],
  ['group-stalled', 'LeaderGroup mail/notifier', () => put({ status: stalled('KeyConflict') })],
  ['group-stalled', 'LeaderGroup mail/notifier', () => put({ spec: { sessionTTLSeconds: 1 } })],
  ['right-denied', 'LeaderGroup mail/notifier', () => put({ status: stalled('PermissionDenied') })],
  [
    'right-denied',
    'LeaderGroup mail/notifier',
    () => put({ status: unled('ConsulUnreachable', `${CONSUL_DENIES}: the lock was not confirmed.`) }),
  ],
  ['lock-key-not-allowed', 'LeaderGroup mail/notifier', () => put({ status: stalled('LockKeyNotAllowed') })],
  [
    'not-routed',
    'LeaderGroup mail/notifier',
    () =>
      put({
        status: { conditions: [condition('Ready', 'True', 'Led'), condition('Routed', 'False', 'PortNotFound')] },
      }),
  ],
  ['status-old', 'LeaderGroup mail/notifier', () => put({ metadata: { generation: 2 } })],
  ['status-old', 'LeaderGroup mail/notifier', () => put({ status: null })],
  [
    'deletion-stuck',
    'LeaderGroup mail/notifier',
    () => put({ metadata: { deletionTimestamp: ago(600), finalizers: ['leadergroup.dev/finalizer'] } }),
  ],
  [
    'groups-overlap',
    'LeaderGroup mail/younger',
    () =>
      put({
        name: 'younger',
        metadata: { creationTimestamp: ago(60) },
        spec: { selector: { matchLabels: { app: 'notifier' } } },
      }),
  ],
  ['label-contested', 'LeaderGroup mail/notifier', () => t.api.put(EVENTS, contest(60))],
  [
    'leader-unfit',
    'LeaderGroup mail/notifier',
    () => {
      t.api.put(PODS, podObject('notifier-0', { labels: LEADER, annotations: LED, ready: false }));
      t.api.put(PODS, podObject('notifier-1', { annotations: { 'leadergroup.dev/candidate': 'false' } }));
    },
  ],
  ['only-leader-ready', 'LeaderGroup mail/notifier', () => followersStarted(ago(600), ago(86_000))],
  [
    'two-labels',
    'LeaderGroup mail/notifier',
    () => t.api.put(PODS, podObject('notifier-1', { labels: LEADER, annotations: LED })),
  ],
  [
    'stale-label',
    'Pod mail/left-0',
    () => t.api.put(PODS, podObject('left-0', { labels: { app: 'left', [KEY]: 'leader' } })),
  ],
  [
    'stale-annotation',
    'Pod mail/notifier-1',
    () => t.api.put(PODS, podObject('notifier-1', { annotations: { 'token.leadergroup.dev/gone': '3' } })),
  ],
  [
    'stale-slice',
    'EndpointSlice mail/left',
    () => t.api.put(ENDPOINT_SLICES, slice('left', 'leadergroup.dev', 'gone')),
  ],
  [
    'service-matches-no-member',
    'Service mail/wrong',
    () => t.api.put(SERVICES, service('wrong', { app: 'notifer', [KEY]: 'leader' })),
  ],
  ['service-selects-label-only', 'Service mail/wide', () => t.api.put(SERVICES, service('wide', { [KEY]: 'leader' }))],
  ['route-service-has-selector', 'Service mail/notifier-leader', () => put(routed)],
  [
    'route-foreign-slices',
    'EndpointSlice mail/foreign',
    () => {
      put(routed);
      t.api.put(SERVICES, service('notifier-leader', {}));
      t.api.put(ENDPOINT_SLICES, slice('ours', 'leadergroup.dev', 'notifier-leader'));
      t.api.put(ENDPOINT_SLICES, slice('foreign', 'endpointslice-controller.k8s.io', 'notifier-leader'));
    },
  ],
  [
    'workload-selects-label',
    'Deployment mail/notifier',
    () => t.api.put(DEPLOYMENTS, workload({ app: 'notifier', [KEY]: 'leader' }, { app: 'notifier' })),
  ],
  [
    'template-has-label',
    'Deployment mail/notifier',
    () => t.api.put(DEPLOYMENTS, workload({ app: 'notifier' }, { app: 'notifier', [KEY]: 'leader' })),
  ],
  [
    'label-selected-by-others',
    'PodDisruptionBudget mail/notifier',
    () => t.api.put(POD_DISRUPTION_BUDGETS, budget({ [KEY]: 'leader' })),
  ],
  [
    'label-selected-by-others',
    'NetworkPolicy mail/peers',
    () =>
      t.api.put(
        NETWORK_POLICIES,
        object('peers', {
          spec: { podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { [KEY]: 'leader' } } }] }] },
        }),
      ),
  ],
  [
    'proxy-min-sync-period',
    'ConfigMap kube-system/kube-proxy',
    () => t.api.put(CONFIG_MAPS, proxy('mode: ""\niptables:\n  minSyncPeriod: 10s\n')),
  ],
];

/** At this path below `properties` of the schema; `undefined`: it is not there. */
function withField(crd: object, path: string, schema: object | undefined): object {
  const copy = structuredClone(crd) as { spec: { versions: { schema: { openAPIV3Schema: Schema } }[] } };
  const names = path.split('.');
  const last = names.pop() ?? '';
  const within = (at: Schema, name: string): Schema => at.properties?.[name]?.items ?? at.properties?.[name] ?? {};
  const { properties = {} } = names.reduce(within, copy.spec.versions[0]?.schema.openAPIV3Schema ?? {});
  if (schema === undefined) delete properties[last];
  else properties[last] = schema;
  return copy;
}

type Schema = { properties?: Record<string, Schema>; items?: Schema };

const contest = (secondsAgo: number) => ({
  metadata: { name: 'notifier.1', namespace: MAIL },
  reason: 'LabelContested',
  note: 'kustomize-controller takes the label off.',
  eventTime: ago(secondsAgo),
  regarding: { kind: 'LeaderGroup', namespace: MAIL, name: 'notifier' },
});

describe('followers that are not ready', () => {
  const told = async () => (await found()).findings.map(({ message }) => message);

  it('are counted, and one is named', async () => {
    followersStarted(ago(600), ago(86_000));
    expect(await told()).toEqual([
      'notifier-0 leads and is ready; none of the 2 other members has been ready since its containers were started, notifier-1 for one.',
    ]);
    t.api.remove({ resource: PODS, namespace: MAIL, name: 'notifier-2' });
    expect(await told()).toEqual([
      'notifier-0 leads and is ready; notifier-1, the only other member, has not been ready since its containers were started.',
    ]);
  });

  it.each([
    ['started a minute ago', ago(60), ago(86_000)],
    ['were ready since they were started', ago(86_000), ago(3600)],
  ])('are no mistake where they %s', async (_, started, unready) => {
    followersStarted(started, unready);
    expect((await found()).findings).toEqual([]);
  });

  it('are none where readiness does not say who may lead', async () => {
    followersStarted(ago(600), ago(86_000));
    put({ spec: { candidateCondition: 'ContainersReady' } });
    expect((await found()).findings.map(({ id }) => id)).not.toContain('only-leader-ready');
  });
});

describe('a leader that was kept when its group was deleted', () => {
  const ON_IT = {
    'token.leadergroup.dev/gone': '3',
    'cost.leadergroup.dev/gone': '1000',
    'controller.kubernetes.io/pod-deletion-cost': '1000',
  };
  const removed = async (): Promise<string> =>
    (await found()).findings.find(({ id }) => id === 'stale-annotation')?.message ?? '';

  it('is found by its label and by its annotations', async () => {
    t.api.put(PODS, podObject('kept-0', { labels: { app: 'gone', [KEY]: 'leader' }, annotations: ON_IT }));
    const { findings } = await found();
    expect(findings.map(({ id, object }) => [id, object])).toEqual([
      ['stale-label', 'Pod mail/kept-0'],
      ['stale-annotation', 'Pod mail/kept-0'],
    ]);
  });

  it('is rid of the deletion cost that its promotion has set, too', async () => {
    t.api.put(PODS, podObject('kept-0', { labels: { app: 'gone' }, annotations: ON_IT }));
    expect(await removed()).toContain(
      'annotate pod kept-0 token.leadergroup.dev/gone- cost.leadergroup.dev/gone- controller.kubernetes.io/pod-deletion-cost-`',
    );
  });

  it('keeps a deletion cost that somebody else has set', async () => {
    const annotations = { ...ON_IT, 'controller.kubernetes.io/pod-deletion-cost': '5' };
    t.api.put(PODS, podObject('kept-0', { labels: { app: 'gone' }, annotations }));
    expect(await removed()).toMatch(/cost\.leadergroup\.dev\/gone-`/);
  });
});

it('of a schema that is older the fields are named, each once', async () => {
  t.api.put(CRDS, withField(withField(CRD, 'spec.route', undefined), 'status.recentTransitions.chosenBy', undefined));
  expect((await found()).findings.map(({ message }) => message)).toEqual([
    'It lacks spec.route, status.recentTransitions[].chosenBy.',
  ]);
});

describe('a mistake is found by its id, and nothing else is', () => {
  it.each(MISTAKES)('%s: %s', async (id, who, plant) => {
    plant();
    const { code, findings, unknown } = await found();
    expect(findings.map((each) => [each.id, each.object])).toEqual([[id, who]]);
    expect([code, unknown]).toEqual([4, []]);
  });

  it('crd-missing, and nothing is said to be unknown for want of it', async () => {
    t.api.remove({ resource: CRDS, namespace: null, name: 'leadergroups.leadergroup.dev' });
    t.api.missing.add('leadergroups.leadergroup.dev');
    const { findings, unknown } = await found();
    expect([findings.map(({ id }) => id), unknown]).toEqual([['crd-missing'], []]);
  });

  it.each([
    [
      'install-right-missing',
      () => void (t.api.reviewed = (user, right) => user !== null || !right.includes('clusterroles')),
    ],
    ['kubernetes-too-old', () => void (t.api.version = async () => 'v1.28.4')],
    ['template-has-label', () => t.api.put(DEPLOYMENTS, workload({ app: 'notifier' }, { [KEY]: 'leader' }))],
    [
      'proxy-min-sync-period',
      () => t.api.put(CONFIG_MAPS, proxy('mode: nftables\nnftables: { minSyncPeriod: 1m30s }')),
    ],
  ])('%s before an installation', async (id, plant) => {
    plant();
    expect((await found('--pre')).findings.map((each) => each.id)).toEqual([id]);
  });

  it('each of them is in this list', () => {
    const planted = new Set([
      ...MISTAKES.map(([id]) => id),
      'crd-missing',
      // By the replicas themselves: diagnostics.test.ts.
      'consul-token-ends',
      'consul-connections',
      'install-right-missing',
      'kubernetes-too-old',
    ]);
    expect(Object.keys(FINDINGS).filter((id) => !planted.has(id))).toEqual([]);
  });
});

describe('what is no mistake', () => {
  it.each([
    ['a Service of the followers', () => t.api.put(SERVICES, service('followers', { [KEY]: 'follower' }))],
    [
      'a Service for a group without pods',
      () => {
        put({ name: 'empty' });
        t.api.put(SERVICES, service('empty', { app: 'empty', [KEY]: 'leader' }));
      },
    ],
    [
      'two groups with different keys over the same pods',
      () =>
        put({
          name: 'second',
          spec: { selector: { matchLabels: { app: 'notifier' } }, label: { key: 'example.com/role' } },
        }),
    ],
    [
      'a group that has just been deleted',
      () => put({ metadata: { deletionTimestamp: ago(5), finalizers: ['x'] }, status: unled('Deleting', '') }),
    ],
    ['a label that was contested an hour ago', () => t.api.put(EVENTS, contest(3600))],
    [
      'a route whose leader is not there',
      () =>
        put({
          status: {
            conditions: [condition('Ready', 'True', 'ScaledToZero'), condition('Routed', 'False', 'NoLeader')],
          },
        }),
    ],
    [
      'a route that is not followed any more, on purpose',
      () => putUnrouted({ [UNROUTED]: 'uid-of-another uid-of-notifier' }),
    ],
    ['the usual minSyncPeriod', () => t.api.put(CONFIG_MAPS, proxy('iptables: { minSyncPeriod: 1s }'))],
    ['a configuration of kube-proxy that nobody can read', () => t.api.put(CONFIG_MAPS, proxy(': : {'))],
    [
      'a right of the overlay that no group needs',
      () => void (t.api.reviewed = (_, right) => !right.includes('eviction')),
    ],
  ])('%s', async (_, plant) => {
    plant();
    expect((await found()).findings).toEqual([]);
  });
});

describe('a Service that has its selector, under a route', () => {
  const all = ['not-routed', 'route-service-has-selector', 'route-foreign-slices'];

  it.each([
    ['was never led by it', {}],
    ['was unrouted from an earlier group of that name', { [UNROUTED]: 'uid-of-another' }],
    ['may be led by it again', { [UNROUTED]: 'uid-of-notifier', 'leadergroup.dev/route': 'notifier' }],
  ])('is found where it %s', async (_, annotations) => {
    putUnrouted(annotations);
    expect((await found()).findings.map(({ id }) => id)).toEqual(all);
  });
});

describe('rights of the operator', () => {
  it('of the overlay are looked at where a group has a route, or evicts', async () => {
    t.api.reviewed = (_, right) => !/eviction|endpoints$/.test(right);
    put({ spec: { formerLeader: 'Evict' } });
    const { findings } = await found();
    expect(findings.map(({ message }) => message)).toEqual(['It may not create pods/eviction.']);
  });

  it('that are optional say what is not done without them', async () => {
    t.api.reviewed = (_, right) => right !== 'list poddisruptionbudgets.policy';
    expect((await found()).findings[0]?.message).toContain('optional: without it it does not warn');
  });

  it('are asked for in the namespaces that it watches', async () => {
    const asked = vi.spyOn(t.api, 'create');
    const operator = operatorObject();
    const [container] = operator.spec.template.spec.containers;
    Object.assign(container ?? {}, { env: [{ name: 'LEADERGROUP_WATCH_NAMESPACES', value: 'mail, shop' }] });
    t.api.put(DEPLOYMENTS, operator);
    await found();
    const namespaces = asked.mock.calls.map(
      ([, , content]) => (content as { spec: { resourceAttributes: object } }).spec.resourceAttributes,
    );
    expect(new Set(namespaces.map((attributes) => (attributes as { namespace?: string }).namespace))).toEqual(
      new Set(['mail', 'shop']),
    );
    expect(JSON.stringify(namespaces)).not.toContain('"nodes"');
  });

  type Rule = {
    readonly apiGroups?: readonly string[];
    readonly resources?: readonly string[];
    readonly verbs: readonly string[];
  };
  const flat = (rights: readonly Right[]): readonly string[] =>
    rights.flatMap(({ verbs, group, resource }) => verbs.map((verb) => `${verb} ${group} ${resource}`)).toSorted();

  /** Those of tokens are only for one setting, and that of kube-system is for one name. */
  const isLookedAt = ({ apiGroups = [], resources = [] }: Rule): boolean =>
    resources.length > 0 && !apiGroups.includes('authentication.k8s.io') && !resources.includes('namespaces');

  it.each([
    ['deploy/10-rbac.yaml', 'leadergroup', OPERATOR_RIGHTS],
    ['deploy/overlays/route/rbac.yaml', 'leadergroup-route', ROUTE_RIGHTS],
  ])('are those of %s', (file, name, rights) => {
    const documents = parseAllDocuments(readFileSync(join(ROOT, file), 'utf8')).map(
      (document) => document.toJS() as { kind: string; metadata: { name: string }; rules: readonly Rule[] },
    );
    const rules = documents.find(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name === name)?.rules ?? [];
    const given = rules
      .filter(isLookedAt)
      .flatMap(({ apiGroups = [], resources = [], verbs }) =>
        resources.flatMap((resource) => verbs.map((verb) => `${verb} ${apiGroups[0] ?? ''} ${resource}`)),
      );
    expect(flat(rights)).toEqual(given.toSorted());
  });
});

describe('what cannot be looked at', () => {
  it('is unknown, with the right that is missing, and the exit code is 3', async () => {
    t.api.denied.add('list services');
    const { code, findings, unknown } = await found();
    expect([code, findings]).toEqual([3, []]);
    expect(unknown.map(({ id }) => id)).toEqual([
      'not-routed',
      'service-matches-no-member',
      'service-selects-label-only',
      'route-service-has-selector',
      'route-foreign-slices',
    ]);
    expect(unknown[0]?.why).toContain('You need the right to list services');
  });

  it('is everything, for somebody without any right', async () => {
    t.api.denied.add('list leadergroups.leadergroup.dev');
    for (const right of [
      'pods',
      'services',
      'endpointslices.discovery.k8s.io',
      'deployments.apps',
      'poddisruptionbudgets.policy',
    ])
      t.api.denied.add(`list ${right}`);
    for (const right of ['deployments.apps', 'configmaps', 'customresourcedefinitions.apiextensions.k8s.io'])
      t.api.denied.add(`get ${right}`);
    const { code, out } = await t.run('doctor', '--once');
    expect(code).toBe(3);
    expect(out).toContain('Nothing is wrong, as far as could be seen: 31 of');
  });

  it('does not hide what was found', async () => {
    t.api.denied.add('list services');
    put({ status: unled('NoCandidate', 'None is ready.') });
    expect((await found()).code).toBe(4);
  });

  it('is no excuse where the API server does not answer', async () => {
    const { list } = t.api;
    const { ApiError } = await import('../../../src/cli/errors.ts');
    t.api.list = (...args) =>
      args[0] === SERVICES ? Promise.reject(new ApiError('unreachable', 'No answer.')) : list(...args);
    expect(await t.run('doctor')).toMatchObject({ code: 1, out: '', err: 'error: No answer.\n' });
  });
});

describe('two looks', () => {
  it('are ten seconds apart, and what is gone by then is not told', async () => {
    put({ status: unled('Electing', 'Just now.') });
    t.api.put(SERVICES, service('wide', { [KEY]: 'leader' }));
    const running = t.start('doctor');
    await vi.waitFor(() => expect(running.err()).toContain('Looking again in 10 s'));
    await t.clock.advance(9_999);
    expect(running.out()).toBe('');
    put({});
    await t.clock.advance(1);
    const { code, out } = await running.ended;
    expect(out).toBe(
      [
        'WARNING  service-selects-label-only  Service mail/wide',
        '  It finds the leaders of notifier, and of whatever group comes.',
        '  Do: Add a label of the application to its selector.',
        '  More: docs/doctor/service-selects-label-only.md',
        '',
        '1 finding.\n',
      ].join('\n'),
    );
    expect(code).toBe(4);
  });

  it('are one where nothing was found', async () => {
    expect(await t.run('doctor')).toMatchObject({ code: 0, err: '' });
  });
});

describe('the namespaces', () => {
  it('are all of them, unless one is named', async () => {
    t.api.put(
      LEADER_GROUPS,
      groupObject({ namespace: 'shop', name: 'cart', status: unled('NoCandidate', 'None is ready.') }),
    );
    expect((await found()).findings.map((each) => each.object)).toEqual(['LeaderGroup shop/cart']);
    expect((await found('-n', MAIL)).findings).toEqual([]);
  });
});
