/**
 * Gives out the positions of series. Decided from the mark as it is known, written only where the mark, the lock and the bucket are as they
 * were when it was decided; so what is known may be out of date, and nobody is told more than what Consul has taken.
 */
import type { Claim, ClaimRequest } from '../../api/claim.ts';
import { formatClaim } from '../../api/claim.ts';
import type { PodUid } from '../../api/ids.ts';
import type { GroupName } from '../../api/leadergroup.ts';
import type { PodRef } from '../../api/pod.ts';
import { afterReport, nextClaim } from '../../election/claims.ts';
import { answerGate, type GateView, MAX_GRANT_MS } from '../../election/gate.ts';
import type { KeySpace } from '../../election/keys.ts';
import type { KeyVersion } from '../../election/observation.ts';
import type { ClaimAnswer, ClaimReport, Claims, MarkAnswer, ReportAnswer } from '../../ports/claims.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Consul } from '../../ports/consul.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { groupKey } from '../cache/store.ts';
import { createChanges } from '../reconcile/changes.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import { type Commit, createCommits } from './commits.ts';
import { createJudge } from './judge.ts';
import { createMarks, type Mark, type MarkKey } from './marks.ts';
import { outcomeOf } from './outcomes.ts';
import { createPace } from './pace.ts';
import { withRoomForOthers } from './room-for-others.ts';
import { createSeriesCounts, type Outcome } from './series-counts.ts';
import { createSeriesKeys } from './series-keys.ts';
import { createSeriesTurns } from './series-turns.ts';
import { type Again, createTries, told, type Unknown, unknown } from './tries.ts';

export type ClaimsOptions = {
  readonly reconciler: Pick<Reconciler, 'asked'>;
  readonly consul: Pick<Consul, 'txn' | 'readKeys' | 'listKeys'>;
  readonly clock: Clock;
  readonly space: KeySpace;
  readonly metrics: Pick<Metrics, 'claimAnswered' | 'claimReported' | 'claimBatch' | 'claimSeries'>;
  /** When this replica got the bucket of the group; null: it has not. */
  readonly heldSinceMs: (group: GroupName) => number | null;
  /** A transaction failed its check of the bucket: what is believed of it is looked up. */
  readonly invalidateOwnership: () => void;
  /** Ends what is under way. */
  readonly signal: AbortSignal;
};

type Here = { readonly kind: 'here'; readonly view: GateView; readonly at: MarkKey };
type NotHere = Unknown | { readonly kind: 'sharedLock' };
/** `lockBefore`: the lock as it was known before the mark was read; null: it was not. */
type Opening = { readonly mark: Mark; readonly lockBefore: KeyVersion | null };

const LATE = unknown('a claim that was sent may arrive yet');

