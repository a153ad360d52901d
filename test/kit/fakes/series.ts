/** Series of a group behind a fake gate: read and decided as by the operator, kept in memory, answered over HTTP. */
import type { ServerResponse } from 'node:http';
import type { Claim, ClaimRequest } from '../../../src/api/claim.ts';
import { podUid } from '../../../src/api/ids.ts';
import { afterReport, judgeClaim, nextClaim } from '../../../src/election/claims.ts';
import { type ClaimWish, readClaim } from '../../../src/http/gate/claim-request.ts';
import type { ClaimReport } from '../../../src/ports/claims.ts';
import { type AskedClaim, nobodyKnows, raw, type Says, type SaysToClaim } from './gate-server.ts';

type Answer = { readonly status: number; readonly body: object };

export type FakeSeries = {
  /** Answers from the marks; before that, one after the other, with what is given. */
  says(...first: readonly SaysToClaim[]): SaysToClaim;
  /** Decides, and the answer gets lost on its way. */
  readonly lost: SaysToClaim;
  /** Nobody answers whoever asks; but it is decided. */
  readonly silent: SaysToClaim;
  /** Who leads from now on; null: nobody does. Whoever waits looks again. */
  lead(pod: string | null): void;
  /** The clock by which a claim is overdue goes ahead. */
  pass(ms: number): void;
  mark(series: string): Claim | null;
  /** As if that position had been given out and done; null: as if none had been, ever. */
  setMark(series: string, position: number | null): void;
  /** Given to another call, once what stands there is done. */
  take(series: string, position: number): void;
  /** Positions that were given out, one after the other. */
  readonly given: readonly number[];
};

