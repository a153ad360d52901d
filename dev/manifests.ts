/** `npm run manifests -- --image NAME [--out FILE]`: one manifest of all that installs the operator, with this image. */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';

const ROOT = join(import.meta.dirname, '..');
const UNSET_IMAGE = /^( *image: )leadergroup:\S+$/gm;

/**
 * The manifests as they are, comments too, in the order in which they can be applied.
 *
 * @param image with a registry and a tag
 */
export function allManifests(image: string): string {
  const files = [...globSync('crds/*.yaml', { cwd: ROOT }), ...globSync('deploy/*.yaml', { cwd: ROOT })];
  const texts = files.toSorted().map((file) => readFileSync(join(ROOT, file), 'utf8').trim());
  return `${texts.join('\n---\n').replaceAll(UNSET_IMAGE, (_, before: string) => `${before}${image}`)}\n`;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { image: { type: 'string' }, out: { type: 'string' } } });
  if (values.image === undefined) {
    console.error('Say which image: npm run manifests -- --image REGISTRY/leadergroup:VERSION [--out FILE]');
    process.exitCode = 2;
  } else if (values.out === undefined) process.stdout.write(allManifests(values.image));
  else writeFileSync(values.out, allManifests(values.image));
}
