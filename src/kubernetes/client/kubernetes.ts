/** The Kubernetes port over the API server. Each method is one request (a list: one for each page). */
import type { ParsedLeaderGroup } from '../../api/leadergroup.ts';
import type { OwnerRef, Pod } from '../../api/pod.ts';
import { asObject, field, textField } from '../../api/raw.ts';
import { type Kubernetes, KubernetesError, type ObjectRef, type Workload } from '../../ports/kubernetes.ts';
import { projectPod, terminationOf } from '../objects/pod.ts';
import {
  LEADER_GROUPS,
  NAMESPACES,
  NETWORK_POLICIES,
  type Place,
  POD_DISRUPTION_BUDGETS,
  PODS,
  pathOf,
  type Query,
  qualified,
  type Resource,
} from '../objects/resources.ts';
import { projectPodSelecting, projectWorkload, sourceOf } from '../objects/workload.ts';
import { pageOf } from '../reflector/watch-transport.ts';
import type { Answer, Failure } from './answer.ts';
import { type Calls, createCalls, getObject, isSuccess, REQUEST_TIMEOUT_MS } from './calls.ts';
import { labelManagersOf } from './label-manager.ts';
import type { Written } from './outcome.ts';
import type { Attempt } from './read-failure.ts';
import { nameOfRight } from './rights.ts';
import type { Transport } from './transport.ts';

export type KubernetesOptions = {
  readonly transport: Transport;
  readonly parseGroup: (raw: unknown) => ParsedLeaderGroup | null;
  /** For one patch or get, credentials and connection included. 2,000 by default. */
  readonly requestTimeoutMs?: number;
  /** Whose uid is `clusterUid`: kube-system by default. */
  readonly identityNamespace?: string;
  /** A right is missing without which the operator does its work all the same. To be told again and again. */
  readonly onMissing?: (missing: MissingRight) => void;
};

/** `right`: as `get replicasets.apps`. `reason`: a sentence, with what to do. `without`: what is not done for want of it. */
export type MissingRight = { readonly right: string; readonly reason: string; readonly without: string };

const ON_TRIAL = 'one pod of a controller is labelled first, and the others once it has kept that controller';
const NO_WARNING = 'nobody is warned where one of them selects pods by the label of a group';

/** What `onMissing` is told of a refused read. */
type Missed = (resource: Resource, verb: 'get' | 'list', error: KubernetesError) => void;

const PAGE_SIZE = 250;
/** How often a list begins anew because its pages expired before the last one. */
const LIST_TRIES = 3;

const MERGE = 'application/merge-patch+json';
const JSON_PATCH = 'application/json-patch+json';

export function createKubernetes({
  transport,
  parseGroup,
  requestTimeoutMs = REQUEST_TIMEOUT_MS,
  identityNamespace = 'kube-system',
  onMissing = () => undefined,
}: KubernetesOptions): Kubernetes {
  const calls = createCalls(transport, requestTimeoutMs);
  const missed: Missed = (resource, verb, { kind, message }) => {
    if (kind !== 'denied') return;
    onMissing({
      right: nameOfRight({ verb, resource }),
      reason: message,
      without: verb === 'get' ? ON_TRIAL : NO_WARNING,
    });
  };
  const group = (ref: ObjectRef): Written<ParsedLeaderGroup> => ({
    resource: LEADER_GROUPS,
    name: ref.name,
    uid: ref.uid,
    project: parseGroup,
    uidOf: (parsed) => parsed.group.uid,
  });
  return {
    patchPod: async (pod, resourceVersion, patch, signal) => {
      if (pod.uid === '' || resourceVersion === '') return NO_PRECONDITION;
      const metadata = { uid: pod.uid, ...(resourceVersion === null ? {} : { resourceVersion }), ...patch };
      const written = {
        resource: PODS,
        name: pod.name,
        uid: pod.uid,
        project: projectPod,
        uidOf: (pod: Pod) => pod.uid,
      };
      return await calls.write(
        written,
        { place: placeOf(pod), method: 'PATCH', type: MERGE, content: { metadata } },
        signal,
      );
    },
    getPod: async (namespace, name, signal) =>
      await getObject(calls, { resource: PODS, namespace, name }, projectPod, signal),
    getTermination: async (namespace, name, container, signal) => {
      const found = await getObject(calls, { resource: PODS, namespace, name }, terminationOf(container), signal);
      return found?.termination ?? null;
    },
    listPods: async (namespace, signal) => await listPods(calls, namespace, signal),
    getWorkload: async (namespace, owner, signal) => await getWorkload(calls, { namespace, owner, missed }, signal),
    getLabelManagers: async (namespace, name, label, signal) =>
      await getObject(calls, { resource: PODS, namespace, name }, labelManagersOf(label), signal),
    listPodSelecting: async (namespace, signal) => {
      const budgets = await listReadable(calls, { resource: POD_DISRUPTION_BUDGETS, namespace, missed }, signal);
      const policies = await listReadable(calls, { resource: NETWORK_POLICIES, namespace, missed }, signal);
      return [
        ...budgets.flatMap((raw) => projectPodSelecting('PodDisruptionBudget')(raw) ?? []),
        ...policies.flatMap((raw) => projectPodSelecting('NetworkPolicy')(raw) ?? []),
      ];
    },
    getGroup: async (namespace, name, signal) =>
      await getObject(calls, { resource: LEADER_GROUPS, namespace, name }, parseGroup, signal),
    setFinalizers: async (ref, resourceVersion, finalizers, signal) => {
      if (ref.uid === '' || resourceVersion === '') return NO_PRECONDITION;
      const content = { metadata: { uid: ref.uid, resourceVersion, finalizers } };
      return await calls.write(group(ref), { place: placeOf(ref), method: 'PATCH', type: MERGE, content }, signal);
    },
    replaceStatus: async (ref, resourceVersion, status, signal) => {
      if (ref.uid === '' || resourceVersion === '') return NO_PRECONDITION;
      const place = { ...placeOf(ref), subresource: 'status' } as const;
      const content = statusPatch(ref.uid, resourceVersion, status);
      return await calls.write(
        { ...group(ref), tested: true },
        { place, method: 'PATCH', type: JSON_PATCH, content },
        signal,
      );
    },
    clusterUid: async (signal) => await namespaceUid(calls, identityNamespace, signal),
  };
}

