/** `npm run images -- [--out DIR]`: the container images as OCI archives, built without a registry. */
import { copyFile, mkdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { ensureImages } from './images/index.ts';
import { ToolError } from './tools/failures.ts';

const { values } = parseArgs({ options: { out: { type: 'string' } } });
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort());

try {
  await images(values.out);
} catch (error) {
  if (!stop.signal.aborted && !(error instanceof ToolError)) throw error;
  console.error(error instanceof ToolError ? error.message : 'Ended before the images were built.');
  process.exitCode = 1;
}

async function images(out: string | undefined): Promise<void> {
  const { operator, notifier } = await ensureImages({ signal: stop.signal });
  if (out !== undefined) await mkdir(out, { recursive: true });
  for (const { name, archive } of [operator, notifier]) {
    const path = out === undefined ? archive : join(out, basename(archive));
    if (out !== undefined) await copyFile(archive, path);
    console.log(`${name}  ${path}  ${((await stat(path)).size / 1e6).toFixed(1)} MB`);
  }
}
