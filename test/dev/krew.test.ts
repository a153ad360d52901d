/**
 * The manifest for krew, against the rules by which krew takes one: what its validation refuses, and what its developer guide asks for. Its own
 * validator is no package that can be had here.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { buildExecutable } from '../../dev/executables.ts';
import { asText, krewManifest, PLATFORMS, sumsOf } from '../../dev/krew.ts';
import manifest from '../../package.json' with { type: 'json' };

type Manifest = ReturnType<typeof krewManifest>;

const SUM = 'a'.repeat(64);
function made(change: (manifest: Manifest) => void = () => undefined): Manifest {
  const sha256 = { 'linux-x64': SUM, 'linux-arm64': SUM, 'darwin-x64': SUM, 'darwin-arm64': SUM };
  const url = 'https://example.com/releases/download/v1.2.3';
  const release = { version: '1.2.3', url, homepage: 'https://example.com', sha256 };
  // As it is read from the file.
  const read = parse(asText(krewManifest(release))) as Manifest;
  change(read);
  return read;
}

/** What krew would say; empty: it takes it. */
function objections({ apiVersion, kind, metadata, spec }: Manifest): readonly string[] {
  const rules: readonly (readonly [boolean, string])[] = [
    [apiVersion === 'krew.googlecontainertools.github.com/v1alpha2', 'apiVersion'],
    [kind === 'Plugin', 'kind'],
    [/^[\w-]+$/.test(metadata.name) && !metadata.name.startsWith('kube'), 'name'],
    [/^v\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(spec.version), 'version'],
    [/^[^\r\n]{1,50}$/.test(spec.shortDescription) && !spec.shortDescription.endsWith('.'), 'shortDescription'],
    [spec.homepage.startsWith('https:'), 'homepage'],
    [spec.description.split('\n').every((line) => line.length <= 80), 'description'],
    [spec.platforms.length > 0, 'platforms'],
  ];
  return [
    ...rules.filter(([holds]) => !holds).map(([, name]) => name),
    ...spec.platforms.flatMap((platform) => objectionsTo(platform)),
  ];
}

function objectionsTo({ uri, sha256, bin, files, selector }: Manifest['spec']['platforms'][number]): readonly string[] {
  const keys = Object.keys(selector.matchLabels);
  const rules: readonly (readonly [boolean, string])[] = [
    [/^https:.*\.(?:tar\.gz|zip)$/.test(uri), 'uri'],
    [/^[a-f0-9]{64}$/.test(sha256), 'sha256'],
    [bin !== '' && files.some(({ from }) => from === bin), 'bin'],
    [files.length > 0 && files.every(({ from, to }) => from !== '' && to !== ''), 'files'],
    [files.some(({ from }) => from.startsWith('LICENSE')), 'licence'],
    [keys.length > 0 && keys.every((key) => ['os', 'arch'].includes(key)), 'selector'],
  ];
  return rules.filter(([holds]) => !holds).map(([, name]) => name);
}

describe('the manifest for krew', () => {
  it('is one that krew takes', () => {
    expect(objections(made())).toEqual([]);
  });

  it.each<[string, (manifest: Manifest) => void]>([
    ['version', ({ spec }) => Object.assign(spec, { version: '1.2.3' })],
    ['shortDescription', ({ spec }) => Object.assign(spec, { shortDescription: 'a\nb' })],
    ['sha256', ({ spec }) => Object.assign(spec.platforms[1] ?? {}, { sha256: SUM.toUpperCase() })],
    ['bin', ({ spec }) => Object.assign(spec.platforms[0] ?? {}, { bin: 'leadergroup' })],
    ['selector', ({ spec }) => Object.assign(spec.platforms[0]?.selector ?? {}, { matchLabels: {} })],
  ])('would not be taken with another %s', (rule, change) => {
    expect(objections(made(change))).toEqual([rule]);
  });

  it('has each platform once, with its own archive', () => {
    const { platforms } = made().spec;
    expect(platforms.map(({ selector }) => selector.matchLabels)).toEqual(Object.values(PLATFORMS));
    expect(platforms.map(({ uri }) => uri.split('/').at(-1))).toEqual(
      Object.keys(PLATFORMS).map((platform) => `kubectl-leadergroup-${platform}.tar.gz`),
    );
  });

  it('has the sums of the archives, and is not made where one is missing', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'leadergroup-krew-'));
    try {
      await expect(sumsOf(dir)).rejects.toThrow('kubectl-leadergroup-');
      for (const platform of Object.keys(PLATFORMS))
        await writeFile(join(dir, `kubectl-leadergroup-${platform}.tar.gz`), 'abc');
      const sums = await sumsOf(dir);
      expect(new Set(Object.values(sums))).toEqual(
        new Set(['ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad']),
      );
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  it('is of a version that is a release’s', () => {
    expect(manifest.version).toMatch(/^\d+\.\d+\.\d+$/);
  });
});

it.skipIf(process.platform === 'darwin')('an executable for macOS is not made where nobody can sign it', async () => {
  const wanted = { platform: 'darwin-arm64', node: process.execPath, out: tmpdir() } as const;
  await expect(buildExecutable(wanted)).rejects.toThrow(/without a signature.*on a Mac/);
});
