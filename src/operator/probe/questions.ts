/** Asks one pod over HTTP, when it is its turn: for the leader probe and before promotions. */
import type { BeforePromotion } from '../../api/before-promotion.ts';
import type { MonotonicMs } from '../../api/clocks.ts';
import type { HttpGet, LeaderProbe } from '../../api/leader-probe.ts';
import type { Clock } from '../../ports/clock.ts';
import type { HttpProbeResult, HttpProber } from '../../ports/prober.ts';

/** `askedMs`: when the question was sent, or was to be. */
export type Answered = { readonly askedMs: MonotonicMs; readonly result: HttpProbeResult };

/** Never rejects: where an adapter throws nobody was asked either. */
export type Question = (by: HttpGet, address: string, signal: AbortSignal) => Promise<Answered>;

export type QuestionParts = {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly http: HttpProber;
  /** null: this replica has too many questions under way. */
  readonly turn: () => Promise<(() => void) | null>;
  /** When this process last went on after it had stood still for so long; null: it has not. */
  readonly stalledMs: (forMs: number) => MonotonicMs | null;
};

/** Whether two parts of specs ask the same: what was answered to the one counts for the other. */
export const isSameSpec = <Spec extends LeaderProbe | BeforePromotion>(a: Spec, b: Spec): boolean =>
  a === b || JSON.stringify(a) === JSON.stringify(b);

const TOO_MANY = 'this replica of the operator has more probes to send than it can have under way';
const STOOD_STILL = 'the process of this replica of the operator stood still while the pod was asked';
const passedOver = (notAsked: string): HttpProbeResult => ({ notAsked, before: false });

export function createQuestion({ clock, http, turn, stalledMs }: QuestionParts): Question {
  return async (by, address, signal) => {
    const release = await turn();
    const askedMs = clock.nowMs();
    const result = release === null ? passedOver(TOO_MANY) : await resultOf(by, address, signal, askedMs);
    release?.();
    return { askedMs, result };
  };

  async function resultOf(
    by: HttpGet,
    address: string,
    signal: AbortSignal,
    askedMs: MonotonicMs,
  ): Promise<HttpProbeResult> {
    try {
      const result = await http.get({ ...by, address }, signal);
      const wentOnMs = stalledMs(by.timeoutMs / 2) ?? Number.NEGATIVE_INFINITY;
      return typeof result === 'string' && wentOnMs >= askedMs ? passedOver(STOOD_STILL) : result;
    } catch (error) {
      return { notAsked: error instanceof Error ? error.message : String(error), before: true };
    }
  }
}
