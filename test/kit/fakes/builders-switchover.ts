/** Groups of which a switchover is asked. */
import { parseSwitchover, type SwitchoverAsked, switchoverTime } from '../../../src/api/switchover.ts';
import type { SwitchoverRefusal } from '../../../src/api/switchover-reasons.ts';
import type { LockView, Observation, ObservedPod } from '../../../src/election/observation.ts';
import type { LockRecord } from '../../../src/election/record.ts';
import { aGroup, aLeader, aPod, type GroupOverrides, type PodOverrides } from './builders.ts';
import { aLock, anObservation, aRecord, freeAfter, heldBy, NOW_MS, observed } from './builders-election.ts';
import { sessionId } from './ids.ts';

/** By the wall clock of `anObservation()`. */
export const NOW_WALL_MS = 1_700_000_000_000;

/** The annotation as it reads so many seconds after (or, negative, before) now; to another pod than its leader by default. */
export const switchoverText = (to: string, seconds = -1, nowMs = NOW_WALL_MS): string =>
  `to=${to} at=${switchoverTime(nowMs + seconds * 1000)}`;

export const anAsk = (to: string, seconds?: number): SwitchoverAsked | null =>
  parseSwitchover(switchoverText(to, seconds));

/** By its token `heldWith('a')` is its lock. */
export const leaderA = (overrides: PodOverrides = {}, more: Partial<ObservedPod> = {}): ObservedPod =>
  observed(aLeader(4, { name: 'a', ...overrides }), more);

/** The steps by which a hands its lead over to b. */
export const HANDOVER: readonly string[] = ['revoke a', 'fence a', 'handOver b', 'promote b'];

/** None was handled before. */
const NONE_YET = { switchover: { atMs: 0, to: null } } as const;

/** As `heldBy`, with what the record says of switchovers. */
export const heldWith = (name: string, says: Partial<LockRecord> = NONE_YET): LockView => ({
  ...heldBy(name),
  record: aRecord(name, 4, says),
});

/** A switchover so many seconds ago moved the lead to a. */
export const movedAgo = (seconds: number): LockView =>
  heldWith('a', { switchover: { atMs: NOW_WALL_MS - seconds * 1000, to: 'a' }, pinned: true });

/** The annotation of the group asks for it; a leads, and b and c are ready. `group`: what else is said of it. */
export const askedFor = (
  to: string,
  {
    seconds = -1,
    group = {},
    ...overrides
  }: Partial<Omit<Observation, 'group'>> & {
    readonly seconds?: number;
    readonly group?: GroupOverrides;
  } = {},
): Observation =>
  anObservation({
    lock: heldWith('a'),
    ...overrides,
    group: aGroup({ createdMs: NOW_WALL_MS - 3_600_000, switchover: anAsk(to, seconds), ...group }),
  });

const failed = { confirmed: true, failure: 'Consul refused the transaction', refusal: null } as const;
const free = { ...freeAfter('a'), record: aRecord('a', 4, NONE_YET) };
const nobody = [observed(aPod({ name: 'b', ready: false }))];
const elsewhere = {
  lock: aLock({ session: 'theirs', record: aRecord('a', 4, NONE_YET) }),
  holderSession: { kind: 'external', name: 'cron', node: 'vm-1' },
} as const;

/** By reason, a group whose switchover is refused for it. */
export const SWITCHED: Readonly<Record<SwitchoverRefusal, Observation>> = {
  Malformed: askedFor('b', { group: { switchover: parseSwitchover('to b') } }),
  Replayed: askedFor('b', { seconds: -90, lock: movedAgo(60) }),
  Expired: askedFor('b', { seconds: -601 }),
  Future: askedFor('b', { seconds: 61 }),
  TooSoon: askedFor('b', { lock: movedAgo(20) }),
  NotACandidate: askedFor('d'),
  AlreadyLeads: askedFor('a'),
  NotLed: askedFor('b', { lock: free, pods: nobody }),
  LedElsewhere: askedFor('b', { ...elsewhere, lock: { ...elsewhere.lock, session: sessionId('theirs') } }),
  Paused: askedFor('b', { group: { spec: { paused: true } } }),
  Stalled: askedFor('b', { consulDenied: { message: 'token denied', retryAtMs: NOW_MS + 1000 } }),
  Deleting: askedFor('b', { group: { deleting: true } }),
  HandoverFailed: askedFor('b', { switchover: failed }),
};
