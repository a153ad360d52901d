/**
 * What would become of a group, as far as the API server shows it: who could lead next, and what for. Pure. A laptop has no lock, no session and no timer,
 * so this is an approximation, and says what it rests on: it is for where the owner of the group cannot be asked (computed.ts).
 */
import type { Supposition } from '../../api/diagnostics.ts';
import type { LeaderGroup } from '../../api/leadergroup.ts';
import type { Pod } from '../../api/pod.ts';
import { type Member, membersOf } from '../members.ts';
import { isWorking, type OperatorState, operatorLine } from '../operator.ts';
import { duration } from '../output.ts';

/** `None`: the leader stays as it is. `Leaderless`: nobody could follow. `NotReplaced`: it stays, and nobody follows if it fails. */
export type Effect = 'None' | 'Handover' | 'Leaderless' | 'NotReplaced' | 'Demoted' | 'NotLed' | 'Paused';

export type Prediction = {
  /** namespace/name */
  readonly group: string;
  readonly leader: string | null;
  readonly effect: Effect;
  /** Who could lead next, by name; which of them the operator takes it alone knows. */
  readonly next: readonly string[];
  /** One sentence. */
  readonly why: string;
};

/** Of every answer. */
const ASSUMPTIONS: readonly string[] = [
  'an operator runs, and reaches the API server and (unless the question is about it) Consul',
  'pods, nodes and groups stay as they were read, and evictions are not held up by a PodDisruptionBudget',
  'what only the operator knows is not known here: its lock and session, what a leader probe has shown, who failed lately, refused writes',
];

/** Of an answer while the operator is as it is. */
export const assumptionsBeside = (operator: OperatorState): readonly string[] =>
  isWorking(operator) ? ASSUMPTIONS : [...ASSUMPTIONS, `but the operator is ${operatorLine(operator)}`];

export function predict(group: LeaderGroup, pods: readonly Pod[], what: Supposition, nowMs: number): Prediction {
  const members = membersOf(group, pods, nowMs);
  const leader = members.find(({ leads }) => leads) ?? null;
  const of = { group: `${group.namespace}/${group.name}`, leader: leader?.pod ?? null };
  if (leader === null) return { ...of, effect: 'NotLed', next: [], why: 'nobody carries its leader label now' };
  if (what.kind === 'consulDown') return { ...of, next: [], ...withoutConsul(group) };
  const goes = (member: Member): boolean =>
    what.kind === 'drain' ? member.node === what.node : member.pod === what.pod;
  const rest = members.filter((member) => !goes(member));
  const next = rest.filter(({ leads, whyNot }) => !leads && whyNot === null).map(({ pod }) => pod);
  if (!goes(leader)) return { ...of, effect: 'None', next, why: stays(what) };
  if (group.spec.paused)
    return {
      ...of,
      effect: 'Paused',
      next,
      why: 'it is paused: a leader that goes is not replaced until it is resumed',
    };
  return { ...of, next, ...handover(group, rest, next) };
}

const stays = (what: Supposition): string =>
  what.kind === 'drain' ? 'its leader is on another node' : 'another pod leads';

function handover(
  { spec }: LeaderGroup,
  rest: readonly Member[],
  next: readonly string[],
): Pick<Prediction, 'effect' | 'why'> {
  if (next.length > 0)
    return {
      effect: 'Handover',
      why: 'the lead passes as soon as the pod is told to end: it loses the label, then another gets it',
    };
  const reasons = rest.map(({ pod, whyNot }) => `${pod} (${whyNot ?? 'leads'})`).join(', ');
  const young = spec.minReadyMs === 0 ? 'ready' : `ready for ${duration(spec.minReadyMs)}`;
  const others = reasons === '' ? 'there is no other member' : `no other member can lead: ${reasons}`;
  return { effect: 'Leaderless', why: `${others}; nobody leads until one is ${young}` };
}

function withoutConsul({ spec }: LeaderGroup): Pick<Prediction, 'effect' | 'why'> {
  if (spec.onConsulLoss === 'Demote' && !spec.paused)
    return {
      effect: 'Demoted',
      why: `the leader loses its label once Consul has not answered for ${duration(spec.sessionTtlMs)} or less, and nobody leads until it does`,
    };
  return {
    effect: 'NotReplaced',
    why: 'the leader keeps its label, also when it fails: nobody follows until Consul answers',
  };
}
