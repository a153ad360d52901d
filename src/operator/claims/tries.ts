/** Again, while what was decided from has changed by the time at which it was written. */
import type { ClaimAnswer } from '../../ports/claims.ts';
import type { Clock } from '../../ports/clock.ts';
import { ConsulError } from '../../ports/consul.ts';

export type Unknown = Extract<ClaimAnswer, { readonly kind: 'unknown' }>;
/** Something was otherwise than it was known. `lost`: what was sent, and nobody knows what became of it; null: nothing was written. */
export type Again = { readonly kind: 'again'; readonly lost: string | null };

export type Tries = <T extends { readonly kind: string }>(
  once: () => Promise<T | Again>,
  isLast: (answer: T | Unknown) => boolean,
  caller: AbortSignal,
) => Promise<T | Unknown>;

/** A verification of our own moves the lock as well, once for each promotion; and another write the mark. */
const TRIES = 4;
/** By then the answer that has moved the lock is here. */
const AGAIN_MS = 10;

export const unknown = (reason: string): Unknown => ({ kind: 'unknown', reason });

const STOPPING = 'this replica is stopping';

const isAgain = (answer: { readonly kind: string }): answer is Again => answer.kind === 'again';

/**
 * From what is known by then, while something was otherwise. Once a write may have been made without our knowing only the mark can say
 * what became of it: that the call would get nothing now is no answer. `caller` aborts when nobody listens any more: nothing is begun then.
 * `signal`: this replica stops, which says nothing to anybody.
 */
export function createTries(clock: Pick<Clock, 'sleep'>, signal: AbortSignal): Tries {
  return async <T extends { readonly kind: string }>(
    once: () => Promise<T | Again>,
    isLast: (answer: T | Unknown) => boolean,
    caller: AbortSignal,
  ): Promise<T | Unknown> => {
    let lost: string | null = null;
    for (let tries = 1; tries <= TRIES && !caller.aborted && !signal.aborted; tries += 1) {
      const answer = await told(once(), signal);
      if (!isAgain(answer)) return lost === null || isLast(answer) ? answer : unknown(lost);
      lost ??= answer.lost;
      if (tries < TRIES) await clock.sleep(AGAIN_MS * tries, signal).catch(() => undefined);
    }
    return unknown(lost ?? (signal.aborted ? STOPPING : 'the lock or the series kept changing'));
  };
}

/** Consul did not say, or is not waited for because `signal` ends all that is under way: nobody knows. */
export async function told<T>(answer: Promise<T>, signal: AbortSignal): Promise<T | Unknown> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ConsulError) return unknown(error.message);
    if (signal.aborted && error === signal.reason) return unknown(STOPPING);
    throw error;
  }
}
