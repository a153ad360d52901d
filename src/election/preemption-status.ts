/** The condition Preferred: whether somebody is to take the lead from the leader, when, and why not now. */
import type { Says } from '../api/condition-reasons.ts';
import { timeTextOf } from '../api/time.ts';
import type { Observation } from './observation.ts';
import { type JudgedPreemption, judgePreemption } from './preemption.ts';

export type PreferredSaid = { readonly said: Says<'Preferred'>; readonly message: string };

/** null: the group does not ask for it, or what is said of it stands. A time is said, no time that is left: what is written does not change while it is waited for. */
export function preferredSaid(o: Observation): PreferredSaid | 'unchanged' | null {
  const judged = judgePreemption(o);
  switch (judged.kind) {
    case 'never':
      return null;
    case 'notLed':
      return { said: { status: 'False', reason: 'NotLed' }, message: 'no leader is ready' };
    case 'preferred':
      return { said: { status: 'True', reason: 'LeaderPreferred' }, message: '' };
    case 'hindered':
      return {
        said: { status: 'False', reason: judged.reason },
        message: `${judged.pod.pod.name} is preferred to the leader, which stays: ${judged.detail}`,
      };
    case 'waits':
      return { said: { status: 'False', reason: 'Waiting' }, message: waiting(judged) };
    // It is over within a moment.
    case 'unsure':
    case 'due':
      return 'unchanged';
  }
}

function waiting({ pod, dueSeconds, level }: Extract<JudgedPreemption, { kind: 'waits' }>): string {
  const doubled =
    level === 0
      ? ''
      : `; the delay has doubled ${level === 1 ? 'once' : `${level} times`}, since a preferred leader was lost soon`;
  if (dueSeconds === null)
    return `${pod.pod.name} is preferred to the leader, and does not pass when it is asked: it is looked at again after each delay${doubled}`;
  return `${pod.pod.name} is preferred to the leader, and takes the lead at ${timeTextOf(dueSeconds * 1000)} if nothing happens until then${doubled}`;
}
