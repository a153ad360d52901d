/** A group's spec at the border: defaults applied, and every problem collected. What is right stands in spec.ts. */
import type { z } from 'zod';
import { asObject, show } from './raw.ts';
import { fromWritten, type LeaderGroupSpec, spec } from './spec.ts';

/** The spec; null if something was added to `problems`: full sentences with field, what is wrong and what is allowed. */
export function parseSpec(raw: unknown, problems: string[]): LeaderGroupSpec | null {
  const fields = asObject(raw);
  if (fields === null) problems.push(`spec is ${show(raw)}, but must be an object with at least a selector.`);
  const { data, error } = spec.safeParse(fields ?? {});
  problems.push(...sentences(error?.issues ?? []));
  return data === undefined || fields === null ? null : fromWritten(data);
}

/** In the order of the fields. */
function sentences(issues: readonly z.core.$ZodIssue[]): readonly string[] {
  const order: readonly PropertyKey[] = Object.keys(spec.def.out.shape);
  const place = ({ path: [first = ''] }: z.core.$ZodIssue): number => order.indexOf(first);
  const sorted = issues.toSorted((one, other) => place(one) - place(other));
  return sorted.map(({ path, message }) => `${pathText(path)} ${message}.`);
}

/** spec.selector.matchExpressions[0].key; what follows matchLabels is a key of the user's choice: spec.selector.matchLabels["app"]. */
const pathText = (path: readonly PropertyKey[]): string =>
  path.reduce<string>((text, part, index) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return path[index - 1] === 'matchLabels' ? `${text}[${show(part)}]` : `${text}.${String(part)}`;
  }, 'spec');
