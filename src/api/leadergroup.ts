/** The LeaderGroup resource as the operator works with it: parsed once at the border (parse.ts), then trusted. */

export type LabelSelector = {
  readonly matchLabels: Readonly<Record<string, string>>;
  readonly matchExpressions: readonly SelectorRequirement[];
};

export type SelectorRequirement = {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values: readonly string[];
};

/** What happens to the label when Consul has not answered until the lock's deadline. */
export type ConsulLossPolicy = 'Hold' | 'Demote';

export type LeaderGroupSpec = {
  readonly selector: LabelSelector;
  readonly sessionTtlMs: number;
  readonly lockDelayMs: number;
  /** A shared Consul key that strangers may contend for, without the trailing /.lock; null: a lock of our own. */
  readonly lockKey: string | null;
  readonly label: {
    readonly key: string;
    readonly leader: string;
    /** null: followers are not labelled. */
    readonly follower: string | null;
  };
  readonly minReadyMs: number;
  readonly failoverDelayMs: number;
  /** The effective policy: the spec's, else Hold without a lockKey and Demote with one. */
  readonly onConsulLoss: ConsulLossPolicy;
  readonly paused: boolean;
};

export type LeaderGroup = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly createdMs: number;
  readonly deleting: boolean;
  readonly finalizers: readonly string[];
  readonly spec: LeaderGroupSpec;
  /** null until the operator has written one, or when what stands there cannot be read. */
  readonly status: LeaderGroupStatus | null;
};

/** A LeaderGroup whose spec cannot be acted on (it passed an older schema): named, explained, never guessed at. */
export type InvalidLeaderGroup = Omit<LeaderGroup, 'spec'> & { readonly problems: readonly string[] };

export type ParsedLeaderGroup =
  | { readonly kind: 'valid'; readonly group: LeaderGroup }
  | { readonly kind: 'invalid'; readonly group: InvalidLeaderGroup };

export type ConditionStatus = 'True' | 'False' | 'Unknown';
export type ConditionType = 'Ready' | 'Reconciling' | 'Stalled' | 'Paused';

/** metav1.Condition. lastTransitionTime is RFC 3339 and changes only with status. */
export type Condition = {
  readonly type: ConditionType;
  readonly status: ConditionStatus;
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration: number;
};

export type LeaderStatus = {
  readonly slot: number;
  readonly pod: string;
  readonly uid: string;
  readonly node: string;
  readonly token: number;
  readonly sessionID: string;
  /** RFC 3339. */
  readonly acquireTime: string;
};

export type TransitionStatus = {
  /** RFC 3339. */
  readonly time: string;
  /** Pod names; empty for nobody. */
  readonly from: string;
  readonly to: string;
  /** A CamelCase word, e.g. LeaderNotReady. */
  readonly reason: string;
  readonly token: number;
  /** From the observation that caused the change to the acknowledged promotion (or demotion). */
  readonly durationMilliseconds: number;
};

export type IneligibleStatus = {
  readonly reason: string;
  readonly count: number;
  /** Up to three pod names. */
  readonly examples: readonly string[];
};

export type LeaderGroupStatus = {
  /** Comma-joined pod names, for the printed column. */
  readonly leader: string;
  readonly leaders: readonly LeaderStatus[];
  readonly members: number;
  readonly candidates: number;
  readonly ineligible: readonly IneligibleStatus[];
  readonly leaderTransitions: number;
  readonly recentTransitions: readonly TransitionStatus[];
  /** The full Consul key of the lock. */
  readonly lockKey: string;
  /** Who holds the lock when it is none of ours; empty otherwise. */
  readonly lockedBy: string;
  readonly onConsulLoss: ConsulLossPolicy;
  readonly observedGeneration: number;
  readonly conditions: readonly Condition[];
};
