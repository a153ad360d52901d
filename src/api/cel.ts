/**
 * The rules that the API server checks and that no type, limit or list of values can say, in its language, CEL. They are written by hand: the
 * operator has each of them as a function (validate.ts, lockkey.ts, spec.ts), and test/integration/crd.test.ts gives every bad group to both.
 */
import { SAYS_NOTHING_OF_LEADING } from './validate.ts';

export type Rule = {
  readonly rule: string;
  readonly fieldPath?: string;
  readonly reason: 'FieldValueInvalid' | 'FieldValueRequired' | 'FieldValueForbidden';
  readonly message?: string;
  readonly messageExpression?: string;
};

/** The part of a field's metadata that holds its rules. */
export const cel = (...rules: readonly Rule[]): { readonly 'x-kubernetes-validations': readonly Rule[] } => ({
  'x-kubernetes-validations': rules,
});

const invalid = (rule: string, message: string): Rule => ({ rule, reason: 'FieldValueInvalid', message });
const forbidden = (rule: string, message: string): Rule => ({ rule, reason: 'FieldValueForbidden', message });
const of = (fieldPath: string, rule: Rule): Rule => ({ ...rule, fieldPath });

const isLabelKey = (key: string): string =>
  `${key}.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$') ` +
  `&& ${key}.size() - ${key}.lastIndexOf('/') <= 64 && ${key}.indexOf('/') <= 253`;

const LABEL_KEY =
  'must be a label key: an optional DNS prefix of at most 253 characters and a slash, then a name of at most 63 characters out of letters, ' +
  "digits, '-', '_' and '.' that begins and ends with a letter or digit";

const CONDITION_TYPE = LABEL_KEY.replace('a label key', 'the type of a pod condition');

const LABEL_VALUE =
  "must be a label value: letters, digits, '-', '_' and '.', beginning and ending with a letter or digit";

const labelValueOr = (alsoAllowed: string): Rule =>
  invalid("self.matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$')", `${LABEL_VALUE}${alsoAllowed}`);

export const isALabelKey: Rule = invalid(isLabelKey('self'), LABEL_KEY);
export const keysAreLabelKeys: Rule = invalid(`self.all(k, ${isLabelKey('k')})`, `every key ${LABEL_KEY}`);
/** For fields that must not be empty anyway. */
export const isALabelValue: Rule = labelValueOr('');
export const isALabelValueOrEmpty: Rule = labelValueOr(', or empty');

export const nameFitsAnnotations: Rule = of(
  '.metadata.name',
  invalid(
    'self.metadata.name.size() <= 63',
    'metadata.name may have at most 63 characters, because it becomes part of annotation keys on pods; choose a shorter name',
  ),
);

export const selectorNeverChanges: Rule = of(
  '.selector',
  invalid(
    'self.selector == oldSelf.selector',
    'selector is immutable; delete the LeaderGroup and create it anew to elect among other pods',
  ),
);

export const labelNeverChanges: Rule = of(
  '.label',
  invalid(
    'self.label == oldSelf.label',
    'label is immutable; delete the LeaderGroup and create it anew to use another label',
  ),
);

export const lockKeyNeverChanges: Rule = of(
  '.lockKey',
  invalid(
    'has(self.lockKey) == has(oldSelf.lockKey) && (!has(self.lockKey) || self.lockKey == oldSelf.lockKey)',
    'lockKey is immutable and can be neither added nor removed; delete the LeaderGroup and create it anew to use another lock',
  ),
);

/** Whoever has forgotten where the slices are cannot empty them: another Service would keep the last leader for good. */
export const routeNeverMoves: Rule = of(
  '.route',
  invalid(
    '!has(oldSelf.route) || (has(self.route) && self.route.serviceName == oldSelf.route.serviceName)',
    'route can be added, but neither changed nor removed: delete the LeaderGroup and create it anew; a Service that is to be led by label again ' +
      'needs only its selector, and the annotation leadergroup.dev/route taken off',
  ),
);

export const retainsNoSharedLock: Rule = of(
  '.deletionPolicy',
  invalid(
    "!has(self.lockKey) || !has(self.deletionPolicy) || self.deletionPolicy != 'Retain'",
    'deletionPolicy must be Demote with a lockKey: another holder may lead once the lock is free',
  ),
);

export const isAConditionType: Rule = invalid(isLabelKey('self'), CONDITION_TYPE);
export const saysThatItCouldLead: Rule = invalid(
  `!(self in [${SAYS_NOTHING_OF_LEADING.map((type) => `'${type}'`).join(', ')}])`,
  'must be a condition that says of a pod that it can lead; this one says nothing of that: leave the field out for Ready',
);

