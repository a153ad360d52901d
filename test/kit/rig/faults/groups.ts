/** The groups of the rig: every field that has to do with who leads is in one of them at least. */
import process from 'node:process';
import type { ClaimerPlan } from './claimers.ts';
import { PROBE_PORT } from './members.ts';

type Spec = Readonly<Record<string, unknown>>;

const PODS = 3;
/** At which pods answer that are asked before they lead. */
export const ASKED_PORT = 18_081;
const ASKED = { httpGet: { path: '/may-lead', port: ASKED_PORT } };

/** Groups of every kind, over and over. */
const SPECS: readonly Spec[] = [
  {
    sessionTTLSeconds: 30,
    candidateCondition: 'ContainersReady',
    beforePromotion: ASKED,
    deletionPolicy: 'Retain',
    label: { key: 'example.com/part', leader: 'first' },
  },
  {
    sessionTTLSeconds: 10,
    beforePromotion: { ...ASKED, onFailure: 'Promote' },
    spread: { topologyKey: 'kubernetes.io/hostname' },
    formerLeader: 'Evict',
    minReadySeconds: 1,
  },
  { sessionTTLSeconds: 10, onConsulLoss: 'Demote', minReadySeconds: 2, scaleDown: 'LeaderLast' },
  {
    sessionTTLSeconds: 20,
    label: { key: 'example.com/role', leader: 'primary', follower: 'replica' },
    formerLeader: 'Evict',
  },
  { sessionTTLSeconds: 10, lockDelaySeconds: 1, spread: { topologyKey: 'kubernetes.io/hostname' } },
  {
    sessionTTLSeconds: 20,
    onConsulLoss: 'Demote',
    failoverDelaySeconds: 1,
    candidateCondition: 'ContainersReady',
    scaleDown: 'AnyOrder',
  },
  {
    sessionTTLSeconds: 20,
    preferences: [{ weight: 1, podSelector: { matchLabels: { place: '1' } } }],
    preemption: { policy: 'WhenPreferred', delaySeconds: 3 },
    formerLeader: 'Evict',
  },
];
/** This many of them share their key with `consul lock`. */
const SHARED = 2;
const SHARED_SPEC = { sessionTTLSeconds: 20, onConsulLoss: 'Demote' };
/** Longer than what is common: the machine has much else to do. */
const PERIOD = { periodMilliseconds: 2000 };
/** The last groups are probed. */
const PROBED: readonly Spec[] = [
  { sessionTTLSeconds: 20, leaderProbe: { ...PERIOD, gate: {} } },
  { sessionTTLSeconds: 10, leaderProbe: { ...PERIOD, gate: {} }, beforePromotion: ASKED },
  { sessionTTLSeconds: 20, leaderProbe: { ...PERIOD, timeoutMilliseconds: 1000, httpGet: { port: PROBE_PORT } } },
];

export type GroupPlan = {
  readonly name: string;
  readonly spec: Spec;
  /** Its lock is at `lockKeyOf`. */
  readonly shares: boolean;
  /** Its leader is probed; its members ask the gate, or else answer probes. */
  readonly probed: 'asks' | 'answers' | null;
  /** Its pods are asked before they lead; null: they are not. */
  readonly asked: 'NextCandidate' | 'Promote' | null;
  /** Somebody evicts its pods, so something has to make others. */
  readonly evicts: boolean;
  /** Its pods are of a ReplicaSet. */
  readonly owned: boolean;
};

export const plansOf = (count: number): readonly GroupPlan[] =>
  Array.from({ length: count }, (_, at) => {
    const name = `g${at}`;
    const probed = PROBED[at - (count - PROBED.length)];
    const plain = at < SHARED ? { ...SHARED_SPEC, lockKey: lockKeyOf(name) } : (SPECS[at % SPECS.length] ?? {});
    return planOf(name, probed ?? plain);
  });

function planOf(name: string, spec: Spec): GroupPlan {
  const probe = spec['leaderProbe'] as Spec | undefined;
  const asked = spec['beforePromotion'] as { readonly onFailure?: 'Promote' } | undefined;
  return {
    name,
    spec,
    shares: spec['lockKey'] !== undefined,
    probed: probe === undefined ? null : probe['gate'] === undefined ? 'answers' : 'asks',
    asked: asked === undefined ? null : (asked.onFailure ?? 'NextCandidate'),
    evicts: spec['formerLeader'] === 'Evict',
    owned: spec['scaleDown'] !== undefined,
  };
}

/** So many groups whose locks are their own keep a schedule, by both modes. */
const CLAIMING = 4;

export const claimersOf = (plans: readonly GroupPlan[]): readonly ClaimerPlan[] =>
  plans.slice(SHARED, SHARED + CLAIMING).map(({ name: group }, at) => ({
    group,
    mode: at % 2 === 0 ? 'AtMostOnce' : 'AtLeastOnce',
    pods: podsOf(group).map((name) => ({ name, address: addressOf(name) })),
  }));

export const podsOf = (group: string): readonly string[] => Array.from({ length: PODS }, (_, pod) => `${group}-${pod}`);

/** Of loopback, another one in each process: another checkout may have such a rig at the same time. */
export const NETWORK = `127.${64 + (process.pid % 128)}`;

/** Each pod has one of its own, whatever it is made of anew, from which its process asks and at which it answers. */
export function addressOf(name: string): string {
  const [group = '', pod = ''] = name.slice(1).split('-');
  return `${NETWORK}.${Number(group)}.${Number(pod) + 1}`;
}

export const groupOf = (pod: string): string => pod.slice(0, pod.lastIndexOf('-'));
/** Its number in the group. */
export const placeOf = (pod: string): string => pod.slice(pod.lastIndexOf('-') + 1);

export const lockKeyOf = (group: string): string => `rig/${group}`;
