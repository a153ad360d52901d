/**
 * The base images, made of this machine's own files: the Node that runs this with the libraries that it loads, and for the build npm, a
 * shell and find beside it. As bare as a base image can be, so whatever runs on it runs on a fuller one.
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { wordsOf } from '../programs.ts';
import { ToolError } from '../tools/failures.ts';

type Copy = { readonly from: string; readonly to: string };

export type Base = {
  /** Changes with what the base images consist of. */
  readonly key: string;
  readonly registry: string;
  readonly runtime: readonly Copy[];
  readonly build: readonly Copy[];
};

const NPM_VERSION = '11.19.1';
const BUILD_PROGRAMS = ['/bin/sh', '/usr/bin/env', '/usr/bin/find'];
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
const TEXTS = {
  'etc/passwd': 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n',
  'etc/group': 'root:x:0:\nnonroot:x:65532:\n',
  // Without it glibc would ask DNS before /etc/hosts.
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
};

export async function describeBase(): Promise<Base> {
  const runtime = [{ from: process.execPath, to: '/usr/local/bin/node' }, ...(await librariesOf([process.execPath]))];
  const build = [
    ...BUILD_PROGRAMS.map((path) => ({ from: path, to: path })),
    ...(await librariesOf(BUILD_PROGRAMS)),
    { from: process.env['NODE_EXTRA_CA_CERTS'] ?? CERTIFICATES, to: CERTIFICATES },
  ];
  const registry = await npm('config', 'get', 'registry');
  return { key: await keyOf([...runtime, ...build], registry), registry, runtime, build };
}

/** Folders `runtime` and `build` in `dir`, as base.Dockerfile wants them. */
export async function layOutBase(base: Base, dir: string): Promise<void> {
  const [runtime, build] = [join(dir, 'runtime'), join(dir, 'build')];
  for (const { from, to } of base.runtime) await copy(from, join(runtime, to));
  for (const { from, to } of base.build) await copy(from, join(build, to));
  for (const [path, text] of Object.entries(TEXTS)) {
    await mkdir(dirname(join(runtime, path)), { recursive: true });
    await writeFile(join(runtime, path), text);
  }
  await mkdir(join(build, 'tmp'), { recursive: true });
  await layOutNpm(join(build, 'usr/local'), dir);
}

async function copy(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
}

/** npm as a package, since the machine's own may be spread over the system. Its checksum is checked by npm. */
async function layOutNpm(prefix: string, dir: string): Promise<void> {
  const target = join(prefix, 'lib/node_modules/npm');
  await mkdir(target, { recursive: true });
  await mkdir(join(prefix, 'bin'), { recursive: true });
  await npm('pack', `npm@${NPM_VERSION}`, '--pack-destination', dir);
  await execa('tar', ['-xzf', join(dir, `npm-${NPM_VERSION}.tgz`), '-C', target, '--strip-components=1']);
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(prefix, 'bin/npm'));
}

/** The machine's own, which also knows from where packages come here. */
async function npm(...args: readonly string[]): Promise<string> {
  try {
    return (await execa('npm', args)).stdout;
  } catch (error) {
    throw new ToolError(`Building images needs npm and its registry, and this failed: ${wordsOf(error)}`);
  }
}

/** What the dynamic linker loads for the programs, at the paths where it looks. */
export async function librariesOf(programs: readonly string[]): Promise<readonly Copy[]> {
  const { stdout } = await execa('ldd', programs);
  const paths = new Set(Array.from(stdout.matchAll(/(\/\S+) \(0x/g), ([, path]) => path ?? ''));
  return [...paths].map((path) => ({ from: path, to: path }));
}

async function keyOf(copies: readonly Copy[], registry: string): Promise<string> {
  const hash = createHash('sha256').update(`${process.version} ${process.arch} npm ${NPM_VERSION} ${registry}`);
  for (const { from, to } of copies) {
    // Node is told by its version: the lock file vouches for the rest, and it is large.
    if (from !== process.execPath) hash.update(to).update(await readFile(from));
  }
  return hash.digest('hex').slice(0, 12);
}
