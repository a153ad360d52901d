/** How a condition is to be looked at, in the terminal and on the page. */
import type { Condition } from '../api/leadergroup.ts';

/** `plain`: as it should be for now, for it only waits. */
export type Tone = 'good' | 'plain' | 'bad';

/** True is what one would rather not see. */
const NEGATIVE: readonly string[] = ['Stalled', 'Paused', 'Reconciling'];
/** Not to be preferred is no fault of a leader: whoever is preferred takes the lead in time, or somebody has decided otherwise. */
const WAITS: readonly string[] = ['Preferred', 'Reconciling'];

export function toneOf({ type, status }: Pick<Condition, 'type' | 'status'>): Tone {
  if (status === (NEGATIVE.includes(type) ? 'False' : 'True')) return 'good';
  return WAITS.includes(type) ? 'plain' : 'bad';
}
