/**
 * The spec of a LeaderGroup: every field once, in the order in which problems are reported. A new one is declared here, and given to the operator
 * by fromWritten and back by asWritten; `npm run generate` does the rest. docs/adr/0016-one-source-for-the-api.md says how.
 */
import { z } from 'zod';
import { beforePromotion, beforePromotionAsWritten, beforePromotionFromWritten } from './before-promotion.ts';
import { candidateCondition, READY } from './candidate-condition.ts';
import {
  cel,
  followerDiffersFromLeader,
  isALabelKey,
  isALabelValue,
  isALockKey,
  isAServiceName,
  isNotKubernetesOwn,
  labelIsNotInExpressions,
  labelIsNotInMatchLabels,
  labelNeverChanges,
  lockKeyNeverChanges,
  retainsNoSharedLock,
  routeNeverMoves,
  selectorNeverChanges,
} from './cel.ts';
import { but, type Immutable, issue, object, type Readable, seconds, text, together } from './fields.ts';
import { leaderProbe, probeAsWritten, probeFromWritten } from './leader-probe.ts';
import { deletionPolicy, scaleDown } from './leaving.ts';
import { lockKeyProblems, MAX_LOCK_KEY } from './lockkey.ts';
import { DEFAULT_LABEL_KEY, DEFAULT_LABEL_LEADER } from './names.ts';
import { preemption, preemptionAsWritten, preemptionFromWritten } from './preemption.ts';
import { preferences, preferencesAsWritten, preferencesFromWritten, spread } from './preferences.ts';
import { asObject, show } from './raw.ts';
import { readableKeys, selector, selectorFromWritten } from './selector-schema.ts';
import {
  groupLabelKeyProblem,
  LABEL_KEY_RULE,
  labelValueProblem,
  MAX_LABEL_KEY,
  MAX_LABEL_VALUE,
  MAX_SERVICE_NAME,
  serviceNameProblem,
} from './validate.ts';

const lockKey = text('must be text', lockKeyProblems, { minLength: 1, maxLength: MAX_LOCK_KEY })
  .optional()
  .meta({
    description:
      'A Consul key that this group shares with others: LeaderGroups of other clusters, programs on machines outside Kubernetes, and ' +
      '`consul lock <lockKey>`. The holder of the lock <lockKey>/.lock leads; while an external holder has it, no pod of this group leads. ' +
      "Letters, digits, '_', '.', '-' and '/', at most 256 characters, without empty, '.' or '..' parts. The operator's configuration must " +
      'allow the key for this namespace. Without lockKey the group has a lock of its own. lockKey cannot be added, changed or removed later.',
    ...cel(...isALockKey),
  });

const labelKey = text(LABEL_KEY_RULE, groupLabelKeyProblem, { minLength: 1, maxLength: MAX_LABEL_KEY })
  .default(DEFAULT_LABEL_KEY)
  .meta({
    description:
      `The key of the label, ${DEFAULT_LABEL_KEY} by default. It must not be a key of the group's own selector, nor one that is ` +
      'reserved for Kubernetes: keys in the domains kubernetes.io and k8s.io and their subdomains, and keys that its controllers set on ' +
      'pods, e.g. pod-template-hash. Keep the key out of the selector and the pod template of every workload.',
    ...cel(isALabelKey, ...isNotKubernetesOwn),
  });

/** Unlike label values in general it must not be empty: an empty value is too easily taken for no label. */
const NOT_EMPTY = 'must be text that is not empty';
const labelValue = text(NOT_EMPTY, (value) => (value === '' ? NOT_EMPTY : labelValueProblem(value)), {
  minLength: 1,
  maxLength: MAX_LABEL_VALUE,
});

const label = object(
  {
    key: labelKey,
    leader: labelValue.default(DEFAULT_LABEL_LEADER).meta({
      description: `The label's value on the leader, ${DEFAULT_LABEL_LEADER} by default.`,
      ...cel(isALabelValue),
    }),
    follower: labelValue.optional().meta({
      description:
        "The label's value on all other members. Unset by default: followers do not carry the label. It must differ from leader.",
      ...cel(isALabelValue),
    }),
  },
  'must be an object with key, leader and follower',
  together(({ leader, follower }, issues) => {
    if (typeof follower !== 'string' || follower !== leader) return;
    const message = `is ${show(follower)}, but must differ from spec.label.leader; change one of them`;
    issues.push(issue(follower, message, ['follower']));
  }),
)
  .prefault({})
  .meta({
    description: 'The label that tells leader and followers apart. It cannot be changed later.',
    ...cel(followerDiffersFromLeader),
  });

