/** Debian's buildah with a storage of its own, so that the machine's images and containers are left alone. */
import { spawn } from 'node:child_process';
import { mkdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { debianPrograms } from '../tools/debian.ts';
import { ToolError } from '../tools/failures.ts';

/** Resolves with what buildah printed on standard output. Throws ToolError with the last lines of its output. */
export type Buildah = (command: string, ...args: readonly string[]) => Promise<string>;

const OVERLAYFS = 0x794c7630;
const TOLD_LINES = 12;

/**
 * Mounts and processes are in namespaces that end with buildah, in whatever way it ends: nothing stays mounted, and nothing goes on.
 *
 * @param dir the storage; removing it is enough to be rid of everything
 * @param scratch for temporary files and what build steps keep in caches
 */
export async function openBuildah(dir: string, scratch: string, signal: AbortSignal | undefined): Promise<Buildah> {
  await mkdir(dir, { recursive: true });
  await mkdir(scratch, { recursive: true });
  // An overlay cannot lie on another one, as it would in a container.
  const driver = (await statfs(dir)).type === OVERLAYFS ? 'vfs' : 'overlay';
  const storage = ['--root', join(dir, 'root'), '--runroot', join(dir, 'run'), '--storage-driver', driver];
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  return async (command, ...args) => {
    signal?.throwIfAborted();
    const all = [...namespaces, debianPrograms.buildah.path, ...storage, command, ...args];
    const { code, stdout, output } = await outcome(all, scratch, signal);
    signal?.throwIfAborted();
    if (code === 0) return stdout;
    const told = output.trimEnd().split('\n').slice(-TOLD_LINES).join('\n  ');
    throw new ToolError(`buildah ${command} failed (exit code ${code}):\n  ${told}`);
  };
}

async function outcome(args: readonly string[], scratch: string, signal: AbortSignal | undefined) {
  const { promise, resolve, reject } = Promise.withResolvers<{ code: number; stdout: string; output: string }>();
  const child = spawn(debianPrograms.unshare.path, args, {
    env: { ...process.env, TMPDIR: scratch },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end = () => child.kill('SIGKILL');
  signal?.addEventListener('abort', end, { once: true });
  let [stdout, output] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    output += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.on('error', reject);
  child.on('close', (code) => resolve({ code: code ?? 1, stdout, output }));
  return await promise.finally(() => signal?.removeEventListener('abort', end));
}
