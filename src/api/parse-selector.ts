/** spec.selector at the border. What is wrong with it goes into `problems`; the answer counts only if nothing does. */
import type { LabelSelector, SelectorRequirement } from './leadergroup.ts';
import { asObject, field, listField, type RawObject, show, textField } from './raw.ts';
import { labelKeyProblem, labelValueProblem } from './validate.ts';

const OPERATORS = [
  'In',
  'NotIn',
  'Exists',
  'DoesNotExist',
] as const satisfies readonly SelectorRequirement['operator'][];
const MAX_LABELS = 32;
const MAX_EXPRESSIONS = 32;
const MAX_VALUES = 64;
const PATH = 'spec.selector';

/** Kubernetes' own rules for a label selector, and that it is not empty: an empty one would match every pod. */
export function parseSelector(raw: unknown, problems: string[]): LabelSelector {
  const selector = asObject(raw);
  if (selector === null) {
    problems.push(`${PATH} is ${show(raw)}, but must be an object with matchLabels or matchExpressions.`);
    return { matchLabels: {}, matchExpressions: [] };
  }
  const matchLabels = parseMatchLabels(field(selector, 'matchLabels'), problems);
  const matchExpressions = parseExpressions(field(selector, 'matchExpressions'), problems);
  if (isEmpty(selector)) problems.push(`${PATH} must not be empty: set matchLabels or matchExpressions.`);
  return { matchLabels, matchExpressions };
}

const isEmpty = (selector: RawObject): boolean =>
  ['matchLabels', 'matchExpressions'].every((name) => Object.keys(field(selector, name) ?? {}).length === 0);

/** The label keys that can be read of a selector, whatever else is wrong with it. */
export function readableKeys(raw: unknown): readonly string[] {
  const selector = asObject(raw) ?? {};
  const requirements = listField(selector, 'matchExpressions', (element) => asObject(element)?.['key'] ?? null);
  const keys = [...Object.keys(asObject(field(selector, 'matchLabels')) ?? {}), ...requirements];
  return keys.filter((key) => typeof key === 'string');
}

function parseMatchLabels(raw: unknown, problems: string[]): Readonly<Record<string, string>> {
  const labels = asObject(raw ?? {});
  if (labels === null) {
    problems.push(`${PATH}.matchLabels is ${show(raw)}, but must be an object of label keys and values.`);
    return {};
  }
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS) {
    problems.push(`${PATH}.matchLabels has ${entries.length} labels, but may have at most ${MAX_LABELS}.`);
    return {};
  }
  return Object.fromEntries(entries.map(([key, value]) => [key, parseLabel(key, value, problems)]));
}

function parseLabel(key: string, value: unknown, problems: string[]): string {
  const problem = labelKeyProblem(key);
  if (problem !== null) problems.push(`${PATH}.matchLabels has the key ${show(key)}, but it ${problem}.`);
  return parseValue(`${PATH}.matchLabels[${show(key)}]`, value, problems);
}

function parseExpressions(raw: unknown, problems: string[]): readonly SelectorRequirement[] {
  const path = `${PATH}.matchExpressions`;
  return listOf(path, raw, MAX_EXPRESSIONS, problems).flatMap(
    (element, index) => parseRequirement(`${path}[${index}]`, element, problems) ?? [],
  );
}

function parseRequirement(path: string, raw: unknown, problems: string[]): SelectorRequirement | null {
  const requirement = asObject(raw);
  if (requirement === null) {
    problems.push(`${path} is ${show(raw)}, but must be an object with key and operator.`);
    return null;
  }
  const key = textField(requirement, 'key');
  const keyProblem = labelKeyProblem(key);
  if (keyProblem !== null) problems.push(`${path}.key is ${show(field(requirement, 'key'))}, but ${keyProblem}.`);
  const operator = parseOperator(`${path}.operator`, field(requirement, 'operator'), problems);
  const rawValues = field(requirement, 'values');
  const values = listOf(`${path}.values`, rawValues, MAX_VALUES, problems).map((value, index) =>
    parseValue(`${path}.values[${index}]`, value, problems),
  );
  if (operator === null) return null;
  if (isList(rawValues)) checkValueCount(path, operator, values.length, problems);
  return { key, operator, values };
}

function parseOperator(path: string, raw: unknown, problems: string[]): SelectorRequirement['operator'] | null {
  const operator = OPERATORS.find((known) => known === raw);
  if (operator === undefined) problems.push(`${path} is ${show(raw)}, but must be one of ${OPERATORS.join(', ')}.`);
  return operator ?? null;
}

function checkValueCount(
  path: string,
  operator: SelectorRequirement['operator'],
  count: number,
  problems: string[],
): void {
  const needsValues = operator === 'In' || operator === 'NotIn';
  if (needsValues && count === 0) problems.push(`${path}.values is empty, but ${operator} needs at least one value.`);
  if (!needsValues && count > 0) problems.push(`${path}.values is set, but ${operator} takes no values; remove them.`);
}

function parseValue(path: string, raw: unknown, problems: string[]): string {
  const problem = typeof raw === 'string' ? labelValueProblem(raw) : 'must be text; put it in quotes';
  if (problem !== null) problems.push(`${path} is ${show(raw)}, but ${problem}.`);
  return typeof raw === 'string' ? raw : '';
}

/** Absent, or a list that is not too long: of any other nobody can say how many values it has. */
const isList = (raw: unknown): boolean => raw === undefined || (Array.isArray(raw) && raw.length <= MAX_VALUES);

function listOf(path: string, raw: unknown, max: number, problems: string[]): readonly unknown[] {
  if (raw === undefined) return [];
  if (!Array.isArray(raw)) {
    problems.push(`${path} is ${show(raw)}, but must be a list.`);
    return [];
  }
  if (raw.length > max) problems.push(`${path} has ${raw.length} elements, but may have at most ${max}.`);
  return raw.length > max ? [] : raw;
}
