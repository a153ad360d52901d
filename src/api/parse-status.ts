/**
 * A group's status at the border. It is the operator's own notebook, so a damaged one is cleaned rather than refused:
 * what cannot be read becomes empty or is left out, and what remains can be written back.
 */
import type {
  Condition,
  ConditionStatus,
  ConditionType,
  IneligibleStatus,
  LeaderGroupStatus,
  LeaderStatus,
  TransitionStatus,
} from './leadergroup.ts';
import { asObject, countField, field, listField, type RawObject, textField } from './raw.ts';
import { isTime } from './time.ts';

const EPOCH = '1970-01-01T00:00:00Z';
const TYPES = ['Ready', 'Reconciling', 'Stalled', 'Paused'] as const satisfies readonly ConditionType[];
const STATUSES = ['True', 'False', 'Unknown'] as const satisfies readonly ConditionStatus[];
const MAX_TRANSITIONS = 10;
const MAX_EXAMPLES = 3;

/** null for no status at all, which includes an empty object. */
export function parseStatus(raw: unknown): LeaderGroupStatus | null {
  const status = asObject(raw);
  if (status === null || Object.keys(status).length === 0) return null;
  return {
    leader: textField(status, 'leader'),
    leaders: oncePer(listField(status, 'leaders', parseLeader), (leader) => leader.slot),
    members: countField(status, 'members'),
    candidates: countField(status, 'candidates'),
    ineligible: listField(status, 'ineligible', parseIneligible),
    leaderTransitions: countField(status, 'leaderTransitions'),
    recentTransitions: listField(status, 'recentTransitions', parseTransition).slice(0, MAX_TRANSITIONS),
    lockKey: textField(status, 'lockKey'),
    lockedBy: textField(status, 'lockedBy'),
    onConsulLoss: field(status, 'onConsulLoss') === 'Demote' ? 'Demote' : 'Hold',
    observedGeneration: countField(status, 'observedGeneration'),
    conditions: oncePer(listField(status, 'conditions', parseCondition), (condition) => condition.type),
  };
}

/** An unreadable time does not lose the entry: its token is a floor for the next one. */
function parseLeader(raw: unknown): LeaderStatus | null {
  const leader = asObject(raw);
  if (leader === null || textField(leader, 'pod') === '' || textField(leader, 'uid') === '') return null;
  return {
    slot: countField(leader, 'slot'),
    pod: textField(leader, 'pod'),
    uid: textField(leader, 'uid'),
    node: textField(leader, 'node'),
    token: countField(leader, 'token'),
    sessionID: textField(leader, 'sessionID'),
    acquireTime: timeField(leader, 'acquireTime') ?? EPOCH,
  };
}

function parseIneligible(raw: unknown): IneligibleStatus | null {
  const ineligible = asObject(raw);
  if (ineligible === null || textField(ineligible, 'reason') === '') return null;
  return {
    reason: textField(ineligible, 'reason'),
    count: countField(ineligible, 'count'),
    examples: listField(ineligible, 'examples', (name) => (typeof name === 'string' ? name : null)).slice(
      0,
      MAX_EXAMPLES,
    ),
  };
}

function parseTransition(raw: unknown): TransitionStatus | null {
  const transition = asObject(raw);
  const time = transition && timeField(transition, 'time');
  if (transition === null || time === null) return null;
  return {
    time,
    from: textField(transition, 'from'),
    to: textField(transition, 'to'),
    reason: textField(transition, 'reason'),
    token: countField(transition, 'token'),
    durationMilliseconds: countField(transition, 'durationMilliseconds'),
  };
}

function parseCondition(raw: unknown): Condition | null {
  const condition = asObject(raw);
  if (condition === null) return null;
  const type = TYPES.find((known) => known === field(condition, 'type'));
  const status = STATUSES.find((known) => known === field(condition, 'status'));
  const time = timeField(condition, 'lastTransitionTime');
  const reason = textField(condition, 'reason');
  if (type === undefined || status === undefined || time === null || reason === '') return null;
  return {
    type,
    status,
    reason,
    message: textField(condition, 'message'),
    lastTransitionTime: time,
    observedGeneration: countField(condition, 'observedGeneration'),
  };
}

function timeField(object: RawObject, name: string): string | null {
  const text = textField(object, name);
  return isTime(text) ? text : null;
}

/** The first element for each key: the schema's list maps take no second. */
function oncePer<T>(elements: readonly T[], key: (element: T) => unknown): readonly T[] {
  return elements.filter((element, index) => elements.findIndex((other) => key(other) === key(element)) === index);
}
