/**
 * Prometheus and promtool, with which alerts and the dashboard are tested: those on PATH, or Debian's, unpacked into the cache. Nothing is
 * installed: the package would start a server. Built with Go they would take minutes, and nothing here depends on their version.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { takeLock } from '../lock.mjs';
import { wordsOf } from '../programs.ts';
import { cacheDir } from './cache.ts';
import { ToolError } from './failures.ts';
import { isExecutable } from './find.ts';
import { withProgress } from './progress.ts';

export type PrometheusPrograms = { readonly prometheus: string; readonly promtool: string };

const NAMES = ['prometheus', 'promtool'] as const;
const USUAL_SECONDS = 15;
const APT_TIMEOUT_MS = 300_000;

/** Why this machine has neither, nor can fetch them; null: it can. */
export async function whyNoPrometheus(): Promise<string | null> {
  if ((await found()) !== null) return null;
  const there = await Promise.all(['/usr/bin/apt-get', '/usr/bin/dpkg'].map(isExecutable));
  return there.every(Boolean) ? null : 'prometheus and promtool are not on PATH, and there is no apt-get to fetch them';
}

/** Their paths, fetched the first time. Throws ToolError with one sentence that says what to do. */
export async function ensurePrometheus(): Promise<PrometheusPrograms> {
  using _ = await takeLock(join(cacheDir(), 'tools', '.prometheus-lock'), {});
  const programs = await found();
  if (programs !== null) return programs;
  const times = { expectedSeconds: USUAL_SECONDS, remainingSeconds: USUAL_SECONDS };
  await withProgress("fetching Debian's prometheus", "fetched Debian's prometheus", times, fetchPackage);
  const fetched = await found();
  if (fetched === null) throw new ToolError("Debian's package prometheus has not the programs that were expected.");
  return fetched;
}

const folder = (): string => join(cacheDir(), 'tools', 'prometheus-debian');

async function found(): Promise<PrometheusPrograms | null> {
  const dirs = [...(process.env['PATH'] ?? '').split(delimiter), join(folder(), 'usr/bin')];
  for (const dir of dirs.filter((each) => each !== '')) {
    const [prometheus, promtool] = NAMES.map((name) => join(dir, name)) as [string, string];
    if ((await isExecutable(prometheus)) && (await isExecutable(promtool))) return { prometheus, promtool };
  }
  return null;
}

async function fetchPackage(): Promise<void> {
  const dir = `${folder()}.new`;
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  try {
    // Without lists of packages, as in a fresh image, only the second try can do it.
    await run('/usr/bin/apt-get', ['download', 'prometheus'], dir).catch(async () => {
      await run('/usr/bin/apt-get', ['update'], dir);
      await run('/usr/bin/apt-get', ['download', 'prometheus'], dir);
    });
    const [archive = ''] = await readdir(dir);
    await run('/usr/bin/dpkg', ['-x', archive, folder()], dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function run(program: string, args: readonly string[], cwd: string): Promise<void> {
  try {
    await execa(program, args, { cwd, stdin: 'ignore', timeout: APT_TIMEOUT_MS });
  } catch (error) {
    throw new ToolError(
      `${program} ${args[0] ?? ''} failed (${wordsOf(error).split('\n').slice(-2).join(' ')}): check the network, or put prometheus and promtool on PATH.`,
    );
  }
}
