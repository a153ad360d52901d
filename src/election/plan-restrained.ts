/** What is done when the election itself must not be: Consul is unreachable, the group is paused, or an older group acts. */
import { CONSUL_DENIES, type StalledReason } from '../api/condition-reasons.ts';
import type { PodRef } from '../api/pod.ts';
import type { TransitionCause } from '../api/transition-causes.ts';
import type { Idle, Plan, Show, Verdict } from './actions.ts';
import { labelled, promotedHere } from './candidates.ts';
import { due } from './contests.ts';
import { fence, fencingForMove, fencingTarget, labelledPods } from './fencing.ts';
import { promoted } from './gate.ts';
import type { LabelStop, MemberSession, Observation, ObservedPod } from './observation.ts';
import type { KnownLock, OwnedLock } from './owned-lock.ts';
import { LABEL_STOP, uncertain, unreadOwners, unreadOwnersOf } from './owners.ts';
import { idle, look, nothing, notReady, quietly, ready, stalled, transition, until, withFirst } from './plans.ts';
import { holderAmong } from './sessions.ts';
import { shownAnew } from './show.ts';
import { transaction } from './transactions.ts';
import { trustOf } from './trust.ts';

/**
 * Consul does not answer (or has never let this process in), or has not acknowledged a renewal of the holder's session
 * until its deadline, or that of whoever is labelled while the lock is unknown.
 */
export const isOutage = (o: Observation): boolean =>
  o.consulUnreachable ||
  o.ownership.kind === 'neverKnown' ||
  holderPastDeadline(o) ||
  lapsedTooLong(o) ||
  unknownTooLong(o);

/** Consul answers, and still this replica gets no further: what it cannot prove in time counts as unknown all the same. */
const lapsedTooLong = (o: Observation): boolean =>
  o.ownership.kind === 'lapsed' && o.nowMs >= o.lockDeadlineMs && labelledPods(o).length > 0;

/** Consul answers others, and neither a read of this lock nor a renewal: who carries the label is believed no longer than its session. */
function unknownTooLong(o: Observation): boolean {
  if (o.lock !== null || o.ownership.kind !== 'owned' || o.nowMs < o.lockDeadlineMs) return false;
  return labelledPods(o).some(({ pod }) => o.sessions.some(({ podUid }) => podUid === pod.uid));
}

function holderPastDeadline(o: Observation): boolean {
  const holder = holderAmong(o.sessions, o.lock);
  return holder !== null && o.nowMs >= holder.deadlineMs;
}

/**
 * Before the deadline nothing is written to pods or locks, and where labels are to come off then their controllers are read; at the deadline
 * `onConsulLoss` decides, once. (Promise I3.)
 */
export function planOutage(o: Observation): Plan {
  const { onConsulLoss, paused } = o.group.spec;
  const hold = onConsulLoss === 'Hold' || paused;
  const labels = hold || o.demotedForOutage ? [] : labelledPods(o);
  const early = o.nowMs < o.lockDeadlineMs;
  const targets = early ? [] : labels.filter((observed) => losesLabel(o, observed));
  const owners = unreadOwnersOf(labels);
  // Whoever must be demoted does not wait for a read, nor for one that may take until after the deadline.
  const late = early && o.lockDeadlineMs - o.nowMs < READ_MS;
  if (owners.length > 0 && targets.length === 0 && !late)
    return look(
      [{ do: 'readOwners', owners, hurry: true }],
      'reading the controllers of the pods that are to be demoted',
    );
  if (early)
    return {
      ...nothing('Consul is unreachable; the deadline has not passed yet', until(o, o.lockDeadlineMs)),
      verdict: bereft(o),
    };
  const verdict = outageVerdict(o, hold);
  if (targets.length === 0) return verdict === null ? nothing('Consul is unreachable') : idle(verdict);
  const off = fence(
    targets.map((target) => fencingTarget(o, target)),
    'outage',
  );
  const said = nothing('Consul was unreachable past the deadline, and onConsulLoss is Demote');
  return withFirst(off, { ...said, cause: 'ConsulUnreachable', verdict });
}

/** A read of a controller is given up after two seconds. */
const READ_MS = 3000;

/**
 * Where nobody could read the controller of a labelled pod it may select by the label, and make another pod. Two leaders are worse than one pod
 * too many, so whoever was promoted loses the label all the same; one that has it from its template has never led.
 */
const losesLabel = ({ group }: Observation, observed: ObservedPod): boolean =>
  !uncertain(observed) || promotedHere(group, observed.pod);

/** The leader went while Consul is unreachable. Its label needs no deadline to be gone, and whoever waits for Ready should not think it there. */
function bereft(o: Observation): Verdict | null {
  const owner = o.ownership.kind === 'owned' || o.ownership.kind === 'lapsed';
  if (!owner || !saysLed(o) || labelledPods(o).length > 0) return null;
  return notReady(
    'ConsulUnreachable',
    `the leader is gone, and no other pod can be elected while ${o.consulDeniesAll ? CONSUL_DENIES : 'Consul is unreachable'}. ${remedy(o)}`,
  );
}

