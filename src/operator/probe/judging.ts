/** How a leader is judged by what this replica knows now. It decides nothing: src/election/probe.ts does. */
import type { PodUid } from '../../api/ids.ts';
import { type Arrivals, type Judged, type Judgement, judge, type ProbeView } from '../../election/probe.ts';
import { probeLevel } from '../../election/probe-level.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Heard } from '../gate/heard.ts';
import type { Listening } from './listening.ts';
import type { Sight } from './sight.ts';
import type { Stalls } from './stalls.ts';

export type Judging = {
  levelOf(group: Pick<Listening, 'history'>): number;
  viewOf(key: string, listening: Listening, uids: readonly PodUid[]): ProbeView;
  /** Nobody else is looked at while the leader passes. */
  judgedNow(key: string, listening: Listening, who: Omit<Judged, 'nowMs'>): Judgement;
};

export type JudgingParts = {
  readonly clock: Pick<Clock, 'nowMs' | 'wallMs'>;
  readonly sight: Sight;
  readonly stalls: Stalls;
  readonly arrivals: Heard['arrivals'];
  /** On which this replica runs; null: it does not run in a pod, or nobody knows. */
  readonly ownNode: () => string | null;
};

const CUT_OFF = 'the API server did not answer while the leader was asked, so the node of the operator may be cut off';

export function createJudging({ clock, sight, stalls, arrivals, ownNode }: JudgingParts): Judging {
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

  function judgedNow(key: string, listening: Listening, who: Omit<Judged, 'nowMs'>): Judgement {
    const { probe } = listening;
    const { leader, others } = who;
    const judged = { ...who, nowMs: clock.nowMs() };
    const alone = judge(probe, viewOf(key, listening, [leader.uid]), { ...judged, others: [] });
    if (alone.kind !== 'failing') return alone;
    return judge(probe, viewOf(key, listening, [leader.uid, ...others]), judged);
  }

  return { levelOf, viewOf, judgedNow };
}

/** Of a group that nobody has listened to yet. */
export const NOTHING: Omit<ProbeView, 'sinceMs' | 'level'> = {
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
