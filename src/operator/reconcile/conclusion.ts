/** The end of a pass: people are told where the group stands, and when it is to be looked at again. */
import { plainText } from '../../api/plain-text.ts';
import { timeTextOf } from '../../api/time.ts';
import type { Plan } from '../../election/actions.ts';
import type { Observation } from '../../election/observation.ts';
import { notReady, soonest } from '../../election/plans.ts';
import type { GroupState, Metrics } from '../../ports/metrics.ts';
import { groupKey } from '../cache/store.ts';
import type { Memory } from '../observe/remember.ts';
import type { Announcer } from '../report/announce.ts';
import { claimsLead, stateOf } from '../report/group-state.ts';
import type { StatusWriter } from '../report/status-writer.ts';
import { learnOfMove } from './moves.ts';
import type { Next, Turn } from './queue.ts';
import type { WarnOnce } from './warn-once.ts';

/** What the status takes. */
const ERROR_LENGTH = 1024;

/** What a pass has come to, and what is remembered of it. */
export type Concluded = { readonly o: Observation; readonly planned: Plan; readonly memory: Memory };

export type Conclusion = {
  /** Nothing to do: the state is as it should be, or must be waited for. */
  settled(concluded: Concluded, turn: Turn): Promise<Next>;
  /** An action failed: people see that the group is not settled, and why. */
  failed(concluded: Concluded, reason: string): Promise<Next>;
};

export type ConclusionOptions = {
  readonly announcer: Announcer;
  readonly writeStatus: StatusWriter;
  readonly metrics: Pick<Metrics, 'gateRevocation'>;
  readonly signal: AbortSignal;
};

/** `states`: where each group stands is kept there. */
export function createConclusion(
  { announcer, writeStatus, metrics, signal }: ConclusionOptions,
  states: Map<string, GroupState>,
  warning: WarnOnce,
): Conclusion {
  /** Only own groups are counted: one that another replica owns is that one's to judge. */
  function noteState(key: string, planned: Pick<Plan, 'verdict'>, o: Observation): void {
    if (o.ownership.kind === 'notOwned') states.delete(key);
    else states.set(key, stateOf(planned.verdict, o, states.get(key)));
  }

  async function report(
    { o, planned, memory }: Concluded,
    othersWait: () => boolean,
  ): Promise<number | null | 'putOff'> {
    announcer.passEnded(o, planned, memory);
    return await writeStatus(o, planned, memory, { othersWait, signal });
  }

  return {
    settled: async (concluded, { othersWait }) => {
      const { o, planned, memory } = concluded;
      const key = groupKey(o.group);
      memory.learn({ kind: 'settled' });
      if (planned.verdict !== null) warning.over(key);
      noteState(key, planned, o);
      const statusMs = await report(concluded, othersWait);
      if (statusMs === 'putOff') return { kind: 'whenQuiet', delayMs: planned.againMs };
      return againIn(soonest([planned.againMs, statusMs]));
    },
    failed: async ({ o, planned, memory }, reason) => {
      const key = groupKey(o.group);
      learnOfMove(memory, { kind: 'moveFailed' }, metrics);
      memory.learn({ kind: 'actionFailed', error: errorOf(o, reason) });
      warning.warnOnce(key, reason);
      const said = planned.verdict ?? (claimsLead(o) ? notReady('Electing', planned.reason) : null);
      const verdict = said === null ? null : { ...said, detail: `${said.detail}: ${reason}` };
      noteState(key, { verdict }, o);
      if (o.group.deleting || !o.consulUnreachable)
        await report({ o, planned: { ...planned, verdict }, memory }, () => false);
      return { kind: 'retry' };
    },
  };
}

const errorOf = (
  { wallSeconds }: Observation,
  reason: string,
): { readonly time: string; readonly message: string } => ({
  time: timeTextOf(wallSeconds * 1000),
  message: plainText(reason, ERROR_LENGTH),
});

const againIn = (ms: number | null): Next =>
  ms === null ? { kind: 'done' } : { kind: 'after', delayMs: Math.max(1, ms) };
