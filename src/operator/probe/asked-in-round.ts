/** Who is asked in one round of a leader probe over HTTP. */
import type { PodUid } from '../../api/ids.ts';
import { ASKED_FIRST } from '../../election/judgement.ts';
import { thresholdAt } from '../../election/probe.ts';
import type { Listening } from './listening.ts';
import type { Sight } from './sight.ts';

/** Where a leader may be replaced for this round, the API server must answer in it too: else it is this node that is cut off, and the leader is well. */
export async function askRound(listening: Listening, level: number, sight: Sight): Promise<void> {
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
