/** What an election of all groups takes, and what they cost from then on. */
import { setTimeout as delay } from 'node:timers/promises';
import { MERGE_PATCH } from '../../test/kit/rig/rest.ts';
import { type Cost, costOf, costsOf, cpuMsOf, type Metrics, metricsOf } from './cost.ts';
import { each } from './population.ts';
import { type Lengths, QUIET_MS, type Replicas, type Row, row, sum, timed, untilAtRest, untilQuiet } from './row.ts';
import type { Stage } from './stage.ts';

const FIRST = 'a'.charCodeAt(0);

/** Patches a second that the API server takes from this process, by the same number of requests at once as every other row uses. */
export async function patchRate({ world, population }: Stage): Promise<Row> {
  const some = population.groups.slice(0, 1000);
  const ms = await timed(() =>
    each(some, ({ namespace, name }) => {
      const path = `/api/v1/namespaces/${namespace}/pods/${name}-0?fieldManager=bench`;
      return world.rest.must('PATCH', path, { metadata: { annotations: { 'example.com/bench': '1' } } }, MERGE_PATCH);
    }),
  );
  return row('API server: patches of pods by this client', (some.length / ms) * 1000, '/s');
}

/** As many replicas as the size wants, all of which start now. */
export async function coldElection(stage: Stage, lengths: Lengths) {
  const { leads, population } = stage;
  const count = population.groups.length;
  const startedMs = performance.now();
  const names = Array.from({ length: population.size.replicas }, (_, at) => String.fromCharCode(FIRST + at));
  const replicas: Replicas = await Promise.all(names.map((name) => stage.start(name)));
  await leads.until(() => leads.count() === count, lengths.limitMs, `${count} leaders`);
  const ms = performance.now() - startedMs;
  const costs = await costsOf(replicas);
  const rows = [
    row('cold election of all groups, from the start of the process', ms / 1000, 's'),
    row('cold election', (count / ms) * 1000, 'groups/s'),
    row('operator: most memory of a replica until then', most(costs, 'peakMegabytes'), 'MB'),
  ];
  return { replicas, rows };
}

const most = (costs: readonly Cost[], what: keyof Cost): number => Math.max(...costs.map((cost) => cost[what]));

type Look = {
  readonly costs: readonly Cost[];
  readonly consul: Cost;
  readonly metrics: readonly Metrics[];
  readonly version: number;
};

export async function atRest(
  { world, consulPid }: Stage,
  { restMs, limitMs }: Lengths,
  replicas: Replicas,
): Promise<readonly Row[]> {
  const writingMs = await timed(() => untilQuiet(replicas, limitMs));
  await untilAtRest(replicas, limitMs);
  const look = async (): Promise<Look> => ({
    costs: await costsOf(replicas),
    consul: await costOf(consulPid),
    metrics: await Promise.all(replicas.map(({ url }) => metricsOf(url))),
    version: await versionOf(world),
  });
  const before = await look();
  await delay(restMs);
  const after = await look();
  const counted = (name: string, { metrics }: Look): number => sum(metrics.map((each) => each.sum(name)));
  const perSecond = (name: string): number => ((counted(name, after) - counted(name, before)) / restMs) * 1000;
  const share = (ms: number): number => (ms / restMs) * 100;
  return [
    row('cold election: until every status is written as well', Math.max(0, writingMs - QUIET_MS) / 1000, 's more'),
    row('at rest: operator, all replicas', share(cpuMsOf(after.costs) - cpuMsOf(before.costs)), '% of a core'),
    row('at rest: Consul', share(after.consul.cpuMs - before.consul.cpuMs), '% of a core'),
    row('at rest: memory of a replica, the largest', most(after.costs, 'megabytes'), 'MB'),
    row('at rest: most memory of a replica until then', most(after.costs, 'peakMegabytes'), 'MB'),
    row('at rest: sessions', counted('leadergroup_sessions', after), ''),
    row('at rest: requests to Consul', perSecond('leadergroup_consul_requests_total'), '/s'),
    row('at rest: requests to the API server', perSecond('leadergroup_kubernetes_requests_total'), '/s'),
    row('at rest: changes of groups and their leaders in etcd, by anybody', after.version - before.version, ''),
  ];
}

/** The newest resourceVersion that the API server has given to a pod or group. */
async function versionOf({ rest }: Stage['world']): Promise<number> {
  type List = { readonly items: readonly { readonly metadata: { readonly resourceVersion: string } }[] };
  const lists = await Promise.all([
    rest.must<List>('GET', '/apis/leadergroup.dev/v1alpha1/leadergroups'),
    rest.must<List>('GET', `/api/v1/pods?labelSelector=${encodeURIComponent('leadergroup.dev/role=leader')}`),
  ]);
  return Math.max(...lists.flatMap(({ items }) => items.map(({ metadata }) => Number(metadata.resourceVersion))));
}
