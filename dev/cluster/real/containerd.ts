/** containerd of one real node, with everything that it keeps in the cluster's folder. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { debianPrograms } from '../../tools/debian.ts';
import type { ComponentSpec } from '../spec.ts';
import { podImageName } from './image.ts';
import type { NodePlan } from './plan.ts';

const CTR_TIMEOUT_MS = 60_000;

export function containerd(node: NodePlan): ComponentSpec {
  const { config, cniConfig } = node.containerd;
  return {
    name: `containerd${node.suffix}`,
    binary: 'containerd',
    args: [`--config=${config}`],
    // It looks for its shim and runc on PATH, where an administrator's programs need not be.
    env: { PATH: SYSTEM_PATH },
    prepare: async () => {
      await mkdir(cniConfig, { recursive: true });
      await mkdir(dirname(config), { recursive: true });
      await writeFile(config, containerdConfig(node, await podImageName()));
      await writeFile(join(cniConfig, '10-bridge.conflist'), JSON.stringify(networkConfig(node), undefined, 2));
    },
    isReady: async () => (await ctr(node, ['version'])) !== '',
  };
}

export const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

/** Runs containerd's own client in the namespace of Kubernetes and returns what it prints. Rejects if it fails. */
export async function ctr({ containerd }: NodePlan, args: readonly string[]): Promise<string> {
  const all = ['--address', containerd.socket, '--connect-timeout', '2s', '--namespace', 'k8s.io', ...args];
  return (await execa(debianPrograms.ctr.path, all, { timeout: CTR_TIMEOUT_MS })).stdout;
}

/** containerd's configuration file. Pure. */
export function containerdConfig({ containerd }: NodePlan, sandboxImage: string): string {
  return `version = 2
root = ${toml(containerd.root)}
state = ${toml(containerd.state)}
# The first makes a folder in /opt; the others complain where the kernel or the machine lacks what they need.
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
address = ${toml(containerd.socket)}

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = ${toml(sandboxImage)}
stream_server_address = "127.0.0.1"
# A process may only become easier to kill where the machine withholds CAP_SYS_RESOURCE.
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = ${toml(dirname(debianPrograms.bridge.path))}
conf_dir = ${toml(containerd.cniConfig)}

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = ${toml(debianPrograms.runc.path)}
Root = ${toml(containerd.runcRoot)}
`;
}

/** A basic string of TOML is written as one of JSON. */
const toml = (text: string) => JSON.stringify(text);

/**
 * The network of the node's pods. The bridge has its address already: a plugin that gave it one would also switch on
 * forwarding for the whole machine.
 */
export function networkConfig({ bridge, podNetwork, address, containerd }: NodePlan): object {
  return {
    cniVersion: '1.0.0',
    name: bridge,
    plugins: [
      {
        type: 'bridge',
        bridge,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          dataDir: containerd.cniData,
          ranges: [[{ subnet: podNetwork, gateway: address }]],
          routes: [{ dst: '0.0.0.0/0', gw: address }],
        },
      },
    ],
  };
}
