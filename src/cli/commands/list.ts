/** `kubectl leadergroup list`: all groups, one line each; and whether an operator looks after them. */

import type { LeaderStatus } from '../../api/leadergroup.ts';
import { ApiError, EXIT, type Exit } from '../errors.ts';
import { conditionOf, type Group, isOld, isTrue, readGroups, readPodsWithin, statusOfCondition } from '../groups.ts';
import { type Presence, presenceAmong } from '../leaders.ts';
import { exitBeside, isWorking, type OperatorState, operatorLine, readOperator } from '../operator.ts';
import { duration, orNone, show, table, tint } from '../output.ts';
import { type Io, isForPrograms, type Session } from '../session.ts';

type Row = {
  readonly namespace: string;
  readonly name: string;
  /** As the status says, which nobody keeps up where no operator runs. */
  readonly leader: string;
  readonly leaderPod: Presence;
  readonly ready: string;
  readonly reason: string;
  readonly token: number | null;
  readonly node: string;
  readonly since: string | null;
  readonly members: number;
  readonly candidates: number;
  readonly paused: boolean;
  readonly stalled: boolean;
  readonly statusIsOld: boolean;
};

/** Ends with `found` where no operator runs, so that the statuses are old, and with `unknown` where nobody can say whether one does. */
export async function list(session: Session): Promise<Exit> {
  const groups = await readGroups(session);
  const { io, api, namespace } = session;
  if (groups.length === 0 && !isForPrograms(session)) {
    io.err(namespace === null ? 'There are no LeaderGroups.' : `There are no LeaderGroups in namespace ${namespace}.`);
    return EXIT.done;
  }
  const operator = await readOperator(session);
  const presenceOf = await presenceBeside(session, operator);
  const rows = groups.map((group) => rowOf(group, presenceOf(group)));
  show(session, { items: rows, operator }, () => lines(rows, session, api.nowMs()));
  if (!isWorking(operator) && !isForPrograms(session)) io.err(`The operator is ${operatorLine(operator)}.`);
  return groups.length === 0 ? EXIT.done : exitBeside(operator);
}

/** While an operator works the status is enough: pods, of which there may be many, are read where it may be old. */
async function presenceBeside(session: Session, operator: OperatorState): Promise<(group: Group) => Presence> {
  if (isWorking(operator)) return () => 'AsInStatus';
  try {
    return presenceAmong(await readPodsWithin(session, session.namespace));
  } catch (error) {
    if (error instanceof ApiError && error.kind === 'denied') return () => 'Unknown';
    throw error;
  }
}

function rowOf(group: Group, leaderPod: Presence): Row {
  const { namespace, name, status, problems } = group;
  return {
    namespace,
    name,
    leader: status.leader,
    leaderPod,
    ready: statusOfCondition(group, 'Ready'),
    reason: problems.length > 0 ? 'InvalidSpec' : (conditionOf(group, 'Ready')?.reason ?? ''),
    ...leaderOf(status.leaders[0]),
    members: status.members,
    candidates: status.candidates,
    paused: isTrue(group, 'Paused'),
    stalled: isTrue(group, 'Stalled'),
    statusIsOld: isOld(group),
  };
}

const leaderOf = (leader: LeaderStatus | undefined): Pick<Row, 'token' | 'node' | 'since'> =>
  leader === undefined
    ? { token: null, node: '', since: null }
    : { token: leader.token, node: leader.node, since: leader.acquireTime };

function lines(rows: readonly Row[], { io, namespace, format }: Session, nowMs: number): readonly string[] {
  const all = namespace === null;
  const wide = format === 'wide';
  const header = ['NAME', 'LEADER', 'FOR', 'CANDIDATES', 'READY', 'REASON'];
  return table(
    [...(all ? ['NAMESPACE'] : []), ...header, ...(wide ? ['TOKEN', 'NODE', 'PAUSED'] : [])],
    rows.map((row) => [
      ...(all ? [row.namespace] : []),
      row.name,
      leaderCell(row, io),
      row.since === null || row.leaderPod === 'Gone' ? '' : duration(nowMs - Date.parse(row.since)),
      `${row.candidates}/${row.members}`,
      readyCell(row, io),
      row.reason === '' ? 'no status yet' : row.reason,
      ...(wide ? [row.token === null ? '' : String(row.token), row.node, row.paused ? 'yes' : 'no'] : []),
    ]),
  );
}

const leaderCell = ({ leader, leaderPod }: Row, io: Io): string =>
  leaderPod === 'Gone' ? tint(io, 'bad', `${leader} (gone)`) : orNone(leader);

/** With a mark where the operator has not looked at the last change of the spec. */
const readyCell = ({ ready, stalled, statusIsOld }: Row, io: Io): string =>
  tint(io, ready === 'True' ? 'good' : stalled ? 'bad' : 'warn', ready + (statusIsOld && ready !== '' ? ' (old)' : ''));
