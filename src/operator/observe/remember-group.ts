/** What reads and writes of the group itself leave in memory, and questions of the gate. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { plus } from './collections.ts';
import { type GroupMemory, MOST_NOTED, type RememberedSwitchover } from './memory.ts';

export type GroupOutcome =
  /** The API server has shown this very group. */
  | { readonly kind: 'groupShown' }
  /** It is as the cache shows it, but for what does not count as a generation. `newer`: null where the cache is up to date. */
  | {
      readonly kind: 'groupConfirmed';
      readonly newer: LeaderGroup | null;
      readonly deleting: boolean;
      readonly atMs: MonotonicMs;
      /** Version of the lock. */
      readonly at: string | null;
      /** The annotation that asks for a switchover, as the answer shows it; null: there is none. */
      readonly switchover: string | null;
    }
  /** As an answer of the API server has left it. */
  | { readonly kind: 'groupChanged'; readonly group: LeaderGroup }
  /** `whole`: nobody can have led before our finalizer. `group`: as the answer shows it; null: the answer could not be read. */
  | { readonly kind: 'finalizerAdded'; readonly group: LeaderGroup | null; readonly whole: boolean }
  | { readonly kind: 'finalizerRemoved'; readonly group: LeaderGroup | null }
  /** The group was not there any more when its finalizer was to be written. */
  | { readonly kind: 'groupGone' }
  /** Uid of the older group that this one overlaps with. */
  | { readonly kind: 'rivalRead'; readonly uid: string; readonly there: boolean }
  | { readonly kind: 'asked' }
  /** The handover that the annotation `text` asks for could not be completed. `unlabelled`: the leader has lost its label by it. */
  | {
      readonly kind: 'switchoverFailed';
      readonly text: string;
      readonly failure: string;
      readonly unlabelled: boolean;
    }
  /** When, of the groups of this replica whose leader is to be preempted, it is this one's turn. */
  | { readonly kind: 'turn'; readonly atMs: MonotonicMs }
  /** The handover to a preferred candidate could not be completed. */
  | { readonly kind: 'preemptionFailed' };

export function ofGroup(memory: GroupMemory, outcome: GroupOutcome): GroupMemory {
  switch (outcome.kind) {
    case 'groupShown':
      return { ...memory, groupKnown: true };
    case 'groupConfirmed':
      return confirmed(memory, outcome);
    case 'groupChanged':
      return { ...memory, newerGroup: outcome.group };
    case 'finalizerAdded':
      return {
        ...memory,
        ...changedByUs(memory, outcome.group),
        // Once some were forgotten there are always more than that.
        wholeIncarnation: outcome.whole && memory.perhapsPromoted.size < MOST_NOTED / 2,
        lockReadSince: false,
      };
    case 'finalizerRemoved':
      return { ...memory, ...changedByUs(memory, outcome.group), finalizerOff: true };
    case 'groupGone':
      return { ...memory, finalizerOff: true };
    case 'rivalRead':
      if (outcome.there) return { ...memory, rivalConfirmed: outcome.uid };
      return { ...memory, goneRivals: plus(memory.goneRivals, outcome.uid) };
    case 'asked':
      return { ...memory, asked: true };
    case 'switchoverFailed':
      return { ...memory, switchover: failedAgain(memory, outcome) };
    case 'turn':
      return { ...memory, turn: { atMs: outcome.atMs, confirmed: false } };
    case 'preemptionFailed':
      // Nobody need be moved just now: the delay begins anew, so a leader loses its label once in each.
      return { ...memory, preferred: null, turn: null };
  }
}

const changedByUs = (memory: GroupMemory, group: LeaderGroup | null) => ({
  groupKnown: true,
  newerGroup: group ?? memory.newerGroup,
});

/** Of the time since the last read of a group that is being deleted no more counts; a pass whose writes hang takes some seconds. */
const UNSEEN_MS = 10_000;

/** While the API server was away, or this process stood still, nothing could be undone: that does not count among what a deletion may take. */
function confirmed(memory: GroupMemory, outcome: Extract<GroupOutcome, { kind: 'groupConfirmed' }>): GroupMemory {
  const { newer, deleting, atMs, at, switchover } = outcome;
  const unseenMs = atMs - (memory.deletionConfirmedMs ?? atMs);
  const deletingSinceMs = (memory.deletingSinceMs ?? atMs) + Math.max(0, unseenMs - UNSEEN_MS);
  return {
    ...memory,
    newerGroup: newer ?? memory.newerGroup,
    deletingSinceMs: deleting ? deletingSinceMs : null,
    deletionConfirmedMs: deleting ? atMs : null,
    deletionShown: deleting,
    groupConfirmedAt: at,
    turn: memory.turn === null || memory.turn.atMs > atMs ? memory.turn : { ...memory.turn, confirmed: true },
    switchover: switchover === null ? null : { ...ofText(memory, switchover), confirmedMs: atMs },
  };
}

export const ofText = ({ switchover }: GroupMemory, text: string): RememberedSwitchover =>
  switchover?.text === text ? switchover : { text, confirmedMs: null, failures: 0, failure: '', refusal: null };

/** A conflict, say, costs nobody anything and is over with the next try. */
const UNLABELLED_WEIGHT = 4;

function failedAgain(
  memory: GroupMemory,
  { text, failure, unlabelled }: Extract<GroupOutcome, { kind: 'switchoverFailed' }>,
): RememberedSwitchover {
  const before = ofText(memory, text);
  return { ...before, failures: before.failures + (unlabelled ? UNLABELLED_WEIGHT : 1), failure };
}
