/** What a machine looks like to those who must leave it as it was. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir } from '../../../dev/tools/cache.ts';

type Aspect = 'cgroups' | 'firewall' | 'folders' | 'links' | 'mounts' | 'processes' | 'routes' | 'settings';

export type Machine = Readonly<Record<Aspect, readonly string[]>>;

const FOLDERS = [
  '/run/leadergroup-real-nodes.json',
  '/run/containerd',
  '/run/containerd/s',
  '/run/mount',
  '/run/netns',
  '/var/lib/cni',
  '/var/lib/cni/results',
  '/var/lib/containerd',
  '/var/lib/kubelet',
  '/var/lib/kubelet/device-plugins',
  '/var/log/containers',
  '/var/log/pods',
  '/opt',
];

const SETTINGS = [
  'kernel/keys/root_maxbytes',
  'kernel/keys/root_maxkeys',
  'kernel/panic',
  'kernel/panic_on_oops',
  'net/ipv4/conf/all/forwarding',
  'net/ipv4/conf/default/forwarding',
  'net/ipv4/ip_forward',
  'net/netfilter/nf_conntrack_max',
  'net/netfilter/nf_conntrack_tcp_timeout_established',
  'vm/overcommit_memory',
  'vm/panic_on_oom',
];

/** Mounts, network, firewall, cgroups, kernel settings, and the folders and processes of a container runtime. */
export function machineNow(): Machine {
  return {
    mounts: mountPoints(),
    links: (JSON.parse(printed('ip', '-json', 'link', 'show')) as readonly { ifname: string }[]).map(
      (link) => link.ifname,
    ),
    routes: routes(),
    firewall: printed('nft', 'list', 'ruleset').split('\n'),
    settings: SETTINGS.map((name) => `${name} = ${textOf(join('/proc/sys', name))}`),
    folders: FOLDERS.flatMap((folder) =>
      [folder, ...(namesIn(folder) ?? [existsSync(folder) ? 'is there' : 'is not there'])].join(' '),
    ),
    cgroups: containerCgroups(),
    processes: runtimeProcesses(),
  };
}

/**
 * Without those that the kernel makes for the link-local address of a pod's interface: they come by themselves when
 * duplicate address detection is over, a second or two after the interface, which is told under `links`.
 */
function routes(): readonly string[] {
  const lines = printed('ip', 'route', 'show', 'table', 'all').split('\n');
  return lines.filter((line) => !/^(local|anycast) fe80::\S* dev veth/.test(line));
}

/** Without those of images that are being built meanwhile. */
function mountPoints(): readonly string[] {
  const points = textOf('/proc/self/mountinfo')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '');
  return points.filter((point) => !point.startsWith(cacheDir())).sort();
}

/** Of either generation: one tree, or one for each controller. */
function containerCgroups(): readonly string[] {
  const parents = ['', ...(namesIn('/sys/fs/cgroup') ?? [])].map((name) => join('/sys/fs/cgroup', name, 'k8s.io'));
  return parents.flatMap((path) => {
    const names = namesIn(path);
    return names === null ? [] : [path, ...names.filter((name) => /^[0-9a-f]{64}$/.test(name))];
  });
}

function runtimeProcesses(): readonly string[] {
  const pids = (namesIn('/proc') ?? []).filter((name) => /^\d+$/.test(name));
  const isOurs = (pid: string): boolean =>
    textOf(`/proc/${pid}/cgroup`).includes('/k8s.io/') ||
    /^(containerd|kubelet|kube-proxy|runc)/.test(textOf(`/proc/${pid}/comm`));
  const commands = pids.filter(isOurs).map((pid) => textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' '));
  // One that has ended, and that nobody has asked for its exit code yet, has none.
  return commands.filter((command) => command !== '').sort();
}

function printed(program: string, ...args: readonly string[]): string {
  const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
  return execFileSync(program, args, { encoding: 'utf8', env });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

function namesIn(path: string): readonly string[] | null {
  try {
    return readdirSync(path).sort();
  } catch {
    return null;
  }
}
