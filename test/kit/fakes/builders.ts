/** Values of the operator's own types with sensible defaults: tests name only what matters to them. */
import type { BeforePromotion } from '../../../src/api/before-promotion.ts';
import type { LeaderProbe } from '../../../src/api/leader-probe.ts';
import type { LeaderGroup, LeaderGroupSpec } from '../../../src/api/leadergroup.ts';
import type { ClusterNode, OwnerRef, Pod } from '../../../src/api/pod.ts';
import type { Service, Slice } from '../../../src/api/route.ts';
import { fromWritten, spec as specSchema } from '../../../src/api/spec.ts';
import { podUid, uidOf, wallMs } from './ids.ts';

/** The controller of the pods of `aPod`. */
export function aReplicaSet(overrides: Partial<OwnerRef> = {}): OwnerRef {
  const name = overrides.name ?? 'notifier-abc';
  return { apiVersion: 'apps/v1', kind: 'ReplicaSet', name, uid: `uid-of-${name}`, ...overrides };
}

const READY_MS = 1_700_000_000_000;

/** `uid`: any text. */
export type PodOverrides = Partial<Omit<Pod, 'uid' | 'createdMs' | 'readyTransitionMs'>> & {
  readonly uid?: string;
  readonly createdMs?: number;
  readonly readyTransitionMs?: number | null;
};

/** A ready member of `aGroup()`, running for a minute on a node of its own. */
export function aPod({ uid, createdMs, readyTransitionMs = READY_MS, ...overrides }: PodOverrides = {}): Pod {
  const name = overrides.name ?? 'notifier-a';
  return {
    namespace: 'default',
    name,
    uid: uid === undefined ? uidOf(name) : podUid(uid),
    resourceVersion: '100',
    labels: { app: 'notifier' },
    annotations: {},
    phase: 'Running',
    stopped: false,
    addresses: [],
    namedPorts: [],
    ready: true,
    readyTransitionMs: readyTransitionMs === null ? null : wallMs(readyTransitionMs),
    conditions: [],
    runningSinceMs: wallMs(READY_MS),
    restarts: 0,
    disrupted: false,
    deleting: false,
    mirror: false,
    node: `node-of-${name}`,
    owner: aReplicaSet(),
    runsToCompletion: false,
    createdMs: wallMs(createdMs ?? READY_MS - 10_000),
    ...overrides,
  };
}

/** `createdMs`: any number. */
export type NodeOverrides = Partial<Omit<ClusterNode, 'createdMs'>> & { readonly createdMs?: number };

/** A node that is Ready and not cordoned. */
export const aNode = ({ createdMs = READY_MS - 1_000_000, ...overrides }: NodeOverrides = {}): ClusterNode => ({
  name: 'n',
  resourceVersion: '1',
  createdMs: wallMs(createdMs),
  labels: {},
  cordoned: false,
  ready: true,
  readyTransitionMs: null,
  outOfService: false,
  ...overrides,
});

/** A Service without a selector, whose owner lets `aGroup()` lead its traffic. */
export const aService = (overrides: Partial<Service> = {}): Service => ({
  namespace: 'default',
  name: 'notifier-leader',
  uid: `uid-of-${overrides.name ?? 'notifier-leader'}`,
  resourceVersion: '100',
  group: 'notifier',
  hasSelector: false,
  headless: false,
  publishNotReadyAddresses: false,
  families: ['IPv4'],
  ports: [{ name: 'http', protocol: 'TCP', appProtocol: null, target: 'web' }],
  ...overrides,
});

/** The empty slice that `aGroup()` has made for `aService()`. */
export const aSlice = (overrides: Partial<Slice> = {}): Slice => ({
  namespace: 'default',
  name: 'notifier-leader-leadergroup-ipv4',
  uid: 'uid-of-slice',
  resourceVersion: '100',
  family: 'IPv4',
  service: 'notifier-leader',
  headless: false,
  group: { name: 'notifier', uid: 'uid-of-notifier' },
  ports: [{ name: 'http', protocol: 'TCP', appProtocol: null, port: 8080 }],
  token: 0,
  fenced: '',
  endpoint: null,
  altered: false,
  ...overrides,
});

/** The same pod with the leader label, a token and no guard: promoted in `group`. */
export function aLeader(token: number, overrides: PodOverrides = {}, group = 'notifier'): Pod {
  const pod = aPod(overrides);
  return {
    ...pod,
    labels: { ...pod.labels, 'leadergroup.dev/role': 'leader' },
    annotations: {
      ...pod.annotations,
      [`token.leadergroup.dev/${group}`]: String(token),
      [`since.leadergroup.dev/${group}`]: '2023-11-14T22:13:20Z',
    },
  };
}

/** Members are heard when they ask the gate: each second, twice in a row. */
export const A_GATE_PROBE: LeaderProbe = { periodMs: 1000, failureThreshold: 2, by: { kind: 'gate' } };

/** Members are asked each second; three failures in a row are too many. */
export const AN_HTTP_PROBE: LeaderProbe = {
  periodMs: 1000,
  failureThreshold: 3,
  by: { kind: 'httpGet', path: '/healthz', port: 8080, scheme: 'HTTP', timeoutMs: 500 },
};

/** Who is to lead is asked first, and whoever fails does not lead. */
export const A_QUESTION: BeforePromotion = {
  by: { kind: 'httpGet', path: '/may-lead', port: 8080, scheme: 'HTTP', timeoutMs: 1000 },
  onFailure: 'NextCandidate',
};

export type GroupOverrides = Partial<Omit<LeaderGroup, 'spec' | 'createdMs'>> & {
  readonly createdMs?: number;
  readonly spec?: Partial<LeaderGroupSpec>;
};

/** The TTL is half the default: tests reckon with it. */
const defaults = {
  ...fromWritten(specSchema.parse({ selector: { matchLabels: { app: 'notifier' } } })),
  sessionTtlMs: 30_000,
};

/** Selects app=notifier, with the defaults of the schema but for the TTL. onConsulLoss follows lockKey unless given. */
export function aGroup({ spec = {}, createdMs, ...overrides }: GroupOverrides = {}): LeaderGroup {
  const name = overrides.name ?? 'notifier';
  const lockKey = spec.lockKey ?? null;
  return {
    namespace: 'default',
    name,
    uid: `uid-of-${name}`,
    resourceVersion: '50',
    generation: 1,
    createdMs: wallMs(createdMs ?? READY_MS - 20_000),
    deleting: false,
    finalizers: ['leadergroup.dev/finalizer'],
    switchover: null,
    silence: null,
    isVerification: false,
    status: null,
    ...overrides,
    spec: {
      ...defaults,
      lockKey,
      onConsulLoss: lockKey === null ? 'Hold' : 'Demote',
      ...spec,
    },
  };
}
