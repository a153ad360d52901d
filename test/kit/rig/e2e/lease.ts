/**
 * The same schedules with a Lease in the application (client-go's election with its defaults): three replicas, whoever holds it sends. node-cron and APScheduler ask the
 * elector beside them in their pod, at each tick, right before they send.
 */
import { chmod, copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { buildProgram } from '../../../../dev/tools/index.ts';
import { leaseCandidate } from '../../../../dev/tools/products.ts';
import type { Leading } from '../harness.ts';
import type { Delivery } from '../notifiers.ts';
import type { Hit, Judged, Series } from './claimed.ts';
import type { Fault } from './faults.ts';
import { GROUP, UNCHECKED_SINK } from './names.ts';
import { type Programs, withSchedulers } from './schedulers.ts';
import { apply, type Manifest, manifestsOf, onRealNodes, type Site, withEnv, withImage } from './site.ts';
import { claimedIn, TIMES } from './story.ts';

export type LeaseStory = AsyncDisposable & {
  readonly namespace: string;
  /** None that are checked. */
  deliveries(): Promise<readonly Delivery[]>;
  sent(): Promise<readonly Judged[]>;
  /** Lets each of the faults befall whoever holds the Lease, once. Resolves with when each was. */
  befall(faults: readonly Fault[]): Promise<readonly Hit[]>;
};

const NAMESPACE = 'lease';
const SETTING = 'a Lease';
/** Longer than a Lease lasts and whoever wants it pauses, and a rolling update takes. */
const PATIENCE = { timeout: 120_000, interval: 100 };
/** So many must have been sent before a fault, and after it is undone. */
const TICKS = 5;

export async function openLeaseStory(site: Site, series: readonly Series[], programs: Programs): Promise<LeaseStory> {
  await using made = new AsyncDisposableStack();
  const { kubectl } = site;
  const program = await buildProgram(leaseCandidate);
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-lease-'));
  made.defer(() => rm(dir, { recursive: true, force: true }));
  // Pods run as somebody else, and see none of the cache.
  await copyFile(program, join(dir, 'lease-candidate'));
  for (const path of [dir, join(dir, 'lease-candidate')]) await chmod(path, 0o755);
  await kubectl.must(['create', 'namespace', NAMESPACE]);
  made.defer(async () => void (await kubectl.must(['delete', 'namespace', NAMESPACE, '--wait=false'])));
  const [notifier] = (await manifestsOf('examples/notifier.yaml')).filter(
    ({ kind, metadata }) => kind === 'Deployment' && metadata.name === GROUP,
  );
  if (notifier === undefined) throw new Error('the example has no notifier');
  const own = series.filter(({ by }) => by === 'loop');
  const env = {
    ...TIMES,
    SINK: UNCHECKED_SINK,
    SCHEDULES: own.map(({ name, tickMs }) => `${name}:${tickMs}`).join(','),
  };
  const placed = onRealNodes(withEnv(withImage(notifier, site.images.notifier.name), env));
  // Those beside it ask the one that keeps the loop whether their pod holds the Lease.
  const deployment = candidates(withSchedulers(placed, programs, series), dir);
  await apply(kubectl, [...rights, deployment], NAMESPACE);
  await kubectl.must(['-n', NAMESPACE, 'rollout', 'status', `deployment/${GROUP}`, '--timeout=120s']);

  /** The pod, and the process in it; null: nobody. */
  async function holder(): Promise<{ readonly pod: string; readonly identity: string } | null> {
    const lease = [
      '-n',
      NAMESPACE,
      'get',
      'lease',
      GROUP,
      '--ignore-not-found',
      '-o',
      'jsonpath={.spec.holderIdentity}',
    ];
    const identity = await kubectl.must(lease);
    return identity === '' ? null : { pod: identity.slice(0, identity.indexOf('_')), identity };
  }
  const held = (not = ''): Promise<{ readonly pod: string; readonly identity: string }> =>
    vi.waitFor(async () => {
      const found = await holder();
      if (found === null || found.identity === not) throw new Error('nobody else has the Lease');
      return found;
    }, PATIENCE);
  const sent = (): Promise<readonly Judged[]> => claimedIn(site, NAMESPACE, series);
  const ticksSent = async (): Promise<number> =>
    (await sent()).flatMap(({ fates }) => fates).filter(({ times }) => times > 0).length;
  async function sentMore(more: number): Promise<void> {
    const before = await ticksSent();
    await vi.waitFor(async () => {
      if ((await ticksSent()) < before + more) throw new Error(`fewer than ${more} more ticks were sent`);
    }, PATIENCE);
  }

  async function once(fault: Fault): Promise<Hit> {
    const { pod, identity } = await held();
    await sentMore(TICKS);
    const fromMs = performance.now();
    const caused = await fault.cause([{ name: pod } as Leading]);
    await held(identity);
    await sentMore(TICKS);
    await caused.undo();
    await held();
    await sentMore(TICKS);
    const { kind } = fault;
    return { kind, namespace: NAMESPACE, setting: SETTING, during: { fromMs, toMs: performance.now() } };
  }

  await held();
  const rest = made.move();
  return {
    namespace: NAMESPACE,
    deliveries: async () => [],
    sent,
    befall: async (faults) => {
      const hits: Hit[] = [];
      for (const fault of faults) hits.push(await once(fault));
      return hits;
    },
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

const rights: readonly Manifest[] = [
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'leases' },
    rules: [{ apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update'] }],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'leases' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'leases' },
    subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: NAMESPACE }],
  },
];

type Container = Record<string, unknown>;
type Pod = { containers: [Container, ...Container[]]; volumes?: object[]; automountServiceAccountToken?: boolean };

/** The same pods, with another program from this folder of the machine in place of the notifier, that is ready when it runs. */
function candidates(notifier: Manifest, dir: string): Manifest {
  const copy = structuredClone(notifier) as Manifest & { spec: { template: { spec: Pod } } };
  const pod = copy.spec.template.spec;
  pod.automountServiceAccountToken = true;
  pod.volumes = [...(pod.volumes ?? []), { name: 'program', hostPath: { path: dir } }];
  const [{ readinessProbe: _, ...container }, ...beside] = pod.containers;
  const volumeMounts = [{ name: 'program', mountPath: '/lease', readOnly: true }];
  pod.containers = [{ ...container, command: ['/lease/lease-candidate', 'notify'], volumeMounts }, ...beside];
  return copy;
}
