/**
 * Why a leader changed: the reasons of `status.recentTransitions`, of events about a change, and of leadergroup_handovers_total.
 * docs/reference/events.md is made from it (`npm run generate`).
 */
import type { Explained } from './explained.ts';

export const TRANSITION_CAUSES = {
  FirstElection: { meaning: 'Nobody had led before.' },
  LeaderNotReady: {
    meaning: 'The leader was not ready for `failoverDelaySeconds`.',
    action:
      'If it comes again and again, the readiness probe fails now and then: mend it, or let the group wait with `spec.failoverDelaySeconds`.',
  },
  LeaderUnresponsive: {
    meaning: 'The leader failed `spec.leaderProbe`, and another member passed it all the while.',
    action:
      'Look at the process and the node of the former leader. If it comes again and again, the application is slower than the probe: raise `spec.leaderProbe.periodMilliseconds` or `failureThreshold`.',
  },
  LeaderNodeLost: {
    meaning:
      "The node of the leader's pod was deleted, or has the taint `node.kubernetes.io/out-of-service` and is not Ready.",
  },
  LeaderTerminating: { meaning: "The leader's pod is being deleted." },
  LeaderGone: { meaning: "The leader's pod is gone." },
  LeaderFinished: { meaning: "The leader's pod has succeeded or failed." },
  LeaderExcluded: { meaning: 'The leader\'s pod got the annotation `leadergroup.dev/candidate: "false"`.' },
  LeaderResigned: { meaning: 'The leader released its grant with `resign=true`.' },
  Switchover: { meaning: 'The annotation `leadergroup.dev/switchover` of the group asked for it.' },
  Preempted: {
    meaning:
      '`spec.preemption` is `WhenPreferred`, and another candidate fitted `spec.preferences` better for `delaySeconds`.',
    action:
      'Nothing, if so meant. If it comes again and again, the preferred pod does not keep the lead: the history names why.',
  },
  LeaderNoLongerMember: { meaning: "The selector does not match the leader's pod any more." },
  PromotionRefused: {
    meaning: 'The API server refuses to label the pod that has the lock.',
    action: 'The event `WriteRefused` has its words.',
  },
  BeforePromotionFailed: {
    meaning:
      'A pod got the lock, its promotion was interrupted, and it did not pass `spec.beforePromotion` when it was asked anew.',
    action: 'Look at what the pod answers (docs/before-promotion.md).',
  },
  LeaderLost: { meaning: 'The lock was found free, and the last holder cannot go on.' },
  SessionLost: {
    meaning: 'The lock was found free, and the same pod leads again: its Consul session had ended.',
    action: 'Look at Consul: it ended a session that was to be renewed.',
  },
  SessionChanged: {
    meaning: '`sessionTTLSeconds` or `lockDelaySeconds` was edited; the same pod leads on with another session.',
  },
  RecordLost: {
    meaning:
      'What the lock says of the last leader cannot be believed (Consul was wiped or restored, the group was made anew): elected anew.',
  },
  LabelRestored: {
    meaning: 'The same pod leads; a label or an annotation was put right.',
    action: 'Somebody takes the label off: the event `LabelContested` names who, if it happens again and again.',
  },
  ConsulUnreachable: {
    meaning: '`onConsulLoss` is `Demote`, and Consul did not answer until the deadline.',
    action: 'Look at Consul.',
  },
  LedElsewhere: { meaning: 'Somebody outside the group got the shared lock.' },
  SelectorOverlap: {
    meaning: 'An older group has the same pods; this one stands down.',
    action: 'Look at Stalled: somebody must act.',
  },
  LockKeyNotAllowed: {
    meaning: "The operator's configuration does not allow the `lockKey` any more.",
    action: 'Look at Stalled: somebody must act.',
  },
  GroupDeleted: { meaning: 'The group was deleted.' },
} as const satisfies Readonly<Record<string, Explained>>;

export type TransitionCause = keyof typeof TRANSITION_CAUSES;
