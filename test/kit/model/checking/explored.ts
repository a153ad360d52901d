/** What a world must offer to be explored, and what the worlds have in common. */
import type { Model } from '../model.ts';
import type { Replica } from '../replica.ts';

export type Step = string;

export type Explored = {
  readonly model: Model;
  /** Everything that may happen now, within the budget. */
  steps(): readonly Step[];
  take(step: Step): Promise<void>;
  /** Equal for two paths only if whatever follows the one follows the other. */
  fingerprint(): string;
  /** In words, what was broken so far. */
  breaches(): readonly string[];
  /** From here on nothing goes wrong any more: null if one member comes to lead, else what happens instead. */
  converges(): Promise<string | null>;
  /** What was met on the path here, so that one sees that it was not nothing. */
  met(path: readonly Step[]): Readonly<Record<string, boolean>>;
};

/** What a pass of it threw. */
export function told(name: string, replica: Replica): readonly string[] {
  const failure = replica.failure();
  const text = failure instanceof Error ? failure.message : JSON.stringify(failure);
  return failure === null ? [] : [`a pass of ${name} threw ${text}`];
}

/**
 * resourceVersions and Consul's indexes become their ranks among all that occur, sessions their order of appearance: the operator
 * compares the first two only with one another, and the third only for equality.
 */
export function canonical(json: string): string {
  // What replicas were told is JSON within the JSON.
  const text = json.replaceAll('\\', '');
  const versions = ranks(text, /"resourceVersion":"(\d+)"/g);
  const indexes = ranks(text, /"(?:modifyIndex|createIndex|index)":(\d+)/g);
  const sessions = new Map<string, number>();
  return text
    .replaceAll(/"resourceVersion":"(\d+)"/g, (_, version: string) => `"rv":${versions.get(Number(version))}`)
    .replaceAll(
      /"(modifyIndex|createIndex|index)":(\d+)/g,
      (_, name: string, index: string) => `"${name}":${indexes.get(Number(index))}`,
    )
    .replaceAll(/current modify index \d+ != \d+/g, 'another index')
    .replaceAll(/session-\d+/g, (id) => `s${sessions.get(id) ?? sessions.set(id, sessions.size).size - 1}`)
    .replaceAll(/"version":\d+/g, '');
}

function ranks(text: string, pattern: RegExp): ReadonlyMap<number, number> {
  const values = new Set([...text.matchAll(pattern)].map(([, value]) => Number(value)));
  return new Map([...values].toSorted((a, b) => a - b).map((value, rank) => [value, rank]));
}
