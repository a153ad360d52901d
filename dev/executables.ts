/**
 * `npm run executables`: `kubectl leadergroup` as one file that needs no Node, in an archive with its checksum, by Node's own single executable
 * applications. By default for the platform that it runs on; for another one of Linux with that platform's Node (`--node`).
 */
import { createHash } from 'node:crypto';
import { chmod, copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { Option } from '@commander-js/extra-typings';
import { execa } from 'execa';
import { rolldown } from 'rolldown';
import manifest from '../package.json' with { type: 'json' };
import { script } from './command-line.ts';
import { PLATFORMS, type Platform } from './krew.ts';

const ROOT = join(import.meta.dirname, '..');
const BIN = join(ROOT, 'node_modules/.bin');
export const PROGRAM = 'kubectl-leadergroup';
/** Where Node looks for the program that was put in, and by what it knows that there is one. */
const RESOURCE = 'NODE_SEA_BLOB';
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

export type Executable = {
  readonly platform: Platform;
  /** Of that platform. */
  readonly node: string;
  /** A folder that is there. */
  readonly out: string;
};

/** The archive. Rejects with a sentence where it cannot be made here. */
export async function buildExecutable({ platform, node, out }: Executable): Promise<string> {
  if (platform.startsWith('darwin') && process.platform !== 'darwin')
    throw new Error('macOS runs no program without a signature, which only macOS makes: build this one on a Mac.');
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-executable-'));
  try {
    const content = join(dir, 'content');
    await mkdir(content);
    await makeProgram(dir, { node, program: join(content, PROGRAM), platform });
    await addLicences(content, node);
    const archive = join(out, `${PROGRAM}-${platform}.tar.gz`);
    // Files by name, and no link for completion: krew unpacks nothing but files.
    await execa('tar', ['-czf', archive, '-C', content, ...(await readdir(content))]);
    await writeFile(`${archive}.sha256`, `${await sha256Of(archive)}  ${PROGRAM}-${platform}.tar.gz\n`);
    return archive;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

export const sha256Of = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

type Parts = { readonly node: string; readonly program: string; readonly platform: Platform };

async function makeProgram(dir: string, { node, program, platform }: Parts): Promise<void> {
  const [main, output, config] = ['bundle.cjs', 'blob', 'sea.json'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(main, await bundled());
  // A snapshot, or code compiled ahead, would be for one platform.
  await writeFile(config, JSON.stringify({ main, output, disableExperimentalSEAWarning: true }));
  await execa(process.execPath, ['--experimental-sea-config', config]);
  await copyFile(node, program);
  await chmod(program, 0o755);
  const isMac = platform.startsWith('darwin');
  if (isMac) await execa('codesign', ['--remove-signature', program]);
  const segment = isMac ? ['--macho-segment-name', 'NODE_SEA'] : [];
  await execa(join(BIN, 'postject'), [program, RESOURCE, output, '--sentinel-fuse', FUSE, ...segment]);
  // By nobody: enough to run, not for what a browser has downloaded (docs/how-to/install-the-plugin.md).
  if (isMac) await execa('codesign', ['--sign', '-', program]);
}

/** Everything in one CommonJS script, which is what Node puts into an executable. What a command does is still loaded only when it is run. */
async function bundled(): Promise<string> {
  await using bundle = await rolldown({
    input: join(ROOT, 'src/executable.ts'),
    platform: 'node',
    transform: { define: { LEADERGROUP_VERSION: JSON.stringify(manifest.version) } },
  });
  const { output } = await bundle.generate({ format: 'cjs', codeSplitting: false });
  const [script, ...more] = output;
  if (more.length > 0) throw new Error('The bundle is not one file.');
  return script.code;
}

/** Ours, those of what is in the bundle, and Node's own where it stands beside it. */
async function addLicences(content: string, node: string): Promise<void> {
  await cp(join(ROOT, 'LICENSE'), join(content, 'LICENSE'));
  await cp(join(ROOT, 'docs/reference/licences.md'), join(content, 'LICENCES-OF-LIBRARIES.md'));
  for (const folder of [dirname(node), dirname(dirname(node))])
    await cp(join(folder, 'LICENSE'), join(content, 'LICENSE-OF-NODE')).catch(() => undefined);
}

if (import.meta.main) {
  const own = `${process.platform}-${process.arch}`;
  const { platform, node, out } = script(
    'executables',
    'kubectl leadergroup as one file with Node in it, in an archive.',
  )
    .addOption(new Option('--platform <platform>', 'for which').choices(Object.keys(PLATFORMS)).default(own))
    .option('--node <file>', "that platform's Node; by default the one that runs this", process.execPath)
    .option('--out <dir>', 'where to', 'dist-executables')
    .parse()
    .opts();
  await mkdir(out, { recursive: true });
  try {
    const archive = await buildExecutable({ platform: platform as Platform, node, out });
    const { size } = await stat(archive);
    process.stdout.write(`wrote ${archive} (${Math.round(size / 1e6)} MB), and its checksum beside it\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