/** An empty one would be no precondition at all. */
const NO_PRECONDITION = {
  kind: 'conflict',
  message: 'the object to be written has no uid or resourceVersion',
} as const;

const placeOf = ({ namespace, name }: { readonly namespace: string; readonly name: string }): Place => ({
  namespace,
  name,
});

/**
 * A JSON patch, because a merge patch of a custom resource's status fails in both of its duties: the server ignores the
 * uid in it (200, whatever the uid), and fields that are no longer there stay. `add` replaces what is there, too.
 */
const statusPatch = (uid: string, resourceVersion: string, status: unknown): readonly unknown[] => [
  { op: 'test', path: '/metadata/uid', value: uid },
  { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion },
  { op: 'add', path: '/status', value: status },
];

async function getWorkload(
  calls: Calls,
  { namespace, owner, missed }: { readonly namespace: string; readonly owner: OwnerRef; readonly missed: Missed },
  signal: AbortSignal,
): Promise<Workload | 'gone' | 'unreadable'> {
  const source = sourceOf(owner);
  if (source === null) return 'unreadable';
  try {
    const place = { namespace, name: owner.name, ...source };
    return (await getObject(calls, place, projectWorkload(owner), signal)) ?? 'gone';
  } catch (error) {
    if (error instanceof KubernetesError && source.subresource === undefined) missed(source.resource, 'get', error);
    const final =
      source.subresource !== undefined || (error instanceof KubernetesError && error.kind !== 'unreachable');
    if (error instanceof KubernetesError && final) return 'unreadable';
    throw error;
  }
}

/** One page is enough for a warning; without the right there is nothing to warn of. */
async function listReadable(
  calls: Calls,
  { resource, namespace, missed }: { readonly resource: Resource; readonly namespace: string; readonly missed: Missed },
  signal: AbortSignal,
): Promise<readonly unknown[]> {
  const attempt = {
    what: `list the ${qualified(resource)} of namespace ${namespace}`,
    verb: 'list',
    resource,
  } as const;
  const path = pathOf(resource, { namespace, name: null }, { limit: String(PAGE_SIZE) });
  const answer = await calls.read(attempt, path, signal);
  if (isSuccess(answer)) return pageOf(answer.body)?.items ?? [];
  const error = calls.failure(attempt, answer);
  if (error.kind === 'unreachable') throw error;
  missed(resource, 'list', error);
  return [];
}

async function listPods(calls: Calls, namespace: string, signal: AbortSignal): Promise<readonly Pod[]> {
  const attempt = { what: `list the pods of namespace ${namespace}`, verb: 'list', resource: PODS } as const;
  const place = { namespace, name: null };
  for (let tries = 1; ; tries += 1) {
    const outcome = await allPages(calls, attempt, place, signal);
    if ('pods' in outcome) return outcome.pods;
    const expired = outcome.failed?.kind === 'answered' && outcome.failed.status === 410;
    if (!expired || tries === LIST_TRIES) throw calls.failure(attempt, outcome.failed);
  }
}

/** All or nothing: a pod that cannot be read, left out, would look gone. */
async function allPages(
  calls: Calls,
  attempt: Omit<Attempt, 'server'>,
  place: Place,
  signal: AbortSignal,
): Promise<{ readonly pods: readonly Pod[] } | { readonly failed: Answer | Failure | null }> {
  const pods: Pod[] = [];
  let after: string | null = null;
  do {
    const query: Query = { limit: String(PAGE_SIZE), continue: after };
    const answer = await calls.read(attempt, pathOf(PODS, place, query), signal);
    if (!isSuccess(answer)) return { failed: answer };
    const page = pageOf(answer.body);
    const read = page?.items.map(projectPod) ?? [null];
    if (page === null || read.includes(null)) return { failed: null };
    pods.push(...read.filter((pod) => pod !== null));
    after = page.next;
  } while (after !== null);
  return { pods };
}

async function namespaceUid(calls: Calls, name: string, signal: AbortSignal): Promise<string> {
  const attempt = { what: `read the namespace ${name}`, verb: 'get', resource: NAMESPACES } as const;
  const answer = await calls.read(attempt, pathOf(NAMESPACES, { namespace: null, name }), signal);
  if (!isSuccess(answer)) throw calls.failure(attempt, answer);
  const metadata = asObject(field(asObject(answer.body) ?? {}, 'metadata')) ?? {};
  const uid = textField(metadata, 'uid');
  if (uid === '') throw calls.failure(attempt, null);
  return uid;
}
