/**
 * Each right of deploy/ and of its overlay is needed, and says so: with one of them taken from the account, on the real API server, something fails in
 * words that name the right and where it is to be had, and works again with it.
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { podUid } from '../../src/api/ids.ts';
import { parseLeaderGroup } from '../../src/api/parse.ts';
import { createClock, createRandom } from '../../src/clock.ts';
import { type ConnectedKubernetes, connectKubernetes } from '../../src/kubernetes/client/connect.ts';
import { openKubeConfig } from '../../src/kubernetes/client/kubeconfig.ts';
import type { KubernetesEvent } from '../../src/ports/kubernetes.ts';
import type { Log, LogFields } from '../../src/ports/log.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import { MERGE_PATCH } from '../kit/rig/rest.ts';
import { accountKubeconfig, giveRights, startWithRights } from '../kit/rig/workloads.ts';

type Rule = {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly verbs: readonly string[];
};

const ROLES = { leadergroup: 'deploy/10-rbac.yaml', 'leadergroup-route': 'deploy/overlays/route/rbac.yaml' } as const;
type Role = keyof typeof ROLES;

function rulesOf(role: Role): readonly Rule[] {
  const all = parseAllDocuments(readFileSync(ROLES[role], 'utf8')).map(
    (document) => document.toJS() as { kind: string; metadata: { name: string }; rules: readonly Rule[] },
  );
  return all.find(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name === role)?.rules ?? [];
}

/** As `get replicasets.apps`: each verb of each resource by itself. */
const rightsOf = ({ apiGroups = [], resources = [], nonResourceURLs, verbs }: Rule): readonly string[] =>
  nonResourceURLs === undefined
    ? resources.flatMap((resource) => verbs.map((verb) => `${verb} ${nameOf(resource, apiGroups[0] ?? '')}`))
    : ['get keys of tokens'];

function nameOf(resource: string, group: string): string {
  const [plural = '', sub] = resource.split('/');
  return `${plural}${group === '' ? '' : `.${group}`}${sub === undefined ? '' : `/${sub}`}`;
}

/** The same rules without this right. */
const without = (rules: readonly Rule[], right: string): readonly Rule[] =>
  rules
    .flatMap((rule) =>
      rule.nonResourceURLs === undefined
        ? (rule.resources ?? []).map((resource) => ({ ...rule, resources: [resource] }))
        : [rule],
    )
    .map((rule) => ({
      ...rule,
      verbs: rule.verbs.filter((verb) => !rightsOf({ ...rule, verbs: [verb] }).includes(right)),
    }))
    .filter(({ verbs }) => verbs.length > 0);

const ALL = (Object.keys(ROLES) as Role[]).flatMap((role) =>
  rulesOf(role)
    .flatMap(rightsOf)
    .map((right) => [right, role] as const),
);

const SOON = { timeout: 20_000, interval: 50 };
const signal = new AbortController().signal;

let h: Harness;
let namespace: string;
let target: Target;

/** What the account writes to. */
type Target = {
  readonly pod: { readonly uid: string; readonly resourceVersion: string };
  readonly group: { readonly uid: string; readonly resourceVersion: string };
};

type Replica = ConnectedKubernetes & { readonly logged: LogFields[] };

beforeAll(async () => {
  h = await startHarness();
  await giveRights(h);
  await h.kubectl.must(['apply', '-f', ROLES['leadergroup-route']]);
  // By default every account may read them.
  await h.kubectl.must(['delete', 'clusterrolebinding', 'system:service-account-issuer-discovery']);
  process.env['KUBECONFIG'] = await accountKubeconfig(h);
  namespace = await h.world.namespace('rights');
  const { metadata: pod } = await h.world.pod({ namespace, name: 'a', labels: { app: 'web' } });
  await h.world.applyGroup({ namespace, name: 'web' });
  const path = `/apis/leadergroup.dev/v1alpha1/namespaces/${namespace}/leadergroups/web`;
  const { metadata: group } = await h.world.rest.must<{ readonly metadata: Target['group'] }>('GET', path);
  target = { pod, group };
});

