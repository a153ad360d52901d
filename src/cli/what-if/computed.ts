/** What the owner of a group has foreseen, in the words of a prediction. Pure. */
import type { Explanation, Foreseen, Supposition } from '../../api/diagnostics.ts';
import { duration } from '../output.ts';
import type { Effect, Prediction } from './predict.ts';

export type Computed = Prediction & {
  /** The replica that computed it; null: it is approximate. */
  readonly by: string | null;
};

/** null: the owner cannot know it either, or was asked something else. `paused`: of the group's spec. */
export function computedOf(
  { namespace, name, leader, replica, supposed }: Explanation,
  what: Supposition,
  paused: boolean,
): Computed | null {
  if (supposed === null || supposed.foreseen.outcome === 'unknown') return null;
  const { foreseen: then, touches } = supposed;
  const goes = leader !== null && touches.includes(leader);
  const effect = effectOf(then, what, { led: leader !== null, goes, paused });
  const next = effect === 'Handover' && then.next !== null ? [then.next] : [];
  return { group: `${namespace}/${name}`, leader, effect, next, why: sentenceOn(then, effect), by: replica };
}

type Facts = { readonly led: boolean; readonly goes: boolean; readonly paused: boolean };

function effectOf(then: Foreseen, what: Supposition, { led, goes, paused }: Facts): Effect {
  if (!led) return 'NotLed';
  if (then.outcome === 'moves') return 'Handover';
  if (what.kind === 'consulDown') return then.outcome === 'demoted' ? 'Demoted' : 'NotReplaced';
  if (!goes) return 'None';
  return paused ? 'Paused' : 'Leaderless';
}

function sentenceOn({ reason, ready, inMs, assumed }: Foreseen, effect: Effect): string {
  const when = inMs === null || inMs < 1000 ? '' : `, within ${duration(inMs)}`;
  const what = effect === 'Handover' ? reason : (ready ?? reason);
  return `${what}${when}${assumed.length === 0 ? '' : `; if ${assumed.join(', and ')}`}`;
}
