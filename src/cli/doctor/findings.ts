/**
 * Everything that `doctor` can find. The ids are stable: scripts and pages rely on them. What is not here cannot be reported; docs/doctor has a
 * page for each (`npm run generate`).
 */

export type Explained = {
  readonly severity: 'error' | 'warning';
  /** A few words, for a list. */
  readonly title: string;
  readonly meaning: string;
  /** What to do; printed with each finding. */
  readonly action: string;
};

export const FINDINGS = {
  'no-operator': {
    severity: 'error',
    title: 'No operator runs',
    meaning:
      'There is no Deployment of the operator, or no replica of it is ready. Leaders keep their label, nobody is elected, and no leader that fails is replaced. Consul frees a lock after one to two times `sessionTTLSeconds`.',
    action:
      'If it is scaled to zero, scale it up. Otherwise find out why its pods are not ready: `kubectl -n leadergroup-system describe pods`, and their log; /readyz says what it waits for. A replica that does not reach Consul, or is denied there, is not ready: some seconds later the groups say so, and doctor then finds `consul-unreachable`, `right-denied` or `consul-connections` as well. Begin with those.',
  },
  'operator-right-missing': {
    severity: 'error',
    title: 'The operator lacks a right',
    meaning:
      "The operator's ServiceAccount may not do something that it needs, or that it needs for what some groups ask of it.",
    action:
      'Apply deploy/10-rbac.yaml of the version that runs; for groups with a route or `formerLeader: Evict` deploy/overlays/route as well.',
  },
  'crd-missing': {
    severity: 'error',
    title: 'LeaderGroup is not installed',
    meaning: 'The API server has no CustomResourceDefinition for LeaderGroup: no group can be made.',
    action: 'Install it, with the chart or `kubectl apply -f crds/` (docs/install.md).',
  },
  'crd-older': {
    severity: 'error',
    title: 'The CustomResourceDefinition is older',
    meaning:
      'The schema in the cluster lacks fields that this version knows: the API server drops them without a word, also from the status.',
    action:
      'Apply crds/leadergroups.yaml of the version of the operator: Helm does not change what it finds. If the operator is older than this program, nothing need be done.',
  },
  'crd-newer': {
    severity: 'warning',
    title: 'The CustomResourceDefinition is newer',
    meaning:
      'The schema in the cluster has fields that this version does not know. An operator of this version ignores them, although a group may rely on them.',
    action: 'Use this program, and run the operator, in the version of the CustomResourceDefinition.',
  },
  'not-led': {
    severity: 'error',
    title: 'Nobody leads a group',
    meaning: 'Ready is False: nobody leads, or nobody can be sure of it.',
    action: 'Do what the message says; `kubectl leadergroup status NAME` says for each member why it cannot lead.',
  },
  'leader-unfit': {
    severity: 'warning',
    title: 'A leader is kept that could not be elected now',
    meaning:
      'The leader is not ready, excluded or on its way out, and no other member can lead, so it keeps the lead: a label on a pod that may not work is better than none.',
    action:
      'Repair the leader, or remove what keeps one of the others from leading. `Excluded` is the annotation leadergroup.dev/candidate=false, which is easily forgotten: `kubectl annotate pod POD leadergroup.dev/candidate-` removes it.',
  },
  'only-leader-ready': {
    severity: 'warning',
    title: 'Only the leader is ready, and nobody could follow it',
    meaning:
      'Every other member has run for minutes and was never ready since, as where a readiness probe passes on the leader alone. Only ready pods are candidates, so nobody leads when the leader goes.',
    action:
      'Let the readiness probe pass on pods that could lead, and route to the leader by its label. Where only the leader may be ready, name another condition of the pods in spec.candidateCondition (docs/how-to/from-leader-gated-readiness.md).',
  },
  'consul-unreachable': {
    severity: 'error',
    title: 'The operator does not reach Consul',
    meaning:
      'A replica of the operator gets no answer from Consul, or Consul has not confirmed the lock of a group within its deadline. With `onConsulLoss: Hold` the leader keeps its label; with `Demote` nobody carries it.',
    action:
      'If doctor finds `right-denied` or `consul-connections` as well, begin with that. Otherwise repair Consul, or the network between it and the operator; restart a server that accepts connections and never answers. /readyz of the operator has the error that it gets. Groups recover by themselves.',
  },
  'group-stalled': {
    severity: 'error',
    title: 'A group waits for somebody to act',
    meaning:
      'Stalled is True: the operator does nothing more for the group until somebody changes what the message names.',
    action: 'Do what the message says.',
  },
  'right-denied': {
    severity: 'error',
    title: 'Consul or the API server denies the operator a right',
    meaning:
      'Stalled is True with PermissionDenied, and the message has the words of the one that denied. Or Consul denies everything, since the token is not there any more.',
    action:
      "Compare the token's policy with deploy/consul-policy.hcl, and the role with deploy/10-rbac.yaml. If the token is gone, create another, put it into the Secret that the operator reads, and restart the operator (docs/install.md#a-new-token).",
  },
  'consul-token-ends': {
    severity: 'warning',
    title: "The operator's token for Consul ends soon",
    meaning:
      'Less than a quarter of its life is left. Without a token no session is renewed, and with the sessions the locks end. A token by login is replaced at half of its life, so each try since has failed.',
    action:
      'Replace a token that was given to the operator (docs/install.md#a-new-token). If it logs in, its log says why that fails: the auth method, its binding rule, or the API server that Consul asks.',
  },
  'consul-connections': {
    severity: 'error',
    title: 'Consul refuses connections of the operator',
    meaning:
      'The address by which the replica reaches Consul has as many connections as its server allows (limits.http_max_conns_per_client, 200 by default): several replicas, or other clients, are behind one address. Requests without a connection wait, renewals of sessions among them.',
    action:
      'Raise the limit to 100 for each replica behind the address, plus 100 (300 for two replicas), or give the replicas addresses of their own (docs/install.md#consul-connection-limits). If another program behind the address holds connections that it does not need, end it.',
  },
  'lock-key-not-allowed': {
    severity: 'error',
    title: 'A shared lock is not allowed',
    meaning: "The operator's setting `lockKeys` does not let this namespace use the `lockKey` of the group.",
    action: 'Have it allowed (LEADERGROUP_LOCK_KEYS), or make a group with another key.',
  },
  'not-routed': {
    severity: 'error',
    title: 'Traffic may not go to the leader',
    meaning:
      'Routed is not True: the traffic of the Service of `spec.route` does not go to the leader alone, or nobody knows whether it does.',
    action:
      'Do what the message says (docs/reference/conditions.md#routed). If the Service is to keep its selector, and the route is not to be followed any more: `kubectl leadergroup unroute SERVICE` notes that it is on purpose.',
  },
  'status-old': {
    severity: 'warning',
    title: 'The operator does not look at a group',
    meaning:
      'The status is about an older spec, or there is none, although an operator runs: it does not watch the namespace, or it cannot write the status.',
    action:
      'See whether the operator watches this namespace (`watchNamespaces`), and its log for the name of the group.',
  },
  'deletion-stuck': {
    severity: 'error',
    title: 'A deleted group is still there',
    meaning: 'The group was deleted more than a minute ago and is still there, held by a finalizer.',
    action:
      "If it is the operator's finalizer, make sure that an operator runs (`no-operator`): then the group goes by itself. If no operator will ever run again: `kubectl leadergroup break-glass NAME`. Any other finalizer has to be removed by whoever set it.",
  },
  'groups-overlap': {
    severity: 'error',
    title: 'Two groups select the same pods',
    meaning: 'Two groups with the same label key select a pod. Only the older one acts; the younger one has no leader.',
    action: 'Delete one of the two, or make a new one with another selector or `label.key`.',
  },
  'label-contested': {
    severity: 'error',
    title: 'Somebody else writes the label',
    meaning:
      'Another client changes the leader label or the annotations of a pod again and again: a GitOps tool that owns pod labels, a script, another operator.',
    action:
      'Stop the client that the message names, or choose another `label.key` in a new group. A field manager is the name of a program, and often that of its workload: `kubectl get deployments,daemonsets,cronjobs -A | grep MANAGER`.',
  },
  'two-labels': {
    severity: 'error',
    title: 'Two pods carry the leader label',
    meaning: 'Two pods of a group carry its leader label for longer than a moment: somebody else set one of them.',
    action:
      'Find out who writes it (`kubectl get pod POD -o yaml --show-managed-fields`), and stop that. The operator takes off the one that is wrong.',
  },
  'stale-label': {
    severity: 'warning',
    title: 'A label is left over',
    meaning:
      'A pod carries a leader label, and no group selects it: its group is gone, or selects other pods. A Service that selects by the label finds it.',
    action: 'Take it off: `kubectl label pod POD KEY-`, unless a controller selects by it (docs/labels.md).',
  },
  'stale-annotation': {
    severity: 'warning',
    title: 'An annotation is left over',
    meaning:
      'A pod has annotations of a group that is not there any more. A group that is created with that name believes them; a deletion cost that a promotion has set also makes Kubernetes remove the pod last. With `deletionPolicy: Retain` the leader label stays as well: `stale-label` finds it, unless the group had a `label.key` of its own.',
    action: 'Remove them by the command in the message.',
  },
  'stale-slice': {
    severity: 'warning',
    title: 'An EndpointSlice is left over',
    meaning:
      'An EndpointSlice of the operator is there for a Service that no group routes to: it goes on sending traffic to the pod that it shows.',
    action: 'Delete it: `kubectl delete endpointslice NAME`.',
  },
  'service-matches-no-member': {
    severity: 'error',
    title: 'A Service can match no member',
    meaning:
      'A Service selects by the leader label, and by other labels that no pod of the group has: it never has an endpoint.',
    action: 'Let its selector have the leader label of the group, and labels that its pods have.',
  },
  'service-selects-label-only': {
    severity: 'warning',
    title: 'A Service selects by the label alone',
    meaning:
      'A Service selects by the leader label and nothing else: it selects the leaders of all groups of the namespace, also of those that are created later.',
    action: 'Add a label of the application to its selector.',
  },
  'route-service-has-selector': {
    severity: 'error',
    title: 'A Service under a route has a selector',
    meaning:
      'A group routes to a Service that has a selector: Kubernetes fills its endpoints as well, so traffic does not go to the leader alone.',
    action:
      '`kubectl leadergroup route SERVICE --by slice` moves it without a gap (docs/routing.md). If it is to keep its selector: `kubectl leadergroup unroute SERVICE` notes that it is on purpose.',
  },
  'route-foreign-slices': {
    severity: 'error',
    title: 'A Service under a route has other endpoints',
    meaning: 'The Service of a route has EndpointSlices that are not of the operator: traffic goes to those as well.',
    action:
      'Delete what the message names; an Endpoints object of the name of the Service first, for Kubernetes makes slices of it.',
  },
  'workload-selects-label': {
    severity: 'error',
    title: 'A workload selects by the label',
    meaning:
      'The selector of a workload has the label key of a group: each election would take a pod away from it. A group that selects pods of this workload is Stalled; another one goes on until it selects one.',
    action:
      'Make the workload anew without the key in its selector, and delete the old one (docs/labels.md#recover-a-stalled-group).',
  },
  'template-has-label': {
    severity: 'warning',
    title: 'A pod template has the label',
    meaning: 'Each new pod is created with the leader label, and has it until the operator removes it.',
    action: 'Take it out of the template (docs/labels.md).',
  },
  'label-selected-by-others': {
    severity: 'warning',
    title: 'A budget or policy selects by the label',
    meaning:
      'A PodDisruptionBudget or NetworkPolicy selects by the leader label: what it protects changes with the lead. A budget for the leader alone blocks drains.',
    action: 'Select by another label, unless this is intended.',
  },
  'proxy-min-sync-period': {
    severity: 'warning',
    title: 'kube-proxy is slow',
    meaning:
      'kube-proxy waits for `minSyncPeriod` between two changes, and it is longer than the usual second: new connections go to the former leader for that long.',
    action:
      'Set it to 1s and restart kube-proxy: `kubectl -n kube-system rollout restart daemonset/kube-proxy`. Or lead the Service by a route, which is one change (docs/routing.md).',
  },
  'install-right-missing': {
    severity: 'error',
    title: 'You lack a right to install',
    meaning: 'With --pre: your account may not create something that the installation consists of.',
    action: 'Have somebody with these rights install it, such as a cluster-admin.',
  },
  'kubernetes-too-old': {
    severity: 'error',
    title: 'Kubernetes is too old',
    meaning: 'With --pre: the API server is older than 1.29, which the manifests need.',
    action: 'Upgrade the cluster to Kubernetes 1.29 or later.',
  },
} as const satisfies Readonly<Record<string, Explained>>;

export type FindingId = keyof typeof FINDINGS;

/** Something that is not as it should be. */
export type Finding = {
  readonly id: FindingId;
  /** As `Service mail/notifier-leader`. */
  readonly object: string;
  /** What is wrong with it, in one sentence. */
  readonly message: string;
};

/** What could not be found out, with the reason in one sentence. */
export type Unknown = { readonly id: FindingId; readonly why: string };

export type Looked = { readonly findings: readonly Finding[]; readonly unknown: readonly Unknown[] };
