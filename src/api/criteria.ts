/**
 * By what one candidate comes before another, in the order in which it is looked at: the values of `status.recentTransitions[].chosenBy`.
 * docs/reference/events.md is made from it (`npm run generate`).
 */
import type { Explained } from './explained.ts';

export const CRITERIA = {
  NotResigned: { meaning: 'The others have asked the gate lately that another may lead (`resign=true`).' },
  NotFailedLately: {
    meaning: 'The others have lost the lead by a failure lately.',
    action: 'If it comes again and again, mend the pod that failed: the history in the status names it.',
  },
  NodeStays: {
    meaning: 'The others are on a cordoned node, or about to be evicted (their condition DisruptionTarget is True).',
  },
  Controlled: { meaning: 'The others have no controller that would replace them, or are made to end.' },
  Revision: { meaning: 'It is of the updated revision of its workload; the others are outdated.' },
  Ordinal: {
    meaning:
      'Of the outdated pods of a StatefulSet that is being updated it has the lowest ordinal, and so is replaced last.',
  },
  Preference: { meaning: 'It fits `spec.preferences` better: its weights have a higher sum.' },
  Workload: { meaning: 'Its workload has more pods in the group.' },
  Spread: { meaning: "Its node's domain is the nearest to this group by `spec.spread`." },
  NewestNode: { meaning: 'Its node is newer than those of the others.' },
  LongestReady: { meaning: 'It has been ready for longest.' },
  Name: { meaning: 'They are equally good; its name comes first.' },
} as const satisfies Readonly<Record<string, Explained>>;

export type Criterion = keyof typeof CRITERIA;
