/** docs/reference/leadergroup.md: every field of spec and status in tables, and the rules that a group is refused by. */
import { cell, code, table } from '../markdown.ts';
import { specSchema, statusSchema } from './crd.ts';
import type { JsonSchema } from './json-schema.ts';

type Field = { readonly path: string; readonly schema: JsonSchema; readonly required: boolean };

/** The fields of an object, each followed by its own. */
function fieldsOf(schema: JsonSchema, within = ''): readonly Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = within + name;
    const inner = field.items === undefined ? fieldsOf(field, `${path}.`) : fieldsOf(field.items, `${path}[].`);
    return [{ path, schema: field, required: schema.required?.includes(name) ?? false }, ...inner];
  });
}

function typeOf({ type = '', enum: values, items, additionalProperties, format }: JsonSchema): string {
  if (values !== undefined) return values.map(code).join(' or ');
  if (items !== undefined) return `list of ${items.type === 'object' ? 'objects' : `${typeOf(items)}s`}`;
  if (additionalProperties !== undefined) return `map of ${typeOf(additionalProperties)}s`;
  if (format === 'date-time') return 'time';
  return type;
}

function defaultOf({ schema, required }: Field): string {
  if (required) return 'required';
  // That of an object is made of those of its fields.
  return schema.default === undefined || schema.type === 'object' ? '' : code(schema.default);
}

function limitsOf(schema: JsonSchema): string {
  const { minimum, maximum, minLength, maxLength, maxItems, maxProperties } = schema;
  const limits = [
    range(minimum, maximum, ''),
    range(minLength, maxLength, ' characters'),
    range(undefined, maxItems, ' elements'),
    range(undefined, maxProperties, ' entries'),
  ];
  return limits.filter((limit) => limit !== '').join(', ');
}

function range(min: number | undefined, max: number | undefined, unit: string): string {
  if (max === undefined) return min === undefined ? '' : `at least ${min}${unit}`;
  return min === undefined ? `at most ${max}${unit}` : `${min} to ${max}${unit}`;
}

const specTable = (): string =>
  table(
    ['field', 'type', 'default', 'limits', 'meaning'],
    fieldsOf(specSchema).map((field) => [
      `\`${field.path}\``,
      typeOf(field.schema),
      defaultOf(field),
      limitsOf(field.schema),
      cell(field.schema.description ?? ''),
    ]),
  );

const statusTable = (): string =>
  table(
    ['field', 'type', 'limits', 'meaning'],
    fieldsOf(statusSchema).map(({ path, schema }) => [
      `\`${path}\``,
      typeOf(schema),
      limitsOf(schema),
      cell(schema.description ?? ''),
    ]),
  );

const NAMES = { items: '[]', additionalProperties: '[key]' } as const;

/** What a schema and everything in it refuses beyond types and limits, in the API server's words. */
function rulesOf(schema: JsonSchema, path: string): readonly (readonly [path: string, rule: string])[] {
  const own = (schema['x-kubernetes-validations'] ?? []).map(
    ({ fieldPath = '', message, messageExpression = '' }) =>
      [path + fieldPath, message ?? plain(messageExpression)] as const,
  );
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => rulesOf(field, `${path}.${name}`));
  const elements = (['items', 'additionalProperties'] as const).flatMap((part) =>
    schema[part] === undefined ? [] : rulesOf(schema[part], path + NAMES[part]),
  );
  return [...own, ...fields, ...elements];
}

/** `'operator ' + self.operator + ' takes no values'` as a sentence: operator … takes no values. */
const plain = (expression: string): string =>
  expression.replaceAll(/' \+ self\.(\w+) \+ '/g, '…').replaceAll(/^'|'$/g, '');

const rules = (): string =>
  table(
    ['field', 'rule'],
    rulesOf(specSchema, 'spec').map(([path, rule]) => [`\`${path}\``, cell(rule)]),
  );

export const reference = (): string => `# LeaderGroup

<!-- Made from src/api by \`npm run generate\`: change it there. -->

\`apiVersion: leadergroup.dev/v1alpha1\`, \`kind: LeaderGroup\`, short name \`lg\`. It lives in the namespace of its pods. Its name may have at most 63
characters. \`kubectl explain leadergroup.spec\` shows the same descriptions.

## spec

A field in \`[]\` is one of each element. \`null\` counts as absent.

${specTable()}

## Rules of spec

Beyond types and limits the API server refuses a spec that breaks one of these, and the operator one that was stored before a rule existed
(condition \`Stalled\`).

${rules()}

## status

${statusTable()}

[conditions.md](conditions.md) explains each condition and reason, [events.md](events.md) each cause of a change of leader.
`;
