/** When a leader that is listened to is to be looked at again. */
import type { MonotonicMs } from '../../api/clocks.ts';
import { limitMs } from '../../election/probe.ts';
import type { Listening } from './listening.ts';

/** In a period, at a leader that is silent while nobody qualifies to follow it: the same fault may have kept the others silent for a moment. */
const LOOKS_FOR_SUCCESSORS = 4;

/** A leader that passes cannot fail before it has been silent for long enough; anything else may change with each period. */
export function dueIn({ probe, judgement }: Listening, lastMs: MonotonicMs | undefined, nowMs: MonotonicMs): number {
  if (judgement?.kind === 'failing') return probe.periodMs / LOOKS_FOR_SUCCESSORS;
  const silentAtMs = (lastMs ?? nowMs) + limitMs(probe, 0);
  const failsMs = silentAtMs > nowMs ? silentAtMs - nowMs : probe.periodMs;
  return judgement?.kind === 'passing' ? failsMs : Math.min(failsMs, probe.periodMs);
}
