/** What there is to tell of a route, and of a former leader. */
import type { EventReason } from '../../api/event-reasons.ts';
import type { Plan } from '../../election/actions.ts';
import type { Observation } from '../../election/observation.ts';
import { ownSlices } from '../../election/route.ts';
import { routedOf } from '../../election/routed.ts';
import type { Fact } from '../execute/run.ts';
import type { Memory } from '../observe/remember.ts';

/** The reason of Routed has become one that somebody must act on. null: it has not, or not this replica is to say so. */
export function routeNews(
  o: Observation,
  { verdict }: Plan,
  memory: Memory,
): { readonly reason: string; readonly detail: string } | null {
  const routed = verdict === null || o.ownership.kind !== 'owned' ? null : routedOf(o);
  if (routed === null) return null;
  const { status, reason } = routed.said;
  const before = memory.now.reportedRoute ?? routeReason(o);
  memory.learn({ kind: 'routeReported', reason });
  // Ready tells of the one, and the other is over by itself.
  const quiet = status === 'True' || reason === 'NoLeader' || reason === 'NotChecked';
  return quiet || before === reason ? null : { reason, detail: routed.message };
}

const routeReason = (o: Observation): string =>
  o.group.status?.conditions.find(({ type }) => type === 'Routed')?.reason ?? '';

/** Of a group that is deleted; null: none is. */
export function slicesLeft(o: Observation): string | null {
  const names = ownSlices(o).map(({ name }) => name);
  if (names.length === 0) return null;
  const why = o.route?.problems[0]?.message ?? 'there was no time';
  return `the LeaderGroup is deleted, but EndpointSlice ${names.join(', ')} could not be: ${why}. Kubernetes deletes it with its owner`;
}

export const evictionNews = ({ pod, kept }: Extract<Fact, { kind: 'evicted' }>): readonly [EventReason, string] =>
  kept === null
    ? ['FormerLeaderEvicted', `${pod} led before, and was evicted`]
    : ['FormerLeaderKept', `${pod} led before, and could not be evicted: ${kept}`];
