/** A development cluster whose logs, and those of its pods, outlive it for as long as keep.ts says. */
import { existsSync } from 'node:fs';
import { mkdtemp, rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cluster, startCluster } from '../../../dev/cluster/index.ts';
import type { History } from '../checker/checker.ts';
import { handOver } from './keep.ts';

export type KeptCluster = AsyncDisposable & {
  /** For whatever else should be there to look into a failure. */
  readonly dir: string;
  readonly cluster: Cluster;
  /** To be called once there is an observer. */
  readonly observedBy: (observer: { readonly history: () => History }) => void;
};

const nothingSeen = { history: (): History => ({ groups: [], pods: [], keys: [], sessions: new Map() }) };

export async function startKeptCluster(
  options: Omit<NonNullable<Parameters<typeof startCluster>[0]>, 'dir'> = {},
): Promise<KeptCluster> {
  await using made = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-it-'));
  let observer: { readonly history: () => History } = nothingSeen;
  made.defer(() => handOver({ dir, history: () => observer.history() }));
  const cluster = made.use(await startCluster({ ...options, dir: join(dir, 'cluster') }));
  made.defer(() => saveLogs(cluster.dir, dir));
  const all = made.move();
  return {
    dir,
    cluster,
    observedBy: (its) => {
      observer = its;
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Out of the cluster's folder, which is removed with it. What still runs goes on writing them in their new place. */
async function saveLogs(cluster: string, dir: string): Promise<void> {
  const places = {
    components: join(cluster, 'logs'),
    'pods-of-real-1': join(cluster, 'data', 'kubelet', 'pod-logs'),
    'pods-of-real-2': join(cluster, 'data', 'kubelet-2', 'pod-logs'),
  };
  for (const [name, from] of Object.entries(places)) if (existsSync(from)) await rename(from, join(dir, name));
}
