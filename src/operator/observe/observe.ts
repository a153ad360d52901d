/** Puts together everything that one decision about a group rests on. Reads memory only: no request is sent here. */
import type { MonotonicMs } from '../../api/clocks.ts';
import { foreignFinalizers, type LeaderGroup } from '../../api/leadergroup.ts';
import type { Pod } from '../../api/pod.ts';
import { type LabelView, promotedHere } from '../../election/candidates.ts';
import { deferrals, historyOf } from '../../election/deferral.ts';
import type { GateView } from '../../election/gate.ts';
import { judgedBefore } from '../../election/judgement.ts';
import type { LockView, MemberSession, Observation, ObservedPod, Ownership } from '../../election/observation.ts';
import { highestObservedToken } from '../../election/observed-tokens.ts';
import { preferredSince } from '../../election/preemption.ts';
import { shownToken } from '../../election/route.ts';
import { holderAmong } from '../../election/sessions.ts';
import { fencingVersion, verificationOf, versionOf } from '../../election/trust.ts';
import { groupKey, type Store } from '../cache/store.ts';
import { lockDeadlineMs } from './lock-deadline.ts';
import type { AcceptedReleases, GroupMemory } from './memory.ts';
import { acceptedReleases, labelStop } from './observe-owners.ts';
import { observePods, podsKnown } from './observe-pods.ts';
import { routeView } from './observe-route.ts';
import type { Owners } from './owners.ts';
import { blockingRefusal } from './refusals.ts';
import type { Observed } from './remember.ts';
import { withAccepted } from './remember-pods.ts';
import { isMember, type Rivals, rivalsOf } from './rivals.ts';
import { type Shown, stillNewer } from './shown.ts';
import { claimantsOf, newest, type ObserverOptions, type View } from './view.ts';

/** What an observation begins with. As an outcome it tells the memory what is void by now. */
export type Sight = View & Shown & { readonly sessions: readonly MemberSession[] };

/** `observed`: what the memory is to learn of it. */
export type Looked = { readonly observation: Observation; readonly observed: Observed };

/** Nothing is written here: what an observation brings for the memory is handed back with it. */
export type Observer = {
  /** What is shown of the group as the watch has delivered it. */
  sight(group: LeaderGroup, memory: GroupMemory): Sight;
  /** Everything that a plan rests on. `memory`: with the sight already learnt. */
  all(sight: Sight, memory: GroupMemory): Looked;
  /**
   * What an answer of the gate rests on: the holder of the lock and its pod, whatever the number of members. Each part is as it is now,
   * but for the tokens on other pods, which are as the last pass saw them; `verified` says that a pass has found the record good.
   */
  holder(group: LeaderGroup, memory: GroupMemory): GateView;
};

export function createObserver(options: ObserverOptions): Observer {
  const { store, sessionManager } = options;
  return {
    sight: (cached, memory) => {
      const view = viewOf(options, cached, memory);
      const sessions = sessionManager.of(groupKey(view.group));
      const pods = podsKnown(options, view, memory);
      return { kind: 'shown', ...view, cached, pods, sessions, outageOver: outageOver(view, sessions) };
    },
    all: (sight, memory) => {
      const { group, sessions } = sight;
      const rivals = rivalsOf(store, group, memory.goneRivals);
      const deferred = deferredIn(options, sight, memory);
      const before = observePods(options, sight, { memory, rivals, deferred }, sight.pods);
      const accepted = acceptedReleases(group, memory, before);
      const edited = withAccepted(memory, accepted);
      const pods =
        edited === memory ? before : observePods(options, sight, { memory: edited, rivals, deferred }, sight.pods);
      const seen = observation(options, sight, memory, { rivals, sessions, pods, accepted });
      const preferred = preferredSince(memory.preferred, seen);
      const o = { ...seen, preemption: { ...seen.preemption, preferred } };
      const { highestObserved } = o;
      const labelStop = o.labelStop === null ? null : { ...o.labelStop, generation: group.generation };
      const observed = { kind: 'observed', highestObserved, acceptedReleases: accepted, labelStop, preferred } as const;
      return { observation: o, observed };
    },
    holder: (cached, memory) => {
      const view = viewOf(options, cached, memory);
      const { nowMs, group, ownership, lock } = view;
      const session = lock?.session == null ? null : sessionManager.session(groupKey(group), lock.session);
      const pod = session === null ? null : holderPod(store, view, session, memory);
      return {
        nowMs,
        group,
        ownership,
        lock,
        sessions: session === null ? [] : [session],
        verified: memory.verifiedAt === verificationOf(ownership, lock),
        highestObserved: memory.highestObserved,
        revoked: memory.revoked?.uid ?? null,
        pods: pod === null ? [] : [labelView(store, group, memory, pod)],
      };
    },
  };
}

