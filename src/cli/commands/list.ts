/** `kubectl leadergroup list`: all groups, one line each. */

import type { LeaderStatus } from '../../api/leadergroup.ts';
import { EXIT, type Exit } from '../errors.ts';
import { conditionOf, type Group, isOld, isTrue, readGroups, statusOfCondition } from '../groups.ts';
import { duration, orNone, show, table, tint } from '../output.ts';
import type { Io, Session } from '../session.ts';

type Row = {
  readonly namespace: string;
  readonly name: string;
  readonly leader: string;
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

export async function list(session: Session): Promise<Exit> {
  const rows = (await readGroups(session)).map(rowOf);
  const { io, api, namespace, format } = session;
  if (rows.length === 0 && (format === 'text' || format === 'wide')) {
    io.err(namespace === null ? 'There are no LeaderGroups.' : `There are no LeaderGroups in namespace ${namespace}.`);
    return EXIT.done;
  }
  show(session, { items: rows }, () => lines(rows, session, api.nowMs()));
  return EXIT.done;
}

function rowOf(group: Group): Row {
  const { namespace, name, status, problems } = group;
  return {
    namespace,
    name,
    leader: status.leader,
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
      orNone(row.leader),
      row.since === null ? '' : duration(nowMs - Date.parse(row.since)),
      `${row.candidates}/${row.members}`,
      readyCell(row, io),
      row.reason === '' ? 'no status yet' : row.reason,
      ...(wide ? [row.token === null ? '' : String(row.token), row.node, row.paused ? 'yes' : 'no'] : []),
    ]),
  );
}

/** With a mark where the operator has not looked at the last change of the spec. */
const readyCell = ({ ready, stalled, statusIsOld }: Row, io: Io): string =>
  tint(io, ready === 'True' ? 'good' : stalled ? 'bad' : 'warn', ready + (statusIsOld && ready !== '' ? ' (old)' : ''));
