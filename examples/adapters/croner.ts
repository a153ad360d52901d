/**
 * croner (11.0) tells its function when it began, not for when it was scheduled; so does `cron`, and @nestjs/schedule on top of it. croner's calendar
 * knows the times, though: this waits for each of them. Copy this file and the client, and give each replica the same pattern.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Cron } from 'croner';
import type { Claim, Gate, OnceOptions, Outcome } from '../clients/typescript/index.ts';

/** So often it looks again: the clock may be set, and the machine may have been suspended, of which a timer knows nothing. */
const LOOK_MS = 60_000;
/** After a refusal, which people have to end. */
const REFUSED_MS = 10_000;

/**
 * Calls `once` at each time of the pattern until `signal` aborts, for one after the other, and begins after the last one that was claimed, by
 * whomever. Those that passed meanwhile come late, but for what is longer ago than `catchUpMs` (default: a minute, and with AtLeastOnce
 * retryAfterSeconds more). `told`: what became of each; an error: what `fn` threw, or that the claim is wrong. `timezone` must be the same in all replicas.
 */
export async function keepScheduleOnce(
  {
    gate,
    series,
    pattern,
    signal,
    timezone = 'UTC',
    catchUpMs,
    ...options
  }: Omit<OnceOptions, 'signal'> & {
    readonly gate: Pick<Gate, 'once' | 'standing'>;
    readonly series: string;
    readonly pattern: string;
    readonly signal: AbortSignal;
    readonly timezone?: string;
    readonly catchUpMs?: number;
  },
  fn: (claim: Claim) => Promise<void> | void,
  told: (outcome: Outcome | Error) => void,
): Promise<void> {
  // Without a function it is a calendar.
  const pendingMs = options.mode === 'AtLeastOnce' ? (options.retryAfterSeconds ?? 300) * 1000 : 0;
  const keptMs = catchUpMs ?? pendingMs + 60_000;
  const calendar = new Cron(pattern, { timezone });
  const begunMs = Date.now();
  const stoodMs = (await lastGiven({ gate, series, signal }, told)) ?? begunMs;
  // One that is ahead was given out by a wrong clock, and may be taken back.
  let last = new Date(Math.max(begunMs - keptMs, Math.min(begunMs, stoodMs)));
  while (!signal.aborted) {
    const next = calendar.nextRun(last);
    if (next === null || !(await reached(next, signal))) return;
    const begun = { position: next.getTime() };
    const doing = (claim: Claim): Promise<void> | void => {
      begun.position = claim.position;
      return fn(claim);
    };
    try {
      told(await gate.once(series, next.getTime(), doing, { ...options, signal }));
      begun.position = next.getTime();
    } catch (error) {
      told(error instanceof Error ? error : new Error(String(error)));
    }
    // Where an earlier one has failed, which AtLeastOnce brings again, this one is still to be claimed.
    if (begun.position === next.getTime()) last = next;
    last = new Date(Math.max(last.getTime(), Date.now() - keptMs));
  }
}

/** null: none was, or `signal` has aborted. */
async function lastGiven(
  {
    gate,
    series,
    signal,
  }: { readonly gate: Pick<Gate, 'standing'>; readonly series: string; readonly signal: AbortSignal },
  told: (error: Error) => void,
): Promise<number | null> {
  while (!signal.aborted) {
    try {
      return (await gate.standing(series, signal))?.position ?? null;
    } catch (error) {
      told(error instanceof Error ? error : new Error(String(error)));
      await delay(REFUSED_MS, undefined, { signal }).catch(() => undefined);
    }
  }
  return null;
}

/** Whether it was; false: `signal` has aborted. */
async function reached(time: Date, signal: AbortSignal): Promise<boolean> {
  for (let leftMs = time.getTime() - Date.now(); leftMs > 0; leftMs = time.getTime() - Date.now()) {
    await delay(Math.min(leftMs, LOOK_MS), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return false;
  }
  return !signal.aborted;
}
