/** What became of a claim, as the metrics have it. */
import type { ClaimAnswer } from '../../ports/claims.ts';
import type { ClaimOutcome } from '../../ports/metrics.ts';

export function outcomeOf(answer: ClaimAnswer): ClaimOutcome {
  if (answer.kind === 'claimed') return answer.claim.attempt === 1 ? 'given' : 'givenAgain';
  if (answer.kind === 'refused') return answer.reason === 'Passed' ? 'passed' : 'pending';
  return answer.kind;
}
