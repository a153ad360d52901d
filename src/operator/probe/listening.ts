/** What is kept of one group with a leader probe: who leads it, who may follow, and how it was judged last. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid } from '../../api/ids.ts';
import type { LeaderProbe } from '../../api/leader-probe.ts';
import type { TransitionStatus } from '../../api/leadergroup.ts';
import { judgedOf, judgementOf, probedLeader } from '../../election/judgement.ts';
import type { Observation } from '../../election/observation.ts';
import type { Judged, Judgement, ProbeView } from '../../election/probe.ts';
import type { Asker } from './asker.ts';

export type Listening = {
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

/** `asker`: null: it listens. */
export const beginListening = (
  begun: Pick<Listening, 'probe' | 'sinceMs' | 'stalls' | 'asker' | 'history'>,
): Listening => ({
  ...begun,
  leader: null,
  judgedBefore: null,
  judged: null,
  cutOff: false,
  turn: 0,
  judgement: null,
  cancel: () => undefined,
});

export function endListening({ cancel, stalls, asker }: Listening): void {
  cancel();
  stalls[Symbol.dispose]();
  asker?.end();
}

/** A pass has seen the group like this. */
export function note(listening: Listening, o: Observation): void {
  noteMembers(listening, o);
  listening.judged = judgedOf(o);
  listening.judgement = judgementOf(o);
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
