/**
 * Other programs than the notifier's for pods of the end-to-end test, in a folder of the machine that is mounted into them: applications with node-cron and APScheduler,
 * and a shell with curl for the CronJob.
 */
import { chmod, cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { librariesOf } from '../../../../dev/images/base.ts';
import { type Scheduler, type Series, schedulesText } from './claimed.ts';
import { UNCHECKED_SINK } from './names.ts';
import type { Manifest } from './site.ts';

const ROOT = join(import.meta.dirname, '../../../..');
/** Where pods see the folder, and its programs for the shell: the image has none. */
const MOUNT = '/schedulers';
const HERE = 'test/kit/rig/e2e/schedulers';
/** What the shell client needs, and what tests send with. */
const SHELL = [
  'sh',
  'cat',
  'curl',
  'date',
  'dirname',
  'env',
  'getent',
  'grep',
  'od',
  'sed',
  'sleep',
  'sort',
  'timeout',
  'tr',
  'wc',
];
/** Of Python's own library, large, and nothing that runs in a pod. */
const UNUSED = ['test', 'site-packages', 'idlelib', 'tkinter', 'ensurepip', 'lib2to3', 'turtledemo', 'distutils'];

export type Programs = AsyncDisposable & { readonly dir: string };

/** The packages for Python are fetched. */
export async function layOutPrograms(): Promise<Programs> {
  await using made = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-schedulers-'));
  made.defer(() => rm(dir, { recursive: true, force: true }));
  // Pods run as somebody else.
  await chmod(dir, 0o755);
  // Where they are in this checkout, so that they find each other.
  for (const path of ['examples/adapters', 'examples/clients', HERE, 'node_modules/node-cron'])
    await cp(join(ROOT, path), join(dir, path), { recursive: true });
  await writeFile(join(dir, 'package.json'), '{"type":"module"}');
  const programs = [...(await layOutShell(dir)), ...(await layOutPython(dir))];
  await mkdir(join(dir, 'lib'));
  for (const { from } of await librariesOf(programs))
    await cp(from, join(dir, 'lib', basename(from)), { dereference: true });
  const rest = made.move();
  return { dir, [Symbol.asyncDispose]: () => rest.disposeAsync() };
}

async function layOutShell(dir: string): Promise<readonly string[]> {
  await mkdir(join(dir, 'bin'));
  const found = SHELL.map((name) => join('/usr/bin', name));
  for (const path of found) await cp(path, join(dir, 'bin', basename(path)), { dereference: true });
  return found;
}

/** The machine's own Python as node-cron's pods have the machine's own Node, with what the adapter is tested with. */
async function layOutPython(dir: string): Promise<readonly string[]> {
  const ask = 'import sys, sysconfig; print(sys.executable, sysconfig.get_path("stdlib"))';
  const [program = '', library = ''] = (await execa('python3', ['-c', ask])).stdout.split(' ');
  await cp(program, join(dir, 'bin/python3'), { dereference: true });
  const isUsed = (path: string): boolean => {
    const [top = ''] = path.slice(library.length + 1).split('/');
    return !UNUSED.includes(top) && !top.startsWith('config-');
  };
  const copied = join(dir, 'python/lib', basename(library));
  await cp(library, copied, { recursive: true, dereference: true, filter: isUsed });
  await execa('python3', ['-m', 'venv', join(dir, 'venv')]);
  const wanted = join(ROOT, 'examples/adapters/requirements.txt');
  const pip = ['install', '--quiet', '--disable-pip-version-check', '--target', join(dir, 'packages'), '-r', wanted];
  await execa(join(dir, 'venv/bin/pip'), pip);
  const extensions = join(copied, 'lib-dynload');
  return [program, ...(await readdir(extensions)).filter(isLoaded).map((name) => join(extensions, name))];
}

/** The others need libraries of a desktop. */
const isLoaded = (name: string): boolean => name.endsWith('.so') && !/^_(?:tkinter|curses|dbm|gdbm)/.test(name);

type Container = Record<string, unknown> & {
  readonly env?: readonly { readonly name: string }[];
  readonly volumeMounts?: readonly object[];
};
type Pod = { containers: readonly [Container, ...Container[]]; volumes?: readonly object[] };
type Workload = Manifest & { spec: { template: { spec: Pod } } };

/** A file of the folder, as a container sees it. */
const mounted = (path: string): string => `${MOUNT}/${path}`;
const mount = { name: 'programs', mountPath: MOUNT, readOnly: true };
const volumeOf = (dir: string): object => ({ name: 'programs', hostPath: { path: dir } });

type Program = {
  readonly by: Scheduler;
  readonly command: readonly string[];
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
};

const PROGRAMS: readonly Program[] = [
  { by: 'node-cron', command: ['node', mounted(`${HERE}/with-node-cron.ts`)], port: 8081, env: {} },
  {
    by: 'APScheduler',
    command: [mounted('bin/python3'), '-B', mounted(`${HERE}/with_apscheduler.py`)],
    port: 8082,
    env: {
      LD_LIBRARY_PATH: mounted('lib'),
      PYTHONHOME: mounted('python'),
      PYTHONPATH: ['packages', 'examples/adapters', 'examples/clients/python'].map(mounted).join(':'),
    },
  },
];

/** A container more for each other scheduler that keeps some of these schedules, as the first one but for its program, in every pod of the workload. */
export function withSchedulers(manifest: Manifest, programs: Programs, all: readonly Series[]): Manifest {
  const copy = structuredClone(manifest) as Workload;
  const pod = copy.spec.template.spec;
  const [first] = pod.containers;
  const beside = PROGRAMS.filter(({ by }) => all.some((series) => series.by === by)).map(
    ({ by, command, port, env }): Container => {
      const own = { ...env, SCHEDULES: schedulesText(all, by), SINK: UNCHECKED_SINK, PORT: String(port) };
      const others = (first.env ?? []).filter(({ name }) => !Object.hasOwn(own, name));
      return {
        ...first,
        name: by.toLowerCase(),
        command,
        ports: [{ containerPort: port }],
        env: [...others, ...Object.entries(own).map(([name, value]) => ({ name, value }))],
        volumeMounts: [...(first.volumeMounts ?? []), mount],
        readinessProbe: { httpGet: { path: '/', port }, periodSeconds: 2 },
      };
    },
  );
  pod.containers = [first, ...beside];
  pod.volumes = [...(pod.volumes ?? []), volumeOf(programs.dir)];
  return copy;
}

/** Has its containers run this in a shell, beside the clients and adapters for it. */
export function inShell(
  manifest: Manifest,
  programs: Programs,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): Manifest {
  const copy = structuredClone(manifest) as Workload;
  const pod = copy.spec.template.spec;
  const [first] = pod.containers;
  // Where scripts look for a shell.
  const volumeMounts = [...(first.volumeMounts ?? []), mount, { name: 'shell', mountPath: '/bin', readOnly: true }];
  const given = {
    ...env,
    PATH: '/bin',
    LD_LIBRARY_PATH: mounted('lib'),
    LEADERGROUP_CLIENT: mounted('examples/clients/shell'),
  };
  const all = [...(first.env ?? []), ...Object.entries(given).map(([name, value]) => ({ name, value }))];
  pod.containers = [{ ...first, command: argv, env: all, volumeMounts }];
  pod.volumes = [
    ...(pod.volumes ?? []),
    volumeOf(programs.dir),
    { name: 'shell', hostPath: { path: join(programs.dir, 'bin') } },
  ];
  return copy;
}

/** Of examples/adapters. */
export const CRONJOB_SH = mounted('examples/adapters/cronjob.sh');