const saysLed = ({ group }: Observation): boolean =>
  group.status?.conditions.some(({ type, reason }) => type === 'Ready' && reason === 'Led') ?? false;

/** A replica that never owned the bucket may only be cut off itself: what people see is the owner's to say. */
const outageVerdict = (o: Observation, hold: boolean): Verdict | null =>
  o.ownership.kind === 'notOwned' ? null : notReady('ConsulUnreachable', hold ? holdMessage(o) : demoteMessage(o));

function outageMessage(o: Observation, sequel: string): string {
  const why = o.consulDeniesAll
    ? `${CONSUL_DENIES}: the lock was not confirmed within its deadline`
    : 'Consul has not confirmed the lock within its deadline';
  return `${why}; ${sequel}. ${remedy(o)}`;
}

const remedy = ({ consulDeniesAll }: Observation): string =>
  consulDeniesAll
    ? "Give the operator a token that Consul knows, with the rights of deploy/consul-policy.hcl; the operator's log has Consul's words, and the group recovers by itself."
    : 'Check Consul; the group recovers by itself.';

const holdMessage = (o: Observation): string =>
  outageMessage(
    o,
    `onConsulLoss is Hold, so ${labelledPods(o).length > 0 ? 'the leader keeps its label' : 'nothing changes'}`,
  );

function demoteMessage(o: Observation): string {
  const kept = labelledPods(o).find((observed) => !losesLabel(o, observed));
  if (kept === undefined) return outageMessage(o, 'onConsulLoss is Demote, so no pod carries the leader label');
  return outageMessage(
    o,
    `onConsulLoss is Demote, but pod ${kept.pod.name}, which never led, keeps the leader label: its controller cannot be read, and may select by it`,
  );
}

/**
 * Sessions go on being renewed; nothing is written to pods, and to a lock only what makes the gate sure of it: a leader that asks is
 * answered also when the bucket has got another owner, with the same token.
 */
export function planPaused(o: Observation, owned: OwnedLock): Plan {
  const deniedMs = o.consulDenied === null ? 0 : o.consulDenied.retryAtMs - o.nowMs;
  const unsure = verifyPaused(o, owned);
  if (unsure !== null && deniedMs <= 0) return unsure;
  const leads = labelledPods(o).length > 0;
  const verdict = leads
    ? ready('Led', 'paused: the leader does not change. Set spec.paused to false to resume.')
    : notReady('NoCandidate', 'paused: no leader is elected. Set spec.paused to false to resume.');
  return idle(verdict, unsure === null ? null : deniedMs);
}

/** As a paused group: whoever leads goes on, and nobody else is told to. Whether a member is well cannot be known by its condition alone. */
export function planNodesNotReadable(o: Observation, owned: OwnedLock): Plan {
  const said = nodesNotReadable(o);
  const denied = o.consulDenied !== null && o.nowMs < o.consulDenied.retryAtMs;
  const unsure = denied ? null : verifyPaused(o, owned);
  return unsure === null ? said : { ...unsure, verdict: said.verdict };
}

export const nodesNotReadable = (o: Observation): Idle =>
  stalled(
    'NodesNotReadable',
    `spec.candidateCondition is ${o.group.spec.candidateCondition}, which counts only while the Node of a pod is Ready, and this operator cannot watch nodes. ` +
      'The leader stays, and nobody else is elected. Let the operator list and watch nodes (deploy/10-rbac.yaml; it does not with watchNamespaces), or ' +
      'remove spec.candidateCondition.',
  );

/** The controllers are read anew after that, so that a stop ends by itself when its cause is gone. Whatever else wakes the group does not put it off. */
const LABEL_STOP_AGAIN_MS = 60_000;

const readAgainMs = (o: Observation, { readAgainAtMs = o.nowMs }: LabelStop): number =>
  readAgainAtMs > o.nowMs ? Math.min(until(o, readAgainAtMs), LABEL_STOP_AGAIN_MS) : LABEL_STOP_AGAIN_MS;

/**
 * As a paused group: nothing is written to pods, whoever leads goes on, and the gate is answered. Controllers that have not been read are read
 * before anything is stopped, whoever owns the bucket: to a process that has just started every one of them is unread, and a stop that none of
 * them justifies must not keep an outage from its demotion. (Promise I3.)
 */
