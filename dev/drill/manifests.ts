/** What the drills apply to break something. */

export const REFUSING = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicy',
  metadata: { name: 'pods-are-immutable' },
  spec: {
    failurePolicy: 'Fail',
    matchConstraints: {
      resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['pods'] }],
    },
    validations: [
      {
        expression:
          "request.userInfo.groups.exists(g, g == 'system:nodes') || object.metadata.labels == oldObject.metadata.labels",
        message: 'labels of running pods may not be changed',
      },
    ],
  },
};

export const BINDING = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  metadata: { name: 'pods-are-immutable' },
  spec: {
    policyName: 'pods-are-immutable',
    validationActions: ['Deny'],
    matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'mail' } } },
  },
};

export const LABEL_SYNC = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'label-sync', namespace: 'mail' },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: 'label-sync' } },
    template: {
      metadata: { labels: { app: 'label-sync' } },
      spec: { containers: [{ name: 'label-sync', image: 'label-sync' }] },
    },
  },
};

export const PROXY = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'kube-proxy', namespace: 'kube-system' },
  data: { 'config.conf': 'mode: iptables\niptables:\n  minSyncPeriod: 10s\n' },
};

export const SELECTS_LABEL = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'notifier-tail', namespace: 'mail' },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: 'notifier', 'leadergroup.dev/role': 'leader' } },
    template: {
      metadata: { labels: { app: 'notifier', 'leadergroup.dev/role': 'leader' } },
      spec: { containers: [{ name: 'tail', image: 'tail' }] },
    },
  },
};
