/** Answers applications from what is known; no request is sent for an answer. */
import { answerGate, type GateAnswer, MAX_YES_MS } from '../election/gate.ts';
import type { Reconciler } from './reconciler.ts';
import { groupKey } from './store.ts';
import type { Yeses } from './yeses.ts';

export type Gate = {
  /** May this pod act as the leader of the group now? A yes is noted: no hand-over begins before it has run out. */
  ask(group: { readonly namespace: string; readonly name: string }, podUid: string): GateAnswer;
};

export function createGate(reconciler: Reconciler, yeses: Yeses): Gate {
  return {
    ask: (group, podUid) => {
      const key = groupKey(group);
      const observation = reconciler.asked(key);
      if (observation === null)
        return { kind: 'unknown', reason: 'there is no such LeaderGroup, or it cannot be acted on' };
      const answer = answerGate(observation, podUid, MAX_YES_MS);
      if (answer.kind === 'yes') yeses.give(key, podUid, observation.nowMs + answer.validForMs);
      return answer;
    },
  };
}
