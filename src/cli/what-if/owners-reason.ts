/** Why a pod leads, or does not, in the words of the owner of the group. Pure. */
import type { ExplainedMember, Explanation } from '../../api/diagnostics.ts';
import { INELIGIBLE_REASONS } from '../../api/ineligible-reasons.ts';
import { duration } from '../output.ts';
import type { Reason, Standing } from './why.ts';

/** null: the owner does not know the pod as a member, or names others only. `guess`: what the API server is enough to say. */
export function ownersReason(
  explanation: Explanation,
  guess: Reason,
  pod: string,
): (Reason & { readonly by: string }) | null {
  const member = explanation.members.find((each) => each.pod === pod);
  if (member === undefined) return null;
  const standing = standingOf(member, explanation);
  const said = standing === guess.standing ? guess.said : unfit(member);
  return { group: guess.group, standing, by: explanation.replica, said: [...said, ...more(member, explanation)] };
}

function standingOf({ leads, whyNot }: ExplainedMember, { leader }: Explanation): Standing {
  if (leads) return 'Leads';
  if (whyNot !== null) return 'Unfit';
  return leader === null ? 'Free' : 'Ready';
}

function unfit({ whyNot }: ExplainedMember): readonly string[] {
  if (whyNot === null) return [];
  const known: Readonly<Record<string, { readonly meaning: string; readonly action: string }>> = INELIGIBLE_REASONS;
  const { meaning, action } = known[whyNot] ?? { meaning: '', action: '' };
  return [`It cannot lead: ${whyNot}. ${meaning}`.trim(), action].filter((text) => text !== '');
}

function more(member: ExplainedMember, { lock, plan, waits, members }: Explanation): readonly string[] {
  const { rank, inMs, failedLately, resigned } = member;
  const able = members.filter((each) => each.rank !== null).length;
  return [
    ...(member.leads && lock.state === 'held'
      ? [`Its session holds the lock, which is good for ${duration(lock.goodForMs)} without another renewal.`]
      : []),
    ...(rank === null || member.leads ? [] : [`Of the ${able} members that could lead it is number ${rank}.`]),
    ...(inMs === null ? [] : [`It may lead in ${duration(inMs)}.`]),
    ...(failedLately ? ['It has lost the lead by failing lately, so others go first.'] : []),
    ...(resigned ? ['It has asked that another may lead.'] : []),
    ...waits.map((each) => `The group waits for ${each.for}: ${duration(each.inMs)}.`),
    ...(plan.actions.length === 0 ? [] : [`The operator is about to act: ${plan.reason}.`]),
  ];
}
