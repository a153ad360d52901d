/** Which judgements of a leader are told apart: by the group's next pass, and in the metric. */
import type { Judgement } from '../../election/probe.ts';
import type { ProbeState } from '../../ports/metrics.ts';

/** That a judgement has become another one, or that a candidate has turned up for a leader that fails. */
export const isNews = (before: Judgement | null, now: Judgement): boolean =>
  stateOf(before) !== stateOf(now) || hasSuccessor(before) !== hasSuccessor(now);

const hasSuccessor = (judgement: Judgement | null): boolean =>
  judgement?.kind === 'failing' && judgement.successors.length > 0;

export function stateOf(judgement: Judgement | null): ProbeState {
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