afterAll(() => h[Symbol.asyncDispose]());

/** A new one each time: what it has said once it does not say again. */
async function connect(): Promise<Replica> {
  const logged: LogFields[] = [];
  const note = (fields: LogFields): void => void logged.push(fields);
  const log: Log = { debug: () => undefined, info: () => undefined, warn: note, error: note };
  const connection = await connectKubernetes({
    clock: createClock(),
    random: createRandom(),
    log,
    parseGroup: parseLeaderGroup,
    instance: 'a',
    requestTimeoutMs: 5000,
    namespaces: null,
    openAccess: async () => openKubeConfig(),
  });
  return { ...connection, logged };
}

/** What it says of a right; '': none is missing. */
type Attempt = (replica: Replica) => Promise<unknown>;

async function write(outcome: Promise<{ readonly kind: string; readonly message?: string }>): Promise<void> {
  const { message = '' } = await outcome;
  if (/account the right to/.test(message)) throw new Error(message);
}

function workload(apiVersion: string, kind: string): Attempt {
  const owner = { apiVersion, kind, name: 'none', uid: 'uid-of-none' };
  return ({ kubernetes }) => kubernetes.getWorkload(namespace, owner, signal);
}

const selecting: Attempt = ({ kubernetes }) => kubernetes.listPodSelecting(namespace, signal);

const slice = (name: string) => ({ namespace, name, family: 'IPv4', uid: 'none', resourceVersion: '1' }) as const;
const empty = {
  service: 'web',
  headless: false,
  group: { name: 'web', uid: '00000000-0000-4000-8000-000000000000' },
  ports: [],
} as const;

const event = (): KubernetesEvent => ({
  regarding: { kind: 'Pod', namespace, name: 'a', uid: target.pod.uid, resourceVersion: '1' },
  type: 'Normal',
  reason: 'WriteRefused',
  message: 'for a test',
});

/** Of two alike the second is a patch of the first. */
const events: Attempt = async ({ events: recorder }) => {
  recorder.emit(event());
  recorder.emit(event());
  await recorder.close(AbortSignal.timeout(10_000));
};

const ref = (name: string, uid: string) => ({ namespace, name, uid: podUid(uid) });

const attempts: Readonly<Record<string, Attempt>> = {
  'get pods': ({ kubernetes }) => kubernetes.getPod(namespace, 'a', signal),
  'patch pods': ({ kubernetes }) =>
    write(kubernetes.patchPod(ref('a', target.pod.uid), null, { labels: {}, annotations: { x: 'y' } }, signal)),
  'get replicasets.apps': workload('apps/v1', 'ReplicaSet'),
  'get statefulsets.apps': workload('apps/v1', 'StatefulSet'),
  'get daemonsets.apps': workload('apps/v1', 'DaemonSet'),
  'get jobs.batch': workload('batch/v1', 'Job'),
  'get replicationcontrollers': workload('v1', 'ReplicationController'),
  'list poddisruptionbudgets.policy': selecting,
  'list networkpolicies.networking.k8s.io': selecting,
  'get leadergroups.leadergroup.dev': ({ kubernetes }) => kubernetes.getGroup(namespace, 'web', signal),
  'patch leadergroups.leadergroup.dev': ({ kubernetes }) =>
    write(kubernetes.setFinalizers(ref('web', target.group.uid), target.group.resourceVersion, [], signal)),
  'patch leadergroups.leadergroup.dev/status': ({ kubernetes }) =>
    write(kubernetes.replaceStatus(ref('web', target.group.uid), '1', {} as never, signal)),
  'create events.events.k8s.io': events,
  'patch events.events.k8s.io': events,
  'get keys of tokens': ({ tokens }) => tokens.keys(signal),
  'create tokenreviews.authentication.k8s.io': ({ tokens }) => tokens.review('none', 'leadergroup', signal),
  'get namespaces': ({ kubernetes }) => kubernetes.clusterUid(signal),
  'get services': ({ routing }) => routing.getService(namespace, 'web', signal),
  'get endpointslices.discovery.k8s.io': ({ routing }) => routing.getSlice(namespace, 'web', signal),
  'create endpointslices.discovery.k8s.io': ({ routing }) =>
    write(routing.createSlice({ namespace, name: 'web', family: 'IPv4' }, empty, signal)),
  'update endpointslices.discovery.k8s.io': ({ routing }) =>
    write(routing.replaceSlice(slice('none'), { ...empty, token: 1, fenced: '', endpoint: null }, signal)),
  'delete endpointslices.discovery.k8s.io': ({ routing }) => write(routing.deleteSlice(slice('none'), signal)),
  'get endpoints': ({ routing }) => routing.hasEndpoints(namespace, 'web', signal),
  // Of another version of the pod: it is not evicted.
  'create pods/eviction': ({ routing }) => write(routing.evict(ref('a', target.pod.uid), '1', signal)),
};

