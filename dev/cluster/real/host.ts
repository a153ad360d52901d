/**
 * What real nodes change on the machine outside the cluster's folder without asking us: recorded before, put back afterwards.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { debianPrograms } from '../../tools/debian.ts';
import type { Layout } from '../layout.ts';
import { containerIds } from './bundles.ts';
import type { NodePlan } from './plan.ts';
import { runProgram } from './programs.ts';

export interface HostRecord {
  /** Kernel settings as they were. */
  readonly settings: Readonly<Record<string, string>>;
  /** Folders that were not there. */
  readonly absent: readonly string[];
}

/** What a kubelet sets, whether it is asked to or not. */
const KUBELET_SETTINGS: Readonly<Record<string, string>> = {
  'vm/overcommit_memory': '1',
  'vm/panic_on_oom': '0',
  'kernel/panic': '10',
  'kernel/panic_on_oops': '1',
  'kernel/keys/root_maxkeys': '1000000',
  'kernel/keys/root_maxbytes': '25000000',
};

const CGROUPS = '/sys/fs/cgroup';
/** Pods in common, as a multiple of one process. */
const POD_WEIGHT = 32;
/** Of one process, in either generation of cgroups; the second has no weight at its root. */
const WEIGHTS = [
  {
    marker: join(CGROUPS, 'cpu', 'cpu.shares'),
    parent: join(CGROUPS, 'cpu', 'k8s.io'),
    file: 'cpu.shares',
    weight: 1024,
  },
  { marker: join(CGROUPS, 'cgroup.controllers'), parent: join(CGROUPS, 'k8s.io'), file: 'cpu.weight', weight: 100 },
];
const CNI_RESULTS = '/var/lib/cni/results';
const DEVICE_PLUGINS = '/var/lib/kubelet/device-plugins';
const LOG_LINKS = '/var/log/containers';
const RECORD_COPY = '/run/leadergroup-real-nodes.json';
const SHIM_SOCKETS = '/run/containerd/s';

/** Inner ones before outer ones. */
const FOLDERS = [
  SHIM_SOCKETS,
  '/run/containerd',
  CNI_RESULTS,
  '/var/lib/cni',
  DEVICE_PLUGINS,
  '/var/lib/kubelet',
  LOG_LINKS,
  // The mount command's.
  '/run/mount',
];

/** The machine as it is before it has real nodes. */
export function recordHost(): HostRecord {
  const settings = Object.keys(KUBELET_SETTINGS).map((name) => [name, readSetting(name)] as const);
  return {
    settings: Object.fromEntries(settings),
    absent: [...FOLDERS, ...podCgroups()].filter((path) => !existsSync(path)),
  };
}

/** Keeps a copy of the record where it survives the cluster's folder, until the next start of the machine. */
export function keepRecord(root: string, host: HostRecord): void {
  writeFileSync(RECORD_COPY, JSON.stringify({ root, host }));
}

/**
 * Gives all pods together the CPU that they have on a real node. Their common cgroup would weigh as much as a single process of this machine: while
 * tests run, pods would stand still for seconds. Only where the record says that there is none yet, since it goes with the cluster then.
 */
export function weighPods({ absent }: HostRecord): void {
  for (const { marker, parent, file, weight } of WEIGHTS) {
    if (!existsSync(marker) || !absent.includes(parent)) continue;
    mkdirSync(parent, { recursive: true });
    if (existsSync(join(parent, file))) writeFileSync(join(parent, file), String(weight * POD_WEIGHT));
  }
}

/** The record of a cluster whose folder is lost. Without a copy: that nobody needs the folders that are empty. */
export function keptRecord(root: string): HostRecord {
  const copy = copiedRecord();
  return copy?.root === root ? copy.host : { settings: {}, absent: [...FOLDERS, ...podCgroups()] };
}

