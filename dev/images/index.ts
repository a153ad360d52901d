/** The container images as archives, built without a registry: from the Dockerfiles, on a base made of this machine's own files. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { takeLock } from '../lock.mjs';
import { cacheDir } from '../tools/cache.ts';
import { areRealNodesAskedFor } from '../tools/consent.ts';
import { ensureDebianPrograms, whyNoDebianPrograms } from '../tools/debian.ts';
import { withProgress } from '../tools/progress.ts';
import { type Base, describeBase, layOutBase } from './base.ts';
import { type Buildah, openBuildah } from './buildah.ts';
import { keyOf, type Recipe, recipes, root } from './recipes.ts';

export type Image = {
  /** As a pod names it, once `ctr -n k8s.io images import ARCHIVE` has run on its node. */
  readonly name: string;
  /** An OCI archive. */
  readonly archive: string;
};

export type Images = { readonly operator: Image; readonly notifier: Image };

/** Older archives of an image that other checkouts may be using. */
const KEPT = 4;
const imagesDir = (): string => join(cacheDir(), 'images');

/** Why tests of the images cannot run on this machine; null: they can. */
export const whyNoTestsOfImages = (): Promise<string | null> =>
  whyNoDebianPrograms(['buildah', 'unshare', 'runc'], { mayInstall: areRealNodesAskedFor() });

/**
 * Builds the images that are not in the cache yet, showing progress on standard error. One build runs at a time on a machine. Throws
 * ToolError with one sentence where it cannot be done, and leaves nothing but the cache behind.
 */
export async function ensureImages(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<Images> {
  await ensureDebianPrograms(['buildah', 'unshare']);
  const base = await describeBase();
  using _ = await takeLock(join(imagesDir(), '.build-lock'), {
    signal: options.signal,
    onWait: (pid) => console.error(`Waiting for process ${pid}, which is building images.`),
  });
  const missing = [recipes.operator, recipes.notifier].filter((recipe) => !existsSync(archiveOf(recipe, base)));
  if (missing.length > 0) await buildAll(missing, base, options.signal);
  return { operator: await imageOf(recipes.operator, base), notifier: await imageOf(recipes.notifier, base) };
}

const archiveOf = (recipe: Recipe, base: Base): string =>
  join(imagesDir(), `${recipe.id}-${keyOf(recipe, base.key)}`, `leadergroup-${recipe.id}.tar`);

async function imageOf(recipe: Recipe, base: Base): Promise<Image> {
  const archive = archiveOf(recipe, base);
  // Used just now: the last to be removed.
  await utimes(dirname(archive), new Date(), new Date());
  return { name: nameOf(recipe), archive };
}

const nameOf = ({ id }: Recipe): string => `localhost/leadergroup/${id}:${manifest.version}`;

async function buildAll(missing: readonly Recipe[], base: Base, signal: AbortSignal | undefined): Promise<void> {
  const buildah = await openBuildah(await storageFor(base), join(imagesDir(), 'scratch'), signal);
  // What builds that were killed have left half done.
  await buildah('rm', '--all');
  for (const [index, recipe] of missing.entries()) {
    const what = `the image of the ${recipe.id}`;
    const remainingSeconds = missing.slice(index).reduce((sum, { seconds }) => sum + seconds, 0);
    const times = { expectedSeconds: recipe.seconds, remainingSeconds };
    await withProgress(`building ${what}`, `built ${what}`, times, async () => {
      await ensureBase(buildah, base);
      await build(buildah, recipe, base);
    });
    await removeOld(recipe);
  }
}

/** Begun anew when its large layers (the base, the packages) are others, so that it does not grow for ever. */
async function storageFor(base: Base): Promise<string> {
  const dir = join(imagesDir(), 'storage');
  const lockFile = await readFile(join(root, 'package-lock.json'));
  const key = createHash('sha256').update(base.key).update(lockFile).digest('hex');
  if ((await readFile(join(dir, 'key'), 'utf8').catch(() => '')) === key) return dir;
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'key'), key);
  return dir;
}

const baseName = (stage: 'runtime' | 'build', base: Base): string => `localhost/leadergroup/node-${stage}:${base.key}`;

async function ensureBase(buildah: Buildah, base: Base): Promise<void> {
  const names = await buildah('images', '--format', '{{.Name}}:{{.Tag}}');
  if (names.split('\n').includes(baseName('build', base))) return;
  const dir = await mkdtemp(join(imagesDir(), 'base-'));
  try {
    await layOutBase(base, dir);
    const dockerfile = join(import.meta.dirname, 'base.Dockerfile');
    const options = ['--layers', '--timestamp', '0', '--build-arg', `REGISTRY=${base.registry}`, '-f', dockerfile];
    for (const stage of ['runtime', 'build'] as const)
      await buildah('bud', ...options, '--target', stage, '-t', baseName(stage, base), dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** The Dockerfile as it is, on the local base and with no look at any registry. */
async function build(buildah: Buildah, recipe: Recipe, base: Base): Promise<void> {
  const name = nameOf(recipe);
  // The build's network is the machine's, and no runtime is needed for it.
  const options = ['--isolation', 'chroot', '--pull-never', '--layers', '--timestamp', '0'];
  const bases = [
    '--build-arg',
    `NODE_IMAGE=${baseName('runtime', base)}`,
    '--build-arg',
    `BUILD_IMAGE=${baseName('build', base)}`,
  ];
  const dockerfile = join(root, recipe.dockerfile);
  await buildah('bud', ...options, ...bases, '-f', dockerfile, '-t', name, join(root, recipe.context));
  const archive = archiveOf(recipe, base);
  const draft = await mkdtemp(join(imagesDir(), 'draft-'));
  try {
    await buildah('push', name, `oci-archive:${join(draft, `leadergroup-${recipe.id}.tar`)}:${name}`);
    await rename(draft, dirname(archive));
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Other checkouts' archives stay while they are used. Drafts and bases here are those of builds that were killed. */
async function removeOld(recipe: Recipe): Promise<void> {
  const names = await readdir(imagesDir());
  const dirs = names.filter((name) => name.startsWith(`${recipe.id}-`)).map((name) => join(imagesDir(), name));
  const aged = await Promise.all(dirs.map(async (dir) => ({ dir, usedMs: (await stat(dir)).mtimeMs })));
  const old = aged.toSorted((a, b) => b.usedMs - a.usedMs).slice(KEPT);
  const left = names.filter((name) => /^(?:draft|base)-/.test(name)).map((name) => join(imagesDir(), name));
  await Promise.all([...old.map(({ dir }) => dir), ...left].map((dir) => rm(dir, { recursive: true, force: true })));
}
