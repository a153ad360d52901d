import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cacheDir, productDir } from '../../dev/tools/cache.ts';
import { CONSUL_VERSION, chosenBinaries, consulKnowsSettingsOf, consuls } from '../../dev/tools/consul-versions.ts';
import { explainGoFailure } from '../../dev/tools/failures.ts';
import { binaries, folderOf, leaseCandidate, printsVersion } from '../../dev/tools/products.ts';
import { duration, progressLine, showProgress } from '../../dev/tools/progress.ts';

const consul = binaries.find((binary) => binary.name === 'consul') as (typeof binaries)[number];
const space = { path: '/cache', freeBytes: 2e8, neededBytes: 6e9 };

describe('a printed version', () => {
  test.each([
    ['Kubernetes v1.36.1', '1.36.1', true],
    ['Client Version: v1.36.1\nKustomize Version: v5.8.1', '1.36.1', true],
    ['etcd Version: 3.6.16\nGit SHA: Not provided', '3.6.16', true],
    ['Consul v1.22.5\nRevision abc', '1.22.5', true],
    ['Consul v1.22.5+ent', '1.22.5', false],
    ['kwok version v0.7.0 go1.26.0 (linux/amd64)', '0.7.0', true],
    ['Kubernetes v1.36.10', '1.36.1', false],
    ['Kubernetes v1.36.1-rc.0', '1.36.1', false],
    ['', '1.36.1', false],
  ])('%j is %s: %s', (printed, version, expected) => {
    expect(printsVersion(printed, version)).toBe(expected);
  });
});

describe('the pinned versions', () => {
  test.each([...binaries, leaseCandidate, ...consuls].map(({ product }) => [folderOf(product), product] as const))(
    'of %s is the one its go.mod requires',
    (folder, product) => {
      const goMod = readFileSync(join(import.meta.dirname, '../../dev/tools', folder, 'go.mod'), 'utf8');
      expect(goMod.split(/\s/).join(' ')).toContain(`${product.module} v${product.version} `);
    },
  );

  test.each([...binaries, ...consuls].map((binary) => [folderOf(binary.product), binary] as const))(
    '%s has a tool of its go.mod',
    (folder, binary) => {
      const goMod = readFileSync(join(import.meta.dirname, '../../dev/tools', folder, 'go.mod'), 'utf8');
      expect(goMod).toMatch(new RegExp(`^(tool |\\t)${binary.goPackage.replaceAll('.', '\\.')}$`, 'm'));
    },
  );
});

describe('the Consul that tests run against', () => {
  const versionsWith = (version: string | undefined): readonly string[] =>
    chosenBinaries({ [CONSUL_VERSION]: version }).map(({ name, product }) => `${name} ${product.version}`);

  test('is the pinned one where nobody asks for another', () => {
    expect(chosenBinaries({})).toEqual(binaries);
    expect(versionsWith('')).toEqual(versionsWith(undefined));
  });

  test('is another one where that is asked for, kept beside the pinned one, and all else is the same', () => {
    const changed = versionsWith('1.19.2').filter((each) => !versionsWith(undefined).includes(each));
    expect(changed).toEqual(['consul 1.19.2']);
    expect(new Set(consuls.map(({ product }) => productDir(product))).size).toBe(consuls.length);
  });

  test('is given no setting that came after it', () => {
    const knows = (version: string) => consulKnowsSettingsOf(15, { [CONSUL_VERSION]: version });
    expect([knows('1.14.11'), knows('1.19.2'), knows('')]).toEqual([false, true, true]);
  });

  test('that nobody has pinned is refused with those that there are', () => {
    expect(() => versionsWith('2.0.0')).toThrow(/LEADERGROUP_CONSUL_VERSION=2\.0\.0 is none .*1\.22\.5, 1\.19\.2/);
  });
});

describe('a failed build is explained by one sentence', () => {
  test.each([
    [
      'write /x/y: no space left on device',
      /disk is too full.*0\.2 GB free at \/cache.*6\.0 GB needed.*LEADERGROUP_CACHE/,
    ],
    [
      'go: go.mod requires go >= 1.26 (running go 1.22.1; GOTOOLCHAIN=local)',
      /Go 1\.26 or later.*this is go 1\.22\.1: install/,
    ],
    [
      'go: x@v1: Get "https://proxy/x": dial tcp: lookup proxy: no such host',
      /could not download.*no such host.*check the network/,
    ],
    ['go: x@v1: reading https://proxy/x: 503 Service Unavailable', /could not download.*check the network/],
    ['compile: signal: killed', /lack of memory/],
    ['# x\n./a.go:1: syntax error', /Building consul 1\.22\.5 failed: \n {2}# x\n {2}\.\/a\.go:1: syntax error/],
  ])('%j', (output, sentence) => {
    expect(explainGoFailure(consul, output, space)).toMatch(sentence);
  });
});

describe('progress', () => {
  test.each([
    [0, '0 s'],
    [59.4, '59 s'],
    [60, '1 min'],
    [205, '3 min 25 s'],
  ])('%d seconds read %s', (seconds, words) => {
    expect(duration(seconds)).toBe(words);
  });

  test.each([
    [
      { elapsed: 30, expectedSeconds: 60, remainingSeconds: 200 },
      'x: 30 s of usually 1 min, about 2 min 50 s left in all',
    ],
    [
      { elapsed: 90, expectedSeconds: 60, remainingSeconds: 200 },
      'x: 1 min 30 s of usually 1 min, about 2 min 20 s left in all',
    ],
    [{ elapsed: 90, expectedSeconds: 60, remainingSeconds: 60 }, 'x: 1 min 30 s of usually 1 min, nearly there'],
  ])('%j reads %j', (times, line) => {
    expect(progressLine('x', times)).toBe(line);
  });

  test('is plain lines where there is no terminal', () => {
    const written: string[] = [];
    const progress = showProgress(
      'x',
      { expectedSeconds: 1, remainingSeconds: 1 },
      { write: (text) => written.push(text) },
    );
    progress.done('built x');
    expect(written.join('')).toBe('x: 0 s of usually 1 s, about 1 s left in all\nbuilt x in 0 s\n');
  });

  test('is one line, written over, in a terminal', () => {
    const written: string[] = [];
    const stream = { isTTY: true, write: (text: string) => written.push(text) };
    showProgress('x', { expectedSeconds: 1, remainingSeconds: 1 }, stream).done('built x');
    expect(written.join('').split('\n')).toHaveLength(2);
  });
});

describe('the cache', () => {
  test.each([
    [{ LEADERGROUP_CACHE: '/a', XDG_CACHE_HOME: '/b' }, '/a'],
    [{ XDG_CACHE_HOME: '/b' }, '/b/leadergroup'],
    [{ LEADERGROUP_CACHE: '', XDG_CACHE_HOME: '/b' }, '/b/leadergroup'],
  ])('with %j is %s', (env, dir) => {
    expect(cacheDir(env)).toBe(dir);
  });
});
