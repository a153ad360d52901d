/**
 * A schedule of which each tick is claimed before anything is done for it: once over all replicas, whoever leads, dies or hangs. All replicas
 * claim each tick, one after the other: the leader gets it at once, the others wait until it is given out, and get it if they lead first. So
 * no tick is forgotten while nobody leads, only late.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Claim, ClaimError, type Gate, type Outcome } from '../clients/typescript/index.ts';

export type Schedule = {
  /** Its name, the same in all replicas. */
  readonly series: string;
  readonly tickMs: number;
  /** AtMostOnce: whoever has claimed a tick has it for good. AtLeastOnce: a tick that nobody has done is given out again. */
  readonly mode: 'AtMostOnce' | 'AtLeastOnce';
};

export type ClaimOptions = {
  readonly gate: Pick<Gate, 'once' | 'standing'>;
  /** AtLeastOnce: after so long a tick that was claimed and not done is given out again. */
  readonly retryAfterSeconds: number;
  /** A tick of which nobody can say for so long whose it is, is dropped. null: a minute, and with AtLeastOnce retryAfterSeconds more. */
  readonly catchUpMs: number | null;
  readonly signal: AbortSignal;
};

const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 10_000;
/** A timer does not see that the clock was set, and none of Node is longer than 24 days. */
const LOOK_MS = 60_000;

/** From `daily-report:60000:AtMostOnce,digest:1000:AtLeastOnce`. */
export function schedulesIn(text: string): readonly Schedule[] {
  const parts = text.split(',').map((part) => part.trim());
  return parts.filter((part) => part !== '').map(scheduleIn);
}

function scheduleIn(text: string): Schedule {
  const [, series = '', ms, mode] = /^(.+):(\d+):(AtMostOnce|AtLeastOnce)$/.exec(text) ?? [];
  if (mode === undefined || Number(ms) === 0)
    throw new Error(`CLAIMS: ${text} is not SERIES:TICK_MS:AtMostOnce or SERIES:TICK_MS:AtLeastOnce`);
  return { series, tickMs: Number(ms), mode: mode as Schedule['mode'] };
}

/** Returns when `signal` has aborted and no tick is under way. `work` does one tick; a tick that it rejects of was not done. */
export async function keepByClaims(
  { series, tickMs, mode }: Schedule,
  work: (claim: Claim) => Promise<void>,
  { gate, retryAfterSeconds, catchUpMs, signal }: ClaimOptions,
): Promise<void> {
  const keptMs = catchUpMs ?? 60_000 + (mode === 'AtLeastOnce' ? retryAfterSeconds * 1000 : 0);
  const nextAfter = (ms: number): number => (Math.floor(ms / tickMs) + 1) * tickMs;
  const pause = (ms: number): Promise<unknown> => delay(ms, null, { signal }).catch(() => undefined);
  const refusals = createRefusals(series);

  /** In how many milliseconds the same tick is to be claimed once more; null: it is done, or another's. */
  async function claim(due: number): Promise<number | null> {
    const begun = { position: Number.NaN };
    const doing = (claimed: Claim): Promise<void> => {
      begun.position = claimed.position;
      return work(claimed);
    };
    try {
      const outcome = await gate.once(series, due, doing, { mode, retryAfterSeconds, signal });
      refusals.over();
      return isOver(outcome) ? null : FIRST_PAUSE_MS;
    } catch (error) {
      if (error instanceof ClaimError) return refused(error);
      refusals.over();
      console.error(`${series} ${begun.position}: ${String(error)}`);
      // AtLeastOnce brings it again, before any later one. Was it an earlier one than this, this one is still to be claimed.
      return begun.position === due ? null : FIRST_PAUSE_MS;
    }
  }

  function refused(error: unknown): number {
    if (error instanceof ClaimError) return refusals.pauseMs(error);
    throw error;
  }

  /** After the last that was given out: nobody has done the ones since then, and they would pass with a later one. */
  async function firstDue(): Promise<number> {
    const begunMs = Date.now();
    while (!signal.aborted) {
      const said = await gate.standing(series, signal).catch(refused);
      if (typeof said === 'number') {
        await pause(said);
        continue;
      }
      // One that is ahead was given out by a wrong clock, and may be taken back.
      const after = Math.min(begunMs, said?.position ?? begunMs);
      return nextAfter(Math.max(begunMs - keptMs, after));
    }
    return nextAfter(begunMs);
  }

  /** The first that is not too long ago. */
  function notTooOld(due: number): number {
    const oldest = nextAfter(Date.now() - keptMs);
    if (due < oldest)
      console.error(`${series} ${due}: dropped, and all before ${oldest}: nobody could say whose it is`);
    return Math.max(due, oldest);
  }

  for (let due = await firstDue(); !signal.aborted; due = notTooOld(due)) {
    if (Date.now() < due) {
      // Again if the timer was a millisecond early.
      await pause(Math.min(due - Date.now(), LOOK_MS));
      continue;
    }
    const againMs = await claim(due);
    if (againMs === null) due += tickMs;
    else await pause(againMs);
  }
}

/** Whether the tick is done, or another's. Else nobody could say, or an earlier one has to be done first. */
const isOver = (outcome: Outcome): boolean =>
  outcome.kind === 'done' || (outcome.kind === 'dropped' && outcome.reason === 'Passed');

/** What the gate does not take it takes no sooner for being asked often: longer pauses each time, half of them by chance. Each refusal is told once. */
function createRefusals(series: string) {
  let [times, told] = [0, ''];
  return {
    over: (): void => {
      times = 0;
      told = '';
    },
    pauseMs: ({ message, retryAfterMs }: ClaimError): number => {
      times += 1;
      if (message !== told) console.error(`${series}: ${message}; it is asked again, with longer and longer pauses`);
      told = message;
      const longestMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** times);
      return Math.max(retryAfterMs, longestMs * (0.5 + Math.random() / 2));
    },
  };
}
