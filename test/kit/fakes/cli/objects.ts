/** Objects as an API server sends them, for tests of the commands: each names only what matters to it. */

import { DEPLOYMENTS, LEADER_GROUPS, PODS } from '../../../../src/cli/resources.ts';
import type { FakeApiServer } from './api-server.ts';

type Fields = Readonly<Record<string, unknown>>;

export const MAIL = 'mail';
/** The time of the API server in memory. */
const NOW = Date.UTC(2026, 10, 18, 10, 0, 0);
export const ago = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z');

export const condition = (type: string, status: string, reason: string, message = `${reason}.`): Fields => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: ago(60),
  observedGeneration: 1,
});

export type GroupWish = {
  readonly name?: string;
  readonly namespace?: string;
  readonly metadata?: Fields;
  readonly spec?: Fields;
  /** null: the operator has written none. */
  readonly status?: Fields | null;
};

/** `notifier` in `mail`, led by notifier-0 with token 7 for an hour. */
export function groupObject({ name = 'notifier', namespace = MAIL, metadata, spec, status }: GroupWish = {}) {
  return {
    apiVersion: 'leadergroup.dev/v1alpha1',
    kind: 'LeaderGroup',
    metadata: { name, namespace, generation: 1, creationTimestamp: ago(86_400), ...metadata },
    spec: { selector: { matchLabels: { app: name } }, ...spec },
    ...(status === null ? {} : { status: { ...ledBy(`${name}-0`), ...status } }),
  };
}

export const ledBy = (pod: string, token = 7): Fields => ({
  leader: pod,
  leaders: [
    { slot: 0, pod, uid: `uid-of-${pod}`, node: 'node-a', token, sessionID: 'a-session', acquireTime: ago(3600) },
  ],
  members: 3,
  candidates: 3,
  ineligible: [],
  leaderTransitions: 2,
  recentTransitions: [
    { time: ago(3600), from: 'notifier-1', to: pod, reason: 'LeaderGone', token, durationMilliseconds: 24 },
    { time: ago(7200), from: '', to: 'notifier-1', reason: 'FirstElection', token: 6, durationMilliseconds: 80 },
  ],
  observedGeneration: 1,
  conditions: [
    condition('Ready', 'True', 'Led', `${pod} leads with token ${token}.`),
    condition('Stalled', 'False', 'NotStalled'),
    condition('Paused', 'False', 'NotPaused'),
  ],
});

/** Nobody leads, for this reason. */
export const unled = (reason: string, message: string, more: Fields = {}): Fields => ({
  leader: '',
  leaders: [],
  candidates: 0,
  conditions: [condition('Ready', 'False', reason, message), condition('Stalled', 'False', 'NotStalled')],
  ...more,
});

export type PodWish = {
  readonly ready?: boolean;
  readonly namespace?: string;
  readonly labels?: Fields;
  readonly annotations?: Fields;
  readonly metadata?: Fields;
  readonly spec?: Fields;
};

/** Of the group `notifier`, ready for a day. */
export function podObject(name: string, wish: PodWish = {}) {
  const { ready = true, namespace = MAIL, labels = { app: 'notifier' }, annotations = {}, metadata, spec } = wish;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels, annotations, creationTimestamp: ago(86_400), ...metadata },
    spec: { nodeName: 'node-a', containers: [{ name: 'main', image: 'none' }], ...spec },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: ago(86_000) }],
    },
  };
}

export const LEADER = { app: 'notifier', 'leadergroup.dev/role': 'leader' } as const;
export const LED = { 'token.leadergroup.dev/notifier': '7', 'since.leadergroup.dev/notifier': ago(3600) } as const;

export function operatorObject(ready = 2, namespace = 'leadergroup-system', replicas = 2) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'leadergroup', namespace, labels: { 'app.kubernetes.io/name': 'leadergroup' } },
    spec: {
      replicas,
      template: {
        spec: { serviceAccountName: 'leadergroup', containers: [{ name: 'operator', image: 'leadergroup:0.1.0' }] },
      },
    },
    status: { readyReplicas: ready },
  };
}

/** The group of the reference: three pods, of which one is not ready and one leads, and an operator. */
export function putExample(api: FakeApiServer): void {
  api.put(LEADER_GROUPS, groupObject());
  api.put(PODS, podObject('notifier-0', { labels: LEADER, annotations: LED }));
  api.put(PODS, podObject('notifier-1'));
  api.put(PODS, podObject('notifier-2', { ready: false }));
  api.put(DEPLOYMENTS, operatorObject());
}

type ServiceWish = {
  /** null: none. */
  readonly selector?: Fields | null;
  readonly labels?: Fields;
  readonly annotations?: Fields;
  readonly spec?: Fields;
};

/** `notifier`, which selects the pods of the group of that name. */
export function serviceObject({
  selector = { app: 'notifier' },
  labels = {},
  annotations = {},
  spec,
}: ServiceWish = {}) {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'notifier', namespace: MAIL, labels, annotations },
    spec: { ...(selector === null ? {} : { selector }), ports: [{ port: 80 }], ipFamilies: ['IPv4'], ...spec },
  };
}

type SliceWish = { readonly name?: string; readonly manager?: string; readonly ready?: readonly string[] };

/** As Kubernetes makes it for the Service `notifier`: every pod that is ready. */
export function sliceObject({
  name = 'notifier-abc',
  manager = 'endpointslice-controller.k8s.io',
  ready = ['notifier-0', 'notifier-1'],
}: SliceWish = {}) {
  const labels = { 'kubernetes.io/service-name': 'notifier', 'endpointslice.kubernetes.io/managed-by': manager };
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: MAIL, labels },
    addressType: 'IPv4',
    endpoints: ready.map((pod) => ({ conditions: { ready: true }, targetRef: { name: pod, uid: `uid-of-${pod}` } })),
  };
}
