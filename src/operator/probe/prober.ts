/**
 * Listens to the members of groups that have a leader probe, and wakes a group when its leader is to be judged otherwise than its last pass has
 * seen. It decides nothing: src/election/probe.ts does. A group without a leader probe costs nothing here.
 */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid } from '../../api/ids.ts';
import type { LeaderProbe } from '../../api/leader-probe.ts';
import type { TransitionStatus } from '../../api/leadergroup.ts';
import { createTurns, type Limit } from '../../common/turns.ts';
import { ASKED_FIRST, judgedOf, judgementOf, probedLeader } from '../../election/judgement.ts';
import type { Observation } from '../../election/observation.ts';
import {
  type Arrivals,
  type Judged,
  type Judgement,
  judge,
  limitMs,
  type ProbeView,
  thresholdAt,
} from '../../election/probe.ts';
import { probeLevel } from '../../election/probe-level.ts';
import type { Clock, Random } from '../../ports/clock.ts';
import type { ProbeState } from '../../ports/metrics.ts';
import type { HttpProber } from '../../ports/prober.ts';
import { groupKey } from '../cache/store.ts';
import type { Heard, Window } from '../gate/heard.ts';
import { type Asker, createAsker } from './asker.ts';
import { isNews, stateOf } from './news.ts';
import type { Sight } from './sight.ts';
import { createStalls } from './stalls.ts';

