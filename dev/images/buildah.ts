/** Debian's buildah with a storage of its own, so that the machine's images and containers are left alone. */
import { mkdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cancelledBy, lastLines } from '../programs.ts';
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
    const argv = [...namespaces, debianPrograms.buildah.path, ...storage, command, ...args];
    const { failed, exitCode, stdout, all } = await execa(debianPrograms.unshare.path, argv, {
      env: { TMPDIR: scratch },
      stdin: 'ignore',
      all: true,
      reject: false,
      killSignal: 'SIGKILL',
      ...cancelledBy(signal),
    });
    signal?.throwIfAborted();
    if (!failed) return stdout;
    throw new ToolError(`buildah ${command} failed (exit code ${exitCode ?? 1}):\n${lastLines(all, TOLD_LINES)}`);
  };
}
