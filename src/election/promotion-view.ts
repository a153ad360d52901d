/** What an answer before a promotion is, and for how long it counts. */
import type { MonotonicMs } from '../api/clocks.ts';
import type { PodUid } from '../api/ids.ts';
import type { Pod } from '../api/pod.ts';

/** What this replica has learnt since it got the group's bucket. Whatever another one was answered it asks anew. */
export type PromotionView = {
  /** Why nobody may be asked now; null: they may. */
  readonly blind: string | null;
  /** By uid, of the present life of the pod: what was answered before one of its containers was started anew is not here. */
  readonly answers: ReadonlyMap<PodUid, PromotionAnswer>;
};

/** Times are monotonic milliseconds. `askedMs`: when the question was sent. */
export type PromotionAnswer =
  | { readonly kind: 'asking'; readonly failed: FailedAnswer | null }
  | { readonly kind: 'passed'; readonly askedMs: MonotonicMs }
  | FailedAnswer;

/** `failure`: in words. */
export type FailedAnswer = {
  readonly kind: 'failed';
  readonly askedMs: MonotonicMs;
  readonly failure: string;
  readonly retryAtMs: MonotonicMs;
};

/** For so long an answer counts. */
export const ANSWER_MS = 30_000;

/** Tells the life of a pod in which it has answered from the one after its containers, or its sandbox, were started anew. */
export const lifeOf = ({ restarts, runningSinceMs, addresses }: Pod): string =>
  `${restarts} ${runningSinceMs ?? ''} ${addresses[0] ?? ''}`;
