/** Downloads one binary into the cache. What is not what was promised is never found there. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { unzipSync } from 'fflate';
import { fetch } from 'undici';
import { productDir, removeDrafts } from './cache.ts';
import { ToolError, wrongChecksum } from './failures.ts';
import { dispatcher, type Offer, reasonOf } from './offers.ts';

/** The download ended before its end: there may be another way to the binary. The message goes on after the binary's name. */
export class BrokenOff extends Error {
  override readonly name = 'BrokenOff';
}

/**
 * Fetches a release, compares its SHA-256 and puts the binary in its product's folder by a rename.
 *
 * Throws BrokenOff, or ToolError where what came is not what was promised. Whatever it throws, nothing of it is kept.
 *
 * @returns the binary's path
 */
export async function downloadBinary(offer: Offer, signal: AbortSignal | undefined): Promise<string> {
  const { name, product } = offer.binary;
  const dir = productDir(product);
  await mkdir(dir, { recursive: true });
  await removeDrafts(dir);
  const draft = await mkdtemp(join(dir, `.${name}.`));
  try {
    const archive = join(draft, basename(new URL(offer.address).pathname));
    const sha256 = await fetchInto(archive, offer.address, signal);
    if (sha256 !== offer.sha256) throw new ToolError(wrongChecksum(offer, sha256));
    const binary = await unpack(archive, offer.member);
    await chmod(binary, 0o755);
    await rename(binary, join(dir, name));
    return join(dir, name);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** @returns the SHA-256 of what came */
async function fetchInto(file: string, address: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    const response = await fetch(address, { dispatcher, ...(signal && { signal }) });
    if (!response.ok || response.body === null) throw new BrokenOff(`answers ${response.status}`);
    await pipeline(Readable.fromWeb(response.body), hashing, createWriteStream(file));
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof BrokenOff || (error as NodeJS.ErrnoException).code === 'ENOSPC') throw error;
    throw new BrokenOff(reasonOf(error));
  }
  return hash.digest('hex');
}

/** @returns the path of the binary, in the folder of its archive */
async function unpack(archive: string, member: string | null): Promise<string> {
  if (member === null) return archive;
  const out = `${archive}.unpacked`;
  await mkdir(out);
  if (!archive.endsWith('.zip')) {
    await execa('tar', ['-xzf', archive, '-C', out, member]);
    return join(out, member);
  }
  const files = unzipSync(await readFile(archive), { filter: ({ name }) => name === member });
  const file = files[member];
  if (file === undefined) throw new ToolError(`${archive} has no ${member}: set LEADERGROUP_MIRROR=none to build it.`);
  await writeFile(join(out, basename(member)), file);
  return join(out, basename(member));
}
