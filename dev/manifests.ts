/** `npm run manifests -- --image NAME [--out FILE]`: one manifest of all that installs the operator, with this image. */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { script } from './command-line.ts';
import { crd } from './generate/crd.ts';

const ROOT = join(import.meta.dirname, '..');
const CRD = 'crds/leadergroups.yaml';
/** Made of all others. */
export const INSTALL = 'deploy/install.yaml';
const UNSET_IMAGE = /^( *image: )leadergroup:\S+$/gm;

/** The file of the CRD may be older than what is to be written now. */
const textOf = (file: string): string => (file === CRD ? crd() : readFileSync(join(ROOT, file), 'utf8')).trim();

/**
 * The manifests as they are, comments too, in the order in which they can be applied.
 *
 * @param image with a registry and a tag; null: as deploy/20-operator.yaml has it
 */
export function allManifests(image: string | null): string {
  const files = globSync('deploy/*.yaml', { cwd: ROOT }).filter((file) => file !== INSTALL);
  const text = `${[CRD, ...files.toSorted()].map(textOf).join('\n---\n')}\n`;
  return image === null ? text : text.replaceAll(UNSET_IMAGE, (_, before: string) => `${before}${image}`);
}

/** What deploy/install.yaml has to be. */
export const installManifest = (): string =>
  `# All that installs the operator, made from crds/ and deploy/ by \`npm run generate\`: change it there. docs/install.md says what to set.\n${allManifests(null)}`;

if (import.meta.main) {
  const { image, out } = script('manifests', 'One manifest of all that installs the operator.')
    .requiredOption('--image <name>', 'its image: REGISTRY/leadergroup:VERSION')
    .option('--out <file>', 'where to; standard output by default')
    .parse()
    .opts();
  if (out === undefined) process.stdout.write(allManifests(image));
  else writeFileSync(out, allManifests(image));
}
