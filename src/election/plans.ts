/** The few shapes that plans come in. */
import type { Action, Plan, Verdict } from './actions.ts';
import type { Observation } from './observation.ts';

/** `null` verdicts leave the conditions as they stand: nothing was learnt that people should see. */
export const nothing = (reason: string, againMs: number | null = null): Plan => ({
  actions: [],
  cause: '',
  reason,
  verdict: null,
  againMs,
});

export const rest = (verdict: Verdict, againMs: number | null = null): Plan => ({
  actions: [],
  cause: '',
  reason: 'nothing to do',
  verdict,
  againMs,
});

/** Reads or preparations after which the group is looked at again at once. */
export const look = (actions: readonly Action[], reason: string): Plan => ({
  actions,
  cause: '',
  reason,
  verdict: null,
  againMs: null,
});

export const act = (actions: readonly Action[], cause: string, reason: string): Plan => ({
  actions,
  cause,
  reason,
  verdict: electing(reason),
  againMs: null,
});

export const stalled = (reason: string, message: string): Plan =>
  rest({ ready: { status: 'False', reason }, detail: message, stalled: { reason, message } });

export const ready = (reason: 'Led' | 'LedElsewhere' | 'ScaledToZero', detail = ''): Verdict => ({
  ready: { status: 'True', reason },
  detail,
  stalled: null,
});

export const notReady = (
  reason: 'Electing' | 'NoCandidate' | 'NoMembers' | 'ConsulUnreachable' | 'LockDelay' | 'Deleting' | 'LabelContested',
  detail: string,
): Verdict => ({ ready: { status: 'False', reason }, detail, stalled: null });

const electing = (detail: string): Verdict => notReady('Electing', detail);

/** Earliest of the moments at which it is worth looking again; null without any. */
export function soonest(moments: readonly (number | null)[]): number | null {
  const known = moments.filter((moment) => moment !== null);
  return known.length === 0 ? null : Math.max(0, Math.min(...known));
}

export const until = (o: Observation, atMs: number): number => Math.max(0, atMs - o.nowMs);
