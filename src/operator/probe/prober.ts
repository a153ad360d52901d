/**
 * Listens to the members of groups that have a leader probe, and wakes a group when its leader is to be judged otherwise than its last pass has
 * seen. It decides nothing: src/election/probe.ts does. A group without a leader probe costs nothing here.
 */

import type { BeforePromotion } from '../../api/before-promotion.ts';
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid } from '../../api/ids.ts';
import type { LeaderProbe } from '../../api/leader-probe.ts';
import type { TransitionStatus } from '../../api/leadergroup.ts';
import { createTurns, type Limit } from '../../common/turns.ts';
import type { Observation } from '../../election/observation.ts';
import type { ProbeView } from '../../election/probe.ts';
import type { Clock, Random } from '../../ports/clock.ts';
import type { ProbeState, PromotionOutcome } from '../../ports/metrics.ts';
import type { HttpProber } from '../../ports/prober.ts';
import { groupKey } from '../cache/store.ts';
import type { Window } from '../gate/heard.ts';
import { askRound } from './asked-in-round.ts';
import { type Asker, createAsker } from './asker.ts';
import { createJudging, type JudgingParts, NOTHING } from './judging.ts';
import { beginListening, endListening, type Listening, note } from './listening.ts';
import { dueIn } from './look-again.ts';
import { isNews, stateOf } from './news.ts';
import { createPromotionAsker, type PromotionAsker } from './promotion-asker.ts';
import { createQuestion, isSameSpec, type Question } from './questions.ts';
import { createStalls } from './stalls.ts';

export type Prober = {
  /** What is to be kept of the arrivals of its members' questions; null: nothing. */
  window(key: string): Window | null;
  /** What is known of the group now. `history`: its changes of leader, newest first. */
  view(key: string, probe: LeaderProbe, history: readonly TransitionStatus[], now: Now): ProbeView;
  /** Begins to ask these members, of which one is to lead; the group is looked at when they have answered. False: they cannot be asked. */
  search(key: string, uids: readonly PodUid[]): boolean;
  /** Who is asked before a promotion, and what came of it. */
  readonly promotions: Pick<PromotionAsker, 'view' | 'ask'>;
  /** A pass has seen the group like this. */
  seen(o: Observation): void;
  /** The group is not this replica's, or gone. */
  drop(key: string): void;
  /** How the leaders are judged, of the groups with a leader probe. */
  counts(): Readonly<Partial<Record<ProbeState, number>>>;
};

/** `uids`: of the members. `judgedBefore`: see ProbeView. */
type Now = {
  readonly nowMs: MonotonicMs;
  readonly uids: readonly PodUid[];
  readonly judgedBefore: string | null;
};

/** As many leaders as one replica is meant for may hang at the same time. */
const PROBES_AT_ONCE = 1024;

/** Shorter stalls than half of this are not looked for: a timer that is a little late is none. The adapter finds those in which a probe ends. */
const SHORTEST_MS = 100;

const shortestOf = ({ periodMs, by }: LeaderProbe): number =>
  by.kind === 'gate' ? periodMs : Math.min(periodMs, Math.max(by.timeoutMs, SHORTEST_MS));

export type ProberParts = Omit<JudgingParts, 'clock' | 'stalls'> & {
  readonly clock: Pick<Clock, 'nowMs' | 'wallMs' | 'after'>;
  readonly random: Pick<Random, 'next'>;
  readonly http: HttpProber;
  readonly wake: (key: string) => void;
  /** A pod was asked before a promotion, for metrics. */
  readonly promotionAnswered: (outcome: PromotionOutcome) => void;
  /** So many probes are under way at most. */
  readonly atOnce?: number;
};