export function createSeries(leader: string | null = 'notifier-0'): FakeSeries {
  const marks = new Map<string, Claim>();
  const waiting = new Set<() => void>();
  const given: number[] = [];
  let [leads, token, aheadMs] = [leader, 7, 0];
  const wallMs = (): number => Date.now() + aheadMs;
  const tell = (): void => {
    for (const wake of Array.from(waiting)) if (waiting.has(wake)) wake();
  };

  function claim(asked: ClaimRequest, pod: string, uid: string): Answer {
    const mark = marks.get(asked.series) ?? null;
    const judged = judgeClaim(mark, asked, podUid(uid), wallMs());
    if (judged.kind === 'claimed') return claimedReply(judged.mark);
    if (judged.kind === 'refused') {
      const { position, state } = judged.mark;
      return { status: 409, body: { claimed: false, reason: judged.reason, position, by: byOf(judged.mark), state } };
    }
    if (leads === null) return { status: 503, body: { reason: 'NotKnown', message: 'nobody leads now' } };
    if (pod !== leads)
      return { status: 409, body: { claimed: false, reason: 'NotLeader', pod: leads, token, message: '' } };
    const next = nextClaim(mark, asked, { pod, uid: podUid(uid), token }, wallMs());
    marks.set(asked.series, next);
    given.push(next.position);
    tell();
    return claimedReply(next);
  }

  function report(asked: ClaimReport, uid: string): Answer {
    const mark = marks.get(asked.series) ?? null;
    const next = afterReport(mark, { ...asked, uid: podUid(uid) }, wallMs());
    if (next === null) {
      const stands = mark === null ? {} : { position: mark.position, by: byOf(mark), state: mark.state };
      return { status: 409, body: { reason: 'NotYours', ...stands, message: 'not yours' } };
    }
    marks.set(asked.series, next);
    tell();
    return { status: 200, body: { position: next.position, state: next.state } };
  }

  /** What was asked for wrongly is refused as by the operator. */
  function read({ method, url, body }: AskedClaim): ClaimWish | Answer {
    const { pathname, searchParams } = new URL(url, 'http://gate');
    const query = { method, url, path: pathname, search: searchParams, client: '', body, header: () => null };
    const asked = readClaim(query);
    if (asked === null) return { status: 404, body: { reason: 'NothingHere' } };
    return 'refused' in asked
      ? { status: asked.refused.status, body: JSON.parse(asked.refused.body) as object }
      : asked.wish;
  }

  function answer(asked: AskedClaim): Answer {
    const wish = read(asked);
    if (!('kind' in wish)) return wish;
    const uid = new URL(asked.url, 'http://gate').searchParams.get('uid') ?? '';
    if (wish.kind === 'claim') return claim(wish.asked, asked.pod, uid);
    if (wish.kind === 'report') return report(wish.report, uid);
    return { status: 200, body: { position: marks.get(wish.series)?.position ?? null } };
  }

  function reply(response: ServerResponse, asked: AskedClaim): void {
    const first = answer(asked);
    if (asked.waitMs === 0 || !mayChange(first)) {
      raw(first.status, JSON.stringify(first.body))(response);
      return;
    }
    const over = setTimeout(() => {
      waiting.delete(look);
      const last = answer(asked);
      (isNotLeader(last) ? nobodyKnows : raw(last.status, JSON.stringify(last.body)))(response);
    }, asked.waitMs);
    const look = (): void => {
      // What it gives out is told to all who wait.
      waiting.delete(look);
      const now = answer(asked);
      if (mayChange(now)) {
        waiting.add(look);
        return;
      }
      clearTimeout(over);
      raw(now.status, JSON.stringify(now.body))(response);
    };
    waiting.add(look);
    response.once('close', () => {
      waiting.delete(look);
      clearTimeout(over);
    });
  }

  return {
    given,
    says: (...first) => {
      const left = [...first];
      return (response, asked) => (left.shift() ?? reply)(response, asked);
    },
    lost: (response, asked) => {
      answer(asked);
      response.destroy();
    },
    silent: (_response, asked) => void answer(asked),
    lead: (pod) => {
      if (pod !== null) token += 1;
      leads = pod;
      tell();
    },
    pass: (ms) => {
      aheadMs += ms;
      tell();
    },
    mark: (series) => marks.get(series) ?? null,
    setMark: (series, position) => {
      if (position === null) {
        marks.delete(series);
        return;
      }
      const asked = { series, position, id: 'of another call', mode: 'AtMostOnce', retryAfterMs: 0 } as const;
      marks.set(series, nextClaim(null, asked, { pod: 'notifier-9', uid: podUid('uid-9'), token }, wallMs()));
    },
    take: (series, position) => {
      const mark = marks.get(series);
      if (mark?.state === 'Done') marks.set(series, { ...mark, position, id: 'of another call', state: 'Claimed' });
    },
  };
}

const byOf = ({ pod, uid, token, sinceMs }: Claim): object => ({
  pod,
  uid,
  token,
  time: new Date(sinceMs).toISOString(),
});

function claimedReply({ series, position, token, attempt }: Claim): Answer {
  return { status: 201, body: { claimed: true, series, position, token, attempt } };
}

const reasonOf = ({ status, body }: Answer): unknown => (status === 409 && 'reason' in body ? body.reason : null);
const isNotLeader = (said: Answer): boolean => reasonOf(said) === 'NotLeader';
const mayChange = (said: Answer): boolean => said.status === 503 || isNotLeader(said) || reasonOf(said) === 'Pending';

/** A claim of the one who asks, but for what `other` says: perhaps none. */
export const givenAs =
  (other: Readonly<Record<string, unknown>>): SaysToClaim =>
  (response, { body }) => {
    const { series, position } = body as Readonly<Record<string, unknown>>;
    raw(201, JSON.stringify({ claimed: true, series, position, token: 7, attempt: 1, ...other }))(response);
  };

/** Told to a claim, whatever it says. */
export const refusing = (status: number, reason: string, other: object = {}): Says =>
  raw(status, JSON.stringify({ reason, message: `told ${reason}`, ...other }));
