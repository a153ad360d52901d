/** A container from an image's archive, started by runc as a kubelet would start it under the restricted security level. */
import { execFile, spawn } from 'node:child_process';
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { debianPrograms } from '../../../dev/tools/debian.ts';
import { waiting } from './waiting.ts';

type Descriptor = { readonly digest: string; readonly size: number };
type Index = {
  readonly manifests: readonly [Descriptor & { readonly annotations?: Readonly<Record<string, string>> }];
};
type Manifest = { readonly config: Descriptor; readonly layers: readonly Descriptor[] };

export type ImageConfig = {
  readonly User?: string;
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly WorkingDir?: string;
  readonly ExposedPorts?: Readonly<Record<string, unknown>>;
  readonly Volumes?: Readonly<Record<string, unknown>>;
  readonly Labels?: Readonly<Record<string, string>>;
};

/** An image in a folder of its own: what it says of itself, and its file system. */
export type UnpackedImage = AsyncDisposable & {
  readonly name: string | undefined;
  readonly config: ImageConfig;
  readonly rootDir: string;
  /** Its files, as a node stores them. */
  bytes(): Promise<number>;
  run(options: RunOptions): Promise<Container>;
};

export type RunOptions = {
  /** In place of the image's Cmd. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The files of a service account, by name, where a pod has them. */
  readonly account?: Readonly<Record<string, string>>;
};

/** Its program is process 1. The network is the machine's. */
export type Container = {
  /** Resolves when it has ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
  /** Resolves when it has printed the words. */
  printed(words: string): Promise<unknown>;
  /** As a kubelet does it: to process 1. */
  terminate(): Promise<unknown>;
};

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
const PRINTED_MS = 20_000;
const exec = promisify(execFile);

export async function unpackImage(archive: string): Promise<UnpackedImage> {
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-image-'));
  const rootDir = join(dir, 'root');
  const { name, config } = await unpack(archive, join(dir, 'layout'), rootDir);
  const removals: (() => Promise<void>)[] = [];
  return {
    name,
    config,
    rootDir,
    bytes: async () => await bytesIn(rootDir),
    run: async (options) => {
      const accountDir = await mkdtemp(join(dir, 'account-'));
      await chmod(accountDir, 0o755);
      for (const [file, content] of Object.entries(options.account ?? {}))
        await writeFile(join(accountDir, file), content);
      const { container, remove } = await start(dir, specOf(config, { rootDir, accountDir }, options));
      removals.push(remove);
      return container;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(removals.map(async (remove) => await remove()));
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function unpack(archive: string, layout: string, rootDir: string) {
  await Promise.all([mkdir(layout), mkdir(rootDir)]);
  await exec('tar', ['-xf', archive, '-C', layout]);
  const blob = ({ digest }: Descriptor): string => join(layout, 'blobs', digest.replace(':', '/'));
  const read = async <T>(path: string): Promise<T> => JSON.parse(await readFile(path, 'utf8')) as T;
  const [described] = (await read<Index>(join(layout, 'index.json'))).manifests;
  const manifest = await read<Manifest>(blob(described));
  const { config } = await read<{ readonly config: ImageConfig }>(blob(manifest.config));
  for (const layer of manifest.layers) await exec('tar', ['-xzf', blob(layer), '-C', rootDir]);
  return { name: described.annotations?.['org.opencontainers.image.ref.name'], config };
}

async function bytesIn(dir: string): Promise<number> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(entries.map(async (entry) => (await lstat(join(entry.parentPath, entry.name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function start(dir: string, spec: unknown): Promise<{ container: Container; remove: () => Promise<void> }> {
  const bundle = await mkdtemp(join(dir, 'bundle-'));
  await writeFile(join(bundle, 'config.json'), JSON.stringify(spec));
  // Like the folder, so that no two on the machine have the same.
  const id = `${basename(dir)}-${basename(bundle)}`;
  const state = ['--root', join(dir, 'runc')];
  const runc = async (...args: readonly string[]) => await exec(debianPrograms.runc.path, [...state, ...args]);
  const child = spawn(debianPrograms.runc.path, [...state, 'run', '--bundle', bundle, id], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  const events = waiting();
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].on('data', (chunk: Buffer) => {
      said[stream] += chunk.toString();
      events.note(chunk.toString());
    });
  const { promise: ended, resolve, reject } = Promise.withResolvers<Awaited<Container['ended']>>();
  child.once('error', reject);
  child.once('close', (code) => {
    resolve({ code, ...said });
    events.fail(new Error(`the container ended with ${code}: ${said.stdout}${said.stderr}`));
  });
  return {
    container: {
      ended,
      printed: async (words) =>
        await events.until(() => `${said.stdout}${said.stderr}`.includes(words), {
          timeoutMs: PRINTED_MS,
          what: words,
        }),
      terminate: async () => await runc('kill', id, 'TERM'),
    },
    remove: async () => {
      await runc('delete', '--force', id);
      await ended;
    },
  };
}

/** Nothing can be written, there is no capability and no way to one. */
function specOf(
  config: ImageConfig,
  { rootDir, accountDir }: { readonly rootDir: string; readonly accountDir: string },
  { args, env = {} }: RunOptions,
): unknown {
  const [uid, gid] = (config.User ?? '0:0').split(':').map(Number);
  return {
    ociVersion: '1.0.2',
    root: { path: rootDir, readonly: true },
    process: {
      user: { uid, gid },
      args: [...(config.Entrypoint ?? []), ...(args ?? config.Cmd ?? [])],
      env: [...(config.Env ?? []), ...Object.entries(env).map(([name, value]) => `${name}=${value}`)],
      cwd: config.WorkingDir ?? '/',
      noNewPrivileges: true,
    },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=64k'] },
      { destination: ACCOUNT, type: 'bind', source: accountDir, options: ['bind', 'ro'] },
    ],
    linux: { namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'ipc' }, { type: 'uts' }] },
  };
}
