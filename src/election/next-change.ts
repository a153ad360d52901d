/** What changes with time alone: no event tells of it, so a plan that rests must say when to look again. */
import { eligibility, membersOf } from './candidates.ts';
import type { Observation } from './observation.ts';
import { soonest, until } from './plans.ts';
import { preemptionMoments } from './preemption.ts';
import { failedAnswer } from './promotion-answers.ts';

/** Milliseconds until the first of: a member has been ready for long enough, a refusal, the pause of a repair, or a contest is over, or somebody is to take the lead. */
export function nextChangeMs(o: Observation): number | null {
  const members = membersOf(o).map((member) => {
    const found = eligibility(o, member);
    return found.kind === 'waiting' ? found.inMs : null;
  });
  const moments = o.pods.flatMap(({ promotionRefused, fencingRefusedUntilMs, contest }) => [
    promotionRefused?.retryAtMs ?? null,
    fencingRefusedUntilMs,
    contest?.notBeforeMs ?? null,
    contest?.overAtMs ?? null,
  ]);
  const answers = membersOf(o).map((member) => failedAnswer(o, member)?.retryAtMs ?? null);
  const ahead = [...moments, ...answers, o.followersRefused?.retryAtMs ?? null, ...preemptionMoments(o)].filter(
    (atMs) => atMs !== null && atMs > o.nowMs && atMs < Infinity,
  );
  return soonest([...members, ...ahead.map((atMs) => (atMs === null ? null : until(o, atMs)))]);
}
