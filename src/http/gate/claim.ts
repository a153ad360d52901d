/** Claims as HTTP: POST .../claims, PUT .../claims/done and /renew, GET .../claims?series=. Passed on to the owner of the group as questions are. */
import type { Claim } from '../../api/claim.ts';
import type { Pod, PodRef } from '../../api/pod.ts';
import { timeTextOf } from '../../api/time.ts';
import { type Backoff, backoffMs } from '../../common/backoff.ts';
import type { ClaimAnswer, MarkAnswer, ReportAnswer } from '../../ports/claims.ts';
import type { Query, Reply } from '../router.ts';
import { type Asking, askOwner, memberHere } from './answer.ts';
import { verifyCaller } from './caller.ts';
import { changedWithin } from './changed-within.ts';
import type { ClaimWish } from './claim-request.ts';
import type { Passed } from './forward.ts';
import { jsonReply, refusal } from './replies.ts';

/** Nobody can say yet, or the one before is not done: a change wakes at once, and what no change tells of is looked at again so often. */
const AGAIN: Backoff = { firstMs: 100, lastMs: 2000 };

/** `final`: waiting does not change it. `otherwise`: what to say instead to whom has waited for another answer in vain. */
type Said = { readonly reply: Reply; readonly final: boolean; readonly otherwise?: Reply };

/** Rejects only when `asking.signal` aborts. */
export async function answerClaim(asking: Asking, wish: ClaimWish, query: Query): Promise<Reply> {
  const { clock, signal } = asking;
  const untilMs = clock.nowMs() + waitMsOf(wish);
  for (let tries = 1; ; tries += 1) {
    signal.throwIfAborted();
    if (!waits(wish)) return (await sayOnce(asking, wish, query, 0)).reply;
    // Before the question: what changes while it is being answered counts.
    using lead = asking.gate.watch(asking.question);
    using series = asking.gate.claims.watch(asking.question, seriesOf(wish));
    const leftMs = Math.max(0, untilMs - clock.nowMs());
    const { reply, final, otherwise = reply } = await sayOnce(asking, wish, query, leftMs);
    const restMs = untilMs - clock.nowMs();
    if (final || restMs <= 0) return final ? reply : otherwise;
    await changedWithin(clock, [lead, series], Math.min(restMs, backoffMs(tries, AGAIN)), signal);
  }
}

const waitMsOf = (wish: ClaimWish): number => (wish.kind === 'claim' ? (wish.wait?.forMs ?? 0) : 0);
const waits = (wish: ClaimWish): boolean => waitMsOf(wish) > 0;

const seriesOf = (wish: ClaimWish): string =>
  wish.kind === 'claim' ? wish.asked.series : wish.kind === 'report' ? wish.report.series : wish.series;

/** Whoever has waited for the lead has not been refused: the tick may yet be given out. */
const NOBODY_YET = refusal(
  'NotKnown',
  'nobody has claimed it yet, and the time to wait is over; ask again with the same id, or drop it',
);

async function sayOnce(asking: Asking, wish: ClaimWish, query: Query, leftMs: number): Promise<Said> {
  const { gate, arrival, question } = asking;
  const answerer = gate.answerer(question);
  const group = gate.group(question);
  if (group !== null && group.spec.lockKey !== null) return { reply: sharedLock(group.name), final: true };
  if (answerer.kind === 'other' && !arrival.forwarded) {
    const reply = await askOwner(asking, answerer, passedOn(query, waits(wish), leftMs), leftMs);
    // The owner has waited for as long as there was to wait.
    return { reply, final: reply.status !== 503 };
  }
  const found = memberHere(asking, answerer);
  // Who owns the group may change while a claim waits, but whoever has passed it on asks the right one next.
  if ('refused' in found) return { reply: found.refused, final: found.refused.status !== 503 || arrival.forwarded };
  const { member } = found;
  // A claim suppresses work: it is never taken for somebody else.
  const stranger = verifyCaller(arrival.caller, member);
  if (stranger !== null) return { reply: stranger, final: true };
  gate.heard(question, member.uid, arrival.arrivedMs);
  return await sayHere(asking, wish, member);
}

