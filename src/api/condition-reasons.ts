/**
 * Every reason that a condition can have, by condition and status. A reason that is not here cannot be reported: the types of the planners
 * come from it, and so does docs/reference/conditions.md (`npm run generate`).
 */
import type { Explained } from './explained.ts';
import type { ConditionType } from './leadergroup.ts';

/** Somebody must act: reasons of Stalled, and of Ready with it. */
const STALLED = {
  InvalidSpec: {
    meaning: 'The spec cannot be acted on: it passed an older schema, or none.',
    action: 'Correct what the message names. Until then nothing is changed; sessions are kept.',
  },
  SelectorOverlap: {
    meaning: 'An older group selects some of the same pods with the same label key. Only the older one acts.',
    action:
      'Delete one of the two, or make a new one with another selector or `label.key`. The younger one has no leader until then.',
  },
  LockKeyNotAllowed: {
    meaning: "The operator's setting `lockKeys` does not let this namespace use the key.",
    action: 'Have it allowed (`LEADERGROUP_LOCK_KEYS`), or use another `lockKey` in a new group.',
  },
  KeyConflict: {
    meaning: 'The Consul key of the lock holds something that is not a lock.',
    action:
      '`consul kv get -detailed KEY` (the message names it). Delete it if nobody needs it, or use another `lockKey` in a new group.',
  },
  LabelInWorkloadSelector: {
    meaning: 'The controller of a pod selects by the leader label, or may.',
    action: 'docs/labels.md#recover-a-stalled-group says how to go on. No label is written; whoever leads goes on.',
  },
  NodesNotReadable: {
    meaning: '`spec.candidateCondition` counts only while Nodes are Ready, and the operator may not watch Nodes.',
    action:
      'Give the operator the right to list and watch nodes (`deploy/10-rbac.yaml`; not with `watchNamespaces`), or take `spec.candidateCondition` off. Nobody is elected until then; whoever leads goes on.',
  },
  PermissionDenied: {
    meaning: 'Consul or the API server denies the operator a right.',
    action:
      "The message has the words of the one that denied: compare the token's policy with `deploy/consul-policy.hcl`, the role with `deploy/10-rbac.yaml`.",
  },
  WriteRefused: {
    meaning: 'The API server refuses a write to a pod: a policy, a webhook, a full pod.',
    action:
      'The message has its words. Change the policy, or delete the pod that it protects. Tried again at once when pod or group change, and every 30 s at least.',
  },
} as const satisfies Readonly<Record<string, Explained>>;

/** The operator is at work, and goes on by itself: reasons of Reconciling, and of Ready with it. */
const AT_WORK = {
  Electing: {
    meaning: 'The operator is electing a leader, or an attempt failed; the message says why.',
    action:
      'Wait for some seconds. If it stays, the message says what failed: a request to Consul or to the API server.',
  },
  LockDelay: {
    meaning:
      'Consul does not give out the lock for `lockDelaySeconds` after the session of its holder expired. The operator retries.',
    action: 'Wait for `lockDelaySeconds`. Set it to 0 if that is too long.',
  },
  Deleting: {
    meaning: 'The group is being deleted; the message says what it waits for.',
    action:
      'Wait for a minute: it goes then, if an operator runs (docs/troubleshooting.md#a-group-does-not-go-when-it-is-deleted).',
  },
} as const satisfies Readonly<Record<string, Explained>>;

/** Nobody leads, or nobody can be sure of it, until pods or Consul change. */
const WAITING = {
  NoMembers: {
    meaning: 'No pod matches the selector, and no pod has led yet.',
    action:
      '`kubectl -n mail get pods -l app=notifier` with the labels of `spec.selector`: are there pods, in the namespace of the group?',
  },
  NoCandidate: {
    meaning:
      'There are members, and none can lead; the message counts the reasons and names pods. Or the group is paused without a leader.',
    action:
      'Look at `Ineligible` (docs/reference/conditions.md#why-a-pod-cannot-lead); `kubectl describe pod` says why a pod is not ready. A write that is refused is not for the pod to mend: the message has the words of who refuses.',
  },
  BeforePromotionFailed: {
    meaning:
      'Nobody who could lead passes `spec.beforePromotion`. A leader that is there keeps the lead for as long as it exists; the message names the pods and how they fail.',
    action:
      'Look at what the pods answer, and whether network policies let the operator in (docs/before-promotion.md). They are asked again by themselves, each 30 s at least. `onFailure: Promote` elects one all the same.',
  },
  ConsulUnreachable: {
    meaning:
      'Consul has not confirmed the lock within its deadline, and `onConsulLoss` decides about the label: with `Hold` the leader keeps it, with `Demote` nobody carries it. Or the leader is gone while Consul is unreachable.',
    action:
      'Mend Consul; the group goes on by itself. `curl -s $CONSUL_HTTP_ADDR/v1/status/leader`, and `/readyz` of the operator.',
  },
  LabelContested: {
    meaning: 'Another client keeps removing the leader label. The message names its field manager, if it can be known.',
    action: 'Stop that client, or choose another `label.key` in a new group.',
  },
} as const satisfies Readonly<Record<string, Explained>>;