const route = object(
  {
    serviceName: text('must be text', serviceNameProblem, { minLength: 1, maxLength: MAX_SERVICE_NAME }).meta({
      description: 'The Service, in the namespace of the group. It cannot be changed later.',
      ...cel(isAServiceName),
    }),
  },
  'must be an object with serviceName',
  together(() => undefined),
)
  .optional()
  .meta({
    description:
      'Leads the traffic of a Service to the leader by EndpointSlices of the operator, so that it passes from one leader to the next in one write. The ' +
      'Service has no selector, and its owner lets the group lead its traffic by the annotation leadergroup.dev/route with the name of the ' +
      'group. Of several groups that name one Service only the oldest acts. The operator needs rights for it (deploy/overlays/route). The condition ' +
      'Routed shows whether the traffic goes to the leader. A route can be added later, but neither changed nor removed.',
    required: ['serviceName'],
  });

const FORMER_LEADER_POLICIES = ['Keep', 'Evict'] as const;

export const CONSUL_LOSS_POLICIES = ['Hold', 'Demote'] as const;

const DAY = 86_400;

export const spec = object(
  {
    selector,
    lockKey,
    sessionTTLSeconds: seconds({
      min: 10,
      max: DAY,
      default: 60,
      description:
        "The TTL of each member's Consul session in seconds, from 10 (Consul's minimum) to 86400, 60 by default. The operator renews each " +
        'session every third of the TTL. This is not the failover time: while the operator runs, it replaces a leader that fails at once. ' +
        'The TTL limits how long leadership survives without any operator or without Consul; after that Consul frees the lock, which may ' +
        'take up to twice the TTL. With onConsulLoss Demote it is also how long Consul may be unreachable before the leader loses its ' +
        'label, and with a lockKey how long others wait for a lock whose operator is gone: choose 20 there, say. A longer TTL costs less: each ' +
        'session is renewed less often. After a change the leader stays, with a new session and a higher token.',
    }),
    lockDelaySeconds: seconds({
      min: 0,
      max: 60,
      default: 0,
      description:
        "Consul's lock-delay in seconds, from 0 to 60, 0 by default: how long Consul does not give out the lock after the session that held " +
        'it expired or was destroyed. It gives an unreachable former leader time to notice. A failover after such a loss takes longer by ' +
        'this time; handovers by the operator are not delayed.',
    }),
    label,
    candidateCondition,
    minReadySeconds: seconds({
      min: 0,
      max: DAY,
      default: 0,
      description:
        'How long a pod must have been ready before it can be elected, in seconds from 0 to 86400, 0 by default. It prevents the election ' +
        'of a pod that flaps. It does not apply to the current leader. Until a pod has been ready for so long, the group has no leader.',
    }),
    failoverDelaySeconds: seconds({
      min: 0,
      max: DAY,
      default: 0,
      description:
        'How long the operator waits for a leader that is not ready but still exists, in seconds from 0 to 86400, 0 by default. It avoids a ' +
        'change of leader after a short failure. During that time the leader-only Service may have no endpoint. The operator replaces a ' +
        'leader that is deleted or evicted at once.',
    }),
    leaderProbe,
    beforePromotion,
    preferences,
    preemption,
    spread,
    route,
    formerLeader: z
      .enum(FORMER_LEADER_POLICIES, but('must be Keep or Evict'))
      .default('Keep')
      .meta({
        description:
          'What happens to a leader that hands over and goes on running. Keep: nothing; connections that it has stay with it until they end. ' +
          'Evict: once the next one leads, the operator asks the Eviction API to evict it, which disruption budgets may refuse; its controller makes ' +
          'another pod. Keep by default.',
      }),
    scaleDown,
    deletionPolicy,
    onConsulLoss: z
      .enum(CONSUL_LOSS_POLICIES, but('must be Hold or Demote'))
      .optional()
      .meta({
        description:
          "What happens to the leader label when Consul is unreachable past the deadline of the leader's session. Hold: the operator writes " +
          'nothing, and the leader keeps its label. Demote: the operator removes the label before anybody else can take the lock, and sets ' +
          'it again when Consul is reachable. The default is Demote with a lockKey, and Hold without one, because then nobody else can take ' +
          'the lock. status.onConsulLoss shows which applies.',
      }),
    paused: z
      .boolean(but('must be true or false'))
      .default(false)
      .meta({
        description:
          "Pauses the group. The operator renews the leader's session, answers its requests to the gate, and changes nothing else: it does " +
          'not replace a leader that fails. It implies onConsulLoss Hold. False by default.',
      }),
  },
  'must be an object with at least a selector',
  together((readable, issues) => {
    keepOutOfSelector(readable, issues);
    retainNoSharedLock(readable, issues);
  }),
).meta({
  description: 'The desired state. Only selector is required.',
  ...cel(
    selectorNeverChanges,
    labelNeverChanges,
    lockKeyNeverChanges,
    routeNeverMoves,
    labelIsNotInMatchLabels,
    labelIsNotInExpressions,
    retainsNoSharedLock,
  ),
});

