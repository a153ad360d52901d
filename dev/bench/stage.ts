/** The servers of a benchmark, its pods and groups, and operators against them. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { installCrd } from '../../test/kit/rig/crd.ts';
import { readKubeconfig } from '../../test/kit/rig/kubeconfig.ts';
import { kubectlOf } from '../../test/kit/rig/kubectl.ts';
import { type OperatorProcess, startOperator } from '../../test/kit/rig/operator-process.ts';
import { openWorld, type World } from '../../test/kit/rig/world.ts';
import { startCluster } from '../cluster/index.ts';
import { asAPod } from './as-a-pod.ts';
import { type Leads, watchLeads } from './leads.ts';
import { startedProcesses } from './operators.ts';
import { type Population, populate, type Size } from './population.ts';

export type Stage = AsyncDisposable & {
  readonly world: World;
  readonly leads: Leads;
  readonly population: Population;
  /** Of Consul's only server. */
  readonly consulPid: number;
  readonly kubeconfig: string;
  readonly consulAddress: string;
  /** Does not wait until it is ready. Started again under the same name it is the same replica. */
  readonly start: (replica: string) => Promise<OperatorProcess>;
};

const CONSUL_CONNECTIONS = 1000;

/**
 * `checkout`: whose operator is measured, as its image runs it; its packages must be installed. Rejects with the signal's reason once that is
 * aborted, and has ended by then what it had started.
 */
export async function openStage(size: Size, checkout: string, signal: AbortSignal): Promise<Stage> {
  const main = await built(checkout, signal);
  const deployed = await deployedOptions(checkout);
  await using made = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-bench-'));
  made.defer(() => rm(dir, { recursive: true, force: true }));
  // Operators that are killed leave connections that Consul counts until their reads have ended.
  const cluster = made.use(
    await startCluster({ dir: join(dir, 'cluster'), consulConnections: CONSUL_CONNECTIONS, signal }),
  );
  const kubectl = kubectlOf(cluster.env);
  await installCrd(kubectl);
  const { kubeconfigPath: kubeconfig, consulAddress } = cluster;
  const pod = await asAPod(kubectl, kubeconfig, { deploy: join(checkout, 'deploy'), dir });
  const world = made.use(await openWorld({ kubeconfig, consul: { address: consulAddress } }));
  const population = await populate(world, size, signal);
  const leads = made.use(watchLeads(await readKubeconfig(kubeconfig)));
  const record = JSON.parse(await readFile(join(cluster.dir, 'pids', 'consul.json'), 'utf8')) as {
    readonly pid: number;
  };
  const operators = made.use(startedProcesses<OperatorProcess>());
  const all = made.move();
  return {
    world,
    leads,
    population,
    consulPid: record.pid,
    kubeconfig,
    consulAddress,
    start: (replica) =>
      operators.start(() =>
        startOperator({
          env: {
            ...pod.env,
            ...deployed,
            CONSUL_HTTP_ADDR: consulAddress,
            POD_NAME: `operator-${replica}`,
            POD_NAMESPACE: 'leadergroup-system',
            POD_UID: `uid-of-operator-${replica}`,
          },
          main,
          under: pod.under,
          logFile: join(dir, `operator-${replica}.log`),
        }),
      ),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** The program, compiled as for the image. */
async function built(checkout: string, signal: AbortSignal): Promise<string> {
  const compiler = join(checkout, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [compiler, '-p', 'tsconfig.build.json'];
  await execa(process.execPath, args, { cwd: checkout, cancelSignal: signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw error;
  });
  return join(checkout, 'dist', 'main.js');
}

/** What decides how much memory it takes, as its Deployment sets it; nothing where that sets none. */
async function deployedOptions(checkout: string): Promise<Readonly<Record<string, string>>> {
  const manifest = await readFile(join(checkout, 'deploy', '20-operator.yaml'), 'utf8');
  const set = [...manifest.matchAll(/name: (NODE_OPTIONS|MALLOC_ARENA_MAX), value: "([^"]*)"/g)];
  return Object.fromEntries(set.map(([, name = '', value = '']) => [name, value]));
}