/** The record names the pod; where it names another than the session's, the record cannot be believed anyway. */
function holderPod(store: Store, { group, lock }: View, { podUid }: MemberSession, memory: GroupMemory): Pod | null {
  const recorded = lock?.record?.holder;
  if (recorded?.uid !== podUid || memory.goneUids.has(podUid)) return null;
  const entry = store.pod(group.namespace, recorded.pod);
  return entry?.pod.uid === podUid ? newest(memory, entry.pod) : null;
}

/** Who else claims the pod matters only where no promotion of this group stands on it; to know it costs a look at the other's members. */
function labelView(store: Store, group: LeaderGroup, memory: GroupMemory, pod: Pod): LabelView {
  const member = isMember(group, pod);
  const claimants = promotedHere(group, pod) ? [] : claimantsOf(rivalsOf(store, group, memory.goneRivals), pod, member);
  return { pod, member, claimedByOther: claimants.length > 0 };
}

function viewOf({ clock, locks, ...options }: ObserverOptions, cached: LeaderGroup, memory: GroupMemory): View {
  const group = preferNewer(cached, memory);
  return {
    nowMs: clock.nowMs(),
    group,
    ownership: options.ownership(group),
    lock: locks.view(group),
    outageSinceMs: options.contact.outageSinceMs(),
  };
}

type Members = {
  readonly rivals: Rivals;
  readonly sessions: readonly MemberSession[];
  readonly pods: readonly ObservedPod[];
  /** Uids of released pods that count no more. */
  readonly accepted: AcceptedReleases;
};

function observation(
  options: ObserverOptions,
  view: View,
  memory: GroupMemory,
  { rivals, sessions, pods, accepted }: Members,
): Observation {
  const { nowMs, group, ownership, lock, outageSinceMs } = view;
  const keys = options.locks.keysOf(group);
  const route = routeView(options, view, memory);
  return {
    nowMs,
    wallSeconds: Math.floor(options.clock.wallMs() / 1000),
    group,
    keys,
    pods,
    sessions,
    highestObserved: highestObservedToken(
      group,
      pods.map(({ pod }) => pod),
      shownToken(group, route?.reading ?? null),
    ),
    ownership,
    consulUnreachable: outageSinceMs !== null,
    consulDeniesAll: options.contact.deniesAll(),
    lockDeadlineMs: lockDeadlineMs(options, view, sessions, pods),
    lock,
    holderSession: (lock?.session && memory.externalHolders.get(lock.session)) || null,
    ...readSince(memory, lock),
    untouched: untouched(memory, group, lock),
    hadAnother: options.store.hadAnother(groupKey(group)),
    groupKnown: memory.groupKnown,
    labelStop: labelStop(options.owners, view, memory, { pods, accepted }),
    labelReaders: labelReaders(options.owners, group),
    ...overlap(rivals, memory, pods),
    nodesReadable: options.nodesReadable(),
    lockKeyProblem: options.lockKeyProblem(group),
    demotedForOutage: memory.demotedForOutage,
    fenced: memory.fenced.version === fencingVersion(keys, lock) ? memory.fenced.uids : new Set(),
    verified: memory.verifiedAt === verificationOf(ownership, lock),
    asked: memory.asked,
    revoked: memory.revoked?.uid ?? null,
    resigned: memory.resignation,
    switchover: switchoverTried(memory, group, nowMs),
    preemption: preemptionView(memory, nowMs),
    owedEvictions: memory.owedEvictions,
    lockDelayedUntilMs: memory.lockDelayedUntilMs,
    fencingRefused: blockingRefusal(memory, group, pods, nowMs),
    followersRefused: memory.followersRefused,
    consulDenied: memory.consulDenied,
    deletionSeenMs: memory.deletionSeenMs,
    deletingSinceMs: memory.deletingSinceMs,
    deletionConfirmed: memory.deletionShown && nowMs - (memory.deletionConfirmedMs ?? nowMs) < CONFIRMED_MS,
    probe: probeView(options, { group, nowMs, pods }, memory),
    beforePromotion: promotionView(options, group, pods),
    route,
  };
}

/** See Observation. Without a lockKey nobody but the owner of the bucket writes the lock. */
function untouched(memory: GroupMemory, { spec }: LeaderGroup, lock: LockView | null): Observation['untouched'] {
  const exists = lock === null || lock.versions.some(({ index }) => index > 0);
  if (exists || spec.lockKey !== null || !memory.wholeIncarnation) return 'no';
  return memory.lockReadSince ? 'read' : 'unread';
}