function retainNoSharedLock(
  { lockKey: key, deletionPolicy: policy }: Readable<WrittenSpec>,
  issues: z.core.$ZodRawIssue[],
): void {
  if (policy !== 'Retain' || typeof key !== 'string') return;
  const message = 'is Retain, but must be Demote with a lockKey: another holder may lead once the lock is free';
  issues.push(issue(policy, message, ['deletionPolicy']));
}

/** It is reported in place of whatever else is wrong with the key. */
function keepOutOfSelector(readable: Readable<WrittenSpec>, issues: z.core.$ZodRawIssue[]): void {
  const key = asObject(readable.label)?.['key'] ?? DEFAULT_LABEL_KEY;
  if (!readableKeys(readable.selector).some((selected) => selected === key)) return;
  const path = ['label', 'key'];
  const message =
    `is ${show(key)}, but must not be a key of the group's own selector: labelling a pod would take it out of its group; ` +
    'choose another key';
  const others = issues.filter((other) => other.path?.join() !== path.join());
  const firstWithin = others.findIndex((other) => other.path?.[0] === 'label' && other.path.length > 1);
  others.splice(firstWithin === -1 ? others.length : firstWithin, 0, issue(key, message, path));
  issues.splice(0, issues.length, ...others);
}

/** A spec as users write it, with the defaults filled in. */
export type WrittenSpec = z.output<typeof spec>;

/** A spec as the operator works with it. */
export type LeaderGroupSpec = Immutable<ReturnType<typeof fromWritten>>;

export function fromWritten(written: WrittenSpec) {
  return {
    selector: selectorFromWritten(written.selector),
    sessionTtlMs: written.sessionTTLSeconds * 1000,
    lockDelayMs: written.lockDelaySeconds * 1000,
    /** A shared Consul key that external holders may contend for, without the trailing /.lock; null: a lock of our own. */
    lockKey: written.lockKey ?? null,
    label: {
      key: written.label.key,
      leader: written.label.leader,
      /** null: followers are not labelled. */
      follower: written.label.follower ?? null,
    },
    /** Of pods, the type of the condition that makes a candidate. */
    candidateCondition: written.candidateCondition ?? READY,
    minReadyMs: written.minReadySeconds * 1000,
    failoverDelayMs: written.failoverDelaySeconds * 1000,
    /** null: only the readiness of its pod says whether the leader can stay. */
    leaderProbe: written.leaderProbe === undefined ? null : probeFromWritten(written.leaderProbe),
    /** null: nobody is asked before a promotion. */
    beforePromotion: written.beforePromotion === undefined ? null : beforePromotionFromWritten(written.beforePromotion),
    /** Whom users would rather see lead; empty: nobody in particular. */
    preferences: preferencesFromWritten(written.preferences ?? []),
    /** Whether whoever is preferred takes the lead from a healthy leader, and after how long. */
    preemption: preemptionFromWritten(written.preemption),
    /** Over which domains of nodes the leaders of many groups are spread; null: over none. */
    spread: written.spread ?? null,
    /** The Service whose traffic is led to the leader; null: whoever selects by the label finds it. */
    route: written.route ?? null,
    formerLeader: written.formerLeader,
    scaleDown: written.scaleDown,
    deletionPolicy: written.deletionPolicy,
    /** The effective policy: the spec's, else Hold without a lockKey and Demote with one. */
    onConsulLoss: written.onConsulLoss ?? (written.lockKey === undefined ? 'Hold' : 'Demote'),
    paused: written.paused,
  };
}

/** The spec that fromWritten makes this one of. */
export const asWritten = (spec: LeaderGroupSpec): Immutable<WrittenSpec> => ({
  selector: spec.selector,
  sessionTTLSeconds: spec.sessionTtlMs / 1000,
  lockDelaySeconds: spec.lockDelayMs / 1000,
  ...(spec.lockKey === null ? {} : { lockKey: spec.lockKey }),
  label: {
    key: spec.label.key,
    leader: spec.label.leader,
    ...(spec.label.follower === null ? {} : { follower: spec.label.follower }),
  },
  ...(spec.candidateCondition === READY ? {} : { candidateCondition: spec.candidateCondition }),
  minReadySeconds: spec.minReadyMs / 1000,
  failoverDelaySeconds: spec.failoverDelayMs / 1000,
  ...(spec.leaderProbe === null ? {} : { leaderProbe: probeAsWritten(spec.leaderProbe) }),
  ...(spec.beforePromotion === null ? {} : { beforePromotion: beforePromotionAsWritten(spec.beforePromotion) }),
  ...(spec.preferences.length === 0 ? {} : { preferences: preferencesAsWritten(spec.preferences) }),
  preemption: preemptionAsWritten(spec.preemption),
  ...(spec.spread === null ? {} : { spread: spec.spread }),
  ...(spec.route === null ? {} : { route: spec.route }),
  formerLeader: spec.formerLeader,
  scaleDown: spec.scaleDown,
  deletionPolicy: spec.deletionPolicy,
  onConsulLoss: spec.onConsulLoss,
  paused: spec.paused,
});
