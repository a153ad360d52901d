/** For each word that a group can show, a group that shows it. The compiler asks for a row when a registry of src/api gets a new word. */
import type { ReadyReason, Says } from '../../../src/api/condition-reasons.ts';
import type { IneligibleReason } from '../../../src/api/ineligible-reasons.ts';
import type { InvalidLeaderGroup } from '../../../src/api/leadergroup.ts';
import type { Pod } from '../../../src/api/pod.ts';
import type { TransitionCause } from '../../../src/api/transition-causes.ts';
import type { Observation, ObservedPod } from '../../../src/election/observation.ts';
import type { ProbeView } from '../../../src/election/probe.ts';
import type { RouteReading, RouteView } from '../../../src/election/route-view.ts';
import { A_GATE_PROBE, A_QUESTION, aGroup, aLeader, aPod, aReplicaSet, aService, aSlice } from './builders.ts';
import {
  aLock,
  anObservation,
  aProbeView,
  aSession,
  eachHalfPeriod,
  freeAfter,
  heldBy,
  NOW_MS,
  observed,
  readyFor,
} from './builders-election.ts';
import { preferring } from './builders-preemption.ts';
import { anEndpoint, aReading, aRouteView, WEB_PORT } from './builders-route.ts';
import { askedFor } from './builders-switchover.ts';
import { sessionId, uidOf } from './ids.ts';

const LATER_MS = NOW_MS + 30_000;
const a = (pod: Partial<Pod> = {}, more: Partial<ObservedPod> = {}) =>
  observed(aLeader(4, { name: 'a', ...pod }), more);
const unlabelled = (more: Partial<ObservedPod> = {}) => observed(aPod({ name: 'a' }), more);
const b = observed(aPod({ name: 'b' }));

const outage = { consulUnreachable: true, lockDeadlineMs: NOW_MS } as const;
const external = {
  lock: { ...heldBy('x'), session: sessionId('theirs') },
  holderSession: { kind: 'external', name: 'cron', node: 'vm-1' },
} as const;
const shared = aGroup({ spec: { lockKey: 'shared/cron' } });
const refusal = { message: 'the policy says no', retryAtMs: LATER_MS };

/** This pod, the only member, did not pass when it was asked. */
const failing = (name: string): Partial<Observation> => ({
  group: aGroup({ spec: { beforePromotion: A_QUESTION } }),
  pods: [observed(aPod({ name, addresses: ['10.0.0.2'] }))],
  beforePromotion: {
    blind: null,
    answers: new Map([[uidOf(name), { kind: 'failed', askedMs: NOW_MS, failure: 'Status5xx', retryAtMs: LATER_MS }]]),
  },
});

/** By reason of Ready. An invalid spec comes to no observation. */
export const SAYING: Readonly<Record<Exclude<ReadyReason, 'InvalidSpec'>, Partial<Observation>>> = {
  Led: {},
  LedElsewhere: { ...external, group: shared, pods: [b] },
  ScaledToZero: { pods: [], lock: freeAfter('a') },
  NoMembers: { pods: [], sessions: [], lock: aLock() },
  NoCandidate: { pods: [observed(aPod({ name: 'a', ready: false }))], lock: freeAfter('a') },
  BeforePromotionFailed: { ...failing('b'), lock: freeAfter('a') },
  ConsulUnreachable: outage,
  LabelContested: { pods: [unlabelled({ contest: { notBeforeMs: LATER_MS, overAtMs: LATER_MS, by: 'kubectl' } }), b] },
  Electing: { pods: [b], lock: freeAfter('a') },
  LockDelay: { pods: [b], lock: freeAfter('a'), lockDelayedUntilMs: LATER_MS },
  Deleting: { group: aGroup({ deleting: true }), fencingRefused: { ...refusal, status: 422 } },
  SelectorOverlap: { overlapsWith: 'older', pods: [b], sessions: [], lock: aLock() },
  LockKeyNotAllowed: {
    group: shared,
    lockKeyProblem: 'not for this namespace',
    pods: [b],
    sessions: [],
    lock: aLock(),
  },
  KeyConflict: { group: shared, pods: [b], lock: aLock({ foreignEntry: true }) },
  NodesNotReadable: { group: aGroup({ spec: { candidateCondition: 'mail/could-lead' } }), nodesReadable: false },
  LabelInWorkloadSelector: { labelStop: { message: 'Deployment web selects by the label' } },
  PermissionDenied: { consulDenied: refusal },
  WriteRefused: { fencingRefused: { ...refusal, status: 422 } },
};

