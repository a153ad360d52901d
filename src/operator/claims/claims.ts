/**
 * Gives out the positions of series. Decided from the mark as it is known, written only where the mark, the lock and the bucket are as they
 * were when it was decided; so what is known may be out of date, and nobody is told more than what Consul has taken.
 */
import { createHash } from 'node:crypto';
import type { Claim, ClaimRequest } from '../../api/claim.ts';
import { formatClaim } from '../../api/claim.ts';
import type { PodRef } from '../../api/pod.ts';
import { afterReport, judgeClaim, nextClaim } from '../../election/claims.ts';
import { answerGate, type GateView, MAX_GRANT_MS } from '../../election/gate.ts';
import { claimsPrefix, type KeySpace } from '../../election/keys.ts';
import type { BucketGuard, KeyVersion } from '../../election/observation.ts';
import type { ClaimAnswer, ClaimReport, Claims, MarkAnswer, ReportAnswer } from '../../ports/claims.ts';
import type { Clock } from '../../ports/clock.ts';
import { type Consul, ConsulError } from '../../ports/consul.ts';
import type { GroupName } from '../../ports/gate.ts';
import { groupKey } from '../cache/store.ts';
import { createChanges } from '../reconcile/changes.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import { type Commit, createCommits } from './commits.ts';
import { createMarks, type Mark, type MarkKey, type Marks } from './marks.ts';
import { createPace } from './pace.ts';
import { createSeriesCounts } from './series-counts.ts';

export type ClaimsOptions = {
  readonly reconciler: Pick<Reconciler, 'asked'>;
  readonly consul: Pick<Consul, 'txn' | 'readKeys' | 'readPrefix'>;
  readonly clock: Clock;
  readonly space: KeySpace;
  /** When this replica got the bucket of the group; null: it has not. */
  readonly heldSinceMs: (group: GroupName) => number | null;
  /** Ends what is under way. */
  readonly signal: AbortSignal;
};

/** A verification of our own moves the lock as well, once for each promotion; and another write the mark. */
const TRIES = 4;
/** By then the answer that has moved the lock is here. */
const AGAIN_MS = 10;

type Unknown = Extract<ClaimAnswer, { readonly kind: 'unknown' }>;
type Here = { readonly kind: 'here'; readonly view: GateView; readonly guard: BucketGuard; readonly at: MarkKey };
type NotHere = Unknown | { readonly kind: 'sharedLock' };
/** Something was otherwise than it was known. `lost`: what was sent, and nobody knows what became of it; null: nothing was written. */
type Again = { readonly kind: 'again'; readonly lost: string | null };
const isAgain = (answer: { readonly kind: string }): answer is Again => answer.kind === 'again';

const unknown = (reason: string): Unknown => ({ kind: 'unknown', reason });

