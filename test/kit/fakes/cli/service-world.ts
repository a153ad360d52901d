/**
 * A Service, the controllers of Kubernetes that fill its endpoints, and the operator, as a value: each acts in a step of its own, so that every order in
 * which they and the commands act can be tried. Two pods, both ready; either leads.
 */
import { FORMER_SELECTOR_ANNOTATION, ROUTE_ANNOTATION, UNROUTED_ANNOTATION } from '../../../../src/api/names.ts';
import type { RawObject } from '../../../../src/api/raw.ts';
import { groupOf } from '../../../../src/cli/groups.ts';
import type { Scene } from '../../../../src/cli/route/scene.ts';
import { type Selector, selects } from '../../../../src/cli/route/selectors.ts';
import type { Step } from '../../../../src/cli/route/steps.ts';
import { projectPod } from '../../../../src/kubernetes/objects/pod.ts';
import { projectService } from '../../../../src/kubernetes/objects/service.ts';
import { groupObject, ledBy, MAIL, podObject } from './objects.ts';

type PodName = 'notifier-0' | 'notifier-1';
const PODS: readonly PodName[] = ['notifier-0', 'notifier-1'];
const LABEL = { 'leadergroup.dev/role': 'leader' } as const;
const SERVICE = 'notifier';
export const SELECTOR = { app: 'notifier' } as const;

/** null: there is no such object. A list: which pods it shows. */
export type ServiceWorld = {
  readonly selector: Selector;
  readonly annotations: Readonly<Record<string, string>>;
  readonly leader: PodName;
  /** spec.route of the group. */
  readonly routed: boolean;
  readonly byController: readonly PodName[] | null;
  readonly endpoints: readonly PodName[] | null;
  readonly mirrored: readonly PodName[] | null;
  readonly byOperator: readonly PodName[] | null;
};

/** As it is before: both pods get traffic. */
export const BEFORE: ServiceWorld = {
  selector: SELECTOR,
  annotations: {},
  leader: 'notifier-0',
  routed: false,
  byController: PODS,
  endpoints: PODS,
  mirrored: null,
  byOperator: null,
};

const labelsOf = (world: ServiceWorld, pod: PodName): Selector => ({
  ...SELECTOR,
  ...(pod === world.leader ? LABEL : {}),
});
const selected = (world: ServiceWorld): readonly PodName[] =>
  PODS.filter((pod) => selects(world.selector, labelsOf(world, pod)));
const hasSelector = ({ selector }: ServiceWorld): boolean => Object.keys(selector).length > 0;
const isLed = ({ annotations, routed }: ServiceWorld): boolean =>
  routed && annotations[ROUTE_ANNOTATION] === 'notifier';

/** Whoever acts by himself: what he makes of the world. */
export const ACTORS: Readonly<Record<string, (world: ServiceWorld) => ServiceWorld>> = {
  endpointSliceController: (world) => (hasSelector(world) ? { ...world, byController: selected(world) } : world),
  endpointsController: (world) => (hasSelector(world) ? { ...world, endpoints: selected(world) } : world),
  mirroringController: (world) => {
    const mirrors = !hasSelector(world) && world.endpoints !== null && world.endpoints.length > 0;
    return { ...world, mirrored: mirrors ? world.endpoints : null };
  },
  operator: (world) => {
    if (isLed(world)) return { ...world, byOperator: [world.leader] };
    return { ...world, byOperator: world.byOperator === null ? null : [] };
  },
};

/** Which pods get traffic: kube-proxy takes all slices of the Service together. */
export const served = ({ byController, mirrored, byOperator }: ServiceWorld): readonly PodName[] =>
  [...new Set([byController, mirrored, byOperator].flatMap((pods) => pods ?? []))].toSorted();

const versionOf = (content: unknown): string => JSON.stringify(content);

function serviceOf({ selector, annotations }: ServiceWorld) {
  const spec = { selector, ports: [{ port: 80 }], ipFamilies: ['IPv4'] };
  const resourceVersion = versionOf([selector, annotations]);
  return { metadata: { namespace: MAIL, name: SERVICE, uid: 'uid-of-service', resourceVersion, annotations }, spec };
}

