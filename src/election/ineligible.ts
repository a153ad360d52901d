/** Members that cannot lead, counted by reason: for the status, and in words. */
import type { IneligibleReason } from '../api/ineligible-reasons.ts';
import type { IneligibleStatus } from '../api/leadergroup.ts';
import { goesByReady } from './candidacy.ts';
import { eligibility, membersOf, promotedByLabel, refused } from './candidates.ts';
import type { Observation, ObservedPod } from './observation.ts';
import { failuresInWords, shownAsFailed } from './promotion-answers.ts';

const EXAMPLES = 3;

/** The pod shows nothing of it: the API server has said why, or the pod itself. */
const REFUSED: ReadonlySet<string> = new Set<IneligibleReason>([
  'PromotionRefused',
  'WriteRefused',
  'BeforePromotionFailed',
]);

export function ineligibleOf(o: Observation): readonly IneligibleStatus[] {
  const names = new Map<IneligibleReason, string[]>();
  const hasFailed = shownAsFailed(o);
  for (const member of membersOf(o)) {
    const reason = reasonOf(o, member, hasFailed);
    if (reason === null) continue;
    const known = names.get(reason);
    if (known === undefined) names.set(reason, [member.pod.name]);
    else known.push(member.pod.name);
  }
  return [...names]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([reason, pods]) => ({ reason, count: pods.length, examples: pods.toSorted().slice(0, EXAMPLES) }));
}

/** null: it can lead. Whoever leads is not asked. */
function reasonOf(
  o: Observation,
  member: ObservedPod,
  hasFailed: (observed: ObservedPod) => boolean,
): IneligibleReason | null {
  const found = eligibility(o, member);
  if (found.kind !== 'candidate') return found.reason;
  return !promotedByLabel(o.group, member) && hasFailed(member) ? 'BeforePromotionFailed' : null;
}

/** So many members can lead, as the status says it. */
export const candidatesShown = (o: Observation): number =>
  membersOf(o).length - ineligibleOf(o).reduce((sum, { count }) => sum + count, 0);

/**
 * Who cannot lead and why, the most frequent reason first, and what the API server said where it was the one to refuse. E.g. `none of 3
 * members can lead: 2 NotReady (web-1, web-2), 1 Excluded (web-3)`.
 */
export function noCandidateMessage(o: Observation): string {
  const count = membersOf(o).length;
  const found = ineligibleOf(o).toSorted((a, b) => b.count - a.count);
  const reasons = found.map((each) => inWords(o, each));
  const first = found.find(({ reason }) => !REFUSED.has(reason))?.examples[0];
  const why = reasons.length === 0 ? '' : `: ${reasons.join(', ')}`;
  const refusal = o.pods.find((pod) => refused(o, pod))?.promotionRefused ?? null;
  const failures = failuresInWords(
    o,
    membersOf(o).filter((each) => isUnfit(o, each)),
  );
  const more = [refusal?.message ?? null, failures].filter((each) => each !== null).map((each) => `; ${each}`);
  const next = found.length === 0 ? '' : `. ${nextStep(first)}`;
  return `none of ${count} member${count === 1 ? '' : 's'} can lead${why}${more.join('')}${next}`;
}

function isUnfit(o: Observation, member: ObservedPod): boolean {
  const found = eligibility(o, member);
  return found.kind === 'ineligible' && found.reason === 'BeforePromotionFailed';
}

const nextStep = (pod: string | undefined): string =>
  pod === undefined
    ? 'The first one that can lead is elected'
    : `Look at kubectl describe pod ${pod}; the first one that can lead is elected`;

function inWords({ group: { spec } }: Observation, { reason, count, examples }: IneligibleStatus): string {
  const named = `${examples.join(', ')}${count > examples.length ? ', …' : ''}`;
  const condition = reason === 'NotReady' && !goesByReady(spec) ? `: ${spec.candidateCondition} is not True` : '';
  return `${count} ${reason} (${named}${condition})`;
}
