/** What was said to people, so that each thing is said once. */

import type { MonotonicMs } from '../../api/clocks.ts';
import type { ErrorStatus, LeaderGroup, TransitionStatus } from '../../api/leadergroup.ts';
import { MAX_TRANSITIONS } from '../../api/status.ts';
import type { SwitchoverRefused } from '../../election/observation.ts';
import { minus, plus } from './collections.ts';
import type { GroupMemory, LeaderChange } from './memory.ts';
import { ofText } from './remember-group.ts';

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
  /** To be shown with the next status that is written. */
  | { readonly kind: 'actionFailed'; readonly error: Omit<ErrorStatus, 'replica'> }
  /** `of`: the news. `refused`: the annotation that it is about, and what was said; null: the lead was moved. */
  | {
      readonly kind: 'switchoverReported';
      readonly of: string;
      readonly refused: (SwitchoverRefused & { readonly text: string }) | null;
    }
  /** `outage`: it shows the Consul outage. `writesMs`: when it was written, as far as its pace asks for. */
  | {
      readonly kind: 'statusWritten';
      readonly group: LeaderGroup | null;
      readonly outage: string | null;
      readonly writesMs: readonly MonotonicMs[];
      /** Time of the switchover that the answer does not show; null: it does. */
      readonly droppedSwitchover: string | null;
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
    case 'actionFailed':
      return { ...memory, lastError: outcome.error };
    case 'switchoverReported':
      return switchoverReported(memory, outcome);
    case 'statusWritten': {
      const { group, outage, writesMs, droppedSwitchover } = outcome;
      const newerGroup = group ?? memory.newerGroup;
      return {
        ...memory,
        newerGroup,
        statusWritesMs: writesMs,
        transitions: [],
        outageReported: outage,
        droppedSwitchover,
      };
    }
  }
}

/** It holds from then on, also if the status could not be written. */
function switchoverReported(
  memory: GroupMemory,
  { of, refused }: Extract<ReportOutcome, { kind: 'switchoverReported' }>,
): GroupMemory {
  if (refused === null) return { ...memory, reportedSwitchover: of };
  const { text, ...refusal } = refused;
  return { ...memory, reportedSwitchover: of, switchover: { ...ofText(memory, text), refusal } };
}
