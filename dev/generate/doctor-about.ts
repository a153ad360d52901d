/** Where to look for each finding of `doctor`: the commands of its page in docs/doctor. */
import type { FindingId } from '../../src/cli/doctor/findings.ts';

const GROUP = 'kubectl leadergroup status notifier -n mail';
const OPERATOR = 'kubectl -n leadergroup-system get pods';
const LOG = 'kubectl -n leadergroup-system logs -l app.kubernetes.io/name=leadergroup --tail=200 --prefix';
const LABELS = [
  'kubectl -n mail get pods -L leadergroup.dev/role',
  "kubectl -n mail get pod POD --show-managed-fields -o yaml | grep -A12 'manager:'",
];

export const LOOK: Readonly<Record<FindingId, readonly string[]>> = {
  'no-operator': [OPERATOR, 'kubectl -n leadergroup-system describe pods', LOG],
  'operator-right-missing': [
    'kubectl auth can-i --list --as system:serviceaccount:leadergroup-system:leadergroup',
    'kubectl diff -f deploy/10-rbac.yaml',
  ],
  'crd-missing': ['kubectl get crd leadergroups.leadergroup.dev'],
  'crd-older': ['kubectl diff -f crds/leadergroups.yaml'],
  'crd-newer': [
    'kubectl diff -f crds/leadergroups.yaml',
    'kubectl -n leadergroup-system get deployment leadergroup -o wide',
  ],
  'not-led': [GROUP, 'kubectl -n mail describe pods -l app=notifier'],
  'leader-unfit': [GROUP, 'kubectl -n mail describe pods -l app=notifier'],
  'only-leader-ready': [GROUP, 'kubectl -n mail describe pods -l app=notifier'],
  'consul-unreachable': [GROUP, `${LOG} | grep -i consul`, 'kubectl -n consul get pods'],
  'group-stalled': [GROUP],
  'right-denied': [GROUP, LOG],
  'consul-token-ends': [`${LOG} | grep -i token`],
  'consul-connections': [`${LOG} | grep -i 'too many concurrent'`, 'kubectl -n leadergroup-system get pods -o wide'],
  'lock-key-not-allowed': [
    'kubectl -n leadergroup-system get deployment leadergroup -o yaml | grep -A1 LEADERGROUP_LOCK_KEYS',
  ],
  'not-routed': [GROUP, 'kubectl -n mail get endpointslices -l kubernetes.io/service-name=notifier-leader -o yaml'],
  'status-old': [GROUP, `${LOG} | grep mail/notifier`],
  'deletion-stuck': ["kubectl -n mail get leadergroup notifier -o jsonpath='{.metadata.finalizers}'", OPERATOR],
  'groups-overlap': ['kubectl -n mail get leadergroups -o yaml | grep -A4 selector'],
  'label-contested': ['kubectl -n mail get events --field-selector reason=LabelContested', ...LABELS],
  'two-labels': LABELS,
  'stale-label': ['kubectl -n mail get pods -l leadergroup.dev/role=leader', 'kubectl -n mail get leadergroups'],
  'stale-annotation': ["kubectl -n mail get pod POD -o jsonpath='{.metadata.annotations}'"],
  'stale-slice': ['kubectl -n mail get endpointslices -l endpointslice.kubernetes.io/managed-by=leadergroup.dev'],
  'service-matches-no-member': [
    "kubectl -n mail get service SERVICE -o jsonpath='{.spec.selector}'",
    'kubectl -n mail get pods --show-labels',
  ],
  'service-selects-label-only': ["kubectl -n mail get service SERVICE -o jsonpath='{.spec.selector}'"],
  'route-service-has-selector': ["kubectl -n mail get service SERVICE -o jsonpath='{.spec.selector}'"],
  'route-foreign-slices': [
    'kubectl -n mail get endpointslices -l kubernetes.io/service-name=SERVICE --show-labels',
    'kubectl -n mail get endpoints SERVICE',
  ],
  'workload-selects-label': ["kubectl -n mail get deployment NAME -o jsonpath='{.spec.selector}'"],
  'template-has-label': ["kubectl -n mail get deployment NAME -o jsonpath='{.spec.template.metadata.labels}'"],
  'label-selected-by-others': ['kubectl -n mail get poddisruptionbudgets,networkpolicies -o yaml'],
  'proxy-min-sync-period': [
    'kubectl -n kube-system get configmap kube-proxy -o yaml | grep -B2 minSyncPeriod',
    'kubectl leadergroup verify -n mail    # measures it, also where that cannot be read',
  ],
  'install-right-missing': ['kubectl auth can-i --list'],
  'kubernetes-too-old': ['kubectl version'],
};