function copiedRecord(): { readonly root: string; readonly host: HostRecord } | undefined {
  try {
    return JSON.parse(readFileSync(RECORD_COPY, 'utf8')) as { root: string; host: HostRecord };
  } catch {
    return undefined;
  }
}

/**
 * Puts the machine back as it was. All processes of the nodes must have ended.
 *
 * @param containers those known otherwise than by the nodes' folders
 */
export function restoreHost(
  { root }: Layout,
  nodes: readonly NodePlan[],
  { settings, absent }: HostRecord,
  containers: ReadonlySet<string>,
): void {
  // Before the mounts: a node's folders say which containers it had.
  const ids = nodes.flatMap((node) => [...containerIds(node), ...containers].map((id) => ({ node, id })));
  for (const path of mountsUnder(root, readFileSync('/proc/self/mountinfo', 'utf8')).toReversed()) {
    runProgram(debianPrograms.umount.path, ['--no-mtab', '--lazy', path]);
  }
  for (const { node, id } of ids) rmSync(shimSocket(node, id), { force: true });
  for (const parent of podCgroups()) for (const { id } of ids) removeCgroup(join(parent, id));
  removeNetworkResults(nodes, new Set(ids.map(({ id }) => id)));
  for (const link of entriesOf(LOG_LINKS).map((name) => join(LOG_LINKS, name))) {
    if (targetOf(link)?.startsWith(`${root}/`) === true) rmSync(link, { force: true });
  }
  if (absent.includes(DEVICE_PLUGINS)) rmSync(DEVICE_PLUGINS, { recursive: true, force: true });
  for (const path of absent) removeEmpty(path);
  restoreSettings(settings);
  if (copiedRecord()?.root === root) rmSync(RECORD_COPY, { force: true });
}

/** Leaves those that somebody else has changed since. */
function restoreSettings(settings: HostRecord['settings']): void {
  for (const [name, value] of Object.entries(settings)) {
    if (readSetting(name) === KUBELET_SETTINGS[name]) writeFileSync(join('/proc/sys', name), value);
  }
}

/**
 * The mount points in a folder, each after those that it lies in. Pure.
 *
 * @param table /proc/self/mountinfo
 */
export function mountsUnder(root: string, table: string): readonly string[] {
  const points = table.split('\n').map((line) => line.split(' ')[4] ?? '');
  return points.map(unescaped).filter((path) => path.startsWith(`${root}/`));
}

/** The kernel writes white space and backslashes in octal. */
const unescaped = (path: string) =>
  path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** Where containerd's shim listens for the container: outside of containerd's own folders, whatever those are. */
const shimSocket = ({ containerd }: NodePlan, id: string) =>
  join(
    SHIM_SOCKETS,
    createHash('sha256')
      .update(join(containerd.socket, 'k8s.io', id))
      .digest('hex'),
  );

/** The parents of all containers' cgroups: one for each controller, or one in all. */
const podCgroups = () =>
  [CGROUPS, ...entriesOf(CGROUPS).map((name) => join(CGROUPS, name))].map((path) => join(path, 'k8s.io'));

function removeCgroup(path: string): void {
  for (const child of entriesOf(path))
    if (existsSync(join(path, child, 'cgroup.procs'))) removeCgroup(join(path, child));
  removeEmpty(path);
}

/** What the CNI library remembers of each pod's two networks, loopback being one. */
function removeNetworkResults(nodes: readonly NodePlan[], ids: ReadonlySet<string>): void {
  const own = (name: string) =>
    nodes.some(({ bridge }) => name.startsWith(`${bridge}-`)) || [...ids].some((id) => name.includes(id));
  for (const name of entriesOf(CNI_RESULTS).filter(own)) rmSync(join(CNI_RESULTS, name), { force: true });
}

const readSetting = (name: string) => readFileSync(join('/proc/sys', name), 'utf8').trim();

function entriesOf(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

/** Leaves a folder that somebody else uses. */
function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTEMPTY' && code !== 'EBUSY' && code !== 'ENOTDIR') throw error;
  }
}