export function createClaims(options: ClaimsOptions): Claims {
  const { reconciler, clock, space, heldSinceMs, signal, metrics } = options;
  const consul = withRoomForOthers(options.consul);
  const marks = createMarks(consul, clock, signal);
  const judge = createJudge(marks, clock);
  const commits = createCommits(consul, metrics.claimBatch, signal);
  const counts = createSeriesCounts({ ...options, consul, counted: metrics.claimSeries });
  const pace = createPace(clock);
  /** A report must not be refused because much is claimed. Each claim is done once; renewals are as many as their senders like. */
  const paceOfRenewals = createPace(clock);
  const keyOf = createSeriesKeys(space);
  /** By key of the series. */
  const changes = createChanges(clock);
  const trying = createTries(clock, signal);
  const turns = createSeriesTurns(() => clock.sleep(0, signal).catch(() => undefined));

  function here(group: GroupName, key: string): Here | NotHere {
    const view = reconciler.asked(groupKey(group));
    if (view === null) return unknown('there is no such LeaderGroup, or it cannot be acted on');
    if (view.group.spec.lockKey !== null) return { kind: 'sharedLock' };
    const { ownership, nowMs } = view;
    if (ownership.kind !== 'owned' || nowMs >= ownership.untilMs)
      return unknown('this replica does not own the bucket now');
    const { guard } = ownership;
    return { kind: 'here', view, at: { key, guard, tenure: `${guard.session} ${heldSinceMs(group) ?? ''}` } };
  }

  async function claimOnce(group: GroupName, pod: PodRef, asked: ClaimRequest): Promise<ClaimAnswer | Again> {
    const place = here(group, keyOf(group, asked.series));
    if (place.kind !== 'here') return place;
    const lockBefore = lockOf(place.view);
    const open = judge.openNow(place.at, asked, pod.uid);
    if (open !== null) {
      counts.used();
      // Nothing has been waited for: the lead is as it has just been looked at.
      return await give(place, pod, asked, { mark: open, lockBefore });
    }
    const judged = await judge.claim(place.at, asked, pod.uid);
    if (judged.kind !== 'open') return judged;
    counts.used();
    const opening = { mark: judged.mark, lockBefore };
    return judged.mark.index > 0
      ? await give(here(group, place.at.key), pod, asked, opening)
      : await giveFirst(group, pod, asked, { ...opening, at: place.at });
  }

  /** A series that begins needs room. */
  async function giveFirst(
    group: GroupName,
    pod: PodRef,
    asked: ClaimRequest,
    { at, ...opening }: Opening & { readonly at: MarkKey },
  ): Promise<ClaimAnswer | Again> {
    const room = await counts.reserve(group, at.tenure);
    if (room.kind === 'full')
      return marks.mayArrive(at, opening.lockBefore) ? LATE : { kind: 'tooManySeries', of: room.of };
    let outcome: Outcome = 'unknown';
    try {
      const answer = await give(here(group, at.key), pod, asked, opening);
      outcome = spent(answer);
      return answer;
    } finally {
      room.settle(outcome);
    }
  }

  /** `place`: looked at just now, with nothing waited for since; nor is anything until the claim is among those that are written next. */
  async function give(
    place: Here | NotHere,
    { name, uid }: PodRef,
    asked: ClaimRequest,
    { mark, lockBefore }: Opening,
  ): Promise<ClaimAnswer | Again> {
    if (place.kind !== 'here') return place;
    const { view, at } = place;
    const { group } = view;
    const lead = leadOf(view, uid);
    if (lead.kind === 'unknown') return lead;
    if (lead.kind === 'notLeader') return marks.mayArrive(at, lockBefore) ? LATE : lead;
    const lock = lockOf(view);
    if (lock === null) return unknown('the lock has not been read yet');
    if (!pace.take(groupKey(group))) return { kind: 'tooFast' };
    const claim = nextClaim(mark.claim, asked, { pod: name, uid, token: lead.token }, clock.wallMs());
    const commit = await write(at, { lock, mark, claim, urgent: false });
    return settled<ClaimAnswer>(commit, { kind: 'claimed', claim });
  }

  async function reportOnce(group: GroupName, pod: PodRef, report: ClaimReport): Promise<ReportAnswer | Again> {
    const place = here(group, keyOf(group, report.series));
    if (place.kind !== 'here') return place;
    const mark = await judge.mark(place.at, report.series, () => true);
    if (mark.kind === 'unknown') return mark;
    const claim = afterReport(mark.claim, { ...report, uid: pod.uid }, clock.wallMs());
    if (claim === null) return { kind: 'notYours', mark: mark.claim };
    if (claim.state === mark.claim?.state && claim.sinceMs === mark.claim.sinceMs) return { kind: 'noted', claim };
    if (report.what === 'renew' && !paceOfRenewals.take(groupKey(group))) return { kind: 'tooFast' };
    const commit = await write(place.at, { lock: null, mark, claim, urgent: true });
    return settled<ReportAnswer>(commit, { kind: 'noted', claim });
  }

  async function write(
    at: MarkKey,
    what: { readonly lock: KeyVersion | null; readonly mark: Mark; readonly claim: Claim; readonly urgent: boolean },
  ): Promise<Commit> {
    const { lock, mark, claim, urgent } = what;
    const series = { key: at.key, index: mark.index };
    const commit = await commits.commit({ guard: at.guard, lock, series, value: formatClaim(claim) }, urgent);
    if (commit.kind === 'committed') marks.wrote(at, commit.entry);
    else if (commit.kind === 'unknown') marks.doubt(at, lock);
    else marks.forget(at);
    if (commit.kind === 'bucketLost') options.invalidateOwnership();
    changes.tell(at.key);
    return commit;
  }

  return {
    claim: async (group, pod, asked, caller = signal) => {
      const arrivedMs = clock.nowMs();
      const answer = await turns.take(keyOf(group, asked.series), {
        position: asked.position,
        signal: caller,
        wakes: false,
        work: () =>
          trying<ClaimAnswer>(
            () => claimOnce(group, pod, asked),
            ({ kind }) => kind === 'claimed' || kind === 'refused',
            caller,
          ),
      });
      metrics.claimAnswered(outcomeOf(answer), clock.nowMs() - arrivedMs);
      return answer;
    },
    report: async (group, pod, report, caller = signal) => {
      const answer = await turns.take(keyOf(group, report.series), {
        position: report.position,
        signal: caller,
        wakes: report.what === 'done',
        work: () =>
          trying<ReportAnswer>(
            () => reportOnce(group, pod, report),
            ({ kind }) => kind === 'noted' || kind === 'notYours',
            caller,
          ),
      });
      metrics.claimReported(report.what, answer.kind);
      return answer;
    },
    mark: async (group, series): Promise<MarkAnswer> => {
      const place = here(group, keyOf(group, series));
      if (place.kind !== 'here') return place;
      const mark = await told(
        judge.mark(place.at, series, () => false),
        signal,
      );
      return mark.kind === 'unknown' ? mark : { kind: 'mark', mark: mark.claim };
    },
    watch: (group, series) => changes.watch(keyOf(group, series)),
  };
}

/** What a first claim has made of the room for its series. */
function spent({ kind, ...answer }: ClaimAnswer | Again): Outcome {
  if (kind === 'claimed') return 'made';
  const perhaps = kind === 'unknown' || ('lost' in answer && answer.lost !== null);
  return perhaps ? 'unknown' : 'notMade';
}

/** Nobody is told for good that he gets nothing while the lead may be his a moment later. */
function leadOf(
  view: GateView,
  uid: PodUid,
): { readonly kind: 'lead'; readonly token: number } | Unknown | Extract<ClaimAnswer, { readonly kind: 'notLeader' }> {
  const lead = answerGate(view, uid, MAX_GRANT_MS);
  if (lead.kind === 'unknown') return lead;
  if (lead.kind === 'grant') return { kind: 'lead', token: lead.leader.token };
  if (view.revoked !== null) return unknown('the lead is about to pass to another pod');
  return lead.leader === null ? unknown('nobody leads the group now') : { kind: 'notLeader', leader: lead.leader };
}

/** A lock of its own is one key. */
function lockOf({ lock }: GateView): KeyVersion | null {
  const [version] = lock?.versions ?? [];
  return version === undefined || version.index === 0 ? null : version;
}

function settled<T>(commit: Commit, done: T): T | Unknown | Again {
  switch (commit.kind) {
    case 'committed':
      return done;
    case 'failed':
      return unknown(commit.reason);
    case 'unknown':
      return { kind: 'again', lost: commit.reason };
    case 'lockMoved':
    case 'seriesMoved':
    case 'bucketLost':
      return { kind: 'again', lost: null };
  }
}
