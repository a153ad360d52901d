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

export const PROXY = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'kube-proxy', namespace: 'kube-system' },
  data: { 'config.conf': 'mode: iptables\niptables:\n  minSyncPeriod: 10s\n' },
};

type Workload = { readonly replicas: number; readonly labels: Readonly<Record<string, string>> };

const deployment = (name: string, { replicas, labels }: Workload) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'mail' },
  spec: {
    replicas,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name, image: name }] } },
  },
});

export const LABEL_SYNC = deployment('label-sync', { replicas: 1, labels: { app: 'label-sync' } });

export const SELECTS_LABEL = deployment('notifier-tail', {
  replicas: 0,
  labels: { app: 'notifier', 'leadergroup.dev/role': 'leader' },
});