/** Calls `tell` with each problem of the watch, and with null when it works again. */
type Watching = (replica: Replica, tell: (problem: string | null) => void, until: AbortSignal) => Promise<void>;

const quiet = { changed: () => undefined, synced: () => undefined };

const routes: Watching = ({ routeWatch }, tell, until) =>
  routeWatch.run({ ...quiet, concerns: () => false, problem: (_, problem) => tell(problem?.message ?? null) }, until);

const watches: Readonly<Record<string, Watching>> = {
  pods: ({ watches: { pods } }, tell, until) => pods.run(quiet, tell, until),
  nodes: ({ watches: { nodes } }, tell, until) => nodes.run(quiet, tell, until),
  'leadergroups.leadergroup.dev': ({ watches: { groups } }, tell, until) => groups.run(quiet, tell, until),
  services: routes,
  'endpointslices.discovery.k8s.io': routes,
};

const isWatched = (right: string): boolean =>
  /^(?:list|watch) /.test(right) && watches[resourceOf(right)] !== undefined;
const resourceOf = (right: string): string => right.slice(right.indexOf(' ') + 1);

async function setRules(role: Role, rules: readonly Rule[]): Promise<void> {
  const path = `/apis/rbac.authorization.k8s.io/v1/clusterroles/${role}`;
  await h.world.rest.must('PATCH', path, { rules }, MERGE_PATCH);
}

/** Until the test ends. */
async function take(right: string, role: Role): Promise<void> {
  onTestFinished(() => setRules(role, rulesOf(role)));
  await setRules(role, without(rulesOf(role), right));
}

/** What an attempt says, be it by its error or in the log. */
async function said(attempt: Attempt): Promise<string> {
  const replica = await connect();
  const thrown = await attempt(replica).then(
    () => '',
    (error: Error) => error.message,
  );
  const { logged } = replica;
  await replica.events.close(AbortSignal.timeout(1000));
  await replica.close();
  return [thrown, ...logged.map(({ reason }) => (typeof reason === 'string' ? reason : ''))]
    .filter((text) => text !== '')
    .join('\n');
}

/** In one sentence: what was refused, by the server's own words, and what to do. */
function sentenceOn(right: string, role: Role): RegExp {
  if (right === 'get keys of tokens')
    return /^Cannot get \/\.well-known\/openid-configuration: .*403.*right to it \(deploy\/ has the rules\)/;
  if (right.includes('tokenreviews'))
    return /^Cannot create .*\/tokenreviews: .*cannot create resource.*right to it \(deploy\/ has the rules\)/;
  const [verb = ''] = right.split(' ');
  const where = role === 'leadergroup' ? 'deploy/ has' : 'deploy/overlays/route has';
  return new RegExp(
    `cannot ${verb} resource .*; give the operator's account the right to ${right.replaceAll('.', '\\.')} \\(${where} the rules\\)`,
  );
}