const probed = (probe: ProbeView, pod: Partial<Pod> = { addresses: ['10.0.0.1'] }): Partial<Observation> => ({
  group: aGroup({ spec: { leaderProbe: A_GATE_PROBE } }),
  pods: [a(pod), b],
  probe,
});

/** By reason of the condition LeaderProbe. */
export const PROBED: Readonly<Record<Says<'LeaderProbe'>['reason'], Partial<Observation>>> = {
  Passing: probed(aProbeView({ a: eachHalfPeriod(5000, 0) })),
  NotJudged: probed(aProbeView({}, { leader: null })),
  NoRhythm: probed(aProbeView()),
  ProbeBlind: probed(aProbeView(), { addresses: [] }),
  NoPassingCandidate: probed(aProbeView({ a: eachHalfPeriod(5000, 2000) })),
};

const routed = (route: Partial<RouteView>, more: Partial<Observation> = {}): Partial<Observation> => ({
  group: aGroup({ spec: { route: { serviceName: 'notifier-leader' } } }),
  pods: [a({ addresses: ['10.0.0.1'], namedPorts: [WEB_PORT] }), b],
  route: aRouteView(route),
  ...more,
});

const inService = (service: RouteReading['service']): Partial<RouteView> => ({ reading: aReading({ service }) });
const problem = { of: 'IPv4', count: 1, message: 'the webhook says no', retryAtMs: LATER_MS } as const;

/** By status and reason of the condition Routed. */
export const ROUTED: Readonly<Record<Says<'Routed'>['reason'], Partial<Observation>>> = {
  LeaderShown: routed({ reading: aReading({}, { token: 4, endpoint: anEndpoint('a') }) }),
  NoLeader: routed({ fenced: new Set(['IPv4'] as const) }, { pods: [], lock: freeAfter('a') }),
  NoAddress: routed({}, { pods: [a({ namedPorts: [WEB_PORT] })] }),
  ServiceNotFound: routed(inService(null)),
  ServiceNotAnnotated: routed(inService(aService({ group: null }))),
  ServiceHasSelector: routed(inService(aService({ group: null, hasSelector: true }))),
  ForeignEndpoints: routed({
    reading: aReading({ foreign: { slices: ['old'], endpoints: true } }, { token: 4, endpoint: anEndpoint('a') }),
  }),
  PortNotFound: routed({}, { pods: [a({ addresses: ['10.0.0.1'] })] }),
  RouteConflict: routed({ elder: 'older', reading: aReading({ slices: { IPv4: null, IPv6: null } }) }),
  SliceConflict: routed({ reading: aReading({ slices: { IPv4: 'foreign', IPv6: null } }) }),
  SliceAltered: routed({ written: new Map([['IPv4', { content: aSlice(), mangled: true, contest: null }]]) }),
  PermissionDenied: routed({ problems: [{ ...problem, kind: 'denied' }] }),
  WriteRefused: routed({ problems: [{ ...problem, kind: 'refused' }] }),
  NotChecked: routed({ reading: null, problems: [{ ...problem, of: 'read', kind: 'silent' }] }),
  OlderReplica: routed({ olderReplicas: ['operator-b'] }),
};

export const INVALID: InvalidLeaderGroup = { ...aGroup(), problems: ['selector is missing'] };

