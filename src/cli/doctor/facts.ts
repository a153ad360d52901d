/** What the checks look at, read once for all of them. What may not be read is known to be unknown. */
import type { Pod } from '../../api/pod.ts';
import type { RawObject } from '../../api/raw.ts';
import { projectPod } from '../../kubernetes/objects/pod.ts';
import { ApiError } from '../errors.ts';
import { type Group, groupOf } from '../groups.ts';
import { type OperatorState, readOperator } from '../operator.ts';
import {
  CONFIG_MAPS,
  CRDS,
  DAEMON_SETS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  EVENTS,
  LEADER_GROUPS,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  type Resource,
  SERVICES,
  STATEFUL_SETS,
} from '../resources.ts';
import type { Session } from '../session.ts';

export type Fact<T> =
  | { readonly kind: 'known'; readonly value: T }
  | { readonly kind: 'unknown'; readonly why: string };

export type Facts = {
  readonly groups: Fact<readonly Group[]>;
  readonly pods: Fact<readonly Pod[]>;
  readonly services: Fact<readonly RawObject[]>;
  /** EndpointSlices. */
  readonly slices: Fact<readonly RawObject[]>;
  /** Deployments, StatefulSets and DaemonSets, with their kind. */
  readonly workloads: Fact<readonly RawObject[]>;
  /** PodDisruptionBudgets and NetworkPolicies, with their kind. */
  readonly selecting: Fact<readonly RawObject[]>;
  /** Events about a contested label. */
  readonly contests: Fact<readonly RawObject[]>;
  readonly operator: Fact<OperatorState>;
  /** null: it is not installed. */
  readonly crd: Fact<RawObject | null>;
  /** kube-proxy's configuration; null: it is not where kubeadm puts it. */
  readonly proxy: Fact<RawObject | null>;
  readonly nowMs: number;
};

/** Rejects only when the API server cannot be reached. */
export async function readFacts(session: Session): Promise<Facts> {
  const { api, namespace } = session;
  const list = (resource: Resource, kind: string): Promise<Fact<readonly RawObject[]>> =>
    fact(async () => (await api.list(resource, { namespace })).items.map((item) => ({ ...item, kind })));
  const [groups, pods, services, slices, workloads, selecting, contests, operator, crd, proxy] = await Promise.all([
    fact(async () => (await api.list(LEADER_GROUPS, { namespace })).items.map(groupOf).filter((one) => one !== null)),
    fact(async () => (await api.list(PODS, { namespace })).items.map(projectPod).filter((one) => one !== null)),
    list(SERVICES, 'Service'),
    list(ENDPOINT_SLICES, 'EndpointSlice'),
    together([list(DEPLOYMENTS, 'Deployment'), list(STATEFUL_SETS, 'StatefulSet'), list(DAEMON_SETS, 'DaemonSet')]),
    together([list(POD_DISRUPTION_BUDGETS, 'PodDisruptionBudget'), list(NETWORK_POLICIES, 'NetworkPolicy')]),
    fact(async () => (await api.list(EVENTS, { namespace, fieldSelector: 'reason=LabelContested' })).items),
    operatorFact(session),
    fact(() => api.get({ resource: CRDS, namespace: null, name: 'leadergroups.leadergroup.dev' })),
    fact(() => api.get({ resource: CONFIG_MAPS, namespace: 'kube-system', name: 'kube-proxy' })),
  ]);
  return { groups, pods, services, slices, workloads, selecting, contests, operator, crd, proxy, nowMs: api.nowMs() };
}

/** Refused or not installed: unknown. Not reached: nothing can be said at all. */
async function fact<T>(read: () => Promise<T>): Promise<Fact<T>> {
  try {
    return { kind: 'known', value: await read() };
  } catch (error) {
    if (!(error instanceof ApiError) || error.kind === 'unreachable') throw error;
    return { kind: 'unknown', why: error.message };
  }
}

async function together(parts: readonly Promise<Fact<readonly RawObject[]>>[]): Promise<Fact<readonly RawObject[]>> {
  const all = await Promise.all(parts);
  const value: RawObject[] = [];
  for (const part of all) {
    if (part.kind === 'unknown') return part;
    value.push(...part.value);
  }
  return { kind: 'known', value };
}

async function operatorFact(session: Session): Promise<Fact<OperatorState>> {
  const state = await readOperator(session);
  return state.kind === 'unknown' ? state : { kind: 'known', value: state };
}
