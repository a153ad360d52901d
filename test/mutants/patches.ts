/**
 * Weaker versions of the code, one in each file of `patches`. Each undoes one rule of the protocol, or of the simulated world; a test
 * that lets one live does not hold the rule. Only `npm run test:mutants` applies them.
 */
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

export type Mutant = {
  readonly id: string;
  /** Promises (I1 to I10) that it may break. */
  readonly promises: readonly string[];
  /** Schedules of docs/attacks.md that the rule keeps off. */
  readonly attacks: readonly number[];
  readonly what: string;
  /** Absolute. */
  readonly patch: string;
  /** Relative to the checkout. */
  readonly files: readonly string[];
};

const FOLDER = join(import.meta.dirname, 'patches');

/** By name. Throws when the head of a patch lacks a line; the message says which. */
export const mutants: readonly Mutant[] = globSync('*.patch', { cwd: FOLDER })
  .toSorted()
  .map((file) => readMutant(join(FOLDER, file)));

function readMutant(patch: string): Mutant {
  const text = readFileSync(patch, 'utf8');
  const [head = ''] = text.split('\n\n', 1);
  const line = (name: string): string | null => new RegExp(`^${name}: (.+)$`, 'm').exec(head)?.[1] ?? null;
  const listed = (name: string): readonly string[] => line(name)?.split(', ') ?? [];
  const what = line('What is weaker');
  if (what === null) throw new Error(`${patch} begins without a line "What is weaker: ..."`);
  return {
    id: basename(patch, '.patch'),
    promises: listed('Promises'),
    attacks: listed('Attacks').map(Number),
    what,
    patch,
    files: [...text.matchAll(/^\+\+\+ b\/(.+)$/gm)].map(([, file]) => file ?? ''),
  };
}
