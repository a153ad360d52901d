/**
 * What Kubernetes and this API allow in a label. The schema (crds/) has the same rules; they stand here too because an
 * object may have passed an older schema. Each function answers null, or what is wrong as the end of a sentence that
 * begins with the field and its value: `spec.label.key is "a b", but <answer>.`
 */

const LABEL_KEY =
  /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;
/** A Service is found by a DNS label. */
const SERVICE_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const OBJECT_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const KUBERNETES_DOMAIN = /^([^/]*\.)?(kubernetes|k8s)\.io\//;

export const LABEL_KEY_RULE =
  'must be a label key: an optional DNS prefix of at most 253 characters and a slash, then a name of at most 63 ' +
  "characters out of letters, digits, '-', '_' and '.' that begins and ends with a letter or digit";

export const CONDITION_RULE =
  'must be the type of a pod condition: an optional DNS prefix of at most 253 characters and a slash, then a name of at most 63 ' +
  "characters out of letters, digits, '-', '_' and '.' that begins and ends with a letter or digit";

/** Conditions of Kubernetes that are True of a pod that hangs, or False of one that works. */
export const SAYS_NOTHING_OF_LEADING: readonly string[] = [
  'PodScheduled',
  'PodReadyToStartContainers',
  'Initialized',
  'DisruptionTarget',
  'PodResizePending',
  'PodResizeInProgress',
];

const MAX_PREFIX = 253;
const MAX_NAME = 63;
/** A prefix, a slash and a name. */
export const MAX_LABEL_KEY = MAX_PREFIX + 1 + MAX_NAME;
export const MAX_LABEL_VALUE = 63;

/** Labels without a domain that Kubernetes' own controllers put on pods and select them by. */
const CONTROLLER_LABELS: readonly string[] = [
  'pod-template-hash',
  'controller-revision-hash',
  'pod-template-generation',
  'controller-uid',
  'job-name',
];

/** Whether Kubernetes takes the text as a label key. The length comes first: the pattern is slow on very long texts. */
export function labelKeyProblem(key: string): string | null {
  const slash = key.lastIndexOf('/');
  const fits = slash <= MAX_PREFIX && key.length - slash - 1 <= MAX_NAME;
  if (fits && LABEL_KEY.test(key)) return null;
  return LABEL_KEY_RULE;
}

/** Whether the text is the type of a condition that can say of a pod that it may lead. */
export function candidateConditionProblem(type: string): string | null {
  if (labelKeyProblem(type) !== null) return CONDITION_RULE;
  if (!SAYS_NOTHING_OF_LEADING.includes(type)) return null;
  return 'must be a condition that says of a pod that it can lead; this one says nothing of that: leave the field out for Ready';
}

/** Whether Kubernetes takes the text as a label value; the empty one it does. */
export function labelValueProblem(value: string): string | null {
  if (value.length <= MAX_LABEL_VALUE && LABEL_VALUE.test(value)) return null;
  return (
    "must be a label value: at most 63 characters out of letters, digits, '-', '_' and '.', beginning and ending with a " +
    'letter or digit'
  );
}

/** Whether a group may write this label on pods: a label key that Kubernetes does not keep for itself. */
export function groupLabelKeyProblem(key: string): string | null {
  const problem = labelKeyProblem(key);
  if (problem !== null) return problem;
  if (KUBERNETES_DOMAIN.test(key)) {
    return 'must not be in the domains kubernetes.io or k8s.io, which Kubernetes keeps for itself; choose a domain of your own';
  }
  if (CONTROLLER_LABELS.includes(key)) {
    return "must not be a label that Kubernetes' own controllers put on pods; choose another key";
  }
  return null;
}

/** Whether the text can name a LeaderGroup: it becomes part of annotation keys and of Consul keys. */
export function groupNameProblem(name: string): string | null {
  if (name.length <= MAX_NAME && OBJECT_NAME.test(name)) return null;
  return "may have at most 63 characters out of lower-case letters, digits, '-' and '.'; choose another name";
}

export const MAX_SERVICE_NAME = 63;

/** Whether Kubernetes takes the text as the name of a Service. */
export function serviceNameProblem(name: string): string | null {
  if (name.length <= MAX_SERVICE_NAME && SERVICE_NAME.test(name)) return null;
  return (
    "must be the name of a Service: at most 63 characters out of lower-case letters, digits and '-', beginning and ending with a letter " +
    'or digit'
  );
}
