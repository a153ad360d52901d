/** Whatever happens to a cluster with real nodes: nothing of it stays on the machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Cluster, startCluster, stopCluster } from '../../dev/cluster/index.ts';
import { signalProcess } from '../../dev/cluster/processes.ts';
import type { Lock } from '../../dev/lock.mjs';
import { kubectlOf } from '../kit/rig/kubectl.ts';
import { type Machine, machineNow } from '../kit/rig/machine.ts';
import { describeOnRealNodes, MACHINE_TIMEOUT_MS, takeMachine } from '../kit/rig/real-node.ts';
import { realPodManifest } from '../kit/rig/real-pods.ts';

describeOnRealNodes('Of a cluster with real nodes nothing remains on the machine', () => {
  let folder: string;
  let dir: string;
  let before: Machine;
  let lock: Lock;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'leadergroup-it-'));
    dir = join(folder, 'cluster');
    lock = await takeMachine();
    before = machineNow();
  }, MACHINE_TIMEOUT_MS);

  afterAll(async () => {
    await stopCluster({ dir });
    lock.release();
    await rm(folder, { recursive: true, force: true });
  });

  const start = (): Promise<Cluster> => startCluster({ dir, realNodes: 2 });

  const runPods = async (cluster: Cluster): Promise<void> => {
    const kubectl = kubectlOf(cluster.env);
    const { name: image } = await cluster.podImage();
    const items = cluster.realNodes.map(({ name: node }) =>
      realPodManifest({ name: `on-${node}`, node, app: 'a' }, image),
    );
    await kubectl.must(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    await kubectl.must(['wait', 'pod', '--all', '--for=condition=Ready', '--timeout=60s']);
  };

  it('when it is taken down with pods running, also on a frozen node', async () => {
    const cluster = await start();
    await runPods(cluster);
    expect(machineNow()).not.toEqual(before);
    await cluster.realNodes[1]?.freeze();
    await cluster.down();
    expect(machineNow()).toEqual(before);
  });

  it('when all of it was killed before', async () => {
    const cluster = await start();
    await runPods(cluster);
    const control = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kwok', 'consul'] as const;
    await Promise.all([...control, 'kube-proxy' as const].map((name) => cluster.component(name).kill()));
    // First those who would start again what ends.
    for (const node of cluster.realNodes) for (const process of node.processes()) signalProcess(process, 'SIGKILL');
    await stopCluster({ dir });
    expect(machineNow()).toEqual(before);
  });

  it('when its folder was removed by hand while it ran', async () => {
    const cluster = await start();
    await runPods(cluster);
    // Not everything goes: mounts are busy, and the kubelets go on writing.
    await rm(dir, { recursive: true, force: true }).catch(() => null);
    await stopCluster({ dir });
    expect(machineNow()).toEqual(before);
    expect(existsSync(dir)).toBe(false);
  });

  it('when its making was killed half way', async () => {
    const args = ['dev/cluster.ts', 'up', '--dir', dir, '--node', 'real', '--real-nodes', '2'];
    const half = spawn('node', args, { stdio: 'inherit' });
    const ended = once(half, 'exit');
    const hasBegun = () => existsSync(join(dir, 'pids', 'kubelet.json')) || half.exitCode !== null;
    await expect.poll(hasBegun, { timeout: 60_000, interval: 10 }).toBe(true);
    half.kill('SIGKILL');
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(machineNow()).not.toEqual(before);
    await stopCluster({ dir });
    expect(machineNow()).toEqual(before);
  });
});
