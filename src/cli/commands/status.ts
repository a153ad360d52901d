/** `kubectl leadergroup status NAME`: who leads, why not the others, whether an operator looks after it, and what to do. */
import { CONDITION_REASONS } from '../../api/condition-reasons.ts';
import type { Explained } from '../../api/explained.ts';
import type { Condition } from '../../api/leadergroup.ts';
import { EXIT, type Exit } from '../errors.ts';
import { conditionOf, type Group, isOld, isTrue, readGroup, readPods } from '../groups.ts';
import { carriersAmong, labelsDiffer, type Presence, presenceAmong } from '../leaders.ts';
import { explained, type Member, membersOf } from '../members.ts';
import { exitBeside, type OperatorState, operatorLine, readOperator } from '../operator.ts';
import { duration, fields, orNone, show, table, tint } from '../output.ts';
import { type Io, oneNamespace, type Session } from '../session.ts';
import { toneOf } from '../tone.ts';
import { silenceLine } from './silence.ts';

type Seen = {
  readonly group: Group;
  readonly members: readonly Member[];
  /** Of the pod that the status names. */
  readonly leaderPod: Presence;
  readonly operator: OperatorState;
  readonly nowMs: number;
};

/** Exits with `found` where the group or its labels are not as they should be, and with `unknown` where nobody can say whether an operator runs. */
export async function status(session: Session, name: string): Promise<Exit> {
  const namespace = oneNamespace(session);
  const group = await readGroup(session, namespace, name);
  const [pods, operator] = await Promise.all([readPods(session, namespace), readOperator(session)]);
  const nowMs = session.api.nowMs();
  const members = group.valid === null ? [] : membersOf(group.valid, pods, nowMs);
  const seen = { group, members, leaderPod: presenceAmong(pods)(group), operator, nowMs };
  show(session, dataOf(seen), () => text(seen, session));
  return exitOf(seen);
}

function exitOf({ group, members, operator }: Seen): Exit {
  const isWell = isTrue(group, 'Ready') && !isTrue(group, 'Stalled');
  if (!isWell || group.problems.length > 0 || labelsDiffer(group, members)) return EXIT.found;
  return exitBeside(operator);
}

const dataOf = ({ group, members, leaderPod, operator }: Seen) => ({
  namespace: group.namespace,
  name: group.name,
  leader: group.status.leader,
  leaderPod,
  token: group.status.leaders[0]?.token ?? null,
  writtenBy: group.status.writtenBy ?? null,
  lastError: group.status.lastError ?? null,
  conditions: group.status.conditions,
  problems: group.problems,
  silence: group.known.silence,
  statusIsOld: isOld(group),
  members,
  operator,
});

function text(seen: Seen, { io, format }: Session): readonly string[] {
  const { group, members, operator, nowMs } = seen;
  return [
    ...fields([
      ['Group', `${group.namespace}/${group.name}`],
      ['Leader', leaderLine(seen)],
      ...conditionLines(group, io),
      ['Silenced', silenceLine(group, nowMs)],
      ['Operator', operatorLine(operator)],
      ...asideLines(group, seen.nowMs),
      ...whatToDo(group).map((advice) => ['Do', advice] as const),
    ]),
    '',
    ...(members.length === 0 ? ['No pod matches the selector.'] : memberTable(members, format === 'wide')),
  ];
}

function leaderLine({ group, members, leaderPod, nowMs }: Seen): string {
  const [leader] = group.status.leaders;
  const carriers = carriersAmong(members);
  if (leader === undefined) {
    const elsewhere = group.status.lockedBy;
    if (elsewhere !== '') return `outside of this group: ${elsewhere} has the lock`;
    return carriers.length === 0 ? '<none>' : `<none> in the status, but ${carriers.join(', ')} carries the label`;
  }
  const labels = `the label is on ${carriers.length === 0 ? 'no pod' : carriers.join(', ')}`;
  if (leaderPod === 'Gone') return `<none>: ${leader.pod}, which the status names, is gone; ${labels}`;
  const line = `${leader.pod} on ${orNone(leader.node)}, token ${leader.token}, for ${duration(nowMs - Date.parse(leader.acquireTime))}`;
  if (carriers.length === 1 && carriers[0] === leader.pod) return line;
  return `${line}; ${labels}`;
}

/** Ready always; the others only where they have something to say. */
function conditionLines(group: Group, io: Io): readonly (readonly [string, string | null])[] {
  const behind = behindLine(group);
  const ready = conditionOf(group, 'Ready');
  const first = ready === null ? 'no status yet: no operator has seen the group' : `${sentence(ready, io)}${behind}`;
  const loud = (['Stalled', 'Paused', 'Reconciling'] as const)
    .map((type) => conditionOf(group, type))
    .filter((condition) => condition?.status === 'True');
  const quiet = (['LeaderProbe', 'Preferred', 'Routed'] as const)
    .map((type) => conditionOf(group, type))
    .filter((condition) => condition !== null && condition.status !== 'True');
  return [
    ['Ready', first],
    ...[...loud, ...quiet].flatMap((condition) =>
      condition === null ? [] : [[condition.type, sentence(condition, io)] as const],
    ),
    ...group.problems.map((problem) => ['Invalid', problem] as const),
  ];
}

/** A deletion counts as a change of the spec, too, and says more. */
function behindLine(group: Group): string {
  if (group.known.deleting)
    return '; the group is being deleted, and goes once an operator has taken its finalizer off';
  return isOld(group) ? '; the operator has not looked at the last change of the spec yet' : '';
}

function sentence(condition: Condition, io: Io): string {
  const { status, reason, message } = condition;
  const tone = toneOf(condition);
  return `${tone === 'plain' ? status : tint(io, tone, status)} (${reason}): ${message}`;
}

/** Who owned the group when its status was written, and what failed last: neither says how the group is now. */
function asideLines({ status }: Group, nowMs: number): readonly (readonly [string, string])[] {
  const { writtenBy, lastError } = status;
  const ago = lastError === undefined ? '' : `${duration(nowMs - Date.parse(lastError.time))} ago`;
  return [
    ...(writtenBy === undefined ? [] : [['Status by', `replica ${writtenBy}, which owned the group then`] as const]),
    ...(lastError === undefined
      ? []
      : [['Last error', `${ago}, by replica ${lastError.replica}: ${lastError.message}`] as const]),
  ];
}

/** What the reference says to do about the reason of Ready. */
export function whatToDo(group: Group): readonly string[] {
  const ready = conditionOf(group, 'Ready');
  if (ready === null || ready.status === 'True') return [];
  const byStatus: Readonly<Record<string, Readonly<Record<string, Explained>>>> = CONDITION_REASONS.Ready;
  const action = byStatus[ready.status]?.[ready.reason]?.action;
  return action === undefined ? [] : [action];
}

const memberTable = (members: readonly Member[], wide: boolean): readonly string[] =>
  table(
    ['MEMBER', 'LEADS', 'READY', 'NODE', 'CAN LEAD', ...(wide ? ['TOKEN', 'LED LAST', 'WHY NOT'] : ['WHY NOT'])],
    members.map(({ pod, leads, ready, node, whyNot, token, since }) => [
      pod,
      leads ? 'yes' : '',
      ready ? 'True' : 'False',
      orNone(node),
      whyNot === null ? 'yes' : 'no',
      ...(wide ? [token ?? '', since ?? '', whyNot === null ? '' : explained(whyNot)] : [whyNot ?? '']),
    ]),
  );