describe('without the right to', () => {
  it.each(ALL.filter(([right]) => !isWatched(right)))(
    '%s (%s) something fails in words that name it, and works again with it',
    async (right, role) => {
      const attempt = attempts[right];
      if (attempt === undefined)
        throw new Error('nothing needs this right: take it out of deploy/, or say here what does');
      await take(right, role);
      await vi.waitFor(async () => expect(await said(attempt)).toMatch(sentenceOn(right, role)), SOON);
      await setRules(role, rulesOf(role));
      await vi.waitFor(async () => expect(await said(attempt)).not.toMatch(/right to/), SOON);
    },
    60_000,
  );

  it.each(ALL.filter(([right]) => isWatched(right)))(
    '%s (%s) a watch does not work in words that name it, and works again with it',
    async (right, role) => {
      const watch = watches[resourceOf(right)];
      if (watch === undefined) throw new Error('nothing is watched');
      const words = sentenceOn(right, role);
      const verb = right.startsWith('list') ? 'list' : 'watch';
      const problems: (string | null)[] = [];
      await take(right, role);
      // A watch that is open already would not be asked again.
      await vi.waitFor(async () => expect(await allowed(verb, right)).toBe(false), SOON);
      const replica = await connect();
      const stop = new AbortController();
      const ended = watch(replica, (problem) => problems.push(problem), stop.signal);
      await vi.waitFor(() => expect(problems).toEqual([expect.stringMatching(words)]), SOON);
      await setRules(role, rulesOf(role));
      await vi.waitFor(() => expect(problems.at(-1)).toBeNull(), SOON);
      stop.abort();
      await ended;
      await replica.close();
    },
    60_000,
  );
});

async function allowed(verb: string, right: string): Promise<boolean> {
  const [resource = '', ...group] = resourceOf(right).split('.');
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: {
      user: 'system:serviceaccount:leadergroup-system:leadergroup',
      resourceAttributes: { verb, resource, group: group.join('.') },
    },
  };
  const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
  const { status } = await h.world.rest.must<{ readonly status: { readonly allowed: boolean } }>('POST', path, body);
  return status.allowed;
}

describe('an operator', () => {
  it('that may not label a pod says so in the condition of the group, and elects once it may', async () => {
    const own = await h.world.namespace('labels');
    await take('patch pods', 'leadergroup');
    await vi.waitFor(async () => expect(await allowed('patch', 'patch pods')).toBe(false), SOON);
    await using _ = await startWithRights(h);
    await h.group(own, 'web');
    const ready = () => h.status(own, 'web')?.conditions.find(({ type }) => type === 'Ready');
    await vi.waitFor(() => expect(ready()?.message).toMatch(sentenceOn('patch pods', 'leadergroup')), SOON);
    expect(ready()?.status).toBe('False');
    await setRules('leadergroup', rulesOf('leadergroup'));
    await h.led(own, 'web', { timeoutMs: 60_000 });
  }, 120_000);

  it.each(['list nodes', 'watch pods', 'list leadergroups.leadergroup.dev'])(
    'that may not %s is not ready, and says why',
    async (right) => {
      await take(right, 'leadergroup');
      await vi.waitFor(async () => expect(await allowed(right.split(' ')[0] ?? '', right)).toBe(false), SOON);
      await using operator = await h.spawnOperator({ env: { KUBECONFIG: await accountKubeconfig(h) }, replica: 'c' });
      const readiness = async (): Promise<readonly [number, string]> => {
        const response = await fetch(`${operator.url}/readyz`);
        return [response.status, await response.text()];
      };
      await vi.waitFor(
        async () => expect(await readiness()).toEqual([503, expect.stringMatching(sentenceOn(right, 'leadergroup'))]),
        SOON,
      );
    },
    60_000,
  );
});
