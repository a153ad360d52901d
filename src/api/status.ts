/**
 * The status of a LeaderGroup: every field once. It is the operator's own notebook, so a damaged one is cleaned rather than refused: what
 * cannot be read becomes empty or is left out, and what remains can be written back. What a field may hold for the API server stands beside.
 */
import { z } from 'zod';
import type { Immutable } from './fields.ts';
import { CONSUL_LOSS_POLICIES } from './spec.ts';
import { isTime } from './time.ts';

const EPOCH = '1970-01-01T00:00:00Z';
/** How long the history is. It remembers tokens: each promotion adds an entry with its own, so the highest is always among them. (Promise I5.) */
export const MAX_TRANSITIONS = 10;
const MAX_EXAMPLES = 3;

const ATOMIC = { 'x-kubernetes-list-type': 'atomic' } as const;
const mapBy = (key: string) => ({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key] }) as const;

type Description = { readonly description: string } & Readonly<Record<string, unknown>>;

const text = z.string().catch('');
const named = z.string().refine((name) => name !== '');
const time = z.string().refine(isTime).meta({ format: 'date-time' });

/** A counter; 0 for what is none. */
const count = (format: 'int32' | 'int64', description: string) =>
  z
    .number()
    .refine((value) => Number.isSafeInteger(value) && value >= 0)
    .catch(0)
    .meta({ type: 'integer', format, minimum: 0, description });

/** The elements that can be read; `tidy` takes out what the API server would not take. */
const list = <T extends z.ZodType>(
  element: T,
  description: Description & { readonly maxItems: number },
  tidy: (elements: readonly z.output<T>[]) => readonly z.output<T>[] = (elements) => elements,
) =>
  z
    .array(element.catch(() => UNREADABLE as never))
    .catch([])
    .transform((elements) => tidy(elements.filter((one) => one !== UNREADABLE)))
    .meta(description);

const UNREADABLE = Symbol('unreadable');

const leader = z
  .object({
    slot: count('int32', "Which of the group's locks this is; 0 is the first."),
    pod: named.meta({ description: 'The name of the pod.' }),
    uid: named.meta({ description: 'The uid of the pod. It tells the pod from an earlier pod of the same name.' }),
    node: text.meta({ description: 'The node that the pod runs on.' }),
    token: count(
      'int64',
      'The fencing token. It rises with each election of the group and never falls. A receiver that refuses tokens lower than the highest ' +
        "that it has seen is safe from a former leader's late writes.",
    ),
    sessionID: text.meta({ description: 'The Consul session that holds the lock for this pod.' }),
    /** An unreadable time does not lose the entry: its token is a floor for the next one. */
    acquireTime: time.catch(EPOCH).meta({ description: 'When the pod became leader.' }),
  })
  .meta({ description: 'The leader of one lock.' });

const ineligible = z
  .object({
    reason: named.meta({ description: 'The reason in one CamelCase word.' }),
    count: count('int32', 'How many members the reason applies to.'),
    examples: list(
      z.string(),
      {
        description: 'The names of up to three of these pods.',
        maxItems: MAX_EXAMPLES,
        ...ATOMIC,
      },
      (names) => names.slice(0, MAX_EXAMPLES),
    ),
  })
  .meta({ description: 'The members that cannot lead for the same reason.', required: ['reason', 'count'] });

const transition = z
  .object({
    time: time.meta({ description: 'When the change was complete.' }),
    from: text.meta({ description: 'The pod that led before; empty if none did.' }),
    fromUID: text.meta({
      description: 'The uid of the pod that led before; empty if none did, or if it is not known any more.',
    }),
    to: text.meta({ description: 'The pod that led afterwards; empty if none did.' }),
    reason: text.meta({ description: 'Why the leader changed, in one CamelCase word.' }),
    chosenBy: text.meta({
      description:
        'By what the pod that led afterwards came before the other candidates, in one CamelCase word, e.g. Revision or NewestNode; empty if there ' +
        'was no other, or if the leader probe decided.',
    }),
    token: count('int64', 'The fencing token after the change.'),
    durationMilliseconds: count(
      'int64',
      'How long the change took in milliseconds: from the observation that caused it until the API server acknowledged the label.',
    ),
  })
  .meta({ description: 'One change of leader.' });

const SWITCHOVER_RESULTS = ['Moved', 'Refused'] as const;

/** It only shows what became of the last one: that it is not handled again is held by the record of the lock. */
const switchover = z
  .object({
    at: time.meta({ description: 'The time that the annotation gave, by which one request is told from the next.' }),
    to: text.meta({
      description: 'The pod that was to lead, or any. Of one that was handled: the pod that got the lead.',
    }),
    result: z
      .enum(SWITCHOVER_RESULTS)
      .meta({ description: 'Moved: the lead was handed over. Refused: nothing was done.' }),
    reason: text.meta({ description: 'Why it was refused, in one CamelCase word; empty if it was not.' }),
    message: text.meta({ description: 'Why, in words, and what to do if it was refused.' }),
  })
  .meta({
    description:
      'What became of the last switchover that the annotation leadergroup.dev/switchover asked for. It is never done again, and one that was ' +
      'refused is not done later: write the annotation anew.',
    required: ['at', 'result'],
  });

