/** What the pods of a world answer when replicas ask them over HTTP, and every question that was sent. A promise about questions is read from these. */
import type { PodUid } from '../../../src/api/ids.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import type { HttpProbeFailure, HttpProbeResult } from '../../../src/ports/prober.ts';
import type { WorldApiServer } from './world-api-server.ts';

export type Question = {
  readonly by: string;
  readonly pod: string;
  readonly uid: PodUid | null;
  /** Of the life of the pod in which it was asked. */
  readonly restarts: number;
  readonly sentMs: number;
  /** What the replica was told; absent: nothing yet. */
  readonly told?: HttpProbeResult;
};

/** A question on its way. */
export type SentQuestion = {
  readonly question: Question;
  readonly arrive: () => HttpProbeResult;
  /** What the replica makes of it. */
  readonly learn: (result: HttpProbeResult) => void;
};

export type WorldPods = {
  /** From now on, in the present life of this pod; null: it passes, as all do by default. */
  answers(pod: string, result: HttpProbeFailure | null): void;
  /** Oldest first. */
  readonly questions: readonly Question[];
  /** Called with each question as it leaves its replica. */
  onQuestion(listener: (question: Question) => void): void;
  readonly requests: { ask(by: string, address: string): SentQuestion };
};

export function createWorldPods(api: Pick<WorldApiServer, 'pods'>, clock: Pick<Clock, 'nowMs'>): WorldPods {
  const answers = new Map<string, HttpProbeFailure | null>();
  const questions: Question[] = [];
  const listeners: ((question: Question) => void)[] = [];
  const podAt = (address: string) => api.pods().find(({ addresses }) => addresses.includes(address));

  function ask(by: string, address: string): SentQuestion {
    const found = podAt(address);
    const at = questions.length;
    const [pod, uid, restarts] = [found?.name ?? address, found?.uid ?? null, found?.restarts ?? 0];
    const question: Question = { by, pod, uid, restarts, sentMs: clock.nowMs() };
    questions.push(question);
    for (const listener of listeners) listener(question);
    return {
      question,
      arrive: () => {
        const there = podAt(address);
        return there === undefined ? 'Refused' : (answers.get(there.name) ?? null);
      },
      learn: (told) => {
        questions[at] = { ...question, told };
      },
    };
  }

  return {
    answers: (pod, result) => void answers.set(pod, result),
    questions,
    onQuestion: (listener) => void listeners.push(listener),
    requests: { ask },
  };
}
