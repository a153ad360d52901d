/** spec.selector: Kubernetes' own label selector, with Kubernetes' own rules, and not empty, which would match every pod. */
import { z } from 'zod';
import {
  cel,
  hasNoValuesInVain,
  hasTheValuesItNeeds,
  isALabelKey,
  isALabelValueOrEmpty,
  keysAreLabelKeys,
  selectsSomething,
} from './cel.ts';
import { but, issue, list, object, type Readable, text, together } from './fields.ts';
import { asObject, show } from './raw.ts';
import { LABEL_KEY_RULE, labelKeyProblem, labelValueProblem, MAX_LABEL_KEY, MAX_LABEL_VALUE } from './validate.ts';

const MAX_LABELS = 32;
const MAX_EXPRESSIONS = 32;
const MAX_VALUES = 64;
const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

const atomic = { 'x-kubernetes-list-type': 'atomic' } as const;

/**
 * No z.record: it would leave out a key `__proto__` silently, and so match more pods than were asked for. It does not abort, for the sake of the
 * rules for several fields (`together`).
 */
const matchLabels = z
  .custom<Readonly<Record<string, string>>>((value) => asObject(value) !== null, {
    ...but('must be an object of label keys and values'),
    abort: false,
  })
  .check(({ value, issues }) => void issues.push(...labelIssues(value)))
  .meta({
    description: `Labels that a pod must have, each with exactly this value. At most ${MAX_LABELS}.`,
    type: 'object',
    maxProperties: MAX_LABELS,
    additionalProperties: { type: 'string', maxLength: MAX_LABEL_VALUE, ...cel(isALabelValueOrEmpty) },
    ...cel(keysAreLabelKeys),
  });

function labelIssues(labels: unknown): readonly z.core.$ZodRawIssue[] {
  const entries = Object.entries(asObject(labels) ?? {});
  if (entries.length > MAX_LABELS)
    return [issue(labels, `has ${entries.length} labels, but may have at most ${MAX_LABELS}`)];
  return entries.flatMap(([key, value]) => {
    const keyProblem = labelKeyProblem(key);
    const problem = typeof value === 'string' ? labelValueProblem(value) : IN_QUOTES;
    return [
      ...(keyProblem === null ? [] : [issue(key, `has the key ${show(key)}, but it ${keyProblem}`)]),
      ...(problem === null ? [] : [issue(value, `is ${show(value)}, but ${problem}`, [key])]),
    ];
  });
}

const IN_QUOTES = 'must be text; put it in quotes';

const value = text(IN_QUOTES, labelValueProblem, { maxLength: MAX_LABEL_VALUE }).meta(cel(isALabelValueOrEmpty));

const requirement = object(
  {
    key: text(LABEL_KEY_RULE, labelKeyProblem, { maxLength: MAX_LABEL_KEY }).meta({
      description: 'The label key that the requirement applies to.',
      ...cel(isALabelKey),
    }),
    operator: z.enum(OPERATORS, but(`must be one of ${OPERATORS.join(', ')}`)).meta({
      description:
        'How the label is compared. In: the pod has the label with one of the values. NotIn: the pod lacks the label, or has it with ' +
        'another value. Exists: the pod has the label. DoesNotExist: the pod lacks the label.',
    }),
    values: list(value, MAX_VALUES)
      .optional()
      .meta({
        description: `The values to compare with. In and NotIn need at least one and at most ${MAX_VALUES}; Exists and DoesNotExist take none.`,
        ...atomic,
      }),
  },
  'must be an object with key and operator',
  together(judgeValues),
).meta({ description: 'One requirement on one label of a pod.', ...cel(hasTheValuesItNeeds, hasNoValuesInVain) });

function judgeValues({ operator, values = [] }: Readable<Requirement>, issues: z.core.$ZodRawIssue[]): void {
  if (!Array.isArray(values) || values.length > MAX_VALUES) return;
  const needsValues = operator === 'In' || operator === 'NotIn';
  const takesNone = operator === 'Exists' || operator === 'DoesNotExist';
  const say = (message: string) => issues.push(issue(values, message, ['values']));
  if (needsValues && values.length === 0) say(`is empty, but ${operator} needs at least one value`);
  if (takesNone && values.length > 0) say(`is set, but ${operator} takes no values; remove them`);
}

type Requirement = { key: string; operator: (typeof OPERATORS)[number]; values?: string[] | undefined };
type Selector = { matchLabels?: unknown; matchExpressions?: Requirement[] | undefined };

export const selector = object(
  {
    matchLabels: matchLabels.optional(),
    matchExpressions: list(requirement, MAX_EXPRESSIONS)
      .optional()
      .meta({
        description: `Requirements that a pod must meet, in addition to matchLabels; all must hold. At most ${MAX_EXPRESSIONS}.`,
        ...atomic,
      }),
  },
  'must be an object with matchLabels or matchExpressions',
  together(judgeEmptiness),
).meta({
  description:
    'The pods of this namespace that take part. It must not be empty, and it cannot be changed later. Pods that have Succeeded or Failed ' +
    'and mirror pods of static pods never take part. Pods of Jobs do not lead, unless the selector names a label of jobs, e.g. ' +
    'batch.kubernetes.io/job-name. Two LeaderGroups must not select the same pod with the same label key: the younger one stops with the ' +
    'reason SelectorOverlap.',
  'x-kubernetes-map-type': 'atomic',
  ...cel(selectsSomething),
});

function judgeEmptiness(readable: Readable<Selector>, issues: z.core.$ZodRawIssue[]): void {
  const isEmpty = (part: unknown): boolean => Object.keys(part ?? {}).length === 0;
  if (!isEmpty(readable.matchLabels) || !isEmpty(readable.matchExpressions)) return;
  issues.push(issue(readable, 'must not be empty: set matchLabels or matchExpressions'));
}

/** The label keys that can be read of a selector, whatever else is wrong with it. */
export function readableKeys(readable: unknown): readonly string[] {
  const { matchLabels: labels, matchExpressions } = (asObject(readable) ?? {}) as Readable<Selector>;
  const requirements: readonly unknown[] = Array.isArray(matchExpressions) ? matchExpressions : [];
  const keys = [...Object.keys(asObject(labels) ?? {}), ...requirements.map((one) => asObject(one)?.['key'])];
  return keys.filter((key) => typeof key === 'string');
}
