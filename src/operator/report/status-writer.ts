/** Writes the status, only when it differs: conditions and the leader at once, counters not more often than every five seconds. */
import { isDeepStrictEqual } from 'node:util';
import type { ReadyReason } from '../../api/condition-reasons.ts';
import type { InvalidLeaderGroup, LeaderGroup, LeaderGroupStatus, ParsedLeaderGroup } from '../../api/leadergroup.ts';
import type { Plan } from '../../election/actions.ts';
import type { Observation } from '../../election/observation.ts';
import { buildStatus, statusOfInvalid } from '../../election/status.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Kubernetes } from '../../ports/kubernetes.ts';
import type { Log } from '../../ports/log.ts';
import { groupKey } from '../cache/store.ts';
import type { GroupMemory } from '../observe/memory.ts';
import type { Memory } from '../observe/remember.ts';
import { timeText } from './announce.ts';
import { noteWrite, paceMs } from './status-pace.ts';

const RETRY_MS = 5000;
const OUTAGE: ReadyReason = 'ConsulUnreachable';

/** Says of a group that cannot be acted on what to change. False: to be tried again. */
export async function writeInvalidStatus(
  { clock, kubernetes, log, replica }: StatusWriterOptions,
  group: InvalidLeaderGroup,
  signal: AbortSignal,
): Promise<boolean> {
  const status = { ...statusOfInvalid(group, timeText(clock)), writtenBy: replica.id };
  if (saysTheSame(status, group.status)) return true;
  const outcome = await kubernetes.replaceStatus(group, group.resourceVersion, status, signal);
  if (outcome.kind === 'refused')
    log.warn({ group: groupKey(group), reason: outcome.message }, 'the API server refused the status');
  return outcome.kind !== 'unknown';
}

/**
 * Returns milliseconds after which the status should be tried again; null when it is as it should be; `putOff` where it is to be written once no
 * other group waits: a status that is late harms nobody, a leader that is late does.
 */
export type StatusWriter = (
  o: Observation,
  plan: Plan,
  memory: Memory,
  how: { readonly othersWait: () => boolean; readonly signal: AbortSignal },
) => Promise<number | null | 'putOff'>;

export type StatusWriterOptions = {
  readonly clock: Clock;
  readonly kubernetes: Pick<Kubernetes, 'replaceStatus' | 'getGroup'>;
  readonly log: Log;
  /** What says of a status who wrote it. */
  readonly replica: { readonly id: string };
};

export type Reachability = {
  /** Requests are answered: a watch that does not work holds no status back. */
  readonly answers: () => boolean;
  /** A status is left unwritten until the API server answers again: then the group is to come once more, nothing else brings it. */
  readonly owe: (key: string) => void;
};

/** While the API server is away no status is tried: ten thousand groups that each try again would take a core, and meet it all at once when it is back. */
export function createStatusWriter(options: StatusWriterOptions, api: Reachability): StatusWriter {
  const { clock, kubernetes, log, replica } = options;
  return async (o, plan, memory, { othersWait, signal }) => {
    const { transitions, statusWritesMs } = memory.now;
    if ((plan.verdict === null && transitions.length === 0) || overruled(o, plan, memory.now)) return null;
    const built = asTaken(buildStatus(o, plan.verdict, transitions, timeText(clock)), o, memory.now);
    if (saysTheSame(built, o.group.status)) return null;
    const status = { ...built, ...asidesOf(o, memory.now, replica.id) };
    const waitMs = paceMs(status, o.group.status, statusWritesMs, clock.nowMs());
    if (waitMs > 0) return waitMs;
    if (othersWait()) return 'putOff';
    if (!api.answers()) {
      api.owe(groupKey(o.group));
      return null;
    }
    return await send(
      o,
      memory,
      { status, outage: plan.verdict?.ready.reason === OUTAGE ? readyMessage(status) : null },
      signal,
    );
  };

  async function send(
    o: Observation,
    memory: Memory,
    { status, outage }: { readonly status: LeaderGroupStatus; readonly outage: string | null },
    signal: AbortSignal,
  ): Promise<number | null> {
    const outcome = await kubernetes.replaceStatus(o.group, o.group.resourceVersion, status, signal);
    switch (outcome.kind) {
      case 'done':
        memory.learn({
          kind: 'statusWritten',
          group: outcome.object.kind === 'valid' ? outcome.object.group : null,
          outage,
          writesMs: noteWrite(memory.now.statusWritesMs, clock.nowMs()),
          droppedSwitchover: droppedIn(outcome.object, status),
        });
        return null;
      case 'gone':
        return null;
      case 'conflict':
        await adoptNewer(o.group, memory, signal);
        return 1;
      case 'refused':
      case 'unknown':
        log.warn({ group: groupKey(o.group), reason: outcome.message }, 'writing the status failed; retrying');
        return RETRY_MS;
    }
  }

  async function adoptNewer(group: LeaderGroup, memory: Memory, signal: AbortSignal): Promise<void> {
    const found = await kubernetes.getGroup(group.namespace, group.name, signal).catch(() => null);
    if (found?.kind === 'valid' && found.group.uid === group.uid)
      memory.learn({ kind: 'groupChanged', group: found.group });
  }
}

/**
 * This replica has said once that Consul is unreachable and the status says otherwise since: another one reaches Consul, or is cut off in another way, and
 * two must not write over each other.
 */
const overruled = (o: Observation, { verdict }: Plan, memory: GroupMemory): boolean =>
  memory.outageReported !== null &&
  verdict?.ready.reason === OUTAGE &&
  readyMessage(o.group.status) !== memory.outageReported;

const readyMessage = (status: LeaderGroupStatus | null): string | null =>
  status?.conditions.find(({ type }) => type === 'Ready')?.message ?? null;

/**
 * What goes along with a status that is written anyway, and is no reason to write one: who wrote it, and what failed last. Else each take-over of a bucket
 * would write the status of all of its groups, and a failure that comes and goes a status each time. (Promise I7.)
 */
function asidesOf({ group }: Observation, { lastError }: GroupMemory, id: string): Asides {
  const error = lastError === null ? group.status?.lastError : { ...lastError, replica: id };
  return { writtenBy: id, ...(error === undefined ? {} : { lastError: error }) };
}

type Asides = Pick<LeaderGroupStatus, 'writtenBy' | 'lastError'>;

const saysTheSame = (next: LeaderGroupStatus, written: LeaderGroupStatus | null): boolean =>
  written !== null && isDeepStrictEqual(withoutAsides(next), withoutAsides(written));

function withoutAsides({
  writtenBy: _id,
  lastError: _error,
  ...said
}: LeaderGroupStatus): Omit<LeaderGroupStatus, keyof Asides> {
  return said;
}

/** A CRD of an earlier version drops what it does not know: it is not sent again and again for that. */
function asTaken(status: LeaderGroupStatus, o: Observation, { droppedSwitchover }: GroupMemory): LeaderGroupStatus {
  const { lastSwitchover, ...others } = status;
  const isDropped = o.group.status?.lastSwitchover === undefined && lastSwitchover?.at === droppedSwitchover;
  return isDropped ? others : status;
}

/** Time of the switchover that the answer to this status does not show; null: it does, or there is none. */
function droppedIn({ kind, group }: ParsedLeaderGroup, { lastSwitchover }: LeaderGroupStatus): string | null {
  if (lastSwitchover === undefined || kind !== 'valid') return null;
  return group.status?.lastSwitchover === undefined ? lastSwitchover.at : null;
}
