/** What became of a switchover, each thing once. */
import type { Observation } from '../../election/observation.ts';
import { switchoverNews } from '../../election/switchover-status.ts';
import type { Log } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { groupKey } from '../cache/store.ts';
import type { Memory } from '../observe/remember.ts';

/** `emit`: of the event that one was refused. */
export type Listeners = {
  readonly metrics: Pick<Metrics, 'switchover'>;
  readonly log: Log;
  readonly emit: (message: string) => void;
};

/** What is told of a refusal is remembered: it holds. Of a move the event of the handover tells. */
export function tellSwitchover(o: Observation, memory: Memory, { metrics, log, emit }: Listeners): void {
  const found = switchoverNews(o);
  if (found === null || found.of === memory.now.reportedSwitchover) return;
  if (found.kind === 'moved') {
    memory.learn({ kind: 'switchoverReported', of: found.of, refused: null });
    return metrics.switchover('Moved');
  }
  const { reason, message } = found;
  const { text = '' } = o.group.switchover ?? {};
  memory.learn({ kind: 'switchoverReported', of: found.of, refused: { text, reason, message } });
  metrics.switchover(reason);
  log.info({ group: groupKey(o.group), switchover: text, reason, detail: message }, 'switchover refused');
  emit(`${reason}: ${message}`);
}