export function createProber(parts: ProberParts): Prober {
  const { clock, random, sight, http, wake, arrivals, atOnce = PROBES_AT_ONCE } = parts;
  const groups = new Map<string, Listening>();
  const stalls = createStalls(clock);
  const turns = createTurns({ atOnce });
  const { levelOf, viewOf, judgedNow } = createJudging({ ...parts, stalls });

  const promotions = createPromotionAsker({ clock, sight, wake, questionOf, answered: parts.promotionAnswered });

  /** Whether this process stands still is looked for while the question is under way. */
  function questionOf(key: string, { by: { timeoutMs } }: BeforePromotion): Question & Disposable {
    const watching = stalls.watch(Math.max(timeoutMs, SHORTEST_MS));
    const turn = () => turns.take(key, within(clock, timeoutMs));
    return Object.assign(createQuestion({ clock, http, turn, stalledMs: stalls.lastMs }), {
      [Symbol.dispose]: () => watching[Symbol.dispose](),
    });
  }

  function follow(key: string, probe: LeaderProbe, history: readonly TransitionStatus[]): Listening {
    const known = groups.get(key);
    if (known !== undefined && isSameSpec(known.probe, probe)) return known;
    unfollow(key);
    const [sinceMs, asker] = [clock.nowMs(), askerOf(key, probe)];
    const listening = beginListening({ probe, history, asker, sinceMs, stalls: stalls.watch(shortestOf(probe)) });
    groups.set(key, listening);
    // Spread over the period: else all groups of a replica that starts were asked in one moment, for ever.
    if (asker !== null)
      listening.cancel = clock.after(random.next() * probe.periodMs, () => void round(key, listening));
    return listening;
  }

  function askerOf(key: string, { by, periodMs }: LeaderProbe): Asker | null {
    const turn = () => turns.take(key, within(clock, periodMs));
    return by.kind === 'gate' ? null : createAsker(by, periodMs, { clock, http, turn, stalledMs: stalls.lastMs });
  }

  function unfollow(key: string): void {
    const known = groups.get(key);
    if (known === undefined) return;
    endListening(known);
    groups.delete(key);
  }

  function seen(o: Observation): void {
    promotions.seen(o);
    const key = groupKey(o.group);
    const { leaderProbe } = o.group.spec;
    if (leaderProbe === null || o.group.deleting || o.ownership.kind !== 'owned') return unfollow(key);
    const listening = follow(key, leaderProbe, o.group.status?.recentTransitions ?? []);
    note(listening, o);
    if (listening.asker === null) lookAgain(key, listening);
  }

  /** One at a time for each group; a round that takes longer than a period is followed by the next at once. */
  async function round(key: string, listening: Listening): Promise<void> {
    const startedMs = clock.nowMs();
    const isBlind = sight.blindToAddresses() !== null;
    // What failed before may have failed for what blinds it now.
    if (isBlind) listening.asker?.forgetAnswers();
    if (listening.judged !== null && !isBlind) await askRound(listening, levelOf(listening), sight);
    if (groups.get(key) !== listening) return;
    wakeForNews(key, listening);
    const leftMs = Math.max(1, startedMs + listening.probe.periodMs - clock.nowMs());
    listening.cancel = clock.after(leftMs, () => void round(key, listening));
  }

  function wakeForNews(key: string, listening: Listening): void {
    const { judged, judgement } = listening;
    if (judged !== null && isNews(judgement, judgedNow(key, listening, judged))) wake(key);
  }

  function lookAgain(key: string, listening: Listening): void {
    listening.cancel();
    listening.cancel = () => undefined;
    if (listening.judged === null) return;
    const lastMs = arrivals(key, listening.judged.leader.uid)?.recentMs.at(-1);
    const dueMs = Math.max(1, dueIn(listening, lastMs, clock.nowMs()));
    listening.cancel = clock.after(dueMs, () => {
      wakeForNews(key, listening);
      lookAgain(key, listening);
    });
  }

  return {
    window: (key) => {
      const listening = groups.get(key);
      return listening === undefined ? null : windowOf(listening);
    },
    view: (key, probe, history, { nowMs, uids, judgedBefore }) => {
      const known = groups.get(key);
      if (known === undefined || !isSameSpec(known.probe, probe))
        return { ...NOTHING, sinceMs: nowMs, level: levelOf({ history }) };
      known.history = history;
      known.judgedBefore = judgedBefore;
      return viewOf(key, known, uids);
    },
    search: (key, uids) => {
      const listening = groups.get(key);
      if (listening === undefined || listening.asker === null || sight.blindToAddresses() !== null) return false;
      void listening.asker.search(uids)?.then(() => {
        if (groups.get(key) === listening) wake(key);
      });
      return true;
    },
    promotions,
    seen,
    drop: (key) => {
      unfollow(key);
      promotions.drop(key);
    },
    counts: () => countsOf([...groups.values()]),
  };
}

function windowOf({ asker, probe: { periodMs, failureThreshold } }: Listening): Window | null {
  if (asker !== null) return null;
  return { grainMs: periodMs / 2, keepMs: (failureThreshold + 1) * periodMs, steadyMs: periodMs };
}

function countsOf(groups: readonly Listening[]): Readonly<Partial<Record<ProbeState, number>>> {
  const counts: Partial<Record<ProbeState, number>> = {};
  for (const { judgement } of groups) {
    const state = stateOf(judgement);
    counts[state] = (counts[state] ?? 0) + 1;
  }
  return counts;
}

const within =
  (clock: Pick<Clock, 'after'>, ms: number): Limit =>
  (over) =>
    clock.after(ms, over);