/** Begins what Ready says by ConsulUnreachable where Consul answers: the remedy is another. */
export const CONSUL_DENIES = 'Consul denies what the operator asks';

export const CONDITION_REASONS = {
  Ready: {
    True: {
      Led: {
        meaning:
          'A pod carries the leader label. The message names the pod, and says since when, with which token and why it leads. It may add what is not quite right.',
        action:
          'Nothing, or what the message says: the leader is not ready and has time to come back, a label is contested, followers cannot be labelled.',
      },
      LedElsewhere: {
        meaning: 'With a `lockKey`: an external holder has the shared lock. No pod of this group leads.',
        action:
          'Nothing, if so meant. `status.lockedBy` names the holder; `consul lock` and other clusters release it when they end.',
      },
      ScaledToZero: {
        meaning: 'The group had a leader before, and has no members now.',
        action: 'Nothing, if so meant. Else scale the workload up.',
      },
    },
    False: { ...WAITING, ...AT_WORK, ...STALLED },
  },
  Reconciling: {
    True: AT_WORK,
    False: {
      Settled: { meaning: 'All is well: Ready is True.' },
      Waiting: { meaning: 'There is nothing to do until pods or Consul change; the reason of Ready says what.' },
      Stalled: { meaning: 'There is nothing to do until somebody acts; Stalled says what.' },
      InvalidSpec: { meaning: 'The spec cannot be acted on; Stalled has the same reason.' },
    },
  },
  Stalled: {
    True: STALLED,
    False: {
      NotStalled: { meaning: 'The operator goes on by itself, as soon as pods, Consul and the API server let it.' },
    },
  },
  Paused: {
    True: {
      PausedBySpec: {
        meaning: '`spec.paused` is true: the leader does not change, and no leader is elected.',
        action: 'Set `spec.paused` to false to resume.',
      },
    },
    False: { NotPaused: { meaning: 'The group is not paused.' } },
  },
  LeaderProbe: {
    True: {
      Passing: { meaning: 'The leader passes `spec.leaderProbe`.' },
    },
    False: {
      NotJudged: {
        meaning:
          'Nobody leads, or the leader has not led for long enough to be judged: it is judged once it has led, under this replica, for as long as it may fail; half a minute where this replica has not heard it at all, and another had.',
        action: 'Nothing.',
      },
      NoRhythm: {
        meaning:
          'The leader does not ask the gate often enough: not in each of the `failureThreshold` periods before its last question. So its silence would prove nothing: a leader that hangs is replaced only once its pod is not ready.',
        action:
          'Let the application ask within `askWithinMilliseconds` of the answers, from the address of its own pod and with its uid, or raise `spec.leaderProbe.periodMilliseconds` (docs/leader-probe.md).',
      },
      ProbeBlind: {
        meaning:
          'The operator cannot tell whether the leader responds: its pod has no address of its own (host network), the operator does not reach the API server, its own node may be cut off, or its host or process cannot send the probe. A leader that hangs is replaced only once its pod is not ready.',
        action:
          'The message says which. Host network: take `leaderProbe` out of the group. Else look at the replica of the operator that owns the group (`GET /replicas`), at its node and at its network; the leader itself need not be touched.',
      },
      NoPassingCandidate: {
        meaning:
          'The leader fails the probe, and leads on: no candidate passes either, so nothing would be won by another leader. It is replaced as soon as one does.',
        action:
          'Where all members fail at once look at what they share: with `gate` the way from the pods to the operator, with `httpGet` the network policy of the pods and the path and port of the probe, with both an overload. Where the leader alone is bad, and no other is ready, mend a candidate (docs/leader-probe.md).',
      },
    },
  },
  Preferred: {
    True: {
      LeaderPreferred: { meaning: 'No other candidate fits `spec.preferences` better than the leader.' },
    },
    False: {
      NotLed: {
        meaning: 'Nobody leads, or the leader is not ready: whoever follows is elected, and preferences count then.',
      },
      Waiting: {
        meaning:
          'A candidate fits `spec.preferences` better than the leader. It takes the lead at the time that the message says, if it can lead without interruption until then.',
        action: 'Nothing. To have it lead now ask for a switchover.',
      },
      Pinned: {
        meaning:
          'A candidate fits `spec.preferences` better, and a switchover has put the leader there: it stays until it is lost.',
        action: 'Ask for a switchover to the preferred pod to let preferences count again.',
      },
      Paused: { meaning: 'A candidate fits `spec.preferences` better, and `spec.paused` is true.' },
      RollingOut: {
        meaning:
          'A candidate fits `spec.preferences` better, and a workload has pods of more than one revision: the lead is not moved in the middle of a rollout.',
        action: 'Nothing, if a rollout is under way. With a canary or a `partition` that stays, ask for a switchover.',
      },
      NodeCordoned: {
        meaning:
          'A candidate fits `spec.preferences` better, and the node of a member is cordoned, or a member is about to be evicted: work on nodes is under way. Or the operator cannot watch nodes any more, and does not know.',
        action:
          'Uncordon the node that the message names when the work is done, or let the operator list and watch nodes.',
      },
      MembersNotReady: {
        meaning: 'A candidate fits `spec.preferences` better, and a member is not ready or is being deleted.',
        action: 'Mend the pod that the message names.',
      },
    },
  },
  Routed: {
    True: {
      LeaderShown: { meaning: 'The traffic of the Service goes to the leader, and to nobody else.' },
    },
    False: {
      NoLeader: {
        meaning: 'Nobody leads, so the Service has no endpoint.',
        action: 'Look at Ready and its reason.',
      },
      NoAddress: {
        meaning:
          'The leader has no address of its own in a family of the Service: it is on the host network, or has no address yet.',
        action: 'Take `hostNetwork` out of the pod template, or lead the Service by label.',
      },
      ServiceNotFound: {
        meaning: 'There is no Service of this name in the namespace of the group.',
        action: 'Create it (docs/routing.md); it is found at once.',
      },
      ServiceNotAnnotated: {
        meaning: 'The owner of the Service has not let this group lead its traffic.',
        action:
          '`kubectl -n mail annotate service notifier-leader leadergroup.dev/route=notifier`, by whoever owns the Service.',
      },
      ServiceHasSelector: {
        meaning:
          'The Service has a selector and no annotation: Kubernetes fills its endpoints, and the operator leaves it alone.',
        action: 'docs/routing.md says how to move it without a gap.',
      },
      ForeignEndpoints: {
        meaning:
          'The slices show the leader, but the Service has other EndpointSlices too, or an Endpoints object of its name: traffic goes to those as well.',
        action:
          'Delete what the message names, the Endpoints object first: Kubernetes makes slices of it for ever. The message goes within a minute after that.',
      },
      PortNotFound: {
        meaning: 'A port of the Service has a name that no container port of the leader has.',
        action: 'Name the container port so, or let the `targetPort` of the Service be a number.',
      },
      RouteConflict: {
        meaning: 'An older group names the same Service. Only the older one acts.',
        action: 'Delete one of the two groups, or create one anew with another Service.',
      },
      SliceConflict: {
        meaning: 'An EndpointSlice of the name that the operator needs is not its own, or is that of another group.',
        action: 'Delete it, if nobody needs it: the message names it.',
      },
      SliceAltered: {
        meaning:
          'An EndpointSlice does not stand as the operator has written it: an admission webhook changes each write, or another client changes or deletes it again and again, or writes it each time before the operator does.',
        action:
          'The message says which. Have the webhook or the client leave it alone; the operator goes on by itself.',
      },
      PermissionDenied: {
        meaning:
          'The operator has no right to read the Service, to write EndpointSlices, or to watch both: in the last case the leader is shown, and what others change is found within a minute only.',
        action: '`kubectl apply -k deploy/overlays/route` gives it (with Helm: `--set route.enabled=true`).',
      },
      WriteRefused: {
        meaning:
          'The API server refuses to write an EndpointSlice, or does not answer such a write: a policy, or a webhook. Or it keeps one that was deleted, for a finalizer.',
        action: 'The message has its words. The label is written all the same. Tried again every 30 s at least.',
      },
    },
    Unknown: {
      NotChecked: {
        meaning: 'The API server has not said yet what is in the Service, or whether it has other endpoints.',
        action: 'Wait for a minute. If it stays, the message says what failed.',
      },
      OlderReplica: {
        meaning: 'A replica of the operator runs that knows no routes: the lead could change hands without the slices.',
        action: 'Bring all replicas to one version. Slices that exist are kept right meanwhile, none is made.',
      },
    },
  },
} as const satisfies Readonly<Record<ConditionType, ByStatus>>;

/** Most are never Unknown. */
type ByStatus = Readonly<Record<'True' | 'False', Words>> & { readonly Unknown?: Words };
type Words = Readonly<Record<string, Explained>>;

type Reasons = typeof CONDITION_REASONS;

/** What a condition can say: its status, and a reason that it has with that status. */
export type Says<Type extends ConditionType> = {
  [Status in keyof Reasons[Type]]: {
    readonly status: Status;
    readonly reason: keyof Reasons[Type][Status];
  };
}[keyof Reasons[Type]];

export type ReadyReason = Says<'Ready'>['reason'];
export type StalledReason = keyof typeof STALLED;
/** Of Ready that is False, where nobody need act. */
export type UnsettledReason = keyof typeof WAITING | keyof typeof AT_WORK;
