/** What people get wrong on a cluster, and doctor finds: planted on a real API server, and mended. */
import { setTimeout as delay } from 'node:timers/promises';
import type { FindingId } from '../../../src/cli/doctor/findings.ts';
import type { Harness } from './harness.ts';
import type { OperatorProcess } from './operator-process.ts';
import { applyAll } from './workloads.ts';

export type Mistake = {
  /** Makes it, and resolves with what doctor finds then, and of which objects. */
  plant(): Promise<readonly Found[]>;
  mend(): Promise<void>;
};

export type Found = readonly [id: FindingId, object: string];

export type Place = {
  readonly h: Harness;
  readonly operator: OperatorProcess;
  readonly namespace: string;
  /** A group of three ready pods, led. */
  readonly group: string;
};

const ROLE = { 'leadergroup.dev/role': 'leader' };
const CRD = 'leadergroups.leadergroup.dev';
const SERVICE_OF = 'kubernetes.io/service-name';
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
const SECOND_MS = 1000;

/**
 * With an operator at work, which says most of it in the conditions of the groups. `only-leader-ready` is not among them: it takes pods that are five
 * minutes old, and no status makes a pod older than it is. cli.test.ts finds it by a clock that is ahead, and drill.test.ts what only replicas tell.
 */
export function seenByOperator({ h, namespace }: Place): readonly Mistake[] {
  const titled = (kind: string, name: string): string => `${kind} ${namespace}/${name}`;
  const ofGroup = (name: string): string => titled('LeaderGroup', name);
  const remove = (...names: readonly string[]) =>
    h.kubectl.must(['-n', namespace, 'delete', '--ignore-not-found', ...names]).then(() => undefined);
  const isSo = (
    name: string,
    ...wanted: Parameters<Harness['condition']> extends [string, string, ...infer W] ? W : never
  ) => h.condition(namespace, name, ...wanted);
  const withRoute = (name: string) => h.group(namespace, name, { pods: 1, spec: { route: { serviceName: name } } });
  const apply = (...objects: readonly object[]) => applyAll(h, namespace, objects);
  const taken = `jobs/${namespace}/.lock`;

  return [
    {
      plant: async () => {
        await h.world.consul.overwrite(taken, 'what somebody keeps here');
        await h.group(namespace, 'taken', { pods: 1, spec: { lockKey: `jobs/${namespace}` } });
        await isSo('taken', 'Stalled', 'True', 'KeyConflict');
        return [['group-stalled', ofGroup('taken')]];
      },
      mend: () => h.world.consul.deleteKey(taken),
    },
    {
      plant: async () => {
        await h.group(namespace, 'barred', { pods: 1, spec: { lockKey: `private/${namespace}` } });
        await isSo('barred', 'Stalled', 'True', 'LockKeyNotAllowed');
        return [['lock-key-not-allowed', ofGroup('barred')]];
      },
      mend: () => remove('leadergroup/barred'),
    },
    {
      plant: async () => {
        await h.group(namespace, 'elder', { pods: 1 });
        await olderThanASecond(h, namespace, 'elder');
        await h.world.applyGroup({ namespace, name: 'younger', spec: { selector: { matchLabels: { app: 'elder' } } } });
        await isSo('younger', 'Stalled', 'True', 'SelectorOverlap');
        return [['groups-overlap', ofGroup('younger')]];
      },
      mend: () => remove('leadergroup/younger'),
    },
    // Before the other routes: what their operator has listed in the namespace serves it for a quarter of a minute.
    {
      plant: async () => {
        await apply(service('shared', {}), slice('by-hand', { [SERVICE_OF]: 'shared', [MANAGED_BY]: 'example.com' }));
        await withRoute('shared');
        await isSo('shared', 'Routed', 'False', 'ForeignEndpoints');
        return [
          ['not-routed', ofGroup('shared')],
          ['route-foreign-slices', titled('EndpointSlice', 'by-hand')],
        ];
      },
      // With its group, which finds only within a minute that the slice is gone.
      mend: () => remove('endpointslice/by-hand', 'leadergroup/shared'),
    },
    {
      plant: async () => {
        await withRoute('nowhere');
        await isSo('nowhere', 'Routed', 'False', 'ServiceNotFound');
        return [['not-routed', ofGroup('nowhere')]];
      },
      mend: () => apply(service('nowhere', {})),
    },
    {
      plant: async () => {
        await apply(service('selecting', { selector: { app: 'selecting' } }));
        await withRoute('selecting');
        await isSo('selecting', 'Routed', 'False', 'ServiceHasSelector');
        return [
          ['not-routed', ofGroup('selecting')],
          ['route-service-has-selector', titled('Service', 'selecting')],
          ['route-foreign-slices', titled('EndpointSlice', await sliceOf(h, namespace, 'selecting'))],
        ];
      },
      mend: () => remove('leadergroup/selecting', 'service/selecting'),
    },
    {
      plant: async () => {
        await apply(slice('left', { [SERVICE_OF]: 'gone', [MANAGED_BY]: 'leadergroup.dev' }));
        return [['stale-slice', titled('EndpointSlice', 'left')]];
      },
      mend: () => remove('endpointslice/left'),
    },
    {
      plant: async () => {
        const annotations = { 'token.leadergroup.dev/gone': '3' };
        await h.world.pod({ namespace, name: 'marked', labels: { app: 'marked' }, annotations });
        return [['stale-annotation', titled('Pod', 'marked')]];
      },
      mend: async () => {
        await h.kubectl.must(['-n', namespace, 'annotate', 'pod', 'marked', 'token.leadergroup.dev/gone-']);
      },
    },
    {
      plant: async () => {
        await apply(deployment('born', { app: 'born', ...ROLE }));
        return [['template-has-label', titled('Deployment', 'born')]];
      },
      mend: () => remove('deployment/born'),
    },
  ];
}

