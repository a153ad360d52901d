/** What is measured, one after the other on one stage: each row is a figure with its unit, or several. */
import { setTimeout as delay } from 'node:timers/promises';
import { openFloor } from '../../test/kit/rig/baseline.ts';
import type { OperatorProcess } from '../../test/kit/rig/operator-process.ts';
import { consulRest, MERGE_PATCH } from '../../test/kit/rig/rest.ts';
import { costOf, metricsOf } from './cost.ts';
import { each, type Group } from './population.ts';
import type { Stage } from './stage.ts';

export type Row = { readonly what: string; readonly figure: number; readonly unit: string };

export type Lengths = {
  readonly restMs: number;
  /** One after the other. */
  readonly failovers: number;
  /** At the same moment, at most. */
  readonly lostAtOnce: number;
  /** Of any row. */
  readonly limitMs: number;
};

const BUCKETS = 32;
/** Of pods for each failover: ours that makes the leader not ready, the fencing patch, the promotion. */
const PATCHES = 3;
const ASK_AGAIN_MS = 50;
const QUIET_MS = 3000;
const SCRAPE_EACH = 10;

const row = (what: string, figure: number, unit: string): Row => ({ what, figure, unit });

/** Milliseconds that it took. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

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

export async function coldElection(stage: Stage, lengths: Lengths) {
  const { leads, population } = stage;
  const count = population.groups.length;
  const startedMs = performance.now();
  const operator = await stage.start('a');
  await leads.until(() => leads.count() === count, lengths.limitMs, `${count} leaders`);
  const ms = performance.now() - startedMs;
  const { peakMegabytes } = await costOf(operator.pid);
  const rows = [
    row('cold election of all groups, from the start of the process', ms / 1000, 's'),
    row('cold election', (count / ms) * 1000, 'groups/s'),
    row('operator: most memory until then', peakMegabytes, 'MB'),
  ];
  return { operator, rows };
}

/** Until nothing has been written for a while; events have their own pace, and are not waited for. */
async function untilQuiet({ url }: OperatorProcess, limitMs: number): Promise<void> {
  const untilMs = performance.now() + limitMs;
  const writes = async (): Promise<number> => {
    const metrics = await metricsOf(url);
    const of = (operation: string): number => metrics.sum('leadergroup_kubernetes_requests_total', { operation });
    return ['patch pods', 'patch leadergroups', 'patch leadergroups/status'].map(of).reduce((a, b) => a + b);
  };
  for (let before = -1, now = await writes(); now !== before; ) {
    if (performance.now() > untilMs) throw new Error(`the operator still writes after ${limitMs} ms`);
    await delay(QUIET_MS);
    [before, now] = [now, await writes()];
  }
}

