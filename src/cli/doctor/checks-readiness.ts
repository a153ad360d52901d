/** Whether readiness lets anybody follow the leader. Pure. */
import { READY } from '../../api/candidate-condition.ts';
import type { Pod } from '../../api/pod.ts';
import { check } from './check.ts';
import type { Finding } from './findings.ts';
import { createMembership } from './membership.ts';

/** Longer than most programs take to be ready. */
const LONG_MS = 300_000;

/** A probe that passes on the leader alone: with `candidateCondition` readiness says nothing of who may lead. */
export const readyLeaders = check(['only-leader-ready'], ['groups', 'pods'], ({ groups, pods, nowMs }) => {
  const { membersOf } = createMembership(groups, pods);
  return groups.flatMap(({ valid, status }): readonly Finding[] => {
    if (valid === null || valid.deleting || valid.spec.candidateCondition !== READY) return [];
    const members = membersOf(valid).filter((pod) => !pod.deleting && !pod.stopped);
    const leader = members.find(({ name }) => name === status.leader);
    const others = members.filter((pod) => pod !== leader);
    if (leader === undefined || !leader.ready || others.length === 0) return [];
    if (!others.every((pod) => wasNeverReady(pod, nowMs))) return [];
    const message = `${leader.name} leads and is ready; ${notReady(others)}.`;
    return [{ id: 'only-leader-ready', object: `LeaderGroup ${valid.namespace}/${valid.name}`, message }];
  });
});

function notReady(others: readonly Pod[]): string {
  const name = others[0]?.name ?? '';
  return others.length === 1
    ? `${name}, the only other member, has not been ready since its containers were started`
    : `none of the ${others.length} other members has been ready since its containers were started, ${name} for one`;
}

/** Its condition Ready is as it was before its containers ran. */
const wasNeverReady = ({ ready, readyTransitionMs, runningSinceMs }: Pod, nowMs: number): boolean =>
  !ready && runningSinceMs !== null && nowMs - runningSinceMs >= LONG_MS && (readyTransitionMs ?? 0) <= runningSinceMs;