/** While the operator stands still, which would mend them at once. */
export function mendedByOperator({ h, operator, namespace, group }: Place): readonly Mistake[] {
  const title = (name: string): string => `LeaderGroup ${namespace}/${name}`;
  return [
    {
      plant: async () => {
        operator.freeze();
        for (const name of [0, 1, 2].map((at) => `${group}-${at}`))
          await h.world.patchPod(namespace, name, { metadata: { labels: ROLE } });
        return [['two-labels', title(group)]];
      },
      mend: async () => operator.thaw(),
    },
    {
      plant: async () => {
        operator.freeze();
        await h.group(namespace, 'unseen', { pods: 1 });
        return [['status-old', title('unseen')]];
      },
      mend: async () => operator.thaw(),
    },
  ];
}

/** Of other versions than this one, in one: the schema lacks a field that it knows, and has one that it does not know. */
export function otherSchema({ h }: Place): Mistake {
  const within = '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties';
  const patch = async (operations: readonly object[]): Promise<void> => {
    await h.kubectl.must(['patch', 'crd', CRD, '--type=json', '-p', JSON.stringify(operations)]);
  };
  let lacking: unknown;
  return {
    plant: async () => {
      const crd = JSON.parse(await h.kubectl.must(['get', 'crd', CRD, '-o', 'json'])) as Crd;
      lacking = crd.spec.versions[0]?.schema.openAPIV3Schema.properties.spec.properties['spread'];
      await patch([
        { op: 'remove', path: `${within}/spread` },
        { op: 'add', path: `${within}/later`, value: { type: 'string' } },
      ]);
      const object = `CustomResourceDefinition ${CRD}`;
      return [
        ['crd-older', object],
        ['crd-newer', object],
      ];
    },
    mend: () =>
      patch([
        { op: 'add', path: `${within}/spread`, value: lacking },
        { op: 'remove', path: `${within}/later` },
      ]),
  };
}

type Schema = { readonly properties: { readonly spec: { readonly properties: Readonly<Record<string, unknown>> } } };
type Crd = {
  readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Schema } }[] };
};

/** Whose owner lets the group of its name lead it, unless it has a selector. */
const service = (name: string, spec: { readonly selector?: object }) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, annotations: spec.selector === undefined ? { 'leadergroup.dev/route': name } : {} },
  spec: { ...spec, ports: [{ port: 80 }] },
});

const slice = (name: string, labels: Readonly<Record<string, string>>) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name, labels },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['10.99.255.1'] }],
});

const deployment = (name: string, labels: Readonly<Record<string, string>>) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels }, spec: { containers: [{ name, image: name }] } },
  },
});

/** Of two groups of one second the uid decides which is older. */
async function olderThanASecond({ world }: Harness, namespace: string, name: string): Promise<void> {
  const group = await world.readGroup(namespace, name);
  const createdMs = Date.parse(
    String((group?.metadata as { creationTimestamp?: string } | undefined)?.creationTimestamp),
  );
  await delay(Math.max(0, createdMs + SECOND_MS - Date.now()));
}

/** The one that Kubernetes makes. */
async function sliceOf({ kubectl }: Harness, namespace: string, of: string): Promise<string> {
  const asked = ['-n', namespace, 'get', 'endpointslice', '-l', `${SERVICE_OF}=${of}`, '-o'];
  await kubectl.must(['-n', namespace, 'wait', '--for=create', 'endpointslice', '-l', `${SERVICE_OF}=${of}`]);
  return await kubectl.must([...asked, 'jsonpath={.items[0].metadata.name}']);
}
