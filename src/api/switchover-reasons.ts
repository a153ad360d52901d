/**
 * What became of a switchover: the words of `status.lastSwitchover`, of the event SwitchoverRefused, and of leadergroup_switchovers_total.
 * docs/reference/events.md is made from it (`npm run generate`).
 */
import type { Explained } from './explained.ts';

export const SWITCHOVER_REFUSALS = {
  Malformed: {
    meaning: 'The annotation is not `to=POD at=TIME`. It is not shown in the status.',
    action: 'Write it anew; the message says what is wrong with it.',
  },
  Replayed: {
    meaning:
      'Its time is not after the last one that was handled, or not after the creation of the group: it is an old one that came back, by a GitOps tool, a backup or a manifest.',
    action: 'If it is meant, write it anew with the present time. Keep the annotation out of Git.',
  },
  Expired: {
    meaning: 'Its time is more than ten minutes ago.',
    action: 'If it is still meant, write it anew. Look at the clock of whoever wrote it.',
  },
  Future: {
    meaning: 'Its time is more than a minute ahead.',
    action: 'Write it when it is due. Look at the clock of whoever wrote it, and of the operator.',
  },
  TooSoon: {
    meaning: 'Its time is less than 30 seconds after that of the last switchover of the group.',
    action: 'Wait, and find out who else asks.',
  },
  NotACandidate: {
    meaning:
      'The pod that it names, or with `any` every other one, cannot take over now: no member, not ready, terminating, excluded, on a cordoned node, about to be evicted, with a contested label, or failing `spec.leaderProbe`.',
    action: 'The message says what is the matter. Name another pod, or mend this one and write it anew.',
  },
  AlreadyLeads: { meaning: 'The pod that it names leads.', action: 'Nothing.' },
  NotLed: {
    meaning: 'Nobody leads, and nobody can: there is no lead to hand over.',
    action: 'Look at Ready and its reason.',
  },
  LedElsewhere: {
    meaning: 'Somebody outside the group has the shared lock.',
    action: 'Ask for it where the lead is: `status.lockedBy` names the holder.',
  },
  Paused: {
    meaning: '`spec.paused` is true: the leader does not change.',
    action: 'Resume the group, then write it anew.',
  },
  Stalled: {
    meaning: 'The group can do nothing until somebody acts.',
    action: 'Look at Stalled, then write it anew.',
  },
  Deleting: { meaning: 'The group is being deleted.', action: 'Nothing.' },
  HandoverFailed: {
    meaning: 'The handover was begun and could not be completed, again and again; the leader was put back.',
    action: 'The message says what failed. Mend that, then write it anew.',
  },
} as const satisfies Readonly<Record<string, Explained>>;

export type SwitchoverRefusal = keyof typeof SWITCHOVER_REFUSALS;
