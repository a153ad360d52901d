/** The few shapes that plans come in. */
import type { MonotonicMs } from '../api/clocks.ts';
import type { Says, StalledReason, UnsettledReason } from '../api/condition-reasons.ts';
import type { TransitionCause } from '../api/transition-causes.ts';
import type { Fence, Idle, Look, Moves, Premises, Preparation, Transition, Verdict } from './actions.ts';
import type { Observation } from './observation.ts';

/** `null` verdicts leave the conditions as they stand: nothing was learnt that people should see. */
export const nothing = (reason: string, againMs: number | null = null): Idle => ({
  kind: 'idle',
  ...quietly(reason),
  againMs,
});

export const idle = (verdict: Verdict, againMs: number | null = null): Idle => ({
  ...nothing('nothing to do', againMs),
  verdict,
});

/** Reads or preparations after which the group is looked at again at once. */
export const look = (after: readonly Preparation[], reason: string): Look => ({
  kind: 'look',
  canWait: false,
  fence: [],
  after,
  ...quietly(reason),
});

/** What makes the next handover shorter. `againMs`: as of Premises, for while it waits. */
export const ahead = (after: readonly Preparation[], reason: string, againMs: number | null): Look => ({
  ...look(after, reason),
  canWait: true,
  againMs,
});

/** `first`, if it is anything, before what the plan does; whatever the plan says of the group stays said. */
export function withFirst(first: readonly Fence[], plan: Idle | Look): Idle | Look {
  if (first.length === 0) return plan;
  const after = plan.kind === 'idle' ? [] : plan.after;
  const fence = plan.kind === 'idle' ? first : [...first, ...plan.fence];
  return { ...plan, kind: 'look', canWait: false, fence, after };
}

export function transition(premises: Premises, moves: Moves): Transition {
  assertConsistent(moves);
  return { ...premises, kind: 'transition', ...moves };
}

/** What the types cannot say: the record names who has the lock, and nothing takes the label off the one that it was verified for. */
function assertConsistent({ lock, after }: Moves): void {
  const { to, record } = lock.transaction;
  if (to === null) return;
  if (record.holder.uid !== to.pod.uid) throw new Error(`the record names ${record.holder.pod}, not ${to.pod.name}`);
  for (const action of after)
    if (action.do === 'fence' && action.targets.some(({ pod }) => pod.uid === to.pod.uid))
      throw new Error(`the holder ${to.pod.name} is fenced under its own verification`);
}

/** Of a change of leader: people see that one is being elected, and why. */
export const electing = (cause: TransitionCause, reason: string): Premises => ({
  cause,
  reason,
  verdict: notReady('Electing', reason),
  againMs: null,
});

/** Of what people need not hear of. */
export const quietly = (reason: string): Premises => ({ cause: null, reason, verdict: null, againMs: null });

export const stalled = (reason: StalledReason, message: string): Idle =>
  idle({ ready: { status: 'False', reason }, detail: message, stalled: { reason, message } });

export const ready = (reason: Extract<Says<'Ready'>, { status: 'True' }>['reason'], detail = ''): Verdict => ({
  ready: { status: 'True', reason },
  detail,
  stalled: null,
});

export const notReady = (reason: UnsettledReason, detail: string): Verdict => ({
  ready: { status: 'False', reason },
  detail,
  stalled: null,
});

/** In one line, of what there is to say. */
export const sentences = (parts: readonly (string | null)[]): string =>
  parts.filter((part) => part !== null).join('; ');

/** Earliest of the moments at which it is worth looking again; null without any. */
export function soonest(moments: readonly (number | null)[]): number | null {
  const known = moments.filter((moment) => moment !== null);
  return known.length === 0 ? null : Math.max(0, Math.min(...known));
}

export const until = (o: Observation, atMs: MonotonicMs): number => Math.max(0, atMs - o.nowMs);
