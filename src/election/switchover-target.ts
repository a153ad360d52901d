/**
 * Who may take over by a switchover. Nobody need be moved just now, so this asks for more than an election does: whoever gets the lead must be able to
 * keep it, and where there is a leader probe, pass that.
 */
import type { PodUid } from '../api/ids.ts';
import { eligibility, membersOf, rankedCandidates } from './candidates.ts';
import { type Nominees, nomineesThatPass } from './judgement.ts';
import type { Observation, ObservedPod } from './observation.ts';
import { failedAnswer } from './promotion-answers.ts';

export type Target =
  | { readonly kind: 'known'; readonly pod: ObservedPod; readonly others: readonly ObservedPod[] }
  | Exclude<Nominees, { kind: 'known' }>
  | { readonly kind: 'nobody'; readonly message: string };

/** `to`: name of a pod; null: the best but for the leader. */
export function targetOf(o: Observation, leader: ObservedPod, to: string | null): Target {
  const willing = to === null ? anyOf(o, leader.pod.uid) : namedIn(o, to);
  if ('message' in willing) return willing;
  const next = nomineesThatPass(o, willing.pods);
  if (next.kind !== 'known') return next;
  const [pod, ...others] = next.ranked;
  return pod === undefined ? nobody(notPassing(o, to)) : { kind: 'known', pod, others };
}

type Willing = { readonly pods: readonly ObservedPod[] } | Extract<Target, { kind: 'nobody' }>;

const nobody = (message: string): Extract<Target, { kind: 'nobody' }> => ({ kind: 'nobody', message });

function anyOf(o: Observation, leader: PodUid): Willing {
  const others = membersOf(o).filter(({ pod }) => pod.uid !== leader);
  const pods = rankedCandidates(o).filter((each) => each.pod.uid !== leader && hindrance(o, each) === null);
  if (pods.length > 0) return { pods };
  if (others.length === 0) return nobody('the group has no other member');
  const why = others.slice(0, EXAMPLES).map((each) => `${each.pod.name}: ${hindrance(o, each) ?? 'cannot lead'}`);
  return nobody(`no other member can take over now (${why.join('; ')}${others.length > EXAMPLES ? '; …' : ''})`);
}

const EXAMPLES = 3;

function namedIn(o: Observation, to: string): Willing {
  const found = membersOf(o).find(({ pod }) => pod.name === to);
  if (found === undefined) return nobody(`the group has no member of the name ${to}`);
  const why = hindrance(o, found);
  return why === null ? { pods: [found] } : nobody(`${to} cannot take over now: ${why}`);
}

/** Why the pod would not keep the lead, or not even get it; null: nothing speaks against it. */
function hindrance(o: Observation, observed: ObservedPod): string | null {
  const found = eligibility(o, observed);
  if (found.kind === 'ineligible' && found.reason === 'BeforePromotionFailed')
    return `it does not pass spec.beforePromotion (${failedAnswer(o, observed)?.failure ?? ''})`;
  return found.kind === 'candidate' ? mayNotKeepIt(observed) : found.reason;
}

/** Why it might lose the lead soon, or not get it for what others write; null: nothing speaks against it. */
export function mayNotKeepIt(observed: ObservedPod): string | null {
  if (observed.cordoned) return 'its node is cordoned';
  if (observed.pod.disrupted) return 'it is about to be evicted';
  if (observed.claimedByOther) return 'another LeaderGroup selects it too';
  return observed.contest === null ? null : 'another client keeps changing its label';
}

function notPassing({ probe }: Observation, to: string | null): string {
  const who = to ?? 'no other member';
  return probe?.blind == null
    ? `${who} ${to === null ? 'passes' : 'does not pass'} the leader probe`
    : `whether ${to ?? 'anybody else'} passes the leader probe cannot be told: ${probe.blind}`;
}
