/**
 * Every event that the operator reports, with its type. A reason that is not here cannot be given to the sink of events; docs/reference/events.md
 * is made from it (`npm run generate`).
 */
import { CONDITION_REASONS } from './condition-reasons.ts';
import type { Explained } from './explained.ts';

export type EventType = 'Normal' | 'Warning';

type ExplainedEvent = Explained & { readonly type: EventType };

/** About a change of leader, or about something that somebody should look at. */
export const OWN_EVENTS = {
  LeaderElected: {
    type: 'Normal',
    meaning: 'A pod leads, and nobody did before. Also given on the pod that leads, whoever led before.',
    action: 'Nothing.',
  },
  LeaderHandedOver: {
    type: 'Normal',
    meaning: 'The lead has passed from one pod to another; the message has token, cause and duration.',
    action: 'Nothing, unless it comes often.',
  },
  LeaderLost: {
    type: 'Warning',
    meaning: 'The leader does not lead any more, and nobody has followed.',
    action: 'Look at Ready and its reason.',
  },
  LeaderUnresponsive: {
    type: 'Warning',
    meaning: 'The leader fails `spec.leaderProbe`, and another member takes over. Given on the group and on the pod.',
    action: 'Look at the process and at the node: it was ready, and did not respond.',
  },
  SwitchoverRefused: {
    type: 'Warning',
    meaning:
      'The annotation `leadergroup.dev/switchover` asks for something that is not done, and will not be done later. The message begins with the reason.',
    action: 'Look the reason up below, and write the annotation anew if it is still meant.',
  },
  LeaderDeferred: {
    type: 'Warning',
    meaning:
      'A pod has lost the lead by a failure (not by a drain, a deletion or a resignation) twice or more in a row. Others go first for a while: 30 s after the first ' +
      'failure, twice as long after each next one, 10 minutes at most. It leads all the same if nobody else can.',
    action: 'Look at the pod that the message names: its readiness comes and goes.',
  },
  LabelContested: {
    type: 'Warning',
    meaning: 'Somebody else changes the label or the annotations of a pod again and again.',
    action: 'Stop whom the message names: a GitOps tool that owns pod labels, a script, another operator.',
  },
  LabelInPodTemplate: {
    type: 'Warning',
    meaning: 'A pod template has the leader label: each new pod is born with it.',
    action: 'Take it out of the template (docs/labels.md).',
  },
  LabelSelectedByOthers: {
    type: 'Warning',
    meaning: 'A disruption budget, a network policy or a placement rule selects by the leader label.',
    action: 'Choose another label for those, or mean it so.',
  },
  LabelsLeft: {
    type: 'Warning',
    meaning: 'The group is gone, and pods that were not to be written, or could not, carry the label.',
    action: '`kubectl -n mail label pod POD leadergroup.dev/role-`, unless a controller selects by it.',
  },
  LeaderRetained: {
    type: 'Normal',
    meaning:
      'The group is gone, and with `deletionPolicy: Retain` its leader keeps the label. Nobody replaces it any more.',
    action:
      'Make the next group of this name, which takes the label off before it elects, or take it off: `kubectl -n mail label pod POD leadergroup.dev/role-`.',
  },
  FormerLeaderEvicted: {
    type: 'Normal',
    meaning: 'With `formerLeader: Evict`: the pod that led before was evicted once the next one led.',
    action: 'Nothing.',
  },
  FormerLeaderKept: {
    type: 'Warning',
    meaning: 'With `formerLeader: Evict`: the pod that led before could not be evicted, and is not asked again.',
    action:
      'The message says why: a disruption budget, or a right that is missing (`kubectl apply -k deploy/overlays/route`).',
  },
  NotRouted: {
    type: 'Warning',
    meaning:
      'The traffic of the Service of `spec.route` does not go to the leader alone, or nobody knows whether it does.',
    action: 'The message says what to do, as the condition Routed does (docs/reference/conditions.md#routed).',
  },
  WriteRefused: {
    type: 'Warning',
    meaning: 'The API server refused a write to a pod for good.',
    action: 'The message has its words: a policy or webhook, mostly.',
  },
} as const satisfies Readonly<Record<string, ExplainedEvent>>;

const { True: WELL, False: NOT_WELL } = CONDITION_REASONS.Ready;

/** Reasons of Ready that no event of its own tells of: each is an event when it begins. */
export const READY_EVENTS = {
  LedElsewhere: { type: 'Normal', ...WELL.LedElsewhere },
  NoCandidate: { type: 'Warning', ...NOT_WELL.NoCandidate },
  BeforePromotionFailed: { type: 'Warning', ...NOT_WELL.BeforePromotionFailed },
  ConsulUnreachable: { type: 'Warning', ...NOT_WELL.ConsulUnreachable },
  LockDelay: { type: 'Warning', ...NOT_WELL.LockDelay },
  Deleting: { type: 'Warning', ...NOT_WELL.Deleting },
  SelectorOverlap: { type: 'Warning', ...NOT_WELL.SelectorOverlap },
  LockKeyNotAllowed: { type: 'Warning', ...NOT_WELL.LockKeyNotAllowed },
  KeyConflict: { type: 'Warning', ...NOT_WELL.KeyConflict },
  NodesNotReadable: { type: 'Warning', ...NOT_WELL.NodesNotReadable },
  LabelInWorkloadSelector: { type: 'Warning', ...NOT_WELL.LabelInWorkloadSelector },
  PermissionDenied: { type: 'Warning', ...NOT_WELL.PermissionDenied },
} as const satisfies Readonly<Record<string, ExplainedEvent>>;

export const EVENT_REASONS = { ...READY_EVENTS, ...OWN_EVENTS } as const;

export type EventReason = keyof typeof EVENT_REASONS;