export function createClaims({ reconciler, consul, clock, space, heldSinceMs, signal }: ClaimsOptions): Claims {
  const marks = createMarks(consul, signal);
  const commits = createCommits(consul, signal);
  const counts = createSeriesCounts(consul, space, signal);
  const pace = createPace(clock);
  /** By key of the series. */
  const changes = createChanges(clock);
  /** The last call on each series; each begins when the one before it is over. */
  const turns = new Map<string, Promise<unknown>>();

  async function inTurn<T>(series: string, work: () => Promise<T>): Promise<T> {
    const before = turns.get(series) ?? Promise.resolve();
    const turn = before.then(work, work);
    turns.set(series, turn);
    try {
      return await turn;
    } finally {
      if (turns.get(series) === turn) turns.delete(series);
    }
  }

  function here(group: GroupName, series: string): Here | NotHere {
    const view = reconciler.asked(groupKey(group));
    if (view === null) return unknown('there is no such LeaderGroup, or it cannot be acted on');
    if (view.group.spec.lockKey !== null) return { kind: 'sharedLock' };
    const { ownership, nowMs } = view;
    if (ownership.kind !== 'owned' || nowMs >= ownership.untilMs)
      return unknown('this replica does not own the bucket now');
    const tenure = `${ownership.guard.session} ${heldSinceMs(group) ?? ''}`;
    return { kind: 'here', view, guard: ownership.guard, at: { key: keyOf(space, group, series), tenure } };
  }

  /**
   * Again, from what is known by then, while something was otherwise. Once a write may have been made without our knowing only the mark can say
   * what became of it: that the call would get nothing now is no answer.
   */
  async function trying<T extends { readonly kind: string }>(
    once: () => Promise<T | Again>,
    isLast: (answer: T | Unknown) => boolean,
  ): Promise<T | Unknown> {
    let lost: string | null = null;
    for (let tries = 1; tries <= TRIES; tries += 1) {
      const answer = await told(once());
      if (!isAgain(answer)) return lost === null || isLast(answer) ? answer : unknown(lost);
      lost ??= answer.lost;
      if (tries < TRIES) await clock.sleep(AGAIN_MS * tries, signal);
    }
    return unknown(lost ?? 'the lock or the series kept changing');
  }

  async function claimOnce(group: GroupName, pod: PodRef, asked: ClaimRequest): Promise<ClaimAnswer | Again> {
    const place = here(group, asked.series);
    if (place.kind !== 'here') return place;
    const mark = await readable(marks, place.at, asked.series);
    if (mark.kind === 'unknown') return mark;
    const judged = judgeClaim(mark.claim, asked, pod.uid, clock.wallMs());
    if (judged.kind === 'claimed') return { kind: 'claimed', claim: judged.mark };
    if (judged.kind === 'refused') return judged;
    if (mark.index === 0 && !(await counts.mayAdd(group, place.at.tenure))) return { kind: 'tooManySeries' };
    return await give(group, pod, asked, mark);
  }

  /** The lead is looked at only now: what went before took time. */
  async function give(
    group: GroupName,
    { name, uid }: PodRef,
    asked: ClaimRequest,
    mark: Mark,
  ): Promise<ClaimAnswer | Again> {
    const place = here(group, asked.series);
    if (place.kind !== 'here') return place;
    const { view, at } = place;
    const lead = answerGate(view, uid, MAX_GRANT_MS);
    const lock = lockOf(view);
    if (lead.kind === 'unknown') return lead;
    if (lead.kind !== 'grant' && marks.mayArrive(at, lock)) return unknown('a claim that was sent may arrive yet');
    if (lead.kind !== 'grant') return { kind: 'notLeader', leader: lead.kind === 'no' ? lead.leader : null };
    if (lock === null) return unknown('the lock has not been read yet');
    if (!pace.take(groupKey(group))) return { kind: 'tooFast' };
    const claim = nextClaim(mark.claim, asked, { pod: name, uid, token: lead.leader.token }, clock.wallMs());
    const commit = await write(place, { lock, mark, claim, urgent: false });
    if (commit.kind === 'committed' && mark.index === 0) counts.added(group, at.tenure);
    return settled<ClaimAnswer>(commit, { kind: 'claimed', claim });
  }

  async function reportOnce(group: GroupName, pod: PodRef, report: ClaimReport): Promise<ReportAnswer | Again> {
    const place = here(group, report.series);
    if (place.kind !== 'here') return place;
    const mark = await readable(marks, place.at, report.series);
    if (mark.kind === 'unknown') return mark;
    const claim = afterReport(mark.claim, { ...report, uid: pod.uid }, clock.wallMs());
    if (claim === null) return { kind: 'notYours', mark: mark.claim };
    if (claim.state === mark.claim?.state && claim.sinceMs === mark.claim.sinceMs) return { kind: 'noted', claim };
    if (!pace.take(groupKey(group))) return { kind: 'tooFast' };
    const commit = await write(place, { lock: null, mark, claim, urgent: true });
    return settled<ReportAnswer>(commit, { kind: 'noted', claim });
  }

  async function write(
    { guard, at }: Here,
    what: { readonly lock: KeyVersion | null; readonly mark: Mark; readonly claim: Claim; readonly urgent: boolean },
  ): Promise<Commit> {
    const { lock, mark, claim, urgent } = what;
    const series = { key: at.key, index: mark.index };
    const commit = await commits.commit({ guard, lock, series, value: formatClaim(claim) }, urgent);
    if (commit.kind === 'committed') marks.wrote(at, commit.entry);
    else if (commit.kind === 'unknown') marks.doubt(at, lock);
    else marks.forget(at);
    changes.tell(at.key);
    return commit;
  }

  return {
    claim: (group, pod, asked) =>
      inTurn(keyOf(space, group, asked.series), () =>
        trying<ClaimAnswer>(
          () => claimOnce(group, pod, asked),
          ({ kind }) => kind === 'claimed' || kind === 'refused',
        ),
      ),
    report: (group, pod, report) =>
      inTurn(keyOf(space, group, report.series), () =>
        trying<ReportAnswer>(
          () => reportOnce(group, pod, report),
          ({ kind }) => kind === 'noted' || kind === 'notYours',
        ),
      ),
    mark: async (group, series): Promise<MarkAnswer> => {
      const place = here(group, series);
      if (place.kind !== 'here') return place;
      const mark = await told(readable(marks, place.at, series));
      return mark.kind === 'unknown' ? mark : { kind: 'mark', mark: mark.claim };
    },
    watch: (group, series) => changes.watch(keyOf(space, group, series)),
  };
}

/** Whatever its text is made of, the key holds none of it. */
const keyOf = (space: KeySpace, group: GroupName, series: string): string =>
  `${claimsPrefix(space, group)}${createHash('sha256').update(series).digest('base64url')}`;

type Readable = Mark & { readonly kind: 'mark' };

/** What cannot be read is not overwritten: it may say that the position was given out. */
async function readable(marks: Marks, at: MarkKey, series: string): Promise<Readable | Unknown> {
  const mark = await marks.read(at);
  if (mark.index === 0 || mark.claim?.series === series) return { kind: 'mark', ...mark };
  return unknown(`what stands at ${at.key} in Consul is no claim of series ${series} that this version can read`);
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

/** Consul did not say: nobody knows. */
async function told<T>(answer: Promise<T>): Promise<T | Unknown> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ConsulError) return unknown(error.message);
    throw error;
  }
}
