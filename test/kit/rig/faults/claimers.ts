/**
 * Applications that claim the ticks of a schedule, each from the address of its own pod, at whichever replica: all of a group at each tick, waiting where they do not
 * lead. They lose what they are told and ask again, run twice in one process, come late, hang, and die before they act or before they say so. What they were told is written
 * down for the checker; what they did is judged here (I12, I13).
 */
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClaimRequest, ClaimTold } from '../../checker/checker.ts';
import { memberUrl } from '../asking.ts';
import { createActs } from './claimed-acts.ts';
import { type Answer, askFromPod, type FromPod } from './from-pod.ts';

export type ClaimerCounts = {
  acts: number;
  /** Positions that were acted on more than once, AtLeastOnce. */
  twice: number;
  deaths: number;
  hangs: number;
  /** Answers that their calls have not heard, and repetitions of calls. */
  unheard: number;
  repeats: number;
};

export type Claimers = AsyncDisposable & {
  readonly plans: readonly ClaimerPlan[];
  /** All that was asked so far. */
  readonly requests: readonly ClaimRequest[];
  readonly counts: Readonly<ClaimerCounts>;
  /**
   * Begins no tick any more, and claims what nobody has done until somebody has; nobody dies or hangs any more. In words, which promises were broken, and who was never given
   * anything.
   */
  finish(withinMs: number): Promise<readonly string[]>;
  /** After `finish`: the tick that follows. The position; null: nobody was given it within the time. */
  next(plan: ClaimerPlan, withinMs: number): Promise<number | null>;
  /** After `finish`: a new call of each pod for the position at which the series stands. What they were given: nothing, if I12 is kept. */
  again(plan: ClaimerPlan, position: number): Promise<readonly number[]>;
};

export type ClaimerPlan = {
  readonly group: string;
  readonly mode: ClaimRequest['mode'];
  /** Each with its address. */
  readonly pods: readonly { readonly name: string; readonly address: string }[];
};

type Parts = {
  readonly namespace: string;
  readonly plans: readonly ClaimerPlan[];
  /** Bases of the replicas that run. */
  readonly replicas: () => readonly string[];
  /** uid of the pod of this name; null: there is none, or nobody says. */
  readonly uidOf: (name: string) => Promise<string | null>;
};

/** One call, with all its retries. */
type Call = {
  readonly plan: ClaimerPlan;
  readonly pod: ClaimerPlan['pods'][number];
  readonly uid: string;
  readonly position: number;
  readonly id: string;
};

type Body = {
  readonly reason: string;
  readonly position: number;
  readonly attempt: number;
  readonly state: string;
};

/** `given`: the position that the call was given. `isOver`: the position that it asked for, or a later one, needs nobody any more. */
type Outcome = { readonly given: number | null; readonly isOver: boolean };

const TICK_MS = 2000;
const WAIT_MS = 3000;
const ANSWER_MS = 1500;
const RETRY_AFTER_S = 3;
const AGAIN_MS = 300;
const TRIES = 6;
/** Of the answers so many are not heard. Of the ticks so many are claimed twice by a pod; of the calls so many ask for a tick that is past. */
const UNHEARD = 0.05;
const TWICE = 0.1;
const LATE = 0.1;
/** What becomes of those who were given something; all others do it and say so. */
const FATES = { diesFirst: 0.1, diesBeforeItSaysSo: 0.1, hangs: 0.05, takesLong: 0.1 } as const;
type Fate = keyof typeof FATES | 'does';

const NOTHING: Outcome = { given: null, isOver: false };

export const seriesOf = ({ group }: ClaimerPlan): string => `ticks of ${group}`;

