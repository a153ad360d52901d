/** What somebody who is on call meets, one group each: shown as golden files of the status and of `kubectl describe`. */
import type { LeaderGroup, LeaderGroupStatus, TransitionStatus } from '../../../src/api/leadergroup.ts';
import type { Observation } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import { buildStatus } from '../../../src/election/status.ts';
import { aGroup, aPod } from './builders.ts';
import { anObservation, freeAfter, NOW_MS, observed } from './builders-election.ts';
import { CHANGING, PROBED, SAYING } from './builders-reasons.ts';
import { SWITCHED } from './builders-switchover.ts';

const ELECTED: TransitionStatus = {
  time: '2023-11-14T22:13:20Z',
  from: 'b',
  fromUID: 'uid-b',
  to: 'a',
  reason: 'LeaderNotReady',
  chosenBy: 'LongestReady',
  token: 4,
  durationMilliseconds: 38,
};
const NOW = '2023-11-14T22:30:00Z';

/** The group of `world` as it was while it was led. */
function ledBefore(world: Partial<Observation>): LeaderGroupStatus {
  const o = anObservation();
  const group = { ...o.group, spec: world.group?.spec ?? o.group.spec };
  return buildStatus({ ...o, group }, plan(o).verdict, [ELECTED], ELECTED.time);
}

const waiting = (name: string, ready: boolean) => observed(aPod({ name, ready }));
const unready = [
  waiting('a', false),
  waiting('b', false),
  observed(aPod({ name: 'c', annotations: { 'leadergroup.dev/candidate': 'false' } })),
];

/** As the operator words it, of a policy that protects a pod. */
const REFUSED = {
  message:
    'the API server refuses removing the label from pod a (422): ValidatingAdmissionPolicy "no-changes" with binding "no-changes" denied request: pods of this ' +
    'namespace are frozen; the operator retries at 2023-11-14T22:30:30Z, or when the pod changes',
  retryAtMs: NOW_MS + 30_000,
};

export const SITUATIONS: Readonly<Record<string, Partial<Observation>>> = {
  led: {},
  'no candidate': { pods: unready, lock: freeAfter('a') },
  'nobody passes before a promotion': SAYING.BeforePromotionFailed,
  'Consul is away, Hold': SAYING.ConsulUnreachable,
  'Consul is away, Demote': {
    ...CHANGING.ConsulUnreachable,
    pods: [waiting('a', true), waiting('b', true)],
    demotedForOutage: true,
  },
  'led elsewhere': SAYING.LedElsewhere,
  overlap: SAYING.SelectorOverlap,
  paused: { group: aGroup({ spec: { paused: true } }) },
  'an unresponsive leader, kept for want of another': PROBED.NoPassingCandidate,
  'a contested label': SAYING.LabelContested,
  'refused by a policy': { fencingRefused: { ...REFUSED, status: 422 } },
  deleting: { group: aGroup({ deleting: true }), fencingRefused: { ...REFUSED, status: 422 } },
  'a switchover that was refused': SWITCHED.NotACandidate,
};

/** The group that all of this is said of. */
export const groupIn = (name: string): LeaderGroup => anObservation(SITUATIONS[name]).group;

/** As the writer of the status adds them. */
const ASIDES: Pick<LeaderGroupStatus, 'writtenBy' | 'lastError'> = {
  writtenBy: 'leadergroup-6d9f7-x2x7k',
  lastError: {
    time: '2023-11-14T22:13:19Z',
    replica: 'leadergroup-6d9f7-9qk4b',
    message: 'PUT http://consul:8500/v1/txn: no answer within 2 s',
  },
};

/** What the status says in this situation, in which the group was led before. */
export function statusIn(name: string): LeaderGroupStatus {
  const world = SITUATIONS[name] ?? {};
  const o = anObservation(world);
  const status = name === 'led' ? null : ledBefore(world);
  const known = { ...o, group: { ...o.group, status } };
  const built = buildStatus(known, plan(known).verdict, status === null ? [ELECTED] : [], NOW);
  return { ...built, ...ASIDES };
}
