/** `kubectl leadergroup` as a single executable: as it comes out of its archive, through the real kubectl, on a machine without Node. */
import { spawn } from 'node:child_process';
import { mkdir, readFile, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildExecutable, PROGRAM, sha256Of } from '../../dev/executables.ts';
import manifest from '../../package.json' with { type: 'json' };
import { openWith, saidBy } from '../kit/fakes/cli/dashboard.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import { type Kubectl, kubectlOf } from '../kit/rig/kubectl.ts';

const GROUP = 'notifier';
const PATIENCE = { timeout: 60_000, interval: 100 };

let h: Harness;
let bin: string;
let archive: string;
let kubectl: Kubectl;
let env: Readonly<Record<string, string>>;
let namespace: string;

beforeAll(async () => {
  h = await startHarness();
  bin = join(h.dir, 'bin');
  await mkdir(bin);
  const platform = process.arch === 'arm64' ? 'linux-arm64' : 'linux-x64';
  archive = await buildExecutable({ platform, node: process.execPath, out: h.dir });
  await execa('tar', ['-xzf', archive, '-C', bin]);
  // As docs/how-to/install-the-plugin.md says.
  await symlink(PROGRAM, join(bin, 'kubectl_complete-leadergroup'));
  // The cluster's own programs, and no Node.
  env = { ...h.cluster.env, PATH: `${bin}:${join(h.cluster.dir, 'bin')}:/usr/bin:/bin` };
  kubectl = kubectlOf(env);
  await h.startOperator();
  namespace = await h.world.namespace('executable');
  await h.group(namespace, GROUP);
  await h.led(namespace, GROUP);
});

afterAll(() => h[Symbol.asyncDispose]());

it('comes with its checksum, its licence, and those of Node and of the libraries in it', async () => {
  expect(await readFile(`${archive}.sha256`, 'utf8')).toBe(
    `${await sha256Of(archive)}  ${archive.split('/').at(-1)}\n`,
  );
  for (const file of ['LICENSE', 'LICENSE-OF-NODE', 'LICENCES-OF-LIBRARIES.md'])
    expect((await stat(join(bin, file))).size).toBeGreaterThan(1_000);
});

it('is an archive of files alone, since krew unpacks nothing else', async () => {
  const { stdout } = await execa('tar', ['-tvzf', archive]);
  expect(stdout.split('\n').map((line) => line[0])).toEqual(['-', '-', '-', '-']);
});

it('runs with nothing around it, and knows its version', async () => {
  const { stdout, stderr } = await execa(join(bin, PROGRAM), ['--version'], { env: {}, extendEnv: false });
  expect([stdout, stderr]).toEqual([manifest.version, '']);
});

it('lists the groups of a real cluster', async () => {
  const { name, token } = await h.led(namespace, GROUP);
  const { code, stdout } = await kubectl.run(['leadergroup', 'list', '-n', namespace, '-o', 'json']);
  // The operator is a process here, and no Deployment says that it runs.
  expect(code).toBe(4);
  expect(JSON.parse(stdout)).toMatchObject({ items: [{ name: GROUP, leader: name, token }] });
});

it('has a sentence for what goes wrong, and no stack', async () => {
  const { code, stderr } = await kubectl.run(['leadergroup', 'status', 'absent', '-n', namespace]);
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^error: There is no LeaderGroup absent in .*\n$/)]);
});

it('completes under its other name', async () => {
  expect(await kubectl.must(['__complete', 'leadergroup', 'hi'])).toMatch(/^history\t/);
  expect(await kubectl.must(['__complete', 'leadergroup', 'status', '-n', namespace, ''])).toMatch(/^notifier\n/);
});

it('has the page of the dashboard in it', async () => {
  const args = ['leadergroup', 'dashboard', '--no-open', '-n', namespace];
  const child = spawn('kubectl', args, { env: { ...process.env, ...env } });
  const ended = new Promise((resolve) => child.on('close', resolve));
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  await expect.poll(() => saidBy(out), PATIENCE).not.toBeNull();
  const { port, path } = saidBy(out) ?? { port: 0, path: '' };
  const { ask } = await openWith(port, await readFile(path, 'utf8'));
  expect(await ask('/v1/about')).toMatchObject({ namespace });
  child.kill('SIGINT');
  expect(await ended).toBe(0);
});
