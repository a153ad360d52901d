/** How soon every bucket has an owner again when a replica goes, and that no leader moves for it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { OperatorProcess } from '../../test/kit/rig/operator-process.ts';
import { metricsOf } from './cost.ts';
import { ASK_AGAIN_MS, type Lengths, type Replicas, type Row, row, sum } from './row.ts';
import type { Stage } from './stage.ts';

const BUCKETS = 32;
const SCRAPE_EACH = 10;
/** For so long a replica that was frozen runs on after it is woken: what it believes must do nothing. */
const WOKEN_MS = 3000;

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

/** Until `replicas` own every bucket together. */
async function untilOwned(watch: ReturnType<typeof watching>, replicas: Replicas, limitMs: number): Promise<void> {
  const untilMs = performance.now() + limitMs;
  const scrape = async (): Promise<void> => void (await Promise.all(replicas.map((each) => watch.scrape(each))));
  for (let at = 1; sum(replicas.map(ownedBy)) !== BUCKETS; at += 1) {
    if (performance.now() > untilMs) throw new Error(`not every bucket has an owner after ${limitMs} ms`);
    if (at % SCRAPE_EACH === 0) await scrape();
    await delay(ASK_AGAIN_MS);
  }
  await scrape();
}

/** Until each has its share, too. */
async function untilShared(watch: ReturnType<typeof watching>, replicas: Replicas, limitMs: number): Promise<void> {
  const untilMs = performance.now() + limitMs;
  await untilOwned(watch, replicas, limitMs);
  while (replicas.some((each) => ownedBy(each) < Math.floor(BUCKETS / replicas.length))) {
    if (performance.now() > untilMs) throw new Error(`the replicas have not shared the buckets after ${limitMs} ms`);
    await delay(ASK_AGAIN_MS);
  }
}

/** One replica is killed and comes back at once. */
export async function restart(stage: Stage, { limitMs }: Lengths, [first, ...others]: Replicas) {
  const watch = watching(stage);
  await first?.kill('SIGKILL');
  const startedMs = performance.now();
  const next = await stage.start('a');
  while (!(await isReachable(next))) await delay(ASK_AGAIN_MS);
  // Before anything listens programs are loaded, which counts for nobody.
  await metricsOf(next.url);
  await next.ready(limitMs);
  const readyMs = performance.now() - startedMs;
  await untilOwned(watch, [next, ...others], limitMs);
  const ms = performance.now() - startedMs;
  const rows = [
    row('restart after SIGKILL: ready', readyMs / 1000, 's'),
    row('restart after SIGKILL: every bucket owned', ms / 1000, 's'),
    ...watch.rows('restart after SIGKILL'),
  ];
  return { replicas: [next, ...others], rows };
}

const isReachable = async ({ url }: OperatorProcess): Promise<boolean> =>
  await fetch(`${url}/livez`).then(
    () => true,
    () => false,
  );

const GOING = ['SIGTERM', 'SIGKILL', 'SIGSTOP'] as const;

/** One replica after the other goes, and the others have all buckets when they say so. As many as there were are handed back, two at least. */
export async function takeOver(stage: Stage, { limitMs }: Lengths, replicas: Replicas) {
  const wanted = Math.max(2, replicas.length);
  const [running, rows]: [OperatorProcess[], Row[]] = [[...replicas], []];
  for (const signal of GOING) {
    while (running.length < wanted) running.push(await joined(stage, signal, running.length, limitMs));
    await untilShared(watching(stage), running, limitMs);
    const watch = watching(stage);
    const going = running.shift() as OperatorProcess;
    const startedMs = performance.now();
    if (signal === 'SIGSTOP') going.freeze();
    else await going.kill(signal, limitMs);
    await untilOwned(watch, running, limitMs);
    const ms = performance.now() - startedMs;
    if (signal === 'SIGSTOP') await woken(going, limitMs);
    rows.push(row(`take-over after ${signal}: the others own every bucket`, ms / 1000, 's'));
    rows.push(...watch.rows(`take-over after ${signal}`));
  }
  return { replicas: running, rows };
}

async function joined(stage: Stage, before: string, at: number, limitMs: number): Promise<OperatorProcess> {
  const replica = await stage.start(`${before.toLowerCase()}-${at}`);
  await replica.ready(limitMs);
  return replica;
}

/** It may have joined again, and would keep its share from the others until its session expires if it were killed. */
async function woken(replica: OperatorProcess, limitMs: number): Promise<void> {
  replica.thaw();
  await delay(WOKEN_MS);
  await replica.kill('SIGTERM', limitMs);
}
