/** Label selectors as Kubernetes evaluates them. */
import type { LabelSelector, SelectorRequirement } from './leadergroup.ts';

type Labels = Readonly<Record<string, string>>;

/**
 * Whether labels meet every part of the selector. As in Kubernetes NotIn and DoesNotExist hold when the label is absent,
 * In does not, and an empty selector matches everything (no valid group has one).
 */
export function matches(selector: LabelSelector, labels: Labels): boolean {
  return (
    Object.entries(selector.matchLabels).every(([key, value]) => valueOf(labels, key) === value) &&
    selector.matchExpressions.every((requirement) => meets(requirement, valueOf(labels, requirement.key)))
  );
}

/** Every label key that the selector looks at, each once: writing one of them could take a pod out of its group. */
export function selectorKeys(selector: LabelSelector): readonly string[] {
  return [
    ...new Set([
      ...Object.keys(selector.matchLabels),
      ...selector.matchExpressions.map((requirement) => requirement.key),
    ]),
  ];
}

/**
 * One `key=value` that every matching pod carries, to look groups up by a pod's labels; null when the selector demands
 * no such pair and the group has to be tried against every pod. Neither part can hold a `=`.
 */
export function indexPair(selector: LabelSelector): string | null {
  for (const [key, value] of Object.entries(selector.matchLabels)) return `${key}=${value}`;
  for (const { key, operator, values } of selector.matchExpressions) {
    if (operator === 'In' && values.length === 1) return `${key}=${values[0]}`;
  }
  return null;
}

function meets({ operator, values }: SelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

/** Own labels only: `constructor` is a fine label key, and every object inherits one. */
const valueOf = (labels: Labels, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined;
