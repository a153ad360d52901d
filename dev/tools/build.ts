/** Builds one binary with `go build` into the cache, so that a half-built one is never found there. */
import { mkdir, rename, rm, statfs } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { cancelledBy } from '../programs.ts';
import { productDir, removeDrafts } from './cache.ts';
import { diskFull, explainGoFailure, goMissing, type Space, ToolError } from './failures.ts';
import { type Binary, folderOf } from './products.ts';

/** What a cold build of everything leaves: 5.7 GB in the build cache, 3.1 GB of modules, 0.5 GB of binaries. */
const COLD_BUILD_BYTES = 9.5e9;
/** What building all of it takes cold, in the seconds that the binaries name. */
const COLD_BUILD_SECONDS = 765;

/**
 * Builds a binary and puts it in its product's folder by a rename.
 *
 * Throws ToolError with a sentence for a person. When aborted, `go` is ended and nothing is left in the folder; Go's own
 * cache keeps what was compiled.
 *
 * @returns the binary's path
 */
export async function buildBinary(binary: Binary, signal: AbortSignal | undefined): Promise<string> {
  const dir = productDir(binary.product);
  const draft = join(dir, `.${binary.name}.${process.pid}`);
  await mkdir(dir, { recursive: true });
  await removeDrafts(dir);
  try {
    await go(binary, buildArgs(binary, draft), signal);
    await rename(draft, join(dir, binary.name));
    return join(dir, binary.name);
  } finally {
    await rm(draft, { force: true });
  }
}

/**
 * Says at once, rather than after minutes, that there is no usable Go or no room. Throws ToolError.
 *
 * @param missing what is going to be built
 */
export async function checkCanBuild(missing: readonly Binary[], signal: AbortSignal | undefined): Promise<void> {
  const [first] = missing;
  if (first === undefined) return;
  await go(first, ['env', 'GOVERSION'], signal);
  const space = await freeSpace(missing);
  if (space.freeBytes < space.neededBytes) throw new ToolError(diskFull(space));
}

function buildArgs(binary: Binary, output: string): readonly string[] {
  const linkerFlags = ['-s', '-w', ...binary.product.linkerFlags].join(' ');
  return [
    'build',
    '-mod=readonly',
    '-trimpath',
    '-buildvcs=false',
    '-ldflags',
    linkerFlags,
    '-o',
    output,
    binary.goPackage,
  ];
}

/** Runs `go` in the product's tools module; static binaries, so that no C compiler is needed. */
async function go(binary: Binary, args: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const { failed, code, all } = await execa('go', args, {
    cwd: join(import.meta.dirname, folderOf(binary.product)),
    env: { CGO_ENABLED: '0', GOWORK: 'off' },
    stdin: 'ignore',
    all: true,
    reject: false,
    killSignal: 'SIGINT',
    ...cancelledBy(signal),
  });
  signal?.throwIfAborted();
  if (code === 'ENOENT') throw new ToolError(goMissing(binary, ''));
  if (failed) throw new ToolError(explainGoFailure(binary, all, await freeSpace([binary])));
}

/** The tightest of the folders a build writes to. */
async function freeSpace(missing: readonly Binary[]): Promise<Space> {
  const seconds = missing.reduce((sum, binary) => sum + binary.seconds, 0);
  const neededBytes = Math.min(1, seconds / COLD_BUILD_SECONDS) * COLD_BUILD_BYTES;
  const folders = [
    ...missing.map((binary) => productDir(binary.product)),
    process.env['GOCACHE'] ?? join(homedir(), '.cache', 'go-build'),
    process.env['GOMODCACHE'] ?? join(process.env['GOPATH'] ?? join(homedir(), 'go'), 'pkg', 'mod'),
  ];
  const spaces = await Promise.all(
    folders.map(async (path) => ({ path, freeBytes: await freeBytes(path), neededBytes })),
  );
  return spaces.reduce((tightest, space) => (space.freeBytes < tightest.freeBytes ? space : tightest));
}

/** Free bytes for ordinary users where `path` is or, if it does not exist yet, would be. */
async function freeBytes(path: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) throw error;
    return await freeBytes(dirname(path));
  }
}
