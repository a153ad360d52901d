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

/** The API server estimates what its rules may cost by these. */
export type SelectorLimits = { readonly labels: number; readonly expressions: number; readonly values: number };

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

const atomic = { 'x-kubernetes-list-type': 'atomic' } as const;

/**
 * No z.record: it would leave out a key `__proto__` silently, and so match more pods than were asked for. It does not abort, for the sake of the
 * rules for several fields (`together`).
 */
const matchLabels = (max: number, whose: string) =>
  z
    .custom<Readonly<Record<string, string>>>((value) => asObject(value) !== null, {
      ...but('must be an object of label keys and values'),
      abort: false,
    })
    .check(({ value, issues }) => void issues.push(...labelIssues(value, max)))
    .meta({
      description: `Labels that ${whose} must have, each with exactly this value. At most ${max}.`,
      type: 'object',
      maxProperties: max,
      additionalProperties: { type: 'string', maxLength: MAX_LABEL_VALUE, ...cel(isALabelValueOrEmpty) },
      ...cel(keysAreLabelKeys),
    });

function labelIssues(labels: unknown, max: number): readonly z.core.$ZodRawIssue[] {
  const entries = Object.entries(asObject(labels) ?? {});
  if (entries.length > max) return [issue(labels, `has ${entries.length} labels, but may have at most ${max}`)];
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

const requirement = (maxValues: number, whose: string) =>
  object(
    {
      key: text(LABEL_KEY_RULE, labelKeyProblem, { maxLength: MAX_LABEL_KEY }).meta({
        description: 'The label key that the requirement applies to.',
        ...cel(isALabelKey),
      }),
      operator: z.enum(OPERATORS, but(`must be one of ${OPERATORS.join(', ')}`)).meta({
        description:
          `How the label is compared. In: ${whose} has the label with one of the values. NotIn: ${whose} lacks the label, or has it with ` +
          `another value. Exists: ${whose} has the label. DoesNotExist: ${whose} lacks the label.`,
      }),
      values: list(value, maxValues)
        .optional()
        .meta({
          description: `The values to compare with. In and NotIn need at least one and at most ${maxValues}; Exists and DoesNotExist take none.`,
          ...atomic,
        }),
    },
    'must be an object with key and operator',
    together<Requirement>((readable, issues) => judgeValues(readable, issues, maxValues)),
  ).meta({
    description: `One requirement on one label of ${whose.replace('the', 'a')}.`,
    ...cel(hasTheValuesItNeeds, hasNoValuesInVain),
  });

function judgeValues(
  { operator, values = [] }: Readable<Requirement>,
  issues: z.core.$ZodRawIssue[],
  maxValues: number,
): void {
  if (!Array.isArray(values) || values.length > maxValues) return;
  const needsValues = operator === 'In' || operator === 'NotIn';
  const takesNone = operator === 'Exists' || operator === 'DoesNotExist';
  const say = (message: string) => issues.push(issue(values, message, ['values']));
  if (needsValues && values.length === 0) say(`is empty, but ${operator} needs at least one value`);
  if (takesNone && values.length > 0) say(`is set, but ${operator} takes no values; remove them`);
}

type Requirement = { key: string; operator: (typeof OPERATORS)[number]; values?: string[] | undefined };
type Selector = { matchLabels?: unknown; matchExpressions?: Requirement[] | undefined };

/** A label selector that is not empty. `whose`: `a pod`, `a node`. */
export const labelSelector = (limits: SelectorLimits, whose: 'a pod' | 'a node', description: string) =>
  object(
    {
      matchLabels: matchLabels(limits.labels, whose).optional(),
      matchExpressions: list(requirement(limits.values, whose.replace('a ', 'the ')), limits.expressions)
        .optional()
        .meta({
          description: `Requirements that ${whose} must meet, in addition to matchLabels; all must hold. At most ${limits.expressions}.`,
          ...atomic,
        }),
    },
    'must be an object with matchLabels or matchExpressions',
    together(judgeEmptiness),
  ).meta({ description, 'x-kubernetes-map-type': 'atomic', ...cel(selectsSomething) });

export const selector = labelSelector(
  { labels: 32, expressions: 32, values: 64 },
  'a pod',
  'The pods of this namespace that take part. It must not be empty, and it cannot be changed later. Pods that have Succeeded or Failed ' +
    'and mirror pods of static pods never take part. Pods of Jobs do not lead, unless the selector names a label of jobs, e.g. ' +
    'batch.kubernetes.io/job-name. Two LeaderGroups must not select the same pod with the same label key: the younger one stops with the ' +
    'reason SelectorOverlap.',
);

/** A selector as users write it, with every part. */
export const selectorFromWritten = ({ matchLabels = {}, matchExpressions = [] }: z.output<typeof selector>) => ({
  matchLabels,
  matchExpressions: matchExpressions.map(({ values = [], ...rest }) => ({ ...rest, values })),
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
