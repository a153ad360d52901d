/** Grants of the gate that stand in the way of a handover: no more are given, and those that were are waited for. (Promise I10.) */
import type { AwaitGrantExpiry, HandOver } from '../../election/actions.ts';
import { groupKey } from '../cache/store.ts';
import { later, OK, type Run, type Step } from './run.ts';

/**
 * Until the outcome of the transaction is known the leader is given no grant. Where there is one to wait for, whoever waits for an answer is told at
 * once; the pass ends there, so that a release, or that the leader has gone, is seen when it happens.
 */
export function revoke(run: Run, { revoke: revocation, wait }: HandOver): Step {
  if (revocation === null) return OK;
  const { ports, group, memory } = run;
  const isNew = memory.now.revoked?.uid !== revocation.holder;
  memory.learn({ kind: 'revoked', uid: revocation.holder });
  if (isNew) ports.revoking('begun');
  const leftMs = grantsLeftMs(run, wait);
  if (leftMs <= 0) return OK;
  if (isNew) ports.revoked(groupKey(group));
  return later('a grant of the gate is neither over nor released', leftMs);
}

/**
 * After the fencing patch, which has ended every further grant to the old leader: the label is known to be off. The pass ends where
 * there is something to wait for, so that what happens meanwhile is seen.
 */
export function awaitGrantExpiry(run: Run, wait: AwaitGrantExpiry): Step {
  const leftMs = grantsLeftMs(run, wait);
  return leftMs > 0 ? later('a grant of the gate has not expired', leftMs) : OK;
}

function grantsLeftMs({ ports, group, observation }: Run, { exempt }: AwaitGrantExpiry): number {
  const holder = observation.lock?.record?.holder.uid ?? null;
  return Math.ceil(ports.grants.untilMs(groupKey(group), holder, exempt) - ports.clock.nowMs());
}