/** Whoever waits is told as one who waits, also at the end of its time. */
function passedOn({ method, url, body }: Query, waiting: boolean, leftMs: number): Omit<Passed, 'statement'> {
  const sent = body === null ? null : JSON.stringify(body);
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  if (waiting) searchParams.set('wait', `${Math.max(1, Math.ceil(leftMs))}ms`);
  else searchParams.delete('wait');
  return { method: method as Passed['method'], path: `${pathname}?${searchParams.toString()}`, body: sent };
}

async function sayHere({ gate, question, signal }: Asking, wish: ClaimWish, member: Pod): Promise<Said> {
  const pod: PodRef = { namespace: member.namespace, name: member.name, uid: member.uid };
  switch (wish.kind) {
    case 'claim': {
      const answer = await gate.claims.claim(question, pod, wish.asked, signal);
      const said = { reply: claimReply(answer), final: isFinal(answer) };
      return answer.kind === 'notLeader' ? { ...said, otherwise: NOBODY_YET } : said;
    }
    case 'report':
      return { reply: reportReply(await gate.claims.report(question, pod, wish.report, signal)), final: true };
    case 'mark':
      return { reply: markReply(await gate.claims.mark(question, wish.series)), final: true };
  }
}

/** A follower may lead before the tick is over, and what is pending may be done. */
const isFinal = (answer: ClaimAnswer): boolean =>
  answer.kind !== 'notLeader' &&
  answer.kind !== 'unknown' &&
  !(answer.kind === 'refused' && answer.reason === 'Pending');

const byOf = ({ pod, uid, token, sinceMs }: Claim): object => ({ pod, uid, token, time: timeTextOf(sinceMs) });

const FULL = {
  group: 'the group has a thousand series',
  cluster: 'the groups of this cluster have a hundred thousand series',
} as const;

function claimReply(answer: ClaimAnswer): Reply {
  switch (answer.kind) {
    case 'claimed': {
      const { series, position, token, attempt } = answer.claim;
      return jsonReply(201, { claimed: true, series, position, token, attempt });
    }
    case 'refused': {
      const { reason, mark } = answer;
      const { position, state } = mark;
      return jsonReply(409, { claimed: false, reason, position, by: byOf(mark), state });
    }
    case 'notLeader': {
      const { pod, token } = answer.leader;
      const message = `pod ${pod} leads the group`;
      return jsonReply(409, { claimed: false, reason: 'NotLeader', pod, token, message });
    }
    case 'tooManySeries':
      return refusal('TooManySeries', `${FULL[answer.of]}: a series is a schedule, its ticks are positions of it`);
    case 'sharedLock':
    case 'tooFast':
    case 'unknown':
      return otherReply(answer);
  }
}

function otherReply(answer: Extract<ClaimAnswer, { readonly kind: 'sharedLock' | 'tooFast' | 'unknown' }>): Reply {
  switch (answer.kind) {
    case 'sharedLock':
      return sharedLock('of this name');
    case 'tooFast':
      return refusal('TooFast', 'the group claims more than 50 times a second; try again with the same id');
    case 'unknown':
      return refusal('NotKnown', `${answer.reason}; ask again with the same id`);
  }
}

const sharedLock = (name: string): Reply =>
  refusal('SharedLock', `LeaderGroup ${name} has a spec.lockKey, which others share who do not know our claims`);

function reportReply(answer: ReportAnswer): Reply {
  switch (answer.kind) {
    case 'noted': {
      const { series, position, state } = answer.claim;
      return jsonReply(200, { series, position, state });
    }
    case 'notYours': {
      const { mark } = answer;
      const stands = mark === null ? {} : { position: mark.position, by: byOf(mark), state: mark.state };
      return jsonReply(409, {
        reason: 'NotYours',
        ...stands,
        message: 'it is not the claim of this pod and id (any more)',
      });
    }
    case 'sharedLock':
    case 'tooFast':
    case 'unknown':
      return otherReply(answer);
  }
}

function markReply(answer: MarkAnswer): Reply {
  if (answer.kind !== 'mark') return otherReply(answer);
  const { mark } = answer;
  if (mark === null) return jsonReply(200, { position: null });
  const { series, position, mode, state, attempt } = mark;
  return jsonReply(200, { series, position, mode, state, attempt, by: byOf(mark) });
}
