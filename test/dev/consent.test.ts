import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { whyNoTestsOnRealNodes } from '../../dev/cluster/real/index.ts';
import { areRealNodesAskedFor, askForRealNodes } from '../../dev/tools/consent.ts';
import { installing, whyNotOn } from '../../dev/tools/debian.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('a machine that nobody has opted in', () => {
  it('has no tests on real nodes, whatever it could do', async () => {
    vi.stubEnv('LEADERGROUP_REQUIRE_REAL_NODES', undefined);
    await expect(whyNoTestsOnRealNodes()).resolves.toMatch(/nobody has asked for.*LEADERGROUP_REQUIRE_REAL_NODES=1/);
  });

  it.each(['0', '', 'true'])('is not opted in by %j', (value) => {
    expect(areRealNodesAskedFor({ LEADERGROUP_REQUIRE_REAL_NODES: value })).toBe(false);
  });
});

describe('a machine that somebody has opted in', () => {
  it('is asked no more than what it can', async () => {
    const env: NodeJS.ProcessEnv = {};
    askForRealNodes(env);
    expect(areRealNodesAskedFor(env)).toBe(true);
    vi.stubEnv('LEADERGROUP_REQUIRE_REAL_NODES', '1');
    expect((await whyNoTestsOnRealNodes()) ?? '').not.toContain('asked');
  });
});

describe('packages that are missing', () => {
  const machine = { platform: 'linux', isRoot: true, missing: ['buildah', 'runc'], hasAptGet: true };

  it('are installed where that was asked for, and are else the reason', () => {
    expect(whyNotOn(machine, true)).toBeNull();
    expect(whyNotOn(machine, false)).toMatch(/^it needs buildah, runc, and nothing is installed .*=1/);
    expect(whyNotOn({ ...machine, missing: [] }, false)).toBeNull();
  });

  it.each([
    ['where there is no apt-get', { hasAptGet: false }, 'apt-get'],
    ['for a user who is not root', { isRoot: false }, 'root'],
    ['on another system', { platform: 'darwin' }, 'Linux'],
  ])('cannot be had %s', (_, lacking, words) => {
    expect(whyNotOn({ ...machine, ...lacking }, true)).toContain(words);
  });
});

it.runIf(existsSync('/usr/bin/apt-get'))('apt-get knows the options that it is given', () => {
  expect(() => execFileSync('/usr/bin/apt-get', ['--simulate', ...installing([])], { stdio: 'pipe' })).not.toThrow();
});
