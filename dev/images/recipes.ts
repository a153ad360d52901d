/** The images: what each is built from. */
import { createHash } from 'node:crypto';
import { globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export type Recipe = {
  readonly id: string;
  readonly dockerfile: string;
  /** The folder that the Dockerfile copies from. */
  readonly context: string;
  /** All that the Dockerfile copies: another image when one of them is another. */
  readonly inputs: readonly string[];
  /** Measured on two cores, with nothing in any cache. */
  readonly seconds: number;
};

export const root = join(import.meta.dirname, '../..');

export const recipes = {
  operator: {
    id: 'operator',
    dockerfile: 'Dockerfile',
    context: '.',
    inputs: ['.dockerignore', 'package*.json', 'tsconfig*.json', 'LICENSE', 'src/**', 'dev/images/bare.sh'],
    seconds: 80,
  },
  notifier: {
    id: 'notifier',
    dockerfile: 'examples/notifier/Dockerfile',
    context: 'examples',
    inputs: ['examples/notifier/*', 'examples/clients/typescript/*'],
    seconds: 5,
  },
} as const satisfies Readonly<Record<string, Recipe>>;

/** Changes with everything that goes into an image, this folder's way of building it included. */
export function keyOf(recipe: Recipe, baseKey: string): string {
  const files = globSync([recipe.dockerfile, ...recipe.inputs, 'dev/images/*'], { cwd: root }).toSorted();
  const hash = createHash('sha256').update(baseKey);
  for (const file of files) {
    if (statSync(join(root, file)).isFile()) hash.update(`${file}\n`).update(readFileSync(join(root, file)));
  }
  return hash.digest('hex').slice(0, 12);
}
