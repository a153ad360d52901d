import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { runCommandLine } from '../../dev/cluster/args.ts';
import { quoted } from '../../dev/cluster/environment.ts';
import { ComponentDied } from '../../dev/cluster/errors.ts';
import { openCluster, parseComponentName, stopCluster } from '../../dev/cluster/index.ts';
import { layoutOf } from '../../dev/cluster/layout.ts';
import { downAtOnce } from '../../dev/cluster/lifecycle.ts';
import { isFree, releaseAllPorts, releasePort, reservePort, reservingRoots } from '../../dev/cluster/ports.ts';
import {
  endProcess,
  isFrozen,
  markedProcesses,
  recordedProcess,
  signalProcess,
  startProcess,
} from '../../dev/cluster/processes.ts';
import { isRunning } from '../../dev/lock.mjs';
import { commandLine } from './command-line.ts';

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
  const single = { consulAcl: false, consulServers: 1, realNodes: 0, proxyPeriodMs: undefined };

  test.each([
    [['up'], ['up', '.cluster', single]],
    [
      ['up', '--dir', 'd', '--node', 'kwok', '--consul-acl'],
      ['up', 'd', { ...single, consulAcl: true }],
    ],
    [
      ['up', '--consul-servers', '3'],
      ['up', '.cluster', { ...single, consulServers: 3 }],
    ],
    [
      ['up', '--node', 'real'],
      ['up', '.cluster', { ...single, realNodes: 1 }],
    ],
    [
      ['up', '--node', 'real', '--real-nodes', '2'],
      ['up', '.cluster', { ...single, realNodes: 2 }],
    ],
    [
      ['up', '--node', 'real', '--proxy-period', '1000'],
      ['up', '.cluster', { ...single, realNodes: 1, proxyPeriodMs: 1000 }],
    ],
    [
      ['--dir=d', 'down'],
      ['down', 'd'],
    ],
    [
      ['freeze', 'consul'],
      ['component', '.cluster', 'freeze', 'consul'],
    ],
  ])('%j', async (argv, command) => {
    expect(await asked(argv)).toEqual({ command, said: '', exitCode: undefined });
  });

  test.each([[[]], [['help']], [['-h']]])('%j says what there is, the options of up too', async (argv) => {
    const { command, said, exitCode } = await asked(argv);
    expect({ command, exitCode }).toEqual({ command: undefined, exitCode: 0 });
    for (const word of ['down', 'wipe', '--dir', '--consul-acl', '--real-nodes', '--proxy-period', 'kubelet-2'])
      expect(said).toContain(word);
  });

  test.each([
    [['fly'], "unknown command 'fly'"],
    [['kill'], "missing required argument 'NAME'"],
    [['up', 'consul'], "too many arguments for 'up'"],
    [['kill', 'consul', 'etcd'], 'too many arguments'],
    [['stop', 'real-1'], 'a whole node can be frozen and thawed'],
    [['up', '--node', 'virtual'], 'Allowed choices are kwok, real'],
    [['up', '--consul-servers', '2'], 'Allowed choices are 1, 3'],
    [['up', '--node', 'real', '--real-nodes', '3'], 'Allowed choices are 1, 2'],
    [['up', '--real-nodes', '2'], '--real-nodes goes with --node real'],
    [['up', '--node', 'real', '--proxy-period', '1s'], "argument '1s' is invalid. It must be a whole number above 0"],
    [['up', '--proxy-period', '1000'], '--proxy-period goes with --node real'],
    [['up', '--fast'], "unknown option '--fast'"],
  ])('%j is refused: %s', async (argv, message) => {
    const refused = await asked(argv);
    expect(refused).toMatchObject({ command: undefined, said: expect.stringContaining(message), exitCode: 2 });
  });
});

/** Which command a command line runs, and what it says. */
function asked(argv: readonly string[]) {
  return commandLine(async (note) => {
    await runCommandLine(argv, '.cluster', {
      up: async (...args) => note(['up', ...args]),
      down: async (...args) => note(['down', ...args]),
      component: async (...args) => note(['component', ...args]),
    });
  });
}

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
  const start = (script: string, root = dir) =>
    startProcess({
      root,
      path: process.execPath,
      args: ['-e', script],
      env: {},
      cwd: join(root, 'data'),
      logPath: join(root, 'logs', 'x.log'),
      pidPath: join(root, 'pids', 'x.json'),
    });

  test('is found by its record while it runs, and not after', async () => {
    const known = await start('setTimeout(() => {}, 60_000)');
    expect(recordedProcess(join(dir, 'pids', 'x.json'))).toEqual(known);
    await endProcess(known, 5_000);
    expect(recordedProcess(join(dir, 'pids', 'x.json'))).toBeUndefined();
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

  test('that is no component ends with a cluster that ends at once, too', async () => {
    const root = join(dir, 'cluster');
    const known = await start('setTimeout(() => {}, 60_000)', root);
    downAtOnce(layoutOf(root));
    await expect.poll(() => isRunning(known)).toBe(false);
    expect(existsSync(root)).toBe(false);
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
