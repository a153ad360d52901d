/** From groups and pods to what the page is told. Pure. */
import type { Condition, LeaderStatus, TransitionStatus } from '../../api/leadergroup.ts';
import type { Pod } from '../../api/pod.ts';
import { meaningOf } from '../commands/history.ts';
import { whatToDo } from '../commands/status.ts';
import { conditionOf, type Group, isOld, isTrue, statusOfCondition } from '../groups.ts';
import { explained, membersOf } from '../members.ts';
import { toneOf } from '../tone.ts';
import type { ConditionRow, Detail, Health, MemberRow, Row, TransitionRow } from './wire.ts';

export const keyOf = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `${namespace}/${name}`;

export function rowOf(group: Group): Row {
  const { namespace, name, status, problems } = group;
  return {
    key: keyOf(group),
    namespace,
    name,
    leader: status.leader,
    ...leaderOf(status.leaders[0]),
    members: status.members,
    candidates: status.candidates,
    ...readyOf(conditionOf(group, 'Ready'), problems[0]),
    paused: isTrue(group, 'Paused'),
    old: isOld(group),
    health: healthOf(group),
  };
}

function leaderOf(leader: LeaderStatus | undefined): Pick<Row, 'node' | 'token' | 'since'> {
  if (leader === undefined) return { node: '', token: null, since: null };
  const { node, token, acquireTime: since } = leader;
  return { node, token, since };
}

function readyOf(ready: Condition | null, problem: string | undefined): Pick<Row, 'ready' | 'reason' | 'message'> {
  const { status, reason, message } = ready ?? NOT_SEEN;
  return problem === undefined
    ? { ready: status, reason, message }
    : { ready: status, reason: 'InvalidSpec', message: problem };
}

const NOT_SEEN = { status: '', reason: '', message: 'No operator has seen the group yet.' };

/** `busy`: nobody can say yet. */
function healthOf(group: Group): Health {
  const ready = statusOfCondition(group, 'Ready');
  if (group.problems.length > 0 || isTrue(group, 'Stalled') || ready === 'False') return 'wrong';
  return ready === 'True' && !isOld(group) ? 'well' : 'busy';
}

/** @param pods of the group's namespace; a text instead says why they are not known */
export function detailOf(group: Group, pods: readonly Pod[] | string, nowMs: number): Detail {
  const known = typeof pods === 'string' || group.valid === null ? [] : membersOf(group.valid, pods, nowMs);
  return {
    row: rowOf(group),
    problems: group.problems,
    conditions: group.status.conditions.map(conditionRow),
    advice: whatToDo(group),
    members: known.map(
      ({ pod, node, ready, leads, token, whyNot }): MemberRow => ({
        pod,
        node,
        ready,
        leads,
        token: token ?? '',
        whyNot: whyNot === null ? '' : explained(whyNot),
      }),
    ),
    membersUnknown: typeof pods === 'string' ? pods : null,
    transitions: transitionsOf(group),
    transitionsInAll: group.status.leaderTransitions,
  };
}

const conditionRow = ({ type, status, reason, message }: Condition): ConditionRow => ({
  type,
  status,
  reason,
  message,
  tone: toneOf({ type, status }),
});

/** Newest first. */
export const transitionsOf = (group: Group): readonly TransitionRow[] =>
  group.status.recentTransitions.map((each) => transitionRow(keyOf(group), each));

const transitionRow = (key: string, each: TransitionStatus): TransitionRow => ({
  key,
  time: each.time,
  from: each.from,
  to: each.to,
  token: each.token,
  cause: each.reason,
  meaning: meaningOf(each.reason),
  tookMs: each.durationMilliseconds,
});
