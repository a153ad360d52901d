/** Asks until the answer is worth giving: it is news to the client, or the time is over. */
import { type Backoff, backoffMs } from '../../common/backoff.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Reply } from '../router.ts';
import { type Asking, answerOnce, askWithinOf } from './answer.ts';
import { changedWithin } from './changed-within.ts';
import type { GateBody } from './replies.ts';

/**
 * A replica that does not know yet is given so long: a lock is verified within milliseconds of the first question about it, and a
 * bucket that was passed on is adopted as fast.
 */
const UNKNOWN_MS = 1000;
/** After a replica that did not answer; twice as long each time, for thousands may be waiting. A change wakes at once. */
const AGAIN: Backoff = { firstMs: 100, lastMs: 2000 };

/** Rejects only when `asking.signal` aborts. */
export async function longPoll(clock: Clock, asking: Asking): Promise<Reply> {
  const begunMs = clock.nowMs();
  const { waitMs, unknownMs } = limitsOf(asking);
  const leftMs = (): number => Math.max(0, begunMs + waitMs - clock.nowMs());
  const news = newsFor(asking);
  let unanswered = 1;
  for (;;) {
    asking.signal.throwIfAborted();
    // Before the question: what changes while it is being answered counts.
    using watch = asking.gate.watch(asking.question);
    const { reply, final } = await answerOnce(asking, leftMs(), news.known());
    const unknown = reply.status === 503 && !final;
    const limitMs = unknown ? Math.max(leftMs(), begunMs + unknownMs - clock.nowMs()) : leftMs();
    if (limitMs <= 0 || final || (!unknown && news.in(reply))) return news.said(reply);
    const pauseMs = unknown ? backoffMs(unanswered, AGAIN) : news.heldMs(reply) || limitMs;
    const changed = await changedWithin(clock, [watch], Math.min(limitMs, pauseMs), asking.signal);
    unanswered = unknown && !changed ? unanswered + 1 : 1;
  }
}

/** Whoever waits is not heard meanwhile: where it must be it is answered in time to ask again. */
function limitsOf({ gate, question }: Asking): { readonly waitMs: number; readonly unknownMs: number } {
  const longestMs = askWithinOf(gate, question) ?? Number.POSITIVE_INFINITY;
  const waitMs = Math.min(question.wait?.forMs ?? 0, longestMs);
  return { waitMs, unknownMs: Math.min(UNKNOWN_MS, longestMs) };
}

/** Whether a reply says something that the client does not know yet. Without a wait every reply does. */
function newsFor({ question, arrival, told }: Asking) {
  const { wait } = question;
  let known = wait?.token ?? null;
  let first: string | null = null;
  let held = false;
  /** Why it gets no grant, by pod and term; null: the answer is another. */
  function noMore(reply: Reply): string | null {
    const body = wait === null ? null : bodyOf(reply);
    if (body?.reason === undefined) return null;
    const { namespace, name, pod, uid } = question;
    const { caller, address, termSecret } = arrival;
    // Whoever else asks in the pod's name does not put off what the pod is told.
    const who = caller.kind === 'pod' ? caller.uid : address;
    return JSON.stringify([namespace, name, pod, uid, body.reason, body.token, who, termSecret]);
  }
  function heldMs(reply: Reply): number {
    const what = noMore(reply);
    return what === null ? 0 : told.leftMs(what);
  }
  return {
    /** For how long it is not said, because it was said a moment ago; 0: it was not. */
    heldMs,
    said: (reply: Reply): Reply => {
      const what = noMore(reply);
      if (what !== null) told.note(what);
      return reply;
    },
    /** The token that the client knows, or that was seen first; null: none yet. */
    known: () => known,
    in: (reply: Reply): boolean => {
      const body = wait === null ? null : bodyOf(reply);
      if (heldMs(reply) > 0) {
        held = true;
        return false;
      }
      // Whoever waits for the next leader is to hear that it is the one to go, and whoever has heard that, that it may stay.
      if (wait === null || body === null || body.reason !== undefined || held) return true;
      const what = `${body.leader} ${body.token}`;
      const begun = first ?? what;
      first ??= what;
      known ??= body.token;
      if (wait.token === null) return what !== begun;
      // That nobody leads is news to whom has seen a leader since it asked; whoever knows a token already waits for the next leader.
      return body.token === 0 ? what !== begun : body.token !== wait.token;
    },
  };
}

/** null: it is no answer about who leads. */
function bodyOf(reply: Reply): GateBody | null {
  return reply.status === 200 || reply.status === 409 ? (JSON.parse(reply.body) as GateBody) : null;
}
