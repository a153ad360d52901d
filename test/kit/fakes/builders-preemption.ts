/** Groups in which a candidate is preferred to the leader. */
import type { Says } from '../../../src/api/condition-reasons.ts';
import type { PodUid } from '../../../src/api/ids.ts';
import type { LeaderGroupSpec } from '../../../src/api/leadergroup.ts';
import { selectorFromWritten } from '../../../src/api/selector-schema.ts';
import type { LockView, Observation, ObservedPod } from '../../../src/election/observation.ts';
import type { PreferredSince } from '../../../src/election/preferred-since.ts';
import type { LastPreemption } from '../../../src/election/record.ts';
import { aGroup, aPod, aReplicaSet, type GroupOverrides, type PodOverrides } from './builders.ts';
import { anObservation, freeAfter, NOW_MS, observed, readyFor } from './builders-election.ts';
import { heldWith, leaderA, NOW_WALL_MS } from './builders-switchover.ts';
import { uidOf } from './ids.ts';

export const DELAY_MS = 300_000;

const weighing = (weight: number, tier: string): LeaderGroupSpec['preferences'][number] => ({
  weight,
  podSelector: selectorFromWritten({ matchLabels: { tier } }),
  nodeSelector: null,
});

/** Whoever is of the tier `large` takes the lead from whoever is of `medium`, and each of them from the others, after five minutes. */
export const PREEMPTING: Partial<LeaderGroupSpec> = {
  preferences: [weighing(100, 'large'), weighing(10, 'medium')],
  preemption: { policy: 'WhenPreferred', delayMs: DELAY_MS },
};

export const ofTier = (tier: string): PodOverrides => ({ labels: { app: 'notifier', tier } });

/** It has been ready for as long as anybody asks. */
export const aRival = (name: string, overrides: PodOverrides = {}, more: Partial<ObservedPod> = {}): ObservedPod =>
  observed(aPod({ name, ...ofTier('large'), ...overrides }), {
    ...(overrides.ready === false ? {} : readyFor(10 * DELAY_MS)),
    ...more,
  });

/** These have been preferred to a for so long. */
export const preferredFor = (forMs: number, ...names: readonly string[]): PreferredSince => ({
  over: uidOf('a'),
  since: new Map(
    names.map((name): [PodUid, { atMs: number; wallSeconds: number }] => [
      uidOf(name),
      { atMs: NOW_MS - forMs, wallSeconds: (NOW_WALL_MS - forMs) / 1000 },
    ]),
  ),
});

type Overrides = Partial<Omit<Observation, 'group' | 'preemption'>> & {
  readonly group?: GroupOverrides;
  readonly preemption?: Partial<Observation['preemption']>;
};

/** a leads, b has been preferred for the whole delay, and nothing speaks against it. `group`, `preemption`: what else is said of them. */
export const preferring = ({ group = {}, preemption = {}, ...overrides }: Overrides = {}): Observation =>
  anObservation({
    pods: [leaderA(), aRival('b'), observed(aPod({ name: 'c' }))],
    ...overrides,
    group: aGroup({ ...group, spec: { ...PREEMPTING, ...group.spec } }),
    preemption: {
      preferred: preferredFor(DELAY_MS, 'b'),
      turnMs: null,
      confirmed: true,
      yieldsUntilMs: [],
      ...preemption,
    },
  });

/** What the record says of the last preemption, so long ago; the leader is a. */
export const preemptedAgo = (ms: number, says: Partial<LastPreemption> = {}): LockView =>
  heldWith('a', {
    switchover: { atMs: 0, to: null },
    preempted: { atMs: NOW_WALL_MS - ms, level: 0, leads: true, ...says },
  });

const ofRevision = (revision: string): PodOverrides => ({
  labels: { app: 'notifier', 'controller-revision-hash': revision },
  owner: aReplicaSet({ kind: 'StatefulSet', name: 'web' }),
});

const beside = (c: ObservedPod): Partial<Overrides> => ({ pods: [leaderA(), aRival('b'), c] });

/** By reason of the condition Preferred. */
export const PREFERRED: Readonly<Record<Says<'Preferred'>['reason'], Observation>> = {
  LeaderPreferred: preferring({ pods: [leaderA(ofTier('large')), aRival('b')] }),
  NotLed: preferring({ pods: [observed(aPod({ name: 'b', ready: false }))], lock: freeAfter('a') }),
  Waiting: preferring({ preemption: { preferred: preferredFor(1000, 'b') } }),
  Pinned: preferring({ lock: heldWith('a', { pinned: true }) }),
  Paused: preferring({ group: { spec: { paused: true } } }),
  RollingOut: preferring({
    pods: [leaderA(ofRevision('1')), aRival('b'), observed(aPod({ name: 'c', ...ofRevision('2') }))],
  }),
  NodeCordoned: preferring(beside(observed(aPod({ name: 'c' }), { cordoned: true }))),
  MembersNotReady: preferring(beside(observed(aPod({ name: 'c', ready: false })))),
};
