/** Programs that Debian packages and real nodes or images need: there already, or installed where that is possible. */
import process from 'node:process';
import { execa } from 'execa';
import { wordsOf } from '../programs.ts';
import { HOW_TO_ASK } from './consent.ts';
import { ToolError } from './failures.ts';
import { isExecutable } from './find.ts';
import { withProgress } from './progress.ts';

/** A program and the package that has it. `path`: where the package puts it, by itself not always on PATH. */
export type DebianProgram = { readonly path: string; readonly packageName: string };

export const debianPrograms = {
  containerd: { path: '/usr/bin/containerd', packageName: 'containerd' },
  ctr: { path: '/usr/bin/ctr', packageName: 'containerd' },
  runc: { path: '/usr/sbin/runc', packageName: 'runc' },
  bridge: { path: '/usr/lib/cni/bridge', packageName: 'containernetworking-plugins' },
  nft: { path: '/usr/sbin/nft', packageName: 'nftables' },
  conntrack: { path: '/usr/sbin/conntrack', packageName: 'conntrack' },
  ip: { path: '/usr/sbin/ip', packageName: 'iproute2' },
  umount: { path: '/usr/bin/umount', packageName: 'mount' },
  openssl: { path: '/usr/bin/openssl', packageName: 'openssl' },
  nsenter: { path: '/usr/bin/nsenter', packageName: 'util-linux' },
  unshare: { path: '/usr/bin/unshare', packageName: 'util-linux' },
  chromium: { path: '/usr/bin/chromium', packageName: 'chromium' },
  buildah: { path: '/usr/bin/buildah', packageName: 'buildah' },
} as const satisfies Readonly<Record<string, DebianProgram>>;

export type DebianProgramName = keyof typeof debianPrograms;

const USUAL_SECONDS = 40;
const APT_TIMEOUT_MS = 600_000;

/**
 * Why this machine can neither run real nodes nor build images; null: it can, or packages that are missing can be installed. For
 * tests that must say loudly why they are skipped.
 *
 * @param mayInstall false: packages that are missing are a reason too
 */
export async function whyNoDebianPrograms(
  names: readonly DebianProgramName[],
  { mayInstall = true }: { readonly mayInstall?: boolean } = {},
): Promise<string | null> {
  const [missing, hasAptGet] = await Promise.all([missingPackages(names), isExecutable('/usr/bin/apt-get')]);
  return whyNotOn({ platform: process.platform, isRoot: process.getuid?.() === 0, missing, hasAptGet }, mayInstall);
}

export type DebianMachine = {
  readonly platform: string;
  readonly isRoot: boolean;
  /** Packages. */
  readonly missing: readonly string[];
  readonly hasAptGet: boolean;
};

/** Why such a machine cannot, in words that go on after its name; null: it can. Pure. */
export function whyNotOn({ platform, isRoot, missing, hasAptGet }: DebianMachine, mayInstall: boolean): string | null {
  if (platform !== 'linux') return `it needs Linux, and this is ${platform}`;
  if (!isRoot) return 'it needs root, and this is another user';
  if (missing.length === 0) return null;
  const needs = `it needs ${missing.join(', ')}, and`;
  if (!mayInstall) return `${needs} nothing is installed without being asked for (${HOW_TO_ASK})`;
  return hasAptGet ? null : `${needs} there is no apt-get here to install them with`;
}

/** Installs the packages that are missing, showing progress on standard error. Throws ToolError with one sentence that says what to do. */
export async function ensureDebianPrograms(names: readonly DebianProgramName[]): Promise<void> {
  const why = await whyNoDebianPrograms(names);
  if (why !== null) throw new ToolError(`This cannot run here: ${why}.`);
  const missing = await missingPackages(names);
  if (missing.length === 0) return;
  const what = missing.join(', ');
  const times = { expectedSeconds: USUAL_SECONDS, remainingSeconds: USUAL_SECONDS };
  await withProgress(`installing Debian's ${what}`, `installed Debian's ${what}`, times, async () => {
    await aptGet('update');
    await aptGet(...installing(missing));
  });
  const still = await missingPackages(names);
  if (still.length > 0)
    throw new ToolError(`apt-get has installed ${still.join(', ')}, but not the programs expected.`);
}

async function missingPackages(names: readonly DebianProgramName[]): Promise<readonly string[]> {
  const packages = new Set<string>();
  for (const name of names) {
    const { path, packageName } = debianPrograms[name];
    if (!(await isExecutable(path))) packages.add(packageName);
  }
  return [...packages];
}

/** What apt-get is told. */
export const installing = (packages: readonly string[]): readonly string[] => [
  'install',
  '--yes',
  '--no-install-recommends',
  ...packages,
];

async function aptGet(...args: readonly string[]): Promise<void> {
  try {
    await execa('/usr/bin/apt-get', ['-o', 'DPkg::Lock::Timeout=120', ...args], {
      env: { DEBIAN_FRONTEND: 'noninteractive' },
      stdin: 'ignore',
      timeout: APT_TIMEOUT_MS,
    });
  } catch (error) {
    const cause = wordsOf(error).split('\n').slice(-3).join(' ');
    throw new ToolError(
      `apt-get ${args[0] ?? ''} failed (${cause}): check the network, or install the packages by hand.`,
    );
  }
}
