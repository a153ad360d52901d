/** What a decision rests on, with sensible defaults: a group of ready pods whose lock is held for the first by its session. */

import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { type Action, actionsOf, type Plan } from '../../../src/election/actions.ts';
import type { LockView, MemberSession, Observation, ObservedPod } from '../../../src/election/observation.ts';
import { highestObservedToken } from '../../../src/election/observed-tokens.ts';
import type { FreeLock, HeldLock } from '../../../src/election/owned-lock.ts';
import type { Arrivals, ProbeView } from '../../../src/election/probe.ts';
import type { LockRecord } from '../../../src/election/record.ts';
import { aGroup, aLeader, aPod } from './builders.ts';
import { sessionId, sessionOf, uidOf } from './ids.ts';

export const LOCK_KEY = 'leadergroup/test/groups/09/default/notifier/0/.lock';
export const OWN_KEYS = {
  lock: LOCK_KEY,
  record: null,
  token: null,
  earlier: LOCK_KEY.replace('.lock', '.record'),
} as const;
export const FENCE = { key: 'leadergroup/test/buckets/09/.lock', session: sessionId('session-of-replica') };
export const NOW_MS = 100_000;

export const observed = (pod: Pod, overrides: Partial<ObservedPod> = {}): ObservedPod => ({
  pod,
  member: true,
  claimedByOther: false,
  costIsAnothers: false,
  yields: false,
  deferred: null,
  cordoned: false,
  nodeLost: false,
  zone: null,
  host: null,
  owner: { kind: 'clear', workload: 'Deployment notifier', template: false, placement: false },
  candidacy: { lacks: pod.ready ? null : 'NotReady', forMs: overrides.notReadyForMs ?? 60_000 },
  notReadyForMs: pod.ready ? 0 : 60_000,
  promotionRefused: null,
  fencingRefusedUntilMs: null,
  neverPromoted: false,
  contest: null,
  fencingConflicts: 0,
  ...overrides,
});

/** Of `observed`: by the condition that its group goes by it has been ready for so long. */
export const readyFor = (forMs: number): Pick<ObservedPod, 'candidacy'> => ({ candidacy: { lacks: null, forMs } });

/** `id`: any text. */
export type SessionOverrides = Partial<Omit<MemberSession, 'id'>> & { readonly id?: string };

export const aSession = (name: string, { id, ...overrides }: SessionOverrides = {}): MemberSession => ({
  id: id === undefined ? sessionOf(name) : sessionId(id),
  podUid: uidOf(name),
  ttlMs: 30_000,
  lockDelayMs: 0,
  deadlineMs: NOW_MS + 20_000,
  proven: true,
  ...overrides,
});

export const aRecord = (name: string, token: number, overrides: Partial<LockRecord> = {}): LockRecord => ({
  v: 1,
  groupUid: 'uid-of-notifier',
  generation: 1,
  holder: { pod: name, uid: uidOf(name) },
  token,
  writes: token,
  ...overrides,
});

/** `session`: any text. */
export type LockOverrides = Partial<Omit<LockView, 'session'>> & { readonly session?: string | null };

export const aLock = ({ session, ...overrides }: LockOverrides = {}): LockView => ({
  versions: [{ key: LOCK_KEY, index: 40 }],
  session: session == null ? null : sessionId(session),
  record: null,
  heldFor: null,
  sharedToken: 0,
  earlierToken: null,
  foreignEntry: false,
  ...overrides,
});

/** The lock as the member's session holds it. */
export const heldBy = (name: string, token = 4): LockView =>
  aLock({ session: `session-of-${name}`, record: aRecord(name, token) });

export const aFreeLock = (lock: LockView, guard = FENCE): FreeLock => ({ kind: 'free', guard, lock, session: null });

export const aHeldLock = (name: string, lock = heldBy(name)): HeldLock => ({
  kind: 'held',
  guard: FENCE,
  lock,
  session: aSession(name),
});

/** Free, with a record that names the last holder. */
export const freeAfter = (name: string, token = 4): LockView => aLock({ record: aRecord(name, token) });

/** Pod a leads with token 4; b and c are ready. Everyone has a session, also the holder of the lock. Nothing is to be done. */
export function anObservation(overrides: Partial<Observation> = {}): Observation {
  const group: LeaderGroup = overrides.group ?? aGroup();
  const pods = overrides.pods ?? [
    observed(aLeader(4, { name: 'a' })),
    observed(aPod({ name: 'b' })),
    observed(aPod({ name: 'c' })),
  ];
  const lock = overrides.lock === undefined ? heldBy('a') : overrides.lock;
  const holder = lock?.session?.replace('session-of-', '') ?? [];
  const sessions = new Set([...pods.map(({ pod }) => pod.name), ...[holder].flat()]);
  return {
    nowMs: NOW_MS,
    wallSeconds: 1_700_000_000,
    group,
    keys: OWN_KEYS,
    pods,
    highestObserved: highestObservedToken(
      group,
      pods.map(({ pod }) => pod),
    ),
    sessions: [...sessions].map((name) => aSession(name)),
    ownership: { kind: 'owned', guard: FENCE, untilMs: NOW_MS + 8000 },
    consulUnreachable: false,
    consulDeniesAll: false,
    lockDeadlineMs: NOW_MS + 20_000,
    lock,
    holderSession: null,
    freshList: false,
    groupConfirmed: false,
    untouched: 'no',
    hadAnother: false,
    groupKnown: true,
    labelStop: null,
    labelReaders: [],
    overlapsWith: null,
    overlapUid: null,
    overlapConfirmed: true,
    nodesReadable: true,
    lockKeyProblem: null,
    demotedForOutage: false,
    fenced: new Set(),
    verified: true,
    asked: false,
    revoked: null,
    resigned: null,
    switchover: { confirmed: true, failure: null, refusal: null },
    preemption: { preferred: null, turnMs: null, confirmed: true, yieldsUntilMs: [] },
    owedEvictions: null,
    lockDelayedUntilMs: null,
    fencingRefused: null,
    followersRefused: null,
    consulDenied: null,
    deletionSeenMs: null,
    deletingSinceMs: null,
    deletionConfirmed: true,
    probe: null,
    beforePromotion: null,
    route: null,
    ...overrides,
  };
}

