/** spec.preferences and spec.spread: which of the candidates a user would rather see lead. */
import type { z } from 'zod';
import { cel, isALabelKey, prefersBySomething } from './cel.ts';
import { type Immutable, issue, list, object, text, together, wholeNumber } from './fields.ts';
import { labelSelector, selectorFromWritten } from './selector-schema.ts';
import { LABEL_KEY_RULE, labelKeyProblem, MAX_LABEL_KEY } from './validate.ts';

const MAX_PREFERENCES = 8;
/** Of all preferences together no more than of the group's own selector: what the API server estimates counts for every one of them. */
const LIMITS = { labels: 4, expressions: 4, values: 16 } as const;

const BY_SOMETHING = 'prefers nothing; set podSelector, nodeSelector or both';

const preference = object(
  {
    weight: wholeNumber({ min: 1, max: 100 }).meta({
      description:
        'How much a candidate that fits counts, from 1 to 100. The weights of all preferences that it fits are added.',
    }),
    podSelector: labelSelector(
      LIMITS,
      'a pod',
      'Pods that are preferred, by their labels. Set podSelector, nodeSelector or both; then both must fit.',
    ).optional(),
    nodeSelector: labelSelector(
      LIMITS,
      'a node',
      'Nodes whose pods are preferred, by the labels of the node. Without the right to watch nodes (watchNamespaces) no pod fits.',
    ).optional(),
  },
  'must be an object with weight, and podSelector or nodeSelector',
  together((readable, issues) => {
    if (readable.podSelector === undefined && readable.nodeSelector === undefined)
      issues.push(issue(readable, BY_SOMETHING));
  }),
).meta({ description: 'One preference.', required: ['weight'], ...cel(prefersBySomething) });

export const preferences = list(preference, MAX_PREFERENCES)
  .optional()
  .meta({
    description:
      'Which candidates should rather lead: of those that are otherwise as good the one with the highest sum of weights is elected. A pod that is ' +
      'about to go, or of an outdated revision of its workload, comes after the others whatever is preferred, and a healthy leader stays. At most ' +
      `${MAX_PREFERENCES}; none by default.`,
    'x-kubernetes-list-type': 'atomic',
  });

export const spread = object(
  {
    topologyKey: text(LABEL_KEY_RULE, labelKeyProblem, { minLength: 1, maxLength: MAX_LABEL_KEY }).meta({
      description:
        'A label key of nodes, e.g. kubernetes.io/hostname or topology.kubernetes.io/zone. Nodes with the same value are one domain; pods on a ' +
        'node without the label come last.',
      ...cel(isALabelKey),
    }),
  },
  'must be an object with topologyKey',
  together(() => undefined),
)
  .optional()
  .meta({
    description:
      'Spreads the leaders of many groups over the domains of the cluster: each group prefers the domains in an order of its own, by a hash of its ' +
      'namespace and name. It decides after preferences. Without spread leaders gather on the newest node, which is moved last when nodes are replaced.',
    required: ['topologyKey'],
  });

export type WrittenPreferences = NonNullable<z.output<typeof preferences>>;

/** As the operator works with them. */
export const preferencesFromWritten = (written: WrittenPreferences) =>
  written.map(({ weight, podSelector, nodeSelector }) => ({
    weight,
    /** null: of any pod. */
    podSelector: podSelector === undefined ? null : selectorFromWritten(podSelector),
    /** null: on any node. */
    nodeSelector: nodeSelector === undefined ? null : selectorFromWritten(nodeSelector),
  }));

export type Preferences = Immutable<ReturnType<typeof preferencesFromWritten>>;

export const preferencesAsWritten = (preferences: Preferences): Immutable<WrittenPreferences> =>
  preferences.map(({ weight, podSelector, nodeSelector }) => ({
    weight,
    ...(podSelector === null ? {} : { podSelector }),
    ...(nodeSelector === null ? {} : { nodeSelector }),
  }));
