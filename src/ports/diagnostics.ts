/** What the diagnostic port needs of the operator. Nothing is performed, learnt or sent for an answer. */
import type { Explanation, NotOwner, SelfReport, Supposition } from '../api/diagnostics.ts';
import type { GroupName } from '../api/leadergroup.ts';

export type Explained =
  | { readonly kind: 'explained'; readonly explanation: Explanation }
  /** `owner`: null: nobody, or this replica does not know. */
  | { readonly kind: 'notOwner'; readonly answer: NotOwner }
  /** There is no such LeaderGroup, or it cannot be acted on: a sentence. */
  | { readonly kind: 'unknown'; readonly why: string };

export type Diagnostics = {
  self(): SelfReport;
  /** `what`: null: as things are. */
  explain(group: GroupName, what: Supposition | null): Explained;
};
