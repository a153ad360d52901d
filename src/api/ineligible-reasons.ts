/** Why a member cannot lead: the reasons of `status.ineligible`. docs/reference/conditions.md is made from it (`npm run generate`). */
import type { Explained } from './explained.ts';

export const INELIGIBLE_REASONS = {
  NodeLost: {
    meaning: 'The node of the pod is deleted, or has the taint `node.kubernetes.io/out-of-service` and is not Ready.',
    action: 'Nothing: the pod goes with its node. If the node comes back the pod can lead again.',
  },
  NotReady: {
    meaning: 'The pod is not ready: its condition Ready, or the one of `spec.candidateCondition`, is not True.',
    action:
      '`kubectl -n mail describe pod POD`: its probe, its containers, its conditions. A standby must be ready to be elected (docs/notifier.md#5-make-readiness-mean-could-lead).',
  },
  ContainerNotRunning: {
    meaning: 'With `spec.candidateCondition`: not every container of the pod runs, so its condition does not count.',
    action: '`kubectl -n mail describe pod POD`: which container does not run, and why.',
  },
  NodeNotReady: {
    meaning:
      'With `spec.candidateCondition`: the Node of the pod is not Ready, or is not known yet, so its condition does not count.',
    action: '`kubectl describe node NODE`. The pod can lead again when its node is Ready.',
  },
  MinReadySeconds: { meaning: 'The pod has not been ready for `spec.minReadySeconds`.', action: 'Wait.' },
  Terminating: {
    meaning: 'The pod is being deleted.',
    action: 'Wait for the next one. If it does not go: a finalizer, or a node that is cut off.',
  },
  Excluded: {
    meaning: 'The pod has the annotation `leadergroup.dev/candidate: "false"`.',
    action: '`kubectl -n mail annotate pod POD leadergroup.dev/candidate-`, if it should lead after all.',
  },
  JobPod: {
    meaning: 'The pod belongs to a Job, and the selector does not name a label of jobs.',
    action: 'Give jobs other labels, or name a job label in the selector if they are meant.',
  },
  PromotionRefused: {
    meaning: 'The API server refused to label the pod. The message of Ready says why.',
    action:
      "The event `WriteRefused` has its words, and names the policy or webhook where one refuses: exempt the operator's account in it (`system:serviceaccount:leadergroup-system:leadergroup`), or have it taken back. Another pod is elected meanwhile; this one is tried again by itself.",
  },
  BeforePromotionFailed: {
    meaning:
      'With `spec.beforePromotion`: the pod did not pass when it was asked, or has no address at which it can be asked. The message of Ready says how it failed.',
    action:
      'Look at what the pod answers there (docs/before-promotion.md), and whether network policies let the operator in. It is asked again when its containers are started anew, and by itself after 5 s to 30 s while it is needed.',
  },
  WriteRefused: {
    meaning:
      'The API server refuses to take the label off the pod, so it is not given any. The message of Ready says why.',
    action: 'As for `PromotionRefused`.',
  },
} as const satisfies Readonly<Record<string, Explained>>;

export type IneligibleReason = keyof typeof INELIGIBLE_REASONS;