export async function atRest({ world, consulPid }: Stage, { restMs, limitMs }: Lengths, operator: OperatorProcess) {
  const { pid, url } = operator;
  const writingMs = await timed(() => untilQuiet(operator, limitMs));
  const look = async () => ({
    operator: await costOf(pid),
    consul: await costOf(consulPid),
    metrics: await metricsOf(url),
    version: await versionOf(world),
  });
  const before = await look();
  await delay(restMs);
  const after = await look();
  const perSecond = (name: string): number => ((after.metrics.sum(name) - before.metrics.sum(name)) / restMs) * 1000;
  const share = (of: 'operator' | 'consul'): number => ((after[of].cpuMs - before[of].cpuMs) / restMs) * 100;
  return [
    row('cold election: until every status is written as well', Math.max(0, writingMs - QUIET_MS) / 1000, 's more'),
    row('at rest: operator', share('operator'), '% of a core'),
    row('at rest: Consul', share('consul'), '% of a core'),
    row('at rest: memory of the operator', after.operator.megabytes, 'MB'),
    row('at rest: most memory of the operator until then', after.operator.peakMegabytes, 'MB'),
    row('at rest: sessions', after.metrics.sum('leadergroup_sessions'), ''),
    row('at rest: requests to Consul', perSecond('leadergroup_consul_requests_total'), '/s'),
    row('at rest: requests to the API server', perSecond('leadergroup_kubernetes_requests_total'), '/s'),
    row('at rest: writes to etcd by anybody', after.version - before.version, ''),
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

/** One leader after the other is made not ready; and the three requests that no failover can do without, in between. */
export async function singleFailovers(stage: Stage, { failovers, limitMs }: Lengths): Promise<readonly Row[]> {
  const { world, leads, population, consulAddress } = stage;
  await using consul = consulRest({ address: consulAddress });
  const floor = await openFloor(world, consul, 'bench-0');
  const [took, least]: [number[], number[]] = [[], []];
  for (let at = 0; at < failovers; at += 1) {
    const group = population.groups[at % population.groups.length] as Group;
    const before = leads.of(group) ?? '';
    took.push(
      await timed(async () => {
        await world.setReady(group.namespace, before, false);
        await leads.until(() => ![before, null].includes(leads.of(group)), limitMs, `a next leader of ${group.name}`);
      }),
    );
    await world.setReady(group.namespace, before, true);
    least.push(await floor.handOver());
  }
  const base = quantile(least, 0.5);
  return [
    row('failover of one leader, median', quantile(took, 0.5), 'ms'),
    row('failover of one leader, p99', quantile(took, 0.99), 'ms'),
    row('baseline: fencing patch, transaction, promoting patch, median', base, 'ms'),
    row('failover, median in baselines', quantile(took, 0.5) / base, ''),
  ];
}

/** `perSecond`: patches that the API server took from the same client. */
export async function manyLost(
  { world, leads, population }: Stage,
  { lostAtOnce, limitMs }: Lengths,
  { perSecond, operator }: { readonly perSecond: number; readonly operator: OperatorProcess },
): Promise<readonly Row[]> {
  await untilQuiet(operator, limitMs);
  const some = population.groups.slice(0, lostAtOnce).map((group) => ({ group, leader: leads.of(group) ?? '' }));
  const ms = await timed(async () => {
    const losing = each(some, ({ group, leader }) => world.setReady(group.namespace, leader, false));
    const moved = (): boolean => some.every(({ group, leader }) => ![leader, null].includes(leads.of(group)));
    await leads.until(moved, limitMs, 'the next leaders');
    await losing;
  });
  await each(some, ({ group, leader }) => world.setReady(group.namespace, leader, true));
  return [
    row(`${some.length} leaders lost at once: all led again`, ms / 1000, 's'),
    row('leaders lost at once', (some.length / ms) * 1000, 'groups/s'),
    row(
      'leaders lost at once: patches (one of ours, two of the operator)',
      (PATCHES * some.length * 1e5) / ms / perSecond,
      '% of what the API server takes',
    ),
  ];
}

/** Labels that moved, and for how long at most the event loop stood still, from now until it is asked. */
function watching({ leads }: Stage) {
  const before = leads.moves();
  let lag = 0;
  return {
    /** Each scrape begins the maximum anew. */
    scrape: async ({ url }: OperatorProcess): Promise<void> => {
      lag = Math.max(lag, (await metricsOf(url)).sum('nodejs_eventloop_lag_max_seconds'));
    },
    rows: (what: string): readonly Row[] => [
      row(`${what}: labels that moved`, leads.moves() - before, ''),
      row(`${what}: event loop stopped for at most`, lag * 1000, 'ms'),
    ],
  };
}

/** Buckets that it may act for, by what it says of them in its log. */
const ownedBy = ({ log }: OperatorProcess): number =>
  log.reduce((sum, { message, buckets }) => {
    if (message === 'acquired buckets and adopted their sessions') return sum + Number(buckets);
    return message === 'moved a bucket to its desired owner' ? sum - 1 : sum;
  }, 0);

async function untilOwned(watch: ReturnType<typeof watching>, owner: OperatorProcess, count: number, limitMs: number) {
  const untilMs = performance.now() + limitMs;
  for (let at = 1; ownedBy(owner) !== count; at += 1) {
    if (performance.now() > untilMs) throw new Error(`the replica does not own ${count} buckets after ${limitMs} ms`);
    if (at % SCRAPE_EACH === 0) await watch.scrape(owner);
    await delay(ASK_AGAIN_MS);
  }
  await watch.scrape(owner);
}

export async function restart(stage: Stage, { limitMs }: Lengths, operator: OperatorProcess) {
  const watch = watching(stage);
  await operator.kill('SIGKILL');
  const startedMs = performance.now();
  const next = await stage.start('a');
  while (!(await isReachable(next))) await delay(ASK_AGAIN_MS);
  // Before anything listens programs are loaded, which counts for nobody.
  await metricsOf(next.url);
  await next.ready(limitMs);
  const readyMs = performance.now() - startedMs;
  await untilOwned(watch, next, BUCKETS, limitMs);
  const ms = performance.now() - startedMs;
  const rows = [
    row('restart after SIGKILL: ready', readyMs / 1000, 's'),
    row('restart after SIGKILL: every bucket owned', ms / 1000, 's'),
    ...watch.rows('restart after SIGKILL'),
  ];
  return { operator: next, rows };
}

const isReachable = async ({ url }: OperatorProcess): Promise<boolean> =>
  await fetch(`${url}/livez`).then(
    () => true,
    () => false,
  );

/** Of two replicas one ends; the other has all buckets when it says so. The one that is left is handed back. */
export async function takeOver(stage: Stage, { limitMs }: Lengths, operator: OperatorProcess) {
  let [staying, rows]: [OperatorProcess, readonly Row[]] = [operator, []];
  for (const [signal, name] of [
    ['SIGTERM', 'b'],
    ['SIGKILL', 'c'],
  ] as const) {
    const other = await stage.start(name);
    await other.ready(limitMs);
    await untilOwned(watching(stage), other, BUCKETS / 2, limitMs);
    const watch = watching(stage);
    const ms = await timed(async () => {
      await staying.kill(signal, limitMs);
      await untilOwned(watch, other, BUCKETS, limitMs);
    });
    const what = `take-over after ${signal}`;
    rows = [...rows, row(`${what}: the other owns every bucket`, ms / 1000, 's'), ...watch.rows(what)];
    staying = other;
  }
  return { operator: staying, rows };
}

export async function deletion({ world, population }: Stage, { limitMs }: Lengths): Promise<readonly Row[]> {
  const untilMs = performance.now() + limitMs;
  const count = population.groups.length;
  const ms = await timed(async () => {
    await each(population.groups, ({ namespace, name }) => world.deleteGroup(namespace, name));
    const list = '/apis/leadergroup.dev/v1alpha1/leadergroups?limit=1';
    for (;;) {
      const { items } = await world.rest.must<{ readonly items: readonly unknown[] }>('GET', list);
      if (items.length === 0) return;
      if (performance.now() > untilMs) throw new Error(`groups are left ${limitMs} ms after their deletion`);
      await delay(100);
    }
  });
  return [row('all groups deleted', ms / 1000, 's'), row('deletion', (count / ms) * 1000, 'groups/s')];
}
