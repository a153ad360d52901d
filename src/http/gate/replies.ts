/** The gate's answers as HTTP: the status says whether to act, the body says who leads and for how long that may be believed. */
import type { GateAnswer, GateLeader } from '../../api/gate.ts';
import type { Reply } from '../router.ts';
import { RETELL_MS } from './told.ts';

export type GateBody = {
  /** Of a member: whether it may act as the leader now. Of a group: whether it has a leader. */
  readonly leader: boolean;
  /** Who leads; empty, and token 0: nobody. */
  readonly pod: string;
  readonly uid: string;
  readonly token: number;
  /** Counted by the client from BEFORE it sent the question. 0: believe nothing. */
  readonly validForMilliseconds: number;
  /** RFC 3339, since when the leader leads; empty: not known. */
  readonly acquireTime: string;
  /** Of a 409, where there is more to say than that another leads. */
  readonly reason?: NoMore;
  /** With a reason: asking again sooner brings nothing. */
  readonly retryAfterMilliseconds?: number;
  /** Of a member whose group has a leader probe that listens: it must ask again within so long, whatever it is told. */
  readonly askWithinMilliseconds?: number;
};

/** Why a leader gets no grant: the lock is about to leave it, or its client has ended the term with whose secret it asks. */
export type NoMore = 'Revoking' | 'Released';

export type Reason =
  | 'BadQuery'
  | 'GroupUnknown'
  | 'MemberUnknown'
  | 'CallerUnknown'
  | 'CallerNotMember'
  | 'TokenRequired'
  | 'NothingHere'
  | 'NotKnown'
  | 'TooManyWaiting'
  | 'TooManyReleases'
  | 'BadSeries'
  | 'BadClaim'
  | 'SharedLock'
  | 'TooFast'
  | 'TooManySeries';

const NO_MORE = { revoking: 'Revoking', released: 'Released' } as const satisfies Readonly<Record<string, NoMore>>;

/** To a path that is not known. */
export const NOTHING_HERE = 'NothingHere' satisfies Reason;

const STATUS: Readonly<Record<Reason, number>> = {
  BadQuery: 400,
  GroupUnknown: 404,
  MemberUnknown: 404,
  CallerUnknown: 404,
  CallerNotMember: 403,
  TokenRequired: 401,
  NothingHere: 404,
  NotKnown: 503,
  TooManyWaiting: 429,
  TooManyReleases: 429,
  BadSeries: 400,
  BadClaim: 400,
  SharedLock: 400,
  TooFast: 429,
  TooManySeries: 429,
};

export const jsonReply = (status: number, body: object, headers: Readonly<Record<string, string>> = {}): Reply => ({
  status,
  contentType: 'application/json',
  body: `${JSON.stringify(body)}\n`,
  headers,
});

const HEADERS: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  401: { 'www-authenticate': 'Bearer' },
  429: { 'retry-after': String(RETELL_MS / 1000) },
};

/** For programs the reason, for people the message. */
export function refusal(reason: Reason, message: string): Reply {
  const again = STATUS[reason] === 429 ? { retryAfterMilliseconds: RETELL_MS } : {};
  return jsonReply(STATUS[reason], { reason, message, ...again }, HEADERS[STATUS[reason]] ?? {});
}

/** Empty: nobody. */
type SaidLeader = Omit<GateLeader, 'uid'> & { readonly uid: string };

const NOBODY: SaidLeader = { pod: '', uid: '', token: 0, acquireTime: '' };

const bodyOf = (leader: boolean, { pod, uid, token, acquireTime }: SaidLeader, validForMs: number): GateBody => ({
  leader,
  pod,
  uid,
  token,
  validForMilliseconds: Math.floor(validForMs),
  acquireTime,
});

/** To a member: 200 it may act, 409 it may not, 503 ask again. A grant of less than a millisecond is none. */
export function memberReply(answer: GateAnswer, askWithinMs: number | null): Reply {
  const rhythm = askWithinMs === null ? {} : { askWithinMilliseconds: askWithinMs };
  if (answer.kind === 'unknown') return refusal('NotKnown', `${answer.reason}; ask again`);
  if (answer.kind === 'no') return jsonReply(409, { ...bodyOf(false, answer.leader ?? NOBODY, 0), ...rhythm });
  if (answer.kind !== 'grant')
    return noMore({ ...bodyOf(false, answer.leader, 0), reason: NO_MORE[answer.kind], ...rhythm });
  if (answer.validForMs < 1)
    return refusal('NotKnown', 'a grant would be valid for less than a millisecond; ask again');
  return jsonReply(200, { ...bodyOf(true, answer.leader, answer.validForMs), ...rhythm });
}

const noMore = (body: GateBody): Reply =>
  jsonReply(409, { ...body, retryAfterMilliseconds: RETELL_MS }, { 'retry-after': String(RETELL_MS / 1000) });

/** To anybody: 200 somebody leads, 409 nobody does. Nothing to act on, so no time is promised and no handover waits for it. */
export function groupReply(answer: GateAnswer): Reply {
  if (answer.kind === 'unknown') return refusal('NotKnown', `${answer.reason}; ask again`);
  return answer.leader === null
    ? jsonReply(409, bodyOf(false, NOBODY, 0))
    : jsonReply(200, bodyOf(true, answer.leader, 0));
}