export function startClaimers({ namespace, plans, replicas, uidOf }: Parts): Claimers {
  const over = new AbortController();
  const closing = new AbortController();
  const requests: { -readonly [Key in keyof ClaimRequest]: ClaimRequest[Key] }[] = [];
  const counts: ClaimerCounts = { acts: 0, twice: 0, deaths: 0, hangs: 0, unheard: 0, repeats: 0 };
  const acts = createActs(counts);
  const ticks = new Map<string, number>();
  const pause = (ms: number): Promise<unknown> => delay(ms, null, { signal: over.signal }).catch(() => undefined);
  /** In the end nothing goes wrong any more. */
  const chance = (of: number): boolean => !closing.signal.aborted && Math.random() < of;

  /** Any of the replicas; status 0: no answer, or it was not heard. */
  async function send(call: Call, what: ClaimRequest['what'], position: number): Promise<Answer<Body>> {
    const { plan, uid, id } = call;
    const base = pick(replicas());
    if (base === undefined) return { status: 0, body: {} };
    const about = { namespace, group: plan.group, what, series: seriesOf(plan), position, mode: plan.mode };
    const hash = createHash('sha256').update(id).digest('base64url');
    const noted = { ...about, podUid: uid, id: hash, sentMs: performance.now(), told: null as ClaimTold | null };
    requests.push(noted);
    const url = `${memberUrl(base, namespace, plan.group, call.pod.name)}/claims`;
    const answer = await askFromPod<Body>(requestOf(call, what, position, url));
    if (answer.status !== 0) noted.told = toldOf(answer);
    if (answer.status === 0 || !chance(UNHEARD)) return answer;
    counts.unheard += 1;
    return { status: 0, body: {} };
  }

  async function claim(plan: ClaimerPlan, pod: Call['pod'], position: number): Promise<Outcome> {
    const uid = await uidOf(pod.name);
    if (uid === null) return NOTHING;
    const call = { plan, pod, uid, position, id: randomBytes(16).toString('hex') };
    for (let tries = 0; tries < TRIES && !over.signal.aborted; tries += 1) {
      if (tries > 0) counts.repeats += 1;
      const { status, body } = await send(call, 'claim', position);
      // The one before may come first.
      if (status === 201) return await act(call, body.position ?? position, fateOf(chance));
      if (![0, 429, 503].includes(status)) return { given: null, isOver: isOver(plan, body) };
      await pause(AGAIN_MS);
    }
    return NOTHING;
  }

  async function act(call: Call, given: number, fate: Fate): Promise<Outcome> {
    if (fate === 'diesFirst') counts.deaths += 1;
    if (fate === 'hangs') counts.hangs += 1;
    if (fate === 'diesFirst') return { given, isOver: false };
    if (fate === 'hangs') await pause(2 * RETRY_AFTER_S * 1000);
    if (fate === 'takesLong') await renewing(call, given);
    acts.note(call.plan, given);
    if (call.plan.mode === 'AtMostOnce') return { given, isOver: given === call.position };
    if (fate === 'diesBeforeItSaysSo') counts.deaths += 1;
    const isDone = fate !== 'diesBeforeItSaysSo' && (await done(call, given));
    return { given, isOver: isDone && given === call.position };
  }

  /** Longer than it has without that. */
  async function renewing(call: Call, given: number): Promise<void> {
    if (call.plan.mode === 'AtMostOnce') return;
    for (let times = 0; times < 4 && !over.signal.aborted; times += 1) {
      await pause((RETRY_AFTER_S * 1000) / 3);
      await send(call, 'renew', given);
    }
  }

  async function done(call: Call, given: number): Promise<boolean> {
    for (let tries = 0; tries < TRIES && !over.signal.aborted; tries += 1) {
      const { status } = await send(call, 'done', given);
      if (![0, 429, 503].includes(status)) return status === 200;
      await pause(AGAIN_MS);
    }
    return false;
  }

  async function keep(plan: ClaimerPlan): Promise<void> {
    const running = new Set<Promise<unknown>>();
    const begin = (pod: Call['pod'], position: number): void => {
      const one = claim(plan, pod, position).finally(() => running.delete(one));
      running.add(one);
    };
    for (let tick = 1; !closing.signal.aborted && !over.signal.aborted; tick += 1) {
      ticks.set(plan.group, tick);
      for (const pod of plan.pods) {
        begin(pod, tick);
        if (chance(TWICE)) begin(pod, tick);
        if (chance(LATE)) begin(pod, Math.max(1, tick - Math.ceil(Math.random() * 4)));
      }
      await pause(TICK_MS);
    }
    await Promise.all(running);
  }

  const all = (plan: ClaimerPlan, position: number): Promise<readonly Outcome[]> =>
    Promise.all(plan.pods.map((pod) => claim(plan, pod, position)));

  /** Asked for until it needs nobody any more. */
  async function settled(plan: ClaimerPlan, position: number, untilMs: number): Promise<boolean> {
    while (performance.now() < untilMs) {
      const outcomes = await all(plan, position);
      if (outcomes.some(({ isOver }) => isOver)) return true;
      await pause(AGAIN_MS);
    }
    return false;
  }

  async function undone(plan: ClaimerPlan, untilMs: number): Promise<readonly string[]> {
    const tick = ticks.get(plan.group) ?? 0;
    const words = `position ${tick} of ${seriesOf(plan)}`;
    return (await settled(plan, tick, untilMs)) ? [] : [`I13: nobody is given ${words}, or nobody does it`];
  }

  const lives = plans.map(keep);
  return {
    plans,
    requests,
    counts,
    finish: async (withinMs) => {
      closing.abort();
      await Promise.all(lives);
      const untilMs = performance.now() + withinMs;
      const left = await Promise.all(plans.map((plan) => undone(plan, untilMs)));
      return [...left.flat(), ...acts.breaches(plans, requests)];
    },
    next: async (plan, withinMs) => {
      const tick = (ticks.get(plan.group) ?? 0) + 1;
      ticks.set(plan.group, tick);
      return (await settled(plan, tick, performance.now() + withinMs)) ? tick : null;
    },
    again: async (plan, position) => (await all(plan, position)).flatMap(({ given }) => given ?? []),
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await Promise.all(lives);
    },
  };
}

const pick = <T>(all: readonly T[]): T | undefined => all[Math.floor(Math.random() * all.length)];

function fateOf(chance: (of: number) => boolean): Fate {
  for (const [fate, of] of Object.entries(FATES)) if (chance(of)) return fate as Fate;
  return 'does';
}

/** Given to another: with AtMostOnce that is all there is to it. */
const isOver = ({ mode }: ClaimerPlan, { reason, state }: Partial<Body>): boolean =>
  reason === 'Passed' && (mode === 'AtMostOnce' || state === 'Done');

function requestOf({ plan, pod, uid, id }: Call, what: ClaimRequest['what'], position: number, url: string): FromPod {
  const { address } = pod;
  const body = { series: seriesOf(plan), position, id };
  if (what !== 'claim') return { method: 'PUT', url: `${url}/${what}?uid=${uid}`, address, withinMs: ANSWER_MS, body };
  const again = plan.mode === 'AtLeastOnce' ? { mode: plan.mode, retryAfterSeconds: RETRY_AFTER_S } : {};
  const waiting = { url: `${url}?uid=${uid}&wait=${WAIT_MS}ms`, withinMs: ANSWER_MS + WAIT_MS };
  return { method: 'POST', address, ...waiting, body: { ...body, ...again } };
}

function toldOf({ status, body }: Answer<Body>): ClaimTold {
  const { reason = null, position = null, attempt = null } = body;
  const given = status === 201 ? { position, attempt } : { position: null, attempt: null };
  return { atMs: performance.now(), status, reason, ...given };
}
