/** Since when somebody else than the leader is preferred. */
import type { MonotonicMs } from '../api/clocks.ts';
import type { PodUid } from '../api/ids.ts';

/** By uid, since when who was preferred to `over`, the leader. */
export type PreferredSince = { readonly over: PodUid; readonly since: ReadonlyMap<PodUid, Moment> };

/** By both clocks: one to measure with, one to tell people. `failed`: its time had come then, and it did not pass the leader probe. */
export type Moment = { readonly atMs: MonotonicMs; readonly wallSeconds: number; readonly failed?: true };