const lastError = z
  .object({
    time: time.meta({ description: 'When it failed.' }),
    replica: text.meta({ description: 'The replica of the operator that met it.' }),
    message: text.meta({
      description: 'What failed, in the words of whoever refused or did not answer.',
      maxLength: 1024,
    }),
  })
  .meta({
    description:
      'The last action for the group that failed. It stays when it is over, since its time says when that was: whether something is wrong now is said by the ' +
      'conditions. It is never written by itself, only with the next change of the status, so one that was over at once may be missing.',
    required: ['time'],
  });

const CONDITION_TYPES = ['Ready', 'Reconciling', 'Stalled', 'Paused', 'LeaderProbe', 'Preferred', 'Routed'] as const;

/** metav1.Condition. lastTransitionTime changes only with status. */
const condition = z
  .object({
    type: z.string().pipe(z.enum(CONDITION_TYPES)).meta({ description: 'The type of the condition.', maxLength: 316 }),
    status: z.enum(['True', 'False', 'Unknown']).meta({ description: 'The status of the condition.' }),
    reason: named.meta({
      description: 'Why, in one CamelCase word.',
      minLength: 1,
      maxLength: 1024,
      pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$',
    }),
    message: text.meta({
      description: 'Why, in words, and what to do if something is wrong.',
      maxLength: 32_768,
    }),
    lastTransitionTime: time.meta({ description: 'When the status of the condition last changed.' }),
    observedGeneration: count('int64', 'The metadata.generation that the condition is based on.'),
  })
  .meta({
    description: 'One condition.',
    required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
  });

export const status = z
  .object({
    /** Comma-joined pod names, for the printed column. */
    leader: text.meta({ description: 'The name of the leader; empty if there is none.' }),
    leaders: list(
      leader,
      {
        description: "The leader in detail, one entry for each of the group's locks; empty if there is none.",
        maxItems: 32,
        ...mapBy('slot'),
      },
      (leaders) => oncePer(leaders, ({ slot }) => slot),
    ),
    members: count('int32', 'How many pods the selector matches, not counting finished pods and mirror pods.'),
    candidates: count('int32', 'How many members can lead now, including the leader.'),
    ineligible: list(ineligible, {
      description: 'Why the other members cannot lead, counted by reason.',
      maxItems: 32,
      ...ATOMIC,
    }),
    leaderTransitions: count('int64', 'How often the leader has changed since the group was created.'),
    recentTransitions: list(
      transition,
      { description: 'The last ten changes of leader.', maxItems: MAX_TRANSITIONS, ...ATOMIC },
      (transitions) => transitions.slice(0, MAX_TRANSITIONS),
    ),
    lastSwitchover: switchover.optional().catch(undefined),
    lastError: lastError.optional().catch(undefined),
    writtenBy: text.optional().meta({
      description:
        'The replica of the operator that wrote this status: it owned the group then. Another one may have taken the group over since, for which nothing is written; ' +
        'GET /replicas of the operator says who has it now.',
    }),
    lockKey: text.meta({ description: 'The full Consul key of the lock.' }),
    lockedBy: text.meta({ description: 'The external holder of the lock; empty if no other system holds it.' }),
    onConsulLoss: z
      .enum(CONSUL_LOSS_POLICIES)
      .catch('Hold')
      .meta({ description: 'The policy that applies when Consul is unreachable: spec.onConsulLoss or its default.' }),
    observedGeneration: count('int64', 'The metadata.generation that this status is based on.'),
    conditions: list(
      condition,
      {
        description:
          'The state of the group. Ready: a pod leads, an external holder has the lock, or the group had a leader and has no members now. ' +
          'Reconciling: the operator is working on the group. Stalled: the group cannot continue until somebody acts; the message says how. ' +
          'Paused: spec.paused is in effect. LeaderProbe, with spec.leaderProbe: the leader passes it. ' +
          'Preferred, with spec.preemption WhenPreferred: no other candidate fits spec.preferences better than the leader. ' +
          'Routed, with spec.route: the traffic of the Service goes to the leader, and to nobody else.',
        maxItems: 8,
        ...mapBy('type'),
      },
      (conditions) => oncePer(conditions, ({ type }) => type),
    ),
  })
  .meta({ description: 'The observed state. Only the operator writes it.', required: [] });

/** The first element for each key: the API server takes no second. */
function oncePer<T>(elements: readonly T[], key: (element: T) => unknown): readonly T[] {
  return elements.filter((element, index) => elements.findIndex((other) => key(other) === key(element)) === index);
}

export type LeaderGroupStatus = Immutable<z.output<typeof status>>;