export function planLabelStop(o: Observation, stop: LabelStop, owned: OwnedLock | null): Plan {
  if (o.ownership.kind === 'notOwned' && !isOutage(o)) return nothing('another replica owns the bucket');
  const unread = unreadOwners(o);
  if (unread.length > 0)
    return look(
      [{ do: 'readOwners', owners: unread, hurry: isOutage(o) }],
      'reading controllers: labels may be written if none selects by the key',
    );
  // Whoever has lost its session while Consul is unreachable is the last to know the group.
  if (o.ownership.kind !== 'owned' && o.ownership.kind !== 'lapsed')
    return nothing('labels must not be written; the owner of the bucket reports why', readAgainMs(o, stop));
  const denied = o.consulDenied !== null && o.nowMs < o.consulDenied.retryAtMs;
  const unsure = !o.consulUnreachable && !denied && owned !== null ? verifyPaused(o, owned) : null;
  const said = idle(labelStopVerdict(o, stop.message), readAgainMs(o, stop));
  // Said also where the verification fails.
  return unsure === null ? said : { ...unsure, verdict: said.verdict };
}

/** Without pods there is nothing to lead, which is no fault; that none would be labelled is still worth knowing, and outlives this process by it. */
function labelStopVerdict({ pods }: Observation, message: string): Verdict {
  const stop = { reason: LABEL_STOP, message } as const;
  if (pods.some(({ member }) => member))
    return { ready: { status: 'False', reason: LABEL_STOP }, detail: message, stalled: stop };
  return { ...notReady('NoMembers', NO_MEMBERS), stalled: stop };
}

const NO_MEMBERS =
  'the selector matches no pods. When some come, their labels are not written until their controllers have been read, or the spec is edited: ' +
  'see the message of Stalled.';

/** null: nobody leads by this lock, so there is nothing to be sure of, or nobody asks. The slices of a route follow the readiness of the leader. */
function verifyPaused(o: Observation, owned: OwnedLock): Plan | null {
  if (!o.asked && o.route === null) return null;
  if (owned.kind === 'unread') return look([{ do: 'readLock' }], 'reading the lock to answer the gate');
  if (owned.kind !== 'held' || owned.lock.foreignEntry) return null;
  const { lock, session } = owned;
  const leader = promoted(o, lock, session);
  if (leader === null || trustOf(o, lock, session) !== 'good') return null;
  const anew = shownOf(o, owned, leader);
  if (!isUnsure(o, session) && anew.length === 0) return null;
  // No transaction proves a session past its deadline; a renewal must be acknowledged first, and that wakes the group.
  if (o.nowMs >= session.deadlineMs) return null;
  return transition(quietly('verifying the lock to answer the gate, or to show the leader as it is'), {
    fence: [],
    lock: transaction.verify(o, owned, leader, false),
    after: anew,
  });
}

const isUnsure = ({ asked, verified }: Observation, { proven }: MemberSession): boolean =>
  asked && !(verified && proven);

function shownOf(o: Observation, { lock }: KnownLock, leader: PodRef): readonly Show[] {
  const holder = o.pods.find(({ pod }) => pod.uid === leader.uid);
  return holder === undefined ? [] : shownAnew(o, lock, holder);
}

/** The younger of two groups over the same pods stands down: it fences its leader, unlocks, and waits. */
export function planOverlap(o: Observation, older: string, owned: OwnedLock): Plan {
  if (!o.overlapConfirmed)
    return look([{ do: 'readRival', name: older }], 'reading the older group: the cache may be behind');
  const message =
    `the older LeaderGroup ${older} selects some of the same pods with the same label key. Only the older one acts. ` +
    'Delete one of the two, or replace one with a LeaderGroup that has another selector or label.key.';
  return standDown(o, { reason: 'SelectorOverlap', message }, owned);
}

/** Why a group must give up what it has; its leader changes for the same reason. */
export type StandDown = { readonly reason: StalledReason & TransitionCause; readonly message: string };

/** Labels off, lock given up, and what somebody must do. */
export function standDown(o: Observation, { reason, message }: StandDown, owned: OwnedLock): Plan {
  const plan = stalled(reason, message);
  const deniedMs = o.consulDenied === null ? 0 : o.consulDenied.retryAtMs - o.nowMs;
  if (deniedMs > 0) return withFirst(fence(due(o, labelledTargets(o)), 'overlap'), { ...plan, againMs: deniedMs });
  if (owned.kind !== 'unread') return relinquish(o, owned, plan, reason);
  // A key that may not be used is not read either, unless there is something of ours to undo.
  const nothingOfOurs = o.sessions.length === 0 && labelledPods(o).length === 0;
  return nothingOfOurs ? plan : look([{ do: 'readLock' }], 'the lock has not been read yet');
}

function relinquish(o: Observation, owned: KnownLock, plan: Idle, cause: TransitionCause): Plan {
  const said = { ...plan, cause, reason: plan.verdict?.detail ?? '' };
  if (owned.kind === 'held') {
    const off = fence(fencingForMove(o, owned.lock, null), 'overlap');
    return transition(said, { fence: off, lock: transaction.unlock(o, owned), after: [] });
  }
  const off = fence(due(o, labelledTargets(o)), 'overlap');
  return off.length === 0 ? plan : withFirst(off, said);
}

const labelledTargets = (o: Observation) =>
  o.pods.filter((pod) => labelled(o.group, { ...pod, member: false })).map((pod) => fencingTarget(o, pod));