function groupIn({ leader, routed }: ServiceWorld, slicesOnly: boolean) {
  const reason = slicesOnly ? 'LeaderShown' : 'ForeignEndpoints';
  const condition = {
    type: 'Routed',
    status: slicesOnly ? 'True' : 'False',
    reason,
    message: '',
    observedGeneration: 1,
  };
  return groupOf(
    groupObject({
      metadata: { uid: 'uid-of-group' },
      spec: routed ? { route: { serviceName: SERVICE } } : {},
      status: {
        ...ledBy(leader),
        ...(routed ? { conditions: [{ ...condition, lastTransitionTime: '2026-11-18T09:00:00Z' }] } : {}),
      },
    }),
  );
}

/** As a command reads it. */
export function sceneOf(world: ServiceWorld): Scene {
  const raw = serviceOf(world);
  const service = projectService(raw);
  const foreign = [world.byController, world.mirrored, world.endpoints].some((each) => each !== null);
  const group = groupIn(world, isLed(world) && world.byOperator?.[0] === world.leader && !foreign);
  if (service === null || group === null) throw new Error('the world of the test cannot be read');
  const slice = (name: string, manager: string, pods: readonly PodName[] | null): Scene['slices'] =>
    pods === null
      ? []
      : [
          {
            name,
            uid: `uid-of-${name}`,
            resourceVersion: versionOf(pods),
            manager,
            groupUid: manager === 'leadergroup.dev' ? 'uid-of-group' : '',
            family: 'IPv4',
            endpoints: pods.length,
            ready: pods.map((pod) => `uid-of-${pod}`),
          },
        ];
  const former = world.annotations[FORMER_SELECTOR_ANNOTATION];
  return {
    raw,
    service,
    selector: world.selector,
    former: former === undefined ? null : (JSON.parse(former) as Selector),
    unrouted: world.annotations[UNROUTED_ANNOTATION] ?? '',
    groups: [group],
    pods: PODS.flatMap((name) => {
      const pod = projectPod(
        podObject(name, { labels: labelsOf(world, name), metadata: { uid: `uid-of-${name}`, resourceVersion: '1' } }),
      );
      return pod === null ? [] : [pod];
    }),
    names: false,
    slices: [
      ...slice('notifier-abc', 'endpointslice-controller.k8s.io', world.byController),
      ...slice('notifier-mirrored', 'endpointslicemirroring-controller.k8s.io', world.mirrored),
      ...slice('notifier-leadergroup-ipv4', 'leadergroup.dev', world.byOperator),
    ],
    endpoints:
      world.endpoints === null
        ? null
        : { uid: 'uid-of-endpoints', resourceVersion: versionOf(world.endpoints), filled: world.endpoints.length > 0 },
  };
}

/** What becomes of the world when the step is written; the world itself where a precondition fails. */
export function written(world: ServiceWorld, step: Step): ServiceWorld {
  if (step.kind === 'delete') return deleted(world, step);
  if (step.kind !== 'patch') return world;
  const patch = step.patch as { readonly metadata?: RawObject; readonly spec?: RawObject };
  if (step.of === 'LeaderGroup') return { ...world, routed: true };
  if (patch.metadata?.['resourceVersion'] !== versionOf([world.selector, world.annotations])) return world;
  const selector = patch.spec === undefined ? world.selector : merged(world.selector, patch.spec['selector']);
  return { ...world, selector, annotations: merged(world.annotations, patch.metadata['annotations'] ?? {}) };
}

function deleted(
  world: ServiceWorld,
  { ref, preconditions }: Extract<Step, { readonly kind: 'delete' }>,
): ServiceWorld {
  const same = (pods: unknown): boolean => versionOf(pods) === preconditions.resourceVersion;
  if (ref.resource.plural === 'endpoints') return same(world.endpoints) ? { ...world, endpoints: null } : world;
  if (ref.name === 'notifier-abc') return same(world.byController) ? { ...world, byController: null } : world;
  if (ref.name === 'notifier-mirrored') return same(world.mirrored) ? { ...world, mirrored: null } : world;
  throw new Error(`${ref.name} is not to be deleted by anybody but the operator`);
}

function merged(base: Selector, patch: unknown): Selector {
  if (patch === null) return {};
  // Keys that stay keep their order, so that two ways to one world are one world.
  const all = Object.entries({ ...base, ...(patch as Readonly<Record<string, string | null>>) });
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== null));
}
