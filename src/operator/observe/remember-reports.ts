/** What was said to people, so that each thing is said once. */

import type { MonotonicMs } from '../../api/clocks.ts';
import type { LeaderGroup, TransitionStatus } from '../../api/leadergroup.ts';
import { MAX_TRANSITIONS } from '../../api/status.ts';
import { minus, plus } from './collections.ts';
import type { GroupMemory, LeaderChange } from './memory.ts';

export type ReportOutcome =
  /** Nobody was reported to be gone before. */
  | { readonly kind: 'leaderFenced'; readonly change: LeaderChange }
  /** Somebody leads again. */
  | { readonly kind: 'leaderBack' }
  | { readonly kind: 'lossReported' }
  /** To be written with the next status. */
  | { readonly kind: 'transition'; readonly transition: TransitionStatus }
  | { readonly kind: 'warned'; readonly of: string }
  | { readonly kind: 'warningOver'; readonly of: string }
  | { readonly kind: 'reasonReported'; readonly reason: string }
  /** `outage`: it shows the Consul outage. `writesMs`: when it was written, as far as its pace asks for. */
  | {
      readonly kind: 'statusWritten';
      readonly group: LeaderGroup | null;
      readonly outage: boolean;
      readonly writesMs: readonly MonotonicMs[];
    };

export function ofReports(memory: GroupMemory, outcome: ReportOutcome): GroupMemory {
  switch (outcome.kind) {
    case 'leaderFenced':
      return memory.change === null ? { ...memory, change: outcome.change } : memory;
    case 'leaderBack':
      return { ...memory, change: null };
    case 'lossReported':
      return memory.change === null ? memory : { ...memory, change: { ...memory.change, reported: true } };
    case 'transition':
      return { ...memory, transitions: [...memory.transitions, outcome.transition].slice(-MAX_TRANSITIONS) };
    case 'warned':
      return { ...memory, warned: plus(memory.warned, outcome.of) };
    case 'warningOver':
      return { ...memory, warned: minus(memory.warned, outcome.of) };
    case 'reasonReported':
      return { ...memory, reportedReason: outcome.reason };
    case 'statusWritten': {
      const { group, outage, writesMs } = outcome;
      const newerGroup = group ?? memory.newerGroup;
      return { ...memory, newerGroup, statusWritesMs: writesMs, transitions: [], outageReported: outage };
    }
  }
}
