/** What somebody who is on call meets, one group each: shown as golden files of the status and of `kubectl describe`. */
import type { LeaderGroupStatus, TransitionStatus } from '../../../src/api/leadergroup.ts';
import type { Observation } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import { buildStatus } from '../../../src/election/status.ts';
import { aGroup, aPod } from './builders.ts';
import { anObservation, freeAfter, observed } from './builders-election.ts';
import { CHANGING, PROBED, SAYING } from './builders-reasons.ts';

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

export const SITUATIONS: Readonly<Record<string, Partial<Observation>>> = {
  led: {},
  'no candidate': { pods: unready, lock: freeAfter('a') },
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
  'refused by a policy': SAYING.WriteRefused,
  deleting: SAYING.Deleting,
};

/** What the status says in this situation, in which the group was led before. */
export function statusIn(name: string): LeaderGroupStatus {
  const world = SITUATIONS[name] ?? {};
  const o = anObservation(world);
  const status = name === 'led' ? null : ledBefore(world);
  const known = { ...o, group: { ...o.group, status } };
  return buildStatus(known, plan(known).verdict, status === null ? [ELECTED] : [], NOW);
}
