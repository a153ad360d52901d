/** What a mark says to a claim: from what is known of it, and never to anybody's harm from what is known no more. */
import type { Claim, ClaimRequest } from '../../api/claim.ts';
import type { PodUid } from '../../api/ids.ts';
import { judgeClaim, type Refused } from '../../election/claims.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Mark, MarkKey, Marks } from './marks.ts';

export type Unreadable = { readonly kind: 'unknown'; readonly reason: string };

export type Judgement =
  /** The call has it. */
  | { readonly kind: 'claimed'; readonly claim: Claim }
  | Refused
  /** The leader may be given something, if the mark is still this one. */
  | { readonly kind: 'open'; readonly mark: Mark }
  | Unreadable;

export type Judge = {
  /** The mark where it is known, and open to the call: as `claim` says, at once. null: ask `claim`. */
  openNow(at: MarkKey, asked: ClaimRequest, uid: PodUid): Mark | null;
  /** Throws ConsulError. */
  claim(at: MarkKey, asked: ClaimRequest, uid: PodUid): Promise<Judgement>;
  /**
   * The mark as it is known where `isEnough`, and otherwise as it has been within the last minute. What cannot be read is not overwritten: it may say
   * that the position was given out. Throws ConsulError.
   */
  mark(
    at: MarkKey,
    series: string,
    isEnough: (claim: Claim | null) => boolean,
  ): Promise<(Mark & { readonly kind: 'mark' }) | Unreadable>;
};

/** Whoever gets nothing is told so from what was seen within so long: somebody may have deleted the key by hand. */
const RECENT_MS = 60_000;

export function createJudge(marks: Marks, clock: Pick<Clock, 'nowMs' | 'wallMs'>): Judge {
  const markNow: Judge['mark'] = async (at, series, isEnough) => {
    const mark = await marks.read(at);
    const isRead = mark.index === 0 || mark.claim !== null;
    if (clock.nowMs() - mark.seenMs >= RECENT_MS && !(isRead && isEnough(mark.claim))) {
      marks.forget(at);
      return await markNow(at, series, isEnough);
    }
    if (mark.index === 0 || mark.claim?.series === series) return { kind: 'mark', ...mark };
    const reason = `what stands at ${at.key} in Consul is no claim of series ${series} that this version can read`;
    return { kind: 'unknown', reason };
  };

  return {
    openNow: (at, asked, uid) => {
      const mark = marks.known(at);
      if (mark?.claim?.series !== asked.series) return null;
      return judgeClaim(mark.claim, asked, uid, clock.wallMs()).kind === 'open' ? mark : null;
    },
    mark: markNow,
    claim: async (at, asked, uid) => {
      const judged = (claim: Claim | null) => judgeClaim(claim, asked, uid, clock.wallMs());
      const mark = await markNow(at, asked.series, (claim) => judged(claim).kind === 'open');
      if (mark.kind === 'unknown') return mark;
      const found = judged(mark.claim);
      if (found.kind === 'open') return { kind: 'open', mark };
      if (found.kind === 'claimed') return { kind: 'claimed', claim: found.mark };
      const given = marks.given(at, asked, uid);
      return given === null ? found : { kind: 'claimed', claim: given };
    },
  };
}
