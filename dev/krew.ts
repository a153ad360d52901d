/** `npm run krew`: the manifest by which krew installs `kubectl leadergroup`, from the archives of a release. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { stringify } from 'yaml';
import manifest from '../package.json' with { type: 'json' };
import { script } from './command-line.ts';

/** As Node names them, and as krew does. */
export const PLATFORMS = {
  'linux-x64': { os: 'linux', arch: 'amd64' },
  'linux-arm64': { os: 'linux', arch: 'arm64' },
  'darwin-x64': { os: 'darwin', arch: 'amd64' },
  'darwin-arm64': { os: 'darwin', arch: 'arm64' },
} as const;

export type Platform = keyof typeof PLATFORMS;

const platforms = Object.keys(PLATFORMS) as readonly Platform[];

export type Release = {
  /** Without a v. */
  readonly version: string;
  /** Where the archives are. */
  readonly url: string;
  readonly homepage: string;
  readonly sha256: Readonly<Record<Platform, string>>;
};

const archiveOf = (platform: Platform): string => `kubectl-leadergroup-${platform}.tar.gz`;

export function krewManifest({ version, url, homepage, sha256 }: Release) {
  return {
    apiVersion: 'krew.googlecontainertools.github.com/v1alpha2',
    kind: 'Plugin',
    metadata: { name: 'leadergroup' },
    spec: {
      version: `v${version}`,
      homepage,
      shortDescription: 'Who leads in LeaderGroups, why, and what is wrong',
      description: `Lists LeaderGroups with their leaders, says why a pod leads and others do not,
finds what is wrong in the cluster, hands the lead over, and shows all groups
live in the browser. Needs the LeaderGroup operator in the cluster.
`,
      caveats: `Completion needs a link that krew does not make:
  ln -s kubectl-leadergroup "\${KREW_ROOT:-$HOME/.krew}/bin/kubectl_complete-leadergroup"
`,
      platforms: platforms.map((platform) => ({
        selector: { matchLabels: PLATFORMS[platform] },
        uri: `${url}/${archiveOf(platform)}`,
        sha256: sha256[platform],
        files: [
          { from: 'kubectl-leadergroup', to: '.' },
          { from: 'LICENSE*', to: '.' },
          { from: 'LICENCES-OF-LIBRARIES.md', to: '.' },
        ],
        bin: 'kubectl-leadergroup',
      })),
    },
  };
}

/** Texts of several lines stay so. */
export const asText = (content: object): string => stringify(content, { lineWidth: 0, blockQuote: 'literal' });

/** Of the archives in the folder. Rejects where one is missing. */
export async function sumsOf(folder: string): Promise<Release['sha256']> {
  const sums = platforms.map(async (platform) => {
    const content = await readFile(join(folder, archiveOf(platform)));
    return [platform, createHash('sha256').update(content).digest('hex')] as const;
  });
  return Object.fromEntries(await Promise.all(sums)) as Release['sha256'];
}

if (import.meta.main) {
  const { archives, url, homepage, out } = script('krew', 'The manifest by which krew installs kubectl leadergroup.')
    .requiredOption('--archives <dir>', 'with what npm run executables made for each platform')
    .requiredOption('--url <address>', 'where they will be downloaded from, without a slash at its end')
    .requiredOption('--homepage <address>', 'of the project')
    .option('--out <file>', 'where to', 'leadergroup.yaml')
    .parse()
    .opts();
  try {
    const { version } = manifest;
    await writeFile(out, asText(krewManifest({ version, url, homepage, sha256: await sumsOf(archives) })));
    process.stdout.write(`wrote ${out}\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
