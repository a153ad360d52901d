/** Where things that outlive a checkout are kept. bootstrap.mjs knows the same folder. */
import { readdir, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Product } from './products.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The cache folder: LEADERGROUP_CACHE, else the user's cache folder. It need not exist yet. */
export function cacheDir(env: Environment = process.env): string {
  return env['LEADERGROUP_CACHE'] || join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'leadergroup');
}

/** The folder of a product's binaries in the cache, one for each version and platform. */
export function productDir(product: Product, env: Environment = process.env): string {
  return join(cacheDir(env), 'tools', `${product.name}-${product.version}-${process.platform}-${goArch()}`);
}

/** What Go calls this machine's processor. */
export const goArch = (): string => (process.arch === 'x64' ? 'amd64' : process.arch);

/** Removes what was left half done in a product's folder by a process that was killed; only one gets binaries at a time. */
export async function removeDrafts(dir: string): Promise<void> {
  const drafts = (await readdir(dir)).filter((name) => name.startsWith('.'));
  await Promise.all(drafts.map((name) => rm(join(dir, name), { recursive: true, force: true })));
}
