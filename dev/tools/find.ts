/** Finds a binary that is there already: KUBEBUILDER_ASSETS, PATH, the cache. */
import { access, constants, realpath } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { cacheDir, productDir } from './cache.ts';
import { type Binary, printsVersion } from './products.ts';

const VERSION_TIMEOUT_MS = 5_000;

/**
 * The path of a binary that may be used, or undefined.
 *
 * KUBEBUILDER_ASSETS is somebody's explicit choice and taken whatever its version; a binary on PATH only if it says it has the
 * pinned version; the cache holds nothing else.
 */
export async function findBinary(binary: Binary): Promise<string | undefined> {
  const assets = process.env['KUBEBUILDER_ASSETS'];
  if (assets !== undefined && (await isExecutable(join(assets, binary.name)))) return join(assets, binary.name);
  const cached = join(productDir(binary.product), binary.name);
  const onPath = await firstOnPath(binary.name);
  if (onPath !== undefined && !(await isInCache(onPath)) && (await hasPinnedVersion(onPath, binary))) return onPath;
  return (await isExecutable(cached)) ? cached : undefined;
}

async function firstOnPath(name: string): Promise<string | undefined> {
  const dirs = (process.env['PATH'] ?? '').split(delimiter).filter((dir) => dir !== '');
  for (const dir of dirs) {
    if (await isExecutable(join(dir, name))) return join(dir, name);
  }
  return undefined;
}

/** A shell that has read D/env has our own links first on PATH: no need to ask those for their version. */
async function isInCache(path: string): Promise<boolean> {
  return (await realpath(path)).startsWith(join(cacheDir(), 'tools'));
}

async function hasPinnedVersion(path: string, binary: Binary): Promise<boolean> {
  const { failed, stdout } = await execa(path, binary.versionArgs, { timeout: VERSION_TIMEOUT_MS, reject: false });
  return !failed && printsVersion(stdout, binary.product.version);
}

/** Whether there is a program at this path that this process may run. */
export async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