/** What was read since the lock had its present version. */
const readSince = (memory: GroupMemory, lock: LockView | null): Pick<Observation, 'freshList' | 'groupConfirmed'> => ({
  freshList: lock !== null && memory.listed !== null,
  groupConfirmed: lock !== null && memory.groupConfirmedAt === versionOf(lock),
});

/**
 * Consul may answer a replica that has just lost its session: it does not know yet whose the group is. And it may answer everything but a read
 * of this lock.
 */
const knowsOwner = ({ kind }: Ownership, lock: LockView | null): boolean =>
  kind === 'notOwned' || (kind === 'owned' && lock !== null);

/** A group may be made anew under its name at any moment, and a watch may hang: a deletion is confirmed anew with each pass, and within one that takes long. */
const CONFIRMED_MS = 1000;

/** Our own writes to the group are known before the watch tells of them. */
function preferNewer(cached: LeaderGroup, memory: GroupMemory): LeaderGroup {
  if (memory.finalizerOff) return { ...cached, deleting: true, finalizers: foreignFinalizers(cached) };
  return stillNewer(memory, cached) ?? cached;
}

function outageOver({ lock, outageSinceMs, ownership, nowMs }: View, sessions: readonly MemberSession[]): boolean {
  const holder = holderAmong(sessions, lock);
  return holder === null ? outageSinceMs === null && knowsOwner(ownership, lock) : nowMs < holder.deadlineMs;
}

const deferredIn = ({ clock }: ObserverOptions, { nowMs, group }: View, { transitions }: GroupMemory) =>
  deferrals(historyOf(group, transitions), { nowMs, wallSeconds: clock.wallMs() / 1000 });

function probeView(
  { prober }: ObserverOptions,
  { group, nowMs, pods }: Pick<Observation, 'group' | 'nowMs' | 'pods'>,
  { transitions }: GroupMemory,
): Observation['probe'] {
  const { leaderProbe } = group.spec;
  if (leaderProbe === null) return null;
  const history = historyOf(group, transitions);
  const uids = pods.map(({ pod }) => pod.uid);
  return prober.view(groupKey(group), leaderProbe, history, { nowMs, uids, judgedBefore: judgedBefore(group) });
}

function promotionView(
  { prober }: ObserverOptions,
  group: LeaderGroup,
  pods: readonly ObservedPod[],
): Observation['beforePromotion'] {
  const { beforePromotion } = group.spec;
  if (beforePromotion === null) return null;
  return prober.promotions.view(
    groupKey(group),
    beforePromotion,
    pods.map(({ pod }) => pod),
  );
}

const labelReaders = (owners: Pick<Owners, 'selecting'>, { namespace, spec }: LeaderGroup): readonly string[] =>
  owners
    .selecting(namespace)
    .filter(({ keys }) => keys.includes(spec.label.key))
    .map(({ kind, name }) => `${kind} ${name}`);

/** The older group that acts for a member of this one. */
function overlap(
  rivals: Rivals,
  memory: GroupMemory,
  pods: readonly ObservedPod[],
): Pick<Observation, 'overlapsWith' | 'overlapUid' | 'overlapConfirmed'> {
  const shared = pods.find(({ member, claimedByOther }) => member && claimedByOther);
  const rival = shared === undefined ? undefined : rivals.olderActing(shared.pod)[0];
  const uid = rival?.uid ?? null;
  return {
    overlapsWith: rival?.name ?? null,
    overlapUid: uid,
    overlapConfirmed: uid !== null && memory.rivalConfirmed === uid,
  };
}

/** After so many failures it is given up (see failedAgain). */
const FAILURES_AT_MOST = 8;

/** What was read then is no news any more. A grant of the gate is waited for meanwhile, for two seconds at most. */
const NEWS_MS = 5000;

const preemptionView = ({ preferred, turn, resigned }: GroupMemory, nowMs: number): Observation['preemption'] => ({
  preferred,
  turnMs: turn?.atMs ?? null,
  confirmed: turn?.confirmed === true && nowMs - turn.atMs < NEWS_MS,
  yieldsUntilMs: [...resigned.values()].map(({ untilMs }) => untilMs),
});

const NOT_TRIED: Observation['switchover'] = { confirmed: false, failure: null, refusal: null };

/** Only of the very annotation that stands there. It may be taken away while Consul is silent, or the next leader has no session, and a watch may hang. */
function switchoverTried(
  { switchover }: GroupMemory,
  group: LeaderGroup,
  nowMs: MonotonicMs,
): Observation['switchover'] {
  if (switchover === null || switchover.text !== group.switchover?.text) return NOT_TRIED;
  const { confirmedMs, failures, failure, refusal } = switchover;
  const confirmed = confirmedMs !== null && nowMs - confirmedMs < NEWS_MS;
  return { confirmed, failure: failures < FAILURES_AT_MOST ? null : failure, refusal };
}