/** When questions of each member arrived, in milliseconds before now. It has listened, and a has led, for a minute. */
export const aProbeView = (
  heardMsAgo: Readonly<Record<string, readonly number[]>> = {},
  overrides: Partial<ProbeView> = {},
): ProbeView => ({
  sinceMs: NOW_MS - 60_000,
  leader: { uid: uidOf('a'), sinceMs: NOW_MS - 60_000 },
  blind: null,
  ownNode: null,
  stalledMs: null,
  level: 0,
  heard: new Map(Object.entries(heardMsAgo).map(([name, ago]) => [uidOf(name), arrivalsOf(ago)])),
  judgedBefore: null,
  answers: new Map(),
  searchSinceMs: null,
  ...overrides,
});

/** As one with a period of a second keeps them. */
function arrivalsOf(ago: readonly number[]): Arrivals {
  const recentMs = ago.map((ms) => NOW_MS - ms).toSorted((x, y) => x - y);
  const after = recentMs.findLastIndex((ms, at) => ms - (recentMs[at - 1] ?? Number.NEGATIVE_INFINITY) > 1000);
  return { recentMs, steadySinceMs: recentMs[after] ?? Number.POSITIVE_INFINITY };
}

/** Each half period from so long ago until so long ago. */
export const eachHalfPeriod = (fromMsAgo: number, toMsAgo: number, periodMs = 1000): readonly number[] =>
  Array.from(
    { length: Math.floor((fromMsAgo - toMsAgo) / (periodMs / 2)) + 1 },
    (_, at) => toMsAgo + (at * periodMs) / 2,
  );

/** A plan's actions as short words, in order: `fence a`, `take b`, `promote b`. */
export const steps = (plan: Plan): readonly string[] =>
  actionsOf(plan)
    // That every plan waits for the grants where it must is the business of gate.test.ts.
    .filter((action) => action.do !== 'awaitGrantExpiry')
    .map((action) => inWords(action, plan));

/** As `steps`, what is done without whom it is done to. */
export const kinds = (plan: Plan): readonly Action['do'][] => actionsOf(plan).map((action) => action.do);

function inWords(action: Action, plan: Plan): string {
  switch (action.do) {
    case 'revoke':
      return `revoke ${String(action.holder).replace('uid-of-', '')}`;
    case 'fence':
      return `fence ${action.targets.map(({ pod }) => pod.name).join(',')}`;
    case 'take':
    case 'verify':
    case 'handOver':
      return `${action.do} ${action.transaction.to.pod.name}`;
    case 'promote':
      return `promote ${plan.kind === 'transition' ? (plan.lock.transaction.to?.pod.name ?? '') : ''}`;
    case 'openSessions':
    case 'askCandidates':
    case 'askBeforePromotion':
    case 'labelFollowers':
      return `${action.do} ${action.pods.map(({ name }) => name).join(',')}`;
    case 'cleanUp':
      return `cleanUp ${action.pods.map(({ pod }) => pod.name).join(',')}`;
    case 'destroySessions':
      return `destroySessions ${action.sessions.join(',')}`;
    case 'readTrials':
      return `readTrials ${action.trials.map(({ pod }) => pod.name).join(',')}`;
    case 'readOwners':
      return `readOwners ${action.owners.map(({ name }) => name).join(',')}`;
    case 'show':
      return `show ${action.slices.map(({ content }) => content.endpoint?.pod.name ?? 'nobody').join(',')}`;
    case 'makeSlices':
      return `makeSlices ${action.slices.map(({ family }) => family).join(',')}`;
    case 'withdraw':
      return `${confirming(action)}${action.remove ? 'remove' : 'withdraw'} ${action.slices.map(({ family }) => family).join(',')}`;
    case 'refresh':
      return `${confirming(action)}refresh ${action.slices.map(({ content }) => content.endpoint?.pod.name ?? 'nobody').join(',')}`;
    case 'evict':
      return `evict ${action.pod.name}`;
    case 'readRoute':
      return `${action.hurry ? 'hurry, ' : ''}readRoute`;
    case 'readOthers':
    case 'addFinalizer':
    case 'removeFinalizer':
    case 'awaitTurn':
    case 'readLock':
    case 'readHolderSession':
    case 'readGroup':
    case 'listPods':
    case 'unlock':
    case 'bury':
    case 'readRival':
    case 'readContester':
    case 'awaitGrantExpiry':
      return action.do;
  }
}

const confirming = ({ confirm }: { readonly confirm: boolean }): string => (confirm ? 'confirm, ' : '');

/** The action of this kind; fails when the plan has none. */
export function theAction<K extends Action['do']>(plan: Plan, kind: K): Extract<Action, { do: K }> {
  const actions = actionsOf(plan);
  const found = actions.find((action) => action.do === kind);
  if (found === undefined) throw new Error(`no ${kind} among ${actions.map((action) => action.do).join(', ')}`);
  return found as Extract<Action, { do: K }>;
}
