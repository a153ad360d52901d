/**
 * `npm run bench:gate`: the gate on the real components. Questions per second and how long they take, what failovers cost meanwhile,
 * and what a thousand waiting clients cost. Prints; asserts nothing.
 */
import { readFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'undici';
import { memberUrl } from '../test/kit/rig/asking.ts';
import { type Harness, startHarness } from '../test/kit/rig/harness.ts';
import type { OperatorProcess } from '../test/kit/rig/operator-process.ts';
import { script } from './command-line.ts';

const GROUPS = 40;
const PODS = 3;
const CONNECTIONS = 32;
const SECONDS = 10;
const AIMED_PER_SECOND = 5000;
const FAILOVERS = 30;
const WAITING = 1000;

script('bench:gate', 'How fast the gate answers, and what that costs; asserts nothing.').parse();
await using h = await startHarness();
const namespace = await h.world.namespace('bench');
const asked = Array.from({ length: GROUPS }, (_, at) => `asked-${at}`);
const moved = Array.from({ length: 5 }, (_, at) => `moved-${at}`);
await Promise.all([...asked, ...moved].map((name) => h.group(namespace, name, { pods: PODS })));
const operator = await h.startOperator();
await Promise.all([...asked, ...moved].map((name) => h.led(namespace, name, { timeoutMs: 60_000 })));

const paths = asked.flatMap((group) =>
  Array.from(
    { length: PODS },
    (_, at) => new URL(memberUrl(operator.url, namespace, group, `${group}-${at}`)).pathname,
  ),
);
await using pool = Object.assign(new Pool(operator.url, { connections: CONNECTIONS, pipelining: 1 }), {
  [Symbol.asyncDispose]: () => pool.destroy(),
});

await load(2, null);
const quiet = await failovers(h, moved);
report('as fast as it goes', await load(SECONDS, null));
const steady = load(SECONDS, AIMED_PER_SECOND);
report(`${AIMED_PER_SECOND} questions a second`, await steady);
const stop = new AbortController();
const meanwhile = load(3600, AIMED_PER_SECOND, stop.signal);
const busy = await failovers(h, moved);
stop.abort();
await meanwhile;
console.log(
  `failover of groups that nobody asks about: median ${quiet.toFixed(1)} ms alone, ${busy.toFixed(1)} ms beside ${AIMED_PER_SECOND} questions a second, ratio ${(busy / quiet).toFixed(2)}`,
);
await waiting(operator);

type Load = {
  readonly perSecond: number;
  readonly milliseconds: readonly number[];
  readonly statuses: ReadonlyMap<number, number>;
};

/** `perSecond` null: each connection asks again as soon as it was answered. */
async function load(seconds: number, perSecond: number | null, signal?: AbortSignal): Promise<Load> {
  const milliseconds: number[] = [];
  const statuses = new Map<number, number>();
  const begunMs = performance.now();
  const untilMs = begunMs + seconds * 1000;
  let sent = 0;
  const one = async (): Promise<void> => {
    sent += 1;
    const sentMs = performance.now();
    const { statusCode, body } = await pool.request({ path: paths[sent % paths.length] ?? '', method: 'GET' });
    await body.dump();
    milliseconds.push(performance.now() - sentMs);
    statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1);
  };
  const over = (): boolean => performance.now() >= untilMs || signal?.aborted === true;
  if (perSecond === null) {
    await Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        while (!over()) await one();
      }),
    );
  } else {
    const under: Promise<void>[] = [];
    while (!over()) {
      const due = ((performance.now() - begunMs) / 1000) * perSecond;
      const missing = Math.max(0, Math.floor(due - sent));
      under.push(...Array.from({ length: missing }, one));
      await delay(1);
    }
    await Promise.all(under);
  }
  return { perSecond: (milliseconds.length / (performance.now() - begunMs)) * 1000, milliseconds, statuses };
}

function report(what: string, { perSecond, milliseconds, statuses }: Load): void {
  const at = (share: number): string => (quantile(milliseconds, share) ?? 0).toFixed(2);
  const answers = [...statuses].map(([status, count]) => `${count} x ${status}`).join(', ');
  console.log(`${what}: ${perSecond.toFixed(0)} a second, median ${at(0.5)} ms, p99 ${at(0.99)} ms (${answers})`);
}

function quantile(values: readonly number[], share: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** Median milliseconds from a leader's being made not ready to the next one's label. */
async function failovers({ world, led }: Harness, groups: readonly string[]): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < FAILOVERS; count += 1) {
    const group = groups[count % groups.length] ?? '';
    const { name, token } = await led(namespace, group);
    const startedMs = performance.now();
    await world.setReady(namespace, name, false);
    await led(namespace, group, { not: name, minToken: token + 1 });
    times.push(performance.now() - startedMs);
    await world.setReady(namespace, name, true);
  }
  return quantile(times, 0.5) ?? 0;
}

/** What they cost while nothing happens, from many addresses: the number of one client's is limited. */
async function waiting({ pid }: OperatorProcess): Promise<void> {
  const before = await costOf(pid);
  await delay(SECONDS * 1000);
  const alone = await costOf(pid);
  const agents = Array.from({ length: 20 }, () => new Agent({ keepAlive: true }));
  const requests = Array.from({ length: WAITING }, (_, at) => {
    const url = new URL(`${paths[at % paths.length]}?wait=60s`, operator.url);
    return get({
      host: url.hostname,
      port: url.port,
      path: `${url.pathname}${url.search}`,
      agent: agents[at % agents.length] as Agent,
      localAddress: `127.0.9.${(at % agents.length) + 1}`,
    }).on('error', () => undefined);
  });
  await delay(3000);
  const begun = await costOf(pid);
  await delay(SECONDS * 1000);
  const together = await costOf(pid);
  const metrics = await fetch(`${operator.url}/metrics`);
  const count = /leadergroup_gate_waiting (\d+)/.exec(await metrics.text())?.[1];
  console.log(
    `${count} waiting clients: CPU ${((together.cpuMs - begun.cpuMs) / SECONDS).toFixed(1)} ms a second, ${((alone.cpuMs - before.cpuMs) / SECONDS).toFixed(1)} without; memory ${together.megabytes.toFixed(0)} MB, ${alone.megabytes.toFixed(0)} without`,
  );
  for (const request of requests) request.destroy();
  for (const agent of agents) agent.destroy();
}

async function costOf(pid: number): Promise<{ readonly cpuMs: number; readonly megabytes: number }> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // Ticks of a hundredth of a second: utime and stime, fields 14 and 15.
  const cpuMs = (Number(fields[11]) + Number(fields[12])) * 10;
  return { cpuMs, megabytes: (Number(fields[21]) * 4096) / 1e6 };
}
