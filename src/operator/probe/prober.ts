/**
 * Listens to the members of groups that have a leader probe, and wakes a group when its leader is to be judged otherwise than its last pass has
 * seen. It decides nothing: src/election/probe.ts does. A group without a leader probe costs nothing here.
 */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid } from '../../api/ids.ts';
import type { LeaderProbe } from '../../api/leader-probe.ts';
import type { TransitionStatus } from '../../api/leadergroup.ts';
import { judgedOf, judgementOf, probedLeader } from '../../election/judgement.ts';
import type { Observation } from '../../election/observation.ts';
import { type Judged, type Judgement, judge, limitMs, type ProbeView } from '../../election/probe.ts';
import { probeLevel } from '../../election/probe-level.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ProbeState } from '../../ports/metrics.ts';
import { groupKey } from '../cache/store.ts';
import type { Heard, Window } from '../gate/heard.ts';
import { createStalls } from './stalls.ts';

export type Prober = {
  /** What is to be kept of the arrivals of its members' questions; null: nothing. */
  window(key: string): Window | null;
  /** What is known of the group now. `history`: its changes of leader, newest first. */
  view(key: string, probe: LeaderProbe, history: readonly TransitionStatus[], now: Now): ProbeView;
  /** A pass has seen the group like this. */
  seen(o: Observation): void;
  /** The group is not this replica's, or gone. */
  drop(key: string): void;
  /** How the leaders are judged, of the groups with a leader probe. */
  counts(): Readonly<Partial<Record<ProbeState, number>>>;
};

/** `uids`: of the members. */
type Now = { readonly nowMs: MonotonicMs; readonly uids: readonly PodUid[] };

type Listening = {
  readonly probe: LeaderProbe;
  readonly sinceMs: MonotonicMs;
  readonly stalls: Disposable;
  leader: ProbeView['leader'];
  /** Its changes of leader, newest first. */
  history: readonly TransitionStatus[];
  judged: Omit<Judged, 'nowMs'> | null;
  /** As the last pass saw it. */
  judgement: Judgement | null;
  cancel: () => void;
};

export function createProber({
  clock,
  blind,
  wake,
  arrivals,
}: {
  readonly clock: Pick<Clock, 'nowMs' | 'wallMs' | 'after'>;
  /** Why what is learnt of pods cannot be trusted now; null: it can. */
  readonly blind: () => string | null;
  readonly wake: (key: string) => void;
  readonly arrivals: Heard['arrivals'];
}): Prober {
  const groups = new Map<string, Listening>();
  const stalls = createStalls(clock);

  function follow(key: string, probe: LeaderProbe, history: readonly TransitionStatus[]): Listening {
    const known = groups.get(key);
    if (known !== undefined && sameProbe(known.probe, probe)) return known;
    drop(key);
    const listening: Listening = {
      probe,
      sinceMs: clock.nowMs(),
      stalls: stalls.watch(probe.periodMs),
      leader: null,
      history,
      judged: null,
      judgement: null,
      cancel: () => undefined,
    };
    groups.set(key, listening);
    return listening;
  }

  function drop(key: string): void {
    const known = groups.get(key);
    if (known === undefined) return;
    known.cancel();
    known.stalls[Symbol.dispose]();
    groups.delete(key);
  }

  function seen(o: Observation): void {
    const key = groupKey(o.group);
    const { leaderProbe } = o.group.spec;
    if (leaderProbe === null || o.group.deleting || o.ownership.kind !== 'owned') return drop(key);
    const listening = follow(key, leaderProbe, o.group.status?.recentTransitions ?? []);
    const uid = probedLeader(o)?.pod.uid ?? null;
    if (listening.leader?.uid !== uid) listening.leader = uid === null ? null : { uid, sinceMs: o.nowMs };
    listening.judged = judgedOf(o);
    listening.judgement = judgementOf(o);
    lookAgain(key, listening);
  }

  const levelOf = ({ history }: Pick<Listening, 'history'>): number => probeLevel(history, clock.wallMs() / 1000);

  const viewOf = (key: string, listening: Listening, uids: readonly PodUid[]): ProbeView => ({
    sinceMs: listening.sinceMs,
    leader: listening.leader,
    blind: blind(),
    stalledMs: stalls.lastMs(listening.probe.periodMs / 2),
    level: levelOf(listening),
    heardMs: new Map(uids.map((uid) => [uid, arrivals(key, uid)])),
  });

  function lookAgain(key: string, listening: Listening): void {
    listening.cancel();
    listening.cancel = () => undefined;
    if (listening.judged === null) return;
    const dueMs = Math.max(1, dueIn(listening, arrivals(key, listening.judged.leader.uid).at(-1), clock.nowMs()));
    listening.cancel = clock.after(dueMs, () => tick(key, listening));
  }

  /** Nobody else is looked at while the leader passes. */
  function judgedNow(key: string, listening: Listening, { leader, others }: Omit<Judged, 'nowMs'>): Judgement {
    const { probe } = listening;
    const nowMs = clock.nowMs();
    const alone = judge(probe, viewOf(key, listening, [leader.uid]), { nowMs, leader, others: [] });
    if (alone.kind !== 'failing') return alone;
    return judge(probe, viewOf(key, listening, [leader.uid, ...others]), { nowMs, leader, others });
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
      if (listening === undefined) return null;
      const { probe } = listening;
      const level = levelOf(listening);
      return {
        grainMs: probe.periodMs / 2,
        keepMs: limitMs(probe, level) + (probe.failureThreshold + 1) * probe.periodMs,
      };
    },
    view: (key, probe, history, { nowMs, uids }) => {
      const known = groups.get(key);
      if (known === undefined || !sameProbe(known.probe, probe))
        return { ...NOTHING, sinceMs: nowMs, level: levelOf({ history }) };
      known.history = history;
      return viewOf(key, known, uids);
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

const NOTHING: Omit<ProbeView, 'sinceMs' | 'level'> = {
  leader: null,
  blind: null,
  stalledMs: null,
  heardMs: new Map(),
};

const sameProbe = (a: LeaderProbe, b: LeaderProbe): boolean =>
  a.periodMs === b.periodMs && a.failureThreshold === b.failureThreshold;

/** A leader that passes cannot fail before it has been silent for long enough; anything else may change with each period. */
function dueIn({ probe, judgement }: Listening, lastMs: MonotonicMs | undefined, nowMs: MonotonicMs): number {
  const silentAtMs = (lastMs ?? nowMs) + limitMs(probe, 0);
  const failsMs = silentAtMs > nowMs ? silentAtMs - nowMs : probe.periodMs;
  return judgement?.kind === 'passing' ? failsMs : Math.min(failsMs, probe.periodMs);
}

/** That a judgement has become another one, or that a candidate has turned up for a leader that fails. */
const isNews = (before: Judgement | null, now: Judgement): boolean =>
  stateOf(before) !== stateOf(now) || hasSuccessor(before) !== hasSuccessor(now);

const hasSuccessor = (judgement: Judgement | null): boolean =>
  judgement?.kind === 'failing' && judgement.successors.length > 0;

function stateOf(judgement: Judgement | null): ProbeState {
  switch (judgement?.kind) {
    case undefined:
      return 'notJudged';
    case 'passing':
      return 'passing';
    case 'failing':
      return 'failing';
    case 'notJudged':
      return judgement.why === 'NoRhythm' ? 'noRhythm' : judgement.why === 'ProbeBlind' ? 'blind' : 'notJudged';
  }
}