export type Prober = {
  /** What is to be kept of the arrivals of its members' questions; null: nothing. */
  window(key: string): Window | null;
  /** What is known of the group now. `history`: its changes of leader, newest first. */
  view(key: string, probe: LeaderProbe, history: readonly TransitionStatus[], now: Now): ProbeView;
  /** Begins to ask these members, of which one is to lead; the group is looked at when they have answered. False: they cannot be asked. */
  search(key: string, uids: readonly PodUid[]): boolean;
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

type Listening = {
  readonly probe: LeaderProbe;
  readonly sinceMs: MonotonicMs;
  readonly stalls: Disposable;
  /** null: it listens. */
  readonly asker: Asker | null;
  leader: ProbeView['leader'];
  /** Its changes of leader, newest first. */
  history: readonly TransitionStatus[];
  judgedBefore: string | null;
  judged: Omit<Judged, 'nowMs'> | null;
  /** The API server did not answer while candidates were asked with the leader. */
  cutOff: boolean;
  /** In how many rounds candidates were asked since the leader passed last. */
  turn: number;
  /** As the last pass saw it. */
  judgement: Judgement | null;
  cancel: () => void;
};

/** As many leaders as one replica is meant for may hang at the same time. */
const PROBES_AT_ONCE = 1024;

/** Shorter stalls than half of this are not looked for: a timer that is a little late is none. The adapter finds those in which a probe ends. */
const SHORTEST_MS = 100;

const shortestOf = ({ periodMs, by }: LeaderProbe): number =>
  by.kind === 'gate' ? periodMs : Math.min(periodMs, Math.max(by.timeoutMs, SHORTEST_MS));

export function createProber({
  clock,
  random,
  sight,
  wake,
  arrivals,
  http,
  ownNode,
  atOnce = PROBES_AT_ONCE,
}: {
  readonly clock: Pick<Clock, 'nowMs' | 'wallMs' | 'after'>;
  readonly random: Pick<Random, 'next'>;
  readonly sight: Sight;
  readonly http: HttpProber;
  readonly wake: (key: string) => void;
  readonly arrivals: Heard['arrivals'];
  /** On which this replica runs; null: it does not run in a pod, or nobody knows. */
  readonly ownNode: () => string | null;
  /** So many probes are under way at most. */
  readonly atOnce?: number;
}): Prober {
  const groups = new Map<string, Listening>();
  const stalls = createStalls(clock);
  const turns = createTurns({ atOnce });

  function follow(key: string, probe: LeaderProbe, history: readonly TransitionStatus[]): Listening {
    const known = groups.get(key);
    if (known !== undefined && sameProbe(known.probe, probe)) return known;
    drop(key);
    const { by, periodMs } = probe;
    const parts = { clock, http, turn: () => turns.take(key, within(clock, periodMs)), stalledMs: stalls.lastMs };
    const asker = by.kind === 'gate' ? null : createAsker(by, periodMs, parts);
    const listening: Listening = {
      asker,
      probe,
      sinceMs: clock.nowMs(),
      stalls: stalls.watch(shortestOf(probe)),
      leader: null,
      history,
      judgedBefore: null,
      judged: null,
      cutOff: false,
      turn: 0,
      judgement: null,
      cancel: () => undefined,
    };
    groups.set(key, listening);
    // Spread over the period: else all groups of a replica that starts were asked in one moment, for ever.
    if (asker !== null)
      listening.cancel = clock.after(random.next() * probe.periodMs, () => void round(key, listening));
    return listening;
  }

  function drop(key: string): void {
    const known = groups.get(key);
    if (known === undefined) return;
    known.cancel();
    known.stalls[Symbol.dispose]();
    known.asker?.end();
    groups.delete(key);
  }

  function seen(o: Observation): void {
    const key = groupKey(o.group);
    const { leaderProbe } = o.group.spec;
    if (leaderProbe === null || o.group.deleting || o.ownership.kind !== 'owned') return drop(key);
    const listening = follow(key, leaderProbe, o.group.status?.recentTransitions ?? []);
    noteMembers(listening, o);
    listening.judged = judgedOf(o);
    listening.judgement = judgementOf(o);
    if (listening.asker === null) lookAgain(key, listening);
  }

  /** One at a time for each group; a round that takes longer than a period is followed by the next at once. */
  async function round(key: string, listening: Listening): Promise<void> {
    const startedMs = clock.nowMs();
    const isBlind = sight.blindToAddresses() !== null;
    // What failed before may have failed for what blinds it now.
    if (isBlind) listening.asker?.forgetAnswers();
    if (listening.judged !== null && !isBlind) await ask(listening, levelOf(listening), sight);
    if (groups.get(key) !== listening) return;
    if (listening.judged !== null && isNews(listening.judgement, judgedNow(key, listening, listening.judged)))
      wake(key);
    const leftMs = Math.max(1, startedMs + listening.probe.periodMs - clock.nowMs());
    listening.cancel = clock.after(leftMs, () => void round(key, listening));
  }

  const levelOf = ({ history }: Pick<Listening, 'history'>): number => probeLevel(history, clock.wallMs() / 1000);

  const viewOf = (key: string, listening: Listening, uids: readonly PodUid[]): ProbeView => ({
    sinceMs: listening.sinceMs,
    leader: listening.leader,
    blind: listening.asker === null ? sight.blind() : (sight.blindToAddresses() ?? (listening.cutOff ? CUT_OFF : null)),
    ownNode: ownNode(),
    stalledMs: stalls.lastMs(listening.probe.periodMs / 2),
    level: levelOf(listening),
    judgedBefore: listening.judgedBefore,
    heard: new Map(listening.asker === null ? uids.flatMap((uid) => pairOf(uid, arrivals(key, uid))) : []),
    answers: new Map(listening.asker?.answers),
    searchSinceMs: listening.asker?.searchSinceMs() ?? null,
  });

  function lookAgain(key: string, listening: Listening): void {
    listening.cancel();
    listening.cancel = () => undefined;
    if (listening.judged === null) return;
    const dueMs = Math.max(
      1,
      dueIn(listening, arrivals(key, listening.judged.leader.uid)?.recentMs.at(-1), clock.nowMs()),
    );
    listening.cancel = clock.after(dueMs, () => tick(key, listening));
  }

  /** Nobody else is looked at while the leader passes. */
  function judgedNow(key: string, listening: Listening, who: Omit<Judged, 'nowMs'>): Judgement {
    const { probe } = listening;
    const { leader, others } = who;
    const judged = { ...who, nowMs: clock.nowMs() };
    const alone = judge(probe, viewOf(key, listening, [leader.uid]), { ...judged, others: [] });
    if (alone.kind !== 'failing') return alone;
    return judge(probe, viewOf(key, listening, [leader.uid, ...others]), judged);
  }

  function tick(key: string, listening: Listening): void {
    const { judged } = listening;
    if (judged === null) return;
    if (isNews(listening.judgement, judgedNow(key, listening, judged))) wake(key);
    lookAgain(key, listening);
  }

  return {
    window: (key) => {
      const listening = groups.get(key);
      if (listening === undefined || listening.asker !== null) return null;
      const { periodMs, failureThreshold } = listening.probe;
      return { grainMs: periodMs / 2, keepMs: (failureThreshold + 1) * periodMs, steadyMs: periodMs };
    },
    view: (key, probe, history, { nowMs, uids, judgedBefore }) => {
      const known = groups.get(key);
      if (known === undefined || !sameProbe(known.probe, probe))
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
    seen,
    drop,
    counts: () => {
      const counts: Partial<Record<ProbeState, number>> = {};
      for (const { judgement } of groups.values()) {
        const state = stateOf(judgement);
        counts[state] = (counts[state] ?? 0) + 1;
      }
      return counts;
    },
  };
}

function noteMembers(listening: Listening, o: Observation): void {
  const { asker } = listening;
  const leader = probedLeader(o)?.pod.uid ?? null;
  if ((listening.leader?.uid ?? null) !== leader) {
    listening.leader = leader === null ? null : { uid: leader, sinceMs: o.nowMs };
    asker?.forgetAnswers();
  }
  if (asker === null) return;
  const addresses = new Map<PodUid, string>();
  for (const { pod } of o.pods) for (const address of pod.addresses.slice(0, 1)) addresses.set(pod.uid, address);
  asker.show(addresses);
}

const CUT_OFF = 'the API server did not answer while the leader was asked, so the node of the operator may be cut off';

const NOTHING: Omit<ProbeView, 'sinceMs' | 'level'> = {
  leader: null,
  blind: null,
  ownNode: null,
  stalledMs: null,
  judgedBefore: null,
  heard: new Map(),
  answers: new Map(),
  searchSinceMs: null,
};

const pairOf = (uid: PodUid, heard: Arrivals | null): readonly (readonly [PodUid, Arrivals])[] =>
  heard === null ? [] : [[uid, heard]];

const sameProbe = (a: LeaderProbe, b: LeaderProbe): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

/** Where a leader may be replaced for this round, the API server must answer in it too: else it is this node that is cut off, and the leader is well. */
async function ask(listening: Listening, level: number, sight: Sight): Promise<void> {
  const uids = askedIn(listening, level);
  const confirmed = uids.length > 1 ? sight.confirm() : Promise.resolve(true);
  await listening.asker?.ask(
    uids,
    confirmed.then((answers) => {
      listening.cutOff = !answers;
    }),
  );
}

/** The leader; from the last but one failure on those who may follow it too: the best of them, in the next round others, and so on. */
function askedIn(listening: Listening, level: number): readonly PodUid[] {
  const { probe, judged, asker } = listening;
  if (judged === null) return [];
  const failures = asker?.answers.get(judged.leader.uid)?.failures ?? 0;
  const urgent = failures >= thresholdAt(probe, level) - 1;
  if (!urgent) listening.turn = 0;
  const others = urgent ? taken(judged.others, listening.turn * ASKED_FIRST, ASKED_FIRST) : [];
  if (urgent) listening.turn += 1;
  return [judged.leader.uid, ...others];
}

/** Of a ring, so many from this place on, each once. */
function taken<T>(ring: readonly T[], from: number, count: number): readonly T[] {
  const first = from % Math.max(1, ring.length);
  return [...ring.slice(first), ...ring.slice(0, first)].slice(0, count);
}

/** In a period, at a leader that is silent while nobody qualifies to follow it: the same fault may have kept the others silent for a moment. */
const LOOKS_FOR_SUCCESSORS = 4;

/** A leader that passes cannot fail before it has been silent for long enough; anything else may change with each period. */
function dueIn({ probe, judgement }: Listening, lastMs: MonotonicMs | undefined, nowMs: MonotonicMs): number {
  if (judgement?.kind === 'failing') return probe.periodMs / LOOKS_FOR_SUCCESSORS;
  const silentAtMs = (lastMs ?? nowMs) + limitMs(probe, 0);
  const failsMs = silentAtMs > nowMs ? silentAtMs - nowMs : probe.periodMs;
  return judgement?.kind === 'passing' ? failsMs : Math.min(failsMs, probe.periodMs);
}

const within =
  (clock: Pick<Clock, 'after'>, ms: number): Limit =>
  (over) =>
    clock.after(ms, over);
