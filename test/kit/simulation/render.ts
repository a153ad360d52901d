/** Objects as the API server sends them, from what the operator keeps of them: its own readers make the same of it again. */
import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import {
  API_GROUP,
  MANAGED_BY_LABEL,
  ROUTE_ANNOTATION,
  SERVICE_NAME_LABEL,
  SWITCHOVER_ANNOTATION,
} from '../../../src/api/names.ts';
import type { Pod } from '../../../src/api/pod.ts';
import type { Service, Slice } from '../../../src/api/route.ts';
import { asWritten } from '../../../src/api/spec.ts';
import type { OtherSlice } from '../model/world-routing.ts';

const time = (ms: number): string => new Date(ms).toISOString();
const stamp = (is: boolean): { readonly deletionTimestamp?: string } => (is ? { deletionTimestamp: time(0) } : {});

export const rawPod = (pod: Pod): unknown => ({
  kind: 'Pod',
  metadata: {
    namespace: pod.namespace,
    name: pod.name,
    uid: pod.uid,
    resourceVersion: pod.resourceVersion,
    creationTimestamp: time(pod.createdMs),
    labels: pod.labels,
    annotations: pod.annotations,
    ...stamp(pod.deleting),
    ...(pod.owner === null ? {} : { ownerReferences: [{ controller: true, ...pod.owner }] }),
  },
  spec: { containers: [{ name: 'app' }], ...(pod.node === null ? {} : { nodeName: pod.node }) },
  status: {
    phase: pod.phase,
    podIPs: pod.addresses.map((ip) => ({ ip })),
    containerStatuses: [{ name: 'app', restartCount: pod.restarts, state: containerState(pod) }],
    conditions: [
      {
        type: 'Ready',
        status: pod.ready ? 'True' : 'False',
        ...(pod.readyTransitionMs === null ? {} : { lastTransitionTime: time(pod.readyTransitionMs) }),
      },
      ...pod.conditions.map(({ type, isTrue, transitionMs }) => ({
        type,
        status: isTrue ? 'True' : 'False',
        ...(transitionMs === null ? {} : { lastTransitionTime: time(transitionMs) }),
      })),
      ...(pod.disrupted ? [{ type: 'DisruptionTarget', status: 'True' }] : []),
    ],
  },
});

function containerState({ stopped, runningSinceMs }: Pod): unknown {
  if (stopped) return { terminated: {} };
  return runningSinceMs === null ? { waiting: {} } : { running: { startedAt: time(runningSinceMs) } };
}

export const rawGroup = ({ spec, ...group }: LeaderGroup): unknown => ({
  kind: 'LeaderGroup',
  metadata: {
    namespace: group.namespace,
    name: group.name,
    uid: group.uid,
    resourceVersion: group.resourceVersion,
    generation: group.generation,
    creationTimestamp: time(group.createdMs),
    finalizers: group.finalizers,
    ...(group.switchover === null ? {} : { annotations: { [SWITCHOVER_ANNOTATION]: group.switchover.text } }),
    ...stamp(group.deleting),
  },
  spec: asWritten(spec),
  ...(group.status === null ? {} : { status: group.status }),
});

export type AnySlice = Slice | OtherSlice;

/** Metadata are all that is watched of Services and slices. */
export const metadataOfService = ({ namespace, name, uid, resourceVersion, group }: Service): unknown => ({
  metadata: {
    namespace,
    name,
    uid,
    resourceVersion,
    annotations: group === null ? {} : { [ROUTE_ANNOTATION]: group },
  },
});

export const metadataOfSlice = (slice: AnySlice): unknown => ({
  metadata: {
    namespace: slice.namespace,
    name: slice.name,
    uid: slice.uid,
    resourceVersion: slice.resourceVersion,
    labels: {
      [SERVICE_NAME_LABEL]: slice.service,
      ...('byController' in slice ? {} : { [MANAGED_BY_LABEL]: API_GROUP }),
    },
  },
});
