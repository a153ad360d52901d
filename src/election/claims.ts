/**
 * Who gets a position of a series. Pure: what is decided here is written only where the mark still is as it was seen, so of two
 * decisions made from one mark one counts. (Promises I12 and I13.)
 */
import type { Claim, ClaimRequest } from '../api/claim.ts';
import type { PodUid } from '../api/ids.ts';

export type Claimer = { readonly pod: string; readonly uid: PodUid; readonly token: number };

/** Passed: it was given out, or a later one was. Pending: the one before it is neither done nor overdue. */
export type Refused = { readonly kind: 'refused'; readonly reason: 'Passed' | 'Pending'; readonly mark: Claim };

/** From the mark alone, whoever leads; `open`: only the leader may be given something. */
export type Judged =
  /** The call has it already, and has not heard so. */
  { readonly kind: 'claimed'; readonly mark: Claim } | Refused | { readonly kind: 'open' };

/** `wallMs`: milliseconds since 1970. */
export function judgeClaim(mark: Claim | null, asked: ClaimRequest, uid: PodUid, wallMs: number): Judged {
  if (mark === null) return { kind: 'open' };
  const own = mark.uid === uid && mark.id === asked.id;
  // The call may have been given an earlier position than it asked for. One that is overdue may be another's a moment later: it is given out anew.
  if (own && (mark.position === asked.position || isAgain(mark, asked)) && !isLapsed(mark, asked, wallMs))
    return { kind: 'claimed', mark };
  if (asked.position < mark.position) return { kind: 'refused', reason: 'Passed', mark };
  if (bothAtLeastOnce(mark, asked) && mark.state === 'Claimed') {
    return isOverdue(mark, wallMs) ? { kind: 'open' } : { kind: 'refused', reason: 'Pending', mark };
  }
  return asked.position === mark.position ? { kind: 'refused', reason: 'Passed', mark } : { kind: 'open' };
}

/** What is given out where `judgeClaim` says `open`: the position asked for, or again the last one that nobody has done. */
export function nextClaim(mark: Claim | null, asked: ClaimRequest, claimer: Claimer, wallMs: number): Claim {
  const { pod, uid, token } = claimer;
  const again = mark !== null && mark.state === 'Claimed' && bothAtLeastOnce(mark, asked);
  return {
    series: asked.series,
    position: again ? mark.position : asked.position,
    mode: asked.mode,
    state: 'Claimed',
    id: asked.id,
    pod,
    uid,
    token,
    attempt: again ? mark.attempt + 1 : 1,
    sinceMs: wallMs,
    retryAfterMs: asked.retryAfterMs,
  };
}

/** Who claimed it says that it is done, or not yet. Whoever leads by now: the work was its own. null: it is not this claim. */
export function afterReport(
  mark: Claim | null,
  report: { readonly position: number; readonly id: string; readonly uid: PodUid; readonly what: 'done' | 'renew' },
  wallMs: number,
): Claim | null {
  if (mark === null || mark.position !== report.position || mark.id !== report.id || mark.uid !== report.uid)
    return null;
  if (report.what === 'done') return { ...mark, state: 'Done' };
  return mark.state === 'Done' ? null : { ...mark, sinceMs: wallMs };
}

/** An AtMostOnce call takes nothing over, and nothing of AtMostOnce is ever given out again. */
const bothAtLeastOnce = (mark: Claim, asked: ClaimRequest): boolean =>
  mark.mode === 'AtLeastOnce' && asked.mode === 'AtLeastOnce';

const isAgain = (mark: Claim, asked: ClaimRequest): boolean =>
  bothAtLeastOnce(mark, asked) && mark.attempt > 1 && mark.position < asked.position;

const isLapsed = (mark: Claim, asked: ClaimRequest, wallMs: number): boolean =>
  bothAtLeastOnce(mark, asked) && mark.state === 'Claimed' && isOverdue(mark, wallMs);

/** A clock that was ahead when it was written must not hold the position back for good: then it is given out twice rather than never. */
const isOverdue = ({ sinceMs, retryAfterMs }: Claim, wallMs: number): boolean =>
  Math.abs(wallMs - sinceMs) >= retryAfterMs;
