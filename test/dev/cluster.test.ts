import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parseCommand } from '../../dev/cluster/args.ts';
import { quoted } from '../../dev/cluster/environment.ts';
import { ComponentDied } from '../../dev/cluster/errors.ts';
import { openCluster, parseComponentName, stopCluster } from '../../dev/cluster/index.ts';
import { layoutOf } from '../../dev/cluster/layout.ts';
import { isFree, releaseAllPorts, releasePort, reservePort, reservingRoots } from '../../dev/cluster/ports.ts';
import {
  endProcess,
  isFrozen,
  markedProcesses,
  recordedProcess,
  signalProcess,
  startProcess,
} from '../../dev/cluster/processes.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cluster-'));
  vi.stubEnv('LEADERGROUP_CACHE', join(dir, 'cache'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true });
});

describe('the command line', () => {
  test.each([
    [['up'], { type: 'up', dir: '.cluster', consulAcl: false, consulServers: 1, realNodes: 0 }],
    [
      ['up', '--dir', 'd', '--node', 'kwok', '--consul-acl'],
      { type: 'up', dir: 'd', consulAcl: true, consulServers: 1, realNodes: 0 },
    ],
    [['up', '--node', 'real'], { type: 'up', dir: '.cluster', consulAcl: false, consulServers: 1, realNodes: 1 }],
    [
      ['up', '--node', 'real', '--real-nodes', '2'],
      { type: 'up', dir: '.cluster', consulAcl: false, consulServers: 1, realNodes: 2 },
    ],
    [
      ['up', '--node', 'real', '--proxy-period', '1000'],
      { type: 'up', dir: '.cluster', consulAcl: false, consulServers: 1, realNodes: 1, proxyPeriodMs: 1000 },
    ],
    [['--dir=d', 'down'], { type: 'down', dir: 'd' }],
    [['freeze', 'consul'], { type: 'component', dir: '.cluster', action: 'freeze', name: 'consul' }],
    [[], { type: 'help' }],
  ])('%j', (argv, command) => {
    expect(parseCommand(argv, '.cluster')).toEqual(command);
  });

  test.each([
    [['fly'], 'there is no command fly'],
    [['kill'], 'kill needs the name of a component'],
    [['up', 'consul'], 'up takes no component'],
    [['kill', 'consul', 'etcd'], 'too many arguments: etcd'],
    [['up', '--node', 'virtual'], '--node is kwok or real, not virtual'],
    [['up', '--node', 'real', '--real-nodes', '3'], '--real-nodes is 1 or 2, not 3'],
    [['up', '--real-nodes', '2'], '--real-nodes goes with --node real'],
    [['up', '--node', 'real', '--proxy-period', '1s'], '--proxy-period is a number of milliseconds above 0, not 1s'],
    [['up', '--proxy-period', '1000'], '--proxy-period goes with --node real'],
    [['up', '--fast'], "Unknown option '--fast'"],
  ])('%j is refused: %s', (argv, message) => {
    expect(() => parseCommand(argv, '.cluster')).toThrow(message);
  });
});

describe('a component name', () => {
  test('that does not exist is answered with those that do', () => {
    expect(() => parseComponentName('redis')).toThrow('There is no component redis: they are etcd, kube-apiserver');
  });
});

describe('the folder', () => {
  test('is the same through a symbolic link, and before it exists', () => {
    symlinkSync(dir, join(dir, 'link'));
    expect(layoutOf(join(dir, 'link', 'new'))).toEqual(layoutOf(join(dir, 'new')));
  });

  test('of a cluster that is not there is refused with what to do', async () => {
    await expect(openCluster({ dir: join(dir, 'none') })).rejects.toThrow('make one with `npm run cluster -- up`');
  });

  test('that holds somebody else’s files is never removed', async () => {
    await expect(stopCluster({ dir: import.meta.dirname })).rejects.toThrow('holds no cluster');
  });

  test('of a cluster that is not there is down already', async () => {
    await expect(stopCluster({ dir: join(dir, 'none') })).resolves.toBe(false);
  });
});

describe('ports', () => {
  test('of two clusters never collide', async () => {
    const ports = await Promise.all(
      Array.from({ length: 40 }, (_, index) => reservePort(index % 2 === 0 ? dir : tmpdir())),
    );
    expect(new Set(ports).size).toBe(40);
    expect(await reservingRoots()).toEqual(new Set([dir, tmpdir()]));
  });

  test('are given back by their own cluster only', async () => {
    const port = await reservePort(dir);
    await releasePort(port, tmpdir());
    expect(await reservingRoots()).toEqual(new Set([dir]));
    await releaseAllPorts(dir);
    expect(await reservingRoots()).toEqual(new Set());
  });

  test('that somebody listens on are not free', async () => {
    const server = createServer();
    const port = await reservePort(dir);
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    expect(await isFree(port)).toBe(false);
    await new Promise((resolve) => server.close(resolve));
    expect(await isFree(port)).toBe(true);
  });
});

describe('a process', () => {
  const start = (script: string) =>
    startProcess({
      root: dir,
      path: process.execPath,
      args: ['-e', script],
      env: {},
      cwd: join(dir, 'data'),
      logPath: join(dir, 'logs', 'x.log'),
      pidPath: join(dir, 'pids', 'x.json'),
    });

  test('is found by its record while it runs, and not after', async () => {
    const known = await start('setTimeout(() => {}, 60_000)');
    expect(await recordedProcess(join(dir, 'pids', 'x.json'))).toEqual(known);
    await endProcess(known, 5_000);
    expect(await recordedProcess(join(dir, 'pids', 'x.json'))).toBeUndefined();
  });

  test.runIf(process.platform === 'linux')('is found by its cluster’s folder without a record', async () => {
    const known = await start('setTimeout(() => {}, 60_000)');
    await expect.poll(() => markedProcesses(dir)).toEqual([known]);
    expect(await markedProcesses(tmpdir())).toEqual([]);
    await endProcess(known, 0);
  });

  test('that is frozen ends all the same', async () => {
    const known = await start('setTimeout(() => {}, 60_000)');
    signalProcess(known, 'SIGSTOP');
    await expect.poll(() => isFrozen(known)).toBe(true);
    await endProcess(known, 5_000);
    expect(signalProcess(known, 'SIGCONT')).toBe(false);
  });

  test('that does not listen is killed after the grace', async () => {
    const known = await start("process.on('SIGTERM', () => {}); setTimeout(() => {}, 60_000)");
    await endProcess(known, 50);
    expect(signalProcess(known, 'SIGTERM')).toBe(false);
  });
});

describe('the rest', () => {
  test.each([
    ['listen tcp 127.0.0.1:1: bind: address already in use', true],
    ['bad flag', false],
  ])('a component that died with %j had its port taken: %s', (lines, taken) => {
    expect(new ComponentDied('etcd', '/log', lines).portTaken).toBe(taken);
  });

  test('a shell reads any path as it is', () => {
    expect(quoted("it's $HOME")).toBe("'it'\\''s $HOME'");
  });
});