export const isAServiceName: Rule = invalid(
  "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
  "must be the name of a Service: at most 63 characters out of lower-case letters, digits and '-', beginning and ending with a letter or digit",
);

const notInSelector = (part: string, rule: string): Rule =>
  of(
    '.label.key',
    invalid(
      `!has(self.label) || !has(self.selector.${part}) || ${rule}`,
      `label.key must not be a key of selector.${part}: labelling a pod would take it out of its own group; choose another label key`,
    ),
  );

export const labelIsNotInMatchLabels: Rule = notInSelector(
  'matchLabels',
  '!(self.label.key in self.selector.matchLabels)',
);
export const labelIsNotInExpressions: Rule = notInSelector(
  'matchExpressions',
  '!self.selector.matchExpressions.exists(e, e.key == self.label.key)',
);

export const selectsSomething: Rule = {
  rule:
    '(has(self.matchLabels) && self.matchLabels.size() > 0) || ' +
    '(has(self.matchExpressions) && self.matchExpressions.size() > 0)',
  reason: 'FieldValueRequired',
  message: 'the selector must not be empty: set matchLabels, e.g. {app: notifier}, or matchExpressions',
};

export const hasTheValuesItNeeds: Rule = {
  rule: "!(self.operator in ['In', 'NotIn']) || (has(self.values) && self.values.size() > 0)",
  fieldPath: '.values',
  reason: 'FieldValueRequired',
  messageExpression: "'operator ' + self.operator + ' needs at least one value'",
};

export const hasNoValuesInVain: Rule = {
  rule: "!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || self.values.size() == 0",
  fieldPath: '.values',
  reason: 'FieldValueForbidden',
  messageExpression: "'operator ' + self.operator + ' takes no values; remove them'",
};

export const isALockKey: readonly Rule[] = [
  invalid("self.matches('^[A-Za-z0-9_./-]*$')", "may only contain letters, digits, '_', '.', '-' and '/'"),
  invalid(
    "!self.startsWith('/') && !self.endsWith('/') && !self.contains('//')",
    "must not begin or end with '/' nor contain '//'; write it as in jobs/nightly",
  ),
  invalid(
    "!self.matches('(^|/)[.][.]?(/|$)')",
    "must not have '.' or '..' as a part between slashes; write the key in full",
  ),
  invalid(
    "!self.matches('(^|/)[.]lock$')",
    "must not end in '.lock'; leave that part out, as with `consul lock`, it is added by itself",
  ),
  forbidden(
    "self != 'leadergroup' && !self.startsWith('leadergroup/')",
    "must not be below 'leadergroup/', where the operator keeps its own keys; choose another prefix",
  ),
];

export const probesBySomething: Rule = {
  rule: 'has(self.gate) != has(self.httpGet)',
  reason: 'FieldValueRequired',
  message: 'leaderProbe needs exactly one way to probe: set gate: {} or httpGet',
};

export const timeoutFitsThreshold: Rule = of(
  '.timeoutMilliseconds',
  invalid(
    '!has(self.timeoutMilliseconds) || self.timeoutMilliseconds <= self.periodMilliseconds * (has(self.failureThreshold) ? self.failureThreshold : has(self.httpGet) ? 3 : 2)',
    'must be at most periodMilliseconds times failureThreshold; lower it, or raise one of these',
  ),
);

export const prefersBySomething: Rule = {
  rule: 'has(self.podSelector) || has(self.nodeSelector)',
  reason: 'FieldValueRequired',
  message: 'a preference needs podSelector, nodeSelector or both',
};

export const isAProbePath: Rule = invalid(
  "self.matches('^/[!-~]*$') && !self.contains('//') && !self.contains('\\\\')",
  "must begin with one '/', without '//' or a backslash, of printable ASCII characters without spaces",
);

export const followerDiffersFromLeader: Rule = of(
  '.follower',
  invalid(
    '!has(self.follower) || self.leader != self.follower',
    'label.follower must differ from label.leader, or followers could not be told from the leader; change one, or leave follower out',
  ),
);

export const isNotKubernetesOwn: readonly Rule[] = [
  forbidden(
    "!self.matches('^([^/]*[.])?(kubernetes|k8s)[.]io/')",
    'must not be in the domains kubernetes.io or k8s.io, which Kubernetes keeps for itself; choose a domain of your own, or leave label.key out ' +
      'for leadergroup.dev/role',
  ),
  forbidden(
    "!(self in ['pod-template-hash', 'controller-revision-hash', 'pod-template-generation', 'controller-uid', 'job-name'])",
    "must not be a label that Kubernetes' own controllers put on pods: changing it would take the pod from its owner; choose another key",
  ),
];
