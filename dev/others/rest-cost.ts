/** What groups of an alternative cost the servers while nothing happens: counted by the servers themselves, less what they count without them. */
import { setTimeout as delay } from 'node:timers/promises';
import { readKubeconfig } from '../../test/kit/rig/kubeconfig.ts';
import { consulRest, kubeRest, type Rest } from '../../test/kit/rig/rest.ts';
import type { Cluster } from '../cluster/index.ts';
import { table } from '../markdown.ts';

export type Server = 'kubernetes' | 'consul';

/** Since the server started. */
type Count = { readonly requests: number; readonly writes: number };

/** `requestsPerSecond` and `writesPerMinute` of one group: to the API server and etcd, or to Consul and its Raft log. */
export type RestCost = {
  readonly alternative: string;
  readonly requestsPerSecond: number;
  readonly writesPerMinute: number;
};

const LOOKED_AT_MS = 40_000;
/** Consul shows the samples of its last full interval of ten seconds only. */
const CONSUL_SAMPLES_MS = 10_000;

export type Meter = AsyncDisposable & {
  /** A second and a minute, of everything that the server is asked for. */
  rates(server: Server, signal: AbortSignal): Promise<Count>;
};

export async function openMeter({ kubeconfigPath, consulAddress }: Cluster): Promise<Meter> {
  const made = new AsyncDisposableStack();
  const kubernetes = made.use(kubeRest(await readKubeconfig(kubeconfigPath)));
  const consul = made.use(consulRest({ address: consulAddress }));
  return {
    rates: async (server, signal) =>
      server === 'kubernetes' ? await ratesOfLeases(kubernetes, signal) : await ratesOfConsul(consul, signal),
    [Symbol.asyncDispose]: () => made.disposeAsync(),
  };
}

export const costTable = (costs: readonly RestCost[]): string =>
  table(
    ['alternative', 'requests a second of a group at rest', 'writes a minute of a group at rest'],
    costs.map(({ alternative, requestsPerSecond, writesPerMinute }) => [
      alternative,
      requestsPerSecond.toFixed(2),
      writesPerMinute.toFixed(1),
    ]),
  );

async function ratesOfLeases(rest: Rest, signal: AbortSignal): Promise<Count> {
  const before = await leaseCount(rest);
  await delay(LOOKED_AT_MS, undefined, { signal });
  const after = await leaseCount(rest);
  return {
    requests: ((after.requests - before.requests) / LOOKED_AT_MS) * 1000,
    writes: ((after.writes - before.writes) / LOOKED_AT_MS) * 60_000,
  };
}

/** Each write of a Lease is one of etcd. */
async function leaseCount(rest: Rest): Promise<Count> {
  const { text } = await rest.raw('GET', '/metrics');
  const samples = [...text.matchAll(/^apiserver_request_total\{(.*resource="leases".*)\} (\S+)$/gm)];
  const sum = (chosen: typeof samples): number => chosen.reduce((all, [, , value]) => all + Number(value), 0);
  return {
    requests: sum(samples),
    writes: sum(samples.filter(([, labels = '']) => /verb="(?:PUT|PATCH|POST)"/.test(labels))),
  };
}

type ConsulMetrics = {
  readonly Samples: readonly {
    readonly Name: string;
    readonly Count: number;
    readonly Labels: Readonly<Record<string, string>>;
  }[];
};

async function ratesOfConsul(rest: Rest, signal: AbortSignal): Promise<Count> {
  const before = await raftIndex(rest);
  const counts: number[] = [];
  for (let atMs = 0; atMs < LOOKED_AT_MS; atMs += CONSUL_SAMPLES_MS) {
    await delay(CONSUL_SAMPLES_MS, undefined, { signal });
    const { Samples } = await rest.must<ConsulMetrics>('GET', '/v1/agent/metrics');
    const ofClients = Samples.filter(
      ({ Name, Labels }) => Name === 'consul.api.http' && !Labels['path']?.includes('agent'),
    );
    counts.push(ofClients.reduce((all, { Count: count }) => all + count, 0));
  }
  const after = await raftIndex(rest);
  return {
    requests: (counts.reduce((all, count) => all + count, 0) / LOOKED_AT_MS) * 1000,
    writes: ((after - before) / LOOKED_AT_MS) * 60_000,
  };
}

async function raftIndex(rest: Rest): Promise<number> {
  type Self = { readonly Stats: { readonly raft: { readonly last_log_index: string } } };
  const { Stats } = await rest.must<Self>('GET', '/v1/agent/self');
  return Number(Stats.raft.last_log_index);
}
