/** `npm run manifests -- --image NAME [--out FILE]`: one manifest of all that installs the operator, with this image. */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { script } from './command-line.ts';

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
  const { image, out } = script('manifests', 'One manifest of all that installs the operator.')
    .requiredOption('--image <name>', 'its image: REGISTRY/leadergroup:VERSION')
    .option('--out <file>', 'where to; standard output by default')
    .parse()
    .opts();
  if (out === undefined) process.stdout.write(allManifests(image));
  else writeFileSync(out, allManifests(image));
}
