/** What `audit` holds the history of pods against. The pages and the result name a rule by its key. */

export const AUDIT_RULES = {
  TwoLeaders: 'Two members of a group carry its leader label at one resourceVersion.',
  LabelAtCreation:
    'A pod was created with the leader label. The operator labels pods that are there, so its template, or whoever created it, has the label.',
  TokenMissing: 'A pod carries the leader label without a fencing token, or with something that is no token.',
  TokenFell: 'A leader got a lower token than one before it.',
  TokenShared: 'A leader got a token that another pod, of another uid, had before.',
  UnfitLeader:
    'The label went onto a pod that was not ready (by `spec.candidateCondition`), was being deleted, or had finished.',
  StatusNamesAnother: 'The status of the group names a leader, by uid and token, that never carried the label with it.',
} as const;

export type AuditRule = keyof typeof AUDIT_RULES;

export type AuditBreach = {
  readonly rule: AuditRule;
  /** namespace/name */
  readonly group: string;
  readonly resourceVersion: string;
  /** Names with the first characters of their uids. */
  readonly pods: readonly string[];
  /** One sentence: what happened. */
  readonly message: string;
};

/** Something that nobody saw, so that nothing can be said of it. */
export type Unproved = {
  /** namespace/name; null: all groups. */
  readonly group: string | null;
  /** After this resourceVersion, and up to `to`; null: not known. */
  readonly from: string | null;
  readonly to: string | null;
  /** One sentence. */
  readonly why: string;
};
