/** One group with its members, conditions and changes of leader. */
import type { Detail } from '../wire.ts';
import { byId, element, say, table } from './dom.ts';
import { duration } from './duration.ts';

/** Draws it anew. The focus stays where it is: only its heading and its button can have it. */
export function drawDetail(detail: Detail, nowMs: number): void {
  const { row, problems, conditions, advice, transitions } = detail;
  say(byId('detail-title'), row.key);
  byId('detail-content').replaceChildren(
    element('p', '', leaderLine(detail, nowMs)),
    ...problems.map((problem) => element('p', 'bad', problem)),
    ...advice.map((what) => element('p', '', element('strong', '', 'Do: '), what)),
    element('h3', '', 'Members'),
    members(detail),
    element('h3', '', 'Conditions'),
    table(
      'Conditions',
      ['Condition', 'Status', 'Reason', 'Message'],
      conditions.map((each) => [each.type, element('span', each.tone, each.status), each.reason, each.message]),
    ),
    element('h3', '', 'Changes of leader'),
    transitions.length === 0
      ? element('p', 'quiet', 'The leader has not changed yet.')
      : table(
          'Changes of leader',
          ['Ago', 'From', 'To', 'Cause', 'Token', 'Took'],
          transitions.map(({ time, from, to, cause, meaning, token, tookMs }) => [
            duration(nowMs - Date.parse(time)),
            from === '' ? 'nobody' : from,
            to === '' ? 'nobody' : to,
            meaning === '' ? cause : `${cause}: ${meaning}`,
            String(token),
            `${tookMs} ms`,
          ]),
        ),
    element('p', 'quiet', `${detail.transitionsInAll} changes in all; the status remembers the last ten.`),
  );
}

function leaderLine({ row }: Detail, nowMs: number): string {
  if (row.leader === '') return `Nobody leads. ${row.message}`;
  const since = row.since === null ? '' : ` for ${duration(nowMs - Date.parse(row.since))}`;
  return `${row.leader} on ${row.node === '' ? 'no node' : row.node} leads${since}, token ${row.token ?? 'unknown'}.`;
}

function members({ members: all, membersUnknown }: Detail): HTMLElement {
  if (membersUnknown !== null) return element('p', 'warn', `Unknown. ${membersUnknown}`);
  if (all.length === 0) return element('p', 'quiet', 'No pod matches the selector.');
  return table(
    'Members',
    ['Pod', 'Leads', 'Ready', 'Node', 'Token', 'Can lead'],
    all.map(({ pod, leads, ready, node, token, whyNot }) => [
      pod,
      leads ? 'leads' : '',
      element('span', ready ? 'good' : 'bad', ready ? 'ready' : 'not ready'),
      node,
      token,
      whyNot === '' ? 'yes' : `no: ${whyNot}`,
    ]),
  );
}