/** By cause, a group whose leader changes for it, or is about to. A deletion has no plan with a cause: whoever was fenced in it led. */
export const CHANGING: Readonly<Record<Exclude<TransitionCause, 'GroupDeleted'>, Partial<Observation>>> = {
  FirstElection: { pods: [b], sessions: [aSession('b')], lock: aLock(), freshList: true, groupConfirmed: true },
  LeaderNotReady: { pods: [a({ ready: false }), b] },
  LeaderUnresponsive: {
    group: aGroup({ spec: { leaderProbe: A_GATE_PROBE } }),
    pods: [a(), b],
    probe: aProbeView({ a: eachHalfPeriod(5000, 2000), b: eachHalfPeriod(5000, 0) }),
  },
  LeaderNodeLost: { pods: [a({}, { nodeLost: true }), b] },
  LeaderTerminating: { pods: [a({ deleting: true }), b] },
  LeaderGone: { pods: [b] },
  LeaderFinished: { pods: [a({ phase: 'Failed', ready: false }, { member: false }), b] },
  LeaderExcluded: {
    pods: [observed({ ...aLeader(4, { name: 'a' }), annotations: { 'leadergroup.dev/candidate': 'false' } }), b],
  },
  LeaderResigned: { resigned: { uid: uidOf('a'), token: 4 }, pods: [a(), b] },
  Switchover: askedFor('b'),
  Preempted: preferring(),
  LeaderNoLongerMember: { pods: [a({}, { member: false }), b] },
  PromotionRefused: { pods: [unlabelled({ promotionRefused: refusal }), b] },
  BeforePromotionFailed: {
    ...failing('a'),
    pods: [
      observed(aPod({ name: 'a', addresses: ['10.0.0.1'] })),
      observed(aPod({ name: 'b', addresses: ['10.0.0.2'] })),
    ],
    beforePromotion: {
      blind: null,
      answers: new Map([
        [uidOf('a'), { kind: 'failed', askedMs: NOW_MS, failure: 'Status5xx', retryAtMs: LATER_MS }],
        [uidOf('b'), { kind: 'passed', askedMs: NOW_MS }],
      ]),
    },
  },
  LeaderLost: { pods: [b], lock: freeAfter('a') },
  SessionLost: { lock: freeAfter('a') },
  SessionChanged: {
    group: aGroup({ spec: { sessionTtlMs: 45_000 } }),
    pods: [a()],
    sessions: [aSession('a'), aSession('a', { id: 'the-next', ttlMs: 45_000 })],
  },
  RecordLost: { lock: aLock(), freshList: true, groupConfirmed: true },
  LabelRestored: { pods: [unlabelled(), b] },
  ConsulUnreachable: { ...outage, group: aGroup({ spec: { onConsulLoss: 'Demote' } }) },
  LedElsewhere: { ...external, group: shared },
  SelectorOverlap: { overlapsWith: 'older' },
  LockKeyNotAllowed: { group: shared, lockKeyProblem: 'not for this namespace' },
};

/** By reason, a member that cannot lead for it, in a group with minReadySeconds. */
export const UNABLE: Readonly<Record<IneligibleReason, ObservedPod>> = {
  NodeLost: observed(aPod(), { nodeLost: true }),
  NotReady: observed(aPod({ ready: false })),
  ContainerNotRunning: observed(aPod(), { candidacy: { lacks: 'ContainerNotRunning', forMs: 1 } }),
  NodeNotReady: observed(aPod(), { candidacy: { lacks: 'NodeNotReady', forMs: 1 } }),
  MinReadySeconds: observed(aPod(), readyFor(1)),
  Terminating: observed(aPod({ deleting: true })),
  Excluded: observed(aPod({ annotations: { 'leadergroup.dev/candidate': 'false' } })),
  JobPod: observed(aPod({ owner: aReplicaSet({ apiVersion: 'batch/v1', kind: 'Job' }) })),
  PromotionRefused: observed(aPod(), { promotionRefused: refusal }),
  BeforePromotionFailed: observed(aPod({ addresses: [] })),
  WriteRefused: observed(aPod(), { fencingRefusedUntilMs: LATER_MS }),
};

export const unable = (pod: ObservedPod): Observation =>
  anObservation({
    group: aGroup({ spec: { minReadyMs: 5000, ...(isAsked(pod) ? { beforePromotion: A_QUESTION } : {}) } }),
    pods: [pod],
    lock: freeAfter('x'),
    beforePromotion: isAsked(pod) ? { blind: null, answers: new Map() } : null,
  });

const isAsked = (pod: ObservedPod): boolean => pod === UNABLE.BeforePromotionFailed;
