/** `kubectl leadergroup history NAME`: the last changes of leader that the status remembers, newest first. */
import type { Explained } from '../../api/explained.ts';
import type { TransitionStatus } from '../../api/leadergroup.ts';
import { TRANSITION_CAUSES } from '../../api/transition-causes.ts';
import { EXIT, type Exit } from '../errors.ts';
import { readGroup } from '../groups.ts';
import { duration, orNone, show, table } from '../output.ts';
import { oneNamespace, type Session } from '../session.ts';

export async function history(session: Session, name: string): Promise<Exit> {
  const namespace = oneNamespace(session);
  const { status } = await readGroup(session, namespace, name);
  const { recentTransitions: changes, leaderTransitions: total } = status;
  show(session, { namespace, name, leaderTransitions: total, recentTransitions: changes }, () => [
    ...(changes.length === 0 ? ['The leader has not changed yet.'] : rows(changes, session)),
    ...(total > changes.length ? [`${total} changes in all; the status remembers the last ${changes.length}.`] : []),
  ]);
  return EXIT.done;
}

const rows = (changes: readonly TransitionStatus[], { api, format }: Session): readonly string[] =>
  table(
    ['AGO', 'FROM', 'TO', 'CAUSE', 'TOKEN', 'TOOK', ...(format === 'wide' ? ['TIME', 'MEANING'] : [])],
    changes.map(({ time, from, to, reason, token, durationMilliseconds }) => [
      duration(api.nowMs() - Date.parse(time)),
      orNone(from),
      orNone(to),
      reason,
      String(token),
      `${durationMilliseconds}ms`,
      ...(format === 'wide' ? [time, meaningOf(reason)] : []),
    ]),
  );

export function meaningOf(cause: string): string {
  const known: Readonly<Record<string, Explained>> = TRANSITION_CAUSES;
  return known[cause]?.meaning ?? '';
}
