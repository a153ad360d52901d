/** Two clocks whose times must not be compared. */

declare const clock: unique symbol;

/**
 * Milliseconds by the monotonic clock, from an arbitrary moment: what deadlines are made of. A number is one too, so that time can be added
 * to it; a time by the wall clock is not.
 */
export type MonotonicMs = number & { readonly [clock]?: 'monotonic' };

/** Milliseconds since 1970 by a wall clock, ours, the API server's or a node's: it may jump. For people, and for comparing with its like. */
export type WallMs = number & { readonly [clock]: 'wall' };

/** Where a clock or a text is read. */
export const wallMs = (milliseconds: number): WallMs => milliseconds as WallMs;
