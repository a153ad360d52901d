/** `npm run images -- [--out DIR]`: the container images as OCI archives, built without a registry. */
import { copyFile, mkdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { script } from './command-line.ts';
import { ensureImages } from './images/index.ts';
import { Interrupted, interruption } from './interruption.ts';

const options = script('images', 'Builds the container images as OCI archives, without a registry.')
  .option('--out <dir>', 'where the archives are copied to')
  .parse()
  .opts();
const { signal } = interruption();

try {
  await images(options.out);
} catch (error) {
  if (!(error instanceof Interrupted)) throw error;
  console.error('Ended before the images were built.');
  process.exitCode = 1;
}

async function images(out: string | undefined): Promise<void> {
  const { operator, notifier } = await ensureImages({ signal });
  if (out !== undefined) await mkdir(out, { recursive: true });
  for (const { name, archive } of [operator, notifier]) {
    const path = out === undefined ? archive : join(out, basename(archive));
    if (out !== undefined) await copyFile(archive, path);
    console.log(`${name}  ${await digestOf(archive)}  ${path}  ${((await stat(path)).size / 1e6).toFixed(1)} MB`);
  }
}

/** Of its manifest, which vouches for all that is in it. */
async function digestOf(archive: string): Promise<string> {
  const { stdout } = await execa('tar', ['-xOf', archive, 'index.json']);
  const { manifests } = JSON.parse(stdout) as { readonly manifests: readonly { readonly digest: string }[] };
  return manifests[0]?.digest ?? '';
}
