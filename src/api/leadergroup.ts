/** The LeaderGroup resource as the operator works with it: parsed once at the border (parse.ts), then trusted. */
import type { WallMs } from './clocks.ts';
import { FINALIZER } from './names.ts';
import type { Silence } from './silence.ts';
import type { LeaderGroupSpec } from './spec.ts';
import type { LeaderGroupStatus } from './status.ts';
import type { SwitchoverAsked } from './switchover.ts';

export type { LeaderGroupSpec } from './spec.ts';
export type { LeaderGroupStatus } from './status.ts';

export type LabelSelector = LeaderGroupSpec['selector'];
export type SelectorRequirement = LabelSelector['matchExpressions'][number];

/** What happens to the label when Consul has not answered until the lock's deadline. */
export type ConsulLossPolicy = LeaderGroupSpec['onConsulLoss'];

export type LeaderGroup = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly createdMs: WallMs;
  readonly deleting: boolean;
  readonly finalizers: readonly string[];
  /** What the annotation asks for; null: nothing. */
  readonly switchover: SwitchoverAsked | null;
  /** Work on it is planned, somebody says; null: nobody does. Nothing is decided by it. */
  readonly silence: Silence | null;
  /** A throwaway one of `kubectl leadergroup verify`: no metric counts it. Nothing is decided by it. */
  readonly isVerification: boolean;
  readonly spec: LeaderGroupSpec;
  /** null until the operator has written one, or when what stands there cannot be read. */
  readonly status: LeaderGroupStatus | null;
};

export type GroupName = Pick<LeaderGroup, 'namespace' | 'name'>;

/** A LeaderGroup whose spec cannot be acted on (it passed an older schema): named, explained, never guessed at. */
export type InvalidLeaderGroup = Omit<LeaderGroup, 'spec'> & { readonly problems: readonly string[] };

export type ParsedLeaderGroup =
  | { readonly kind: 'valid'; readonly group: LeaderGroup }
  | { readonly kind: 'invalid'; readonly group: InvalidLeaderGroup };

export type Condition = LeaderGroupStatus['conditions'][number];
export type ConditionType = Condition['type'];
export type ConditionStatus = Condition['status'];
export type LeaderStatus = LeaderGroupStatus['leaders'][number];
export type ErrorStatus = NonNullable<LeaderGroupStatus['lastError']>;
export type TransitionStatus = LeaderGroupStatus['recentTransitions'][number];
export type SwitchoverStatus = NonNullable<LeaderGroupStatus['lastSwitchover']>;
export type IneligibleStatus = LeaderGroupStatus['ineligible'][number];

/** Whatever else holds the object back. */
export const foreignFinalizers = ({ finalizers }: Pick<LeaderGroup, 'finalizers'>): readonly string[] =>
  finalizers.filter((finalizer) => finalizer !== FINALIZER);
