/**
 * `npm run bench:gate`: the gate on the real components. Questions per second and how long they take, what failovers cost meanwhile,
 * and what a thousand waiting clients cost. Prints; asserts nothing.
 */
import { Agent, get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Option } from '@commander-js/extra-typings';
import { Pool } from 'undici';
import type { GateAuthentication } from '../src/config/settings.ts';
import { memberUrl } from '../test/kit/rig/asking.ts';
import { type Harness, startHarness } from '../test/kit/rig/harness.ts';
import type { OperatorProcess } from '../test/kit/rig/operator-process.ts';
import { costOf, metricsOf } from './bench/cost.ts';
import { paced } from './bench/pace.ts';
import { quantile } from './bench/row.ts';
import { script } from './command-line.ts';

const GROUPS = 40;
const PODS = 3;
const CONNECTIONS = 32;
const SECONDS = 10;
const TURNS = 3;
const AIMED_PER_SECOND = 5000;
const FAILOVERS = 30;
const WAITING = 1000;
/** Of one group, all of which wait for a change. */
const CROWD = 1000;
const WAITING_NOW = 'leadergroup_gate_waiting';

const options = script('bench:gate', 'How fast the gate answers, and what that costs; asserts nothing.')
  .addOption(
    new Option('--authentication <way>', 'Token: only how fast it is with tokens, beside Address, in turns').choices([
      'Address',
      'Token',
    ]),
  )
  .parse()
  .opts();
await using h = await startHarness();
const namespace = await h.world.namespace('bench');
const asked = Array.from({ length: GROUPS }, (_, at) => `asked-${at}`);
const moved = options.authentication === 'Token' ? [] : Array.from({ length: 5 }, (_, at) => `moved-${at}`);
await Promise.all([...asked, ...moved].map((name) => h.group(namespace, name, { pods: PODS })));

type Member = { readonly group: string; readonly pod: string };

const members: readonly Member[] = asked.flatMap((group) =>
  Array.from({ length: PODS }, (_, at) => ({ group, pod: `${group}-${at}` })),
);
const pathOf = ({ group, pod }: Member): string =>
  new URL(memberUrl('http://localhost', namespace, group, pod)).pathname;
const paths = members.map(pathOf);
await (options.authentication === 'Token' ? tokensBesideAddresses() : everything());

async function everything(): Promise<void> {
  const operator = await started();
  await using pool = poolOf(operator.url);
  const target = { pool, headers: () => ({}) };
  await load(target, 2, null);
  const quiet = await failovers(h, moved);
  report('as fast as it goes', await load(target, SECONDS, null));
  report(`${AIMED_PER_SECOND} questions a second`, await load(target, SECONDS, AIMED_PER_SECOND));
  const stop = new AbortController();
  const meanwhile = load(target, 3600, AIMED_PER_SECOND, stop.signal);
  const busy = await failovers(h, moved);
  stop.abort();
  await meanwhile;
  console.log(
    `failover of groups that nobody asks about: median ${quiet.toFixed(1)} ms alone, ${busy.toFixed(1)} ms beside ${AIMED_PER_SECOND} questions a second, ratio ${(busy / quiet).toFixed(2)}`,
  );
  await waiting(operator);
  await crowd(h, operator);
}

async function started(env: Readonly<Record<string, string>> = {}): Promise<OperatorProcess> {
  const operator = await h.startOperator({ env });
  await Promise.all([...asked, ...moved].map((name) => h.led(namespace, name, { timeoutMs: 60_000 })));
  return operator;
}

/** The same requests, with a token each, to an operator that looks at none and to one that verifies them: in turns, for the machine may change. */
async function tokensBesideAddresses(): Promise<void> {
  const tokens = await Promise.all(members.map(tokenOf));
  const headers = (at: number) => ({ authorization: `Bearer ${tokens[at]}` });
  const perSecond: Record<GateAuthentication, number[]> = { Address: [], Token: [] };
  // What a question costs the operator is the same whatever else the machine does.
  const cpuMs: Record<GateAuthentication, number[]> = { Address: [], Token: [] };
  for (let turn = 0; turn < TURNS; turn += 1) {
    for (const way of ['Address', 'Token'] as const) {
      const operator = await started({ LEADERGROUP_GATE_AUTHENTICATION: way });
      await using pool = poolOf(operator.url);
      await load({ pool, headers }, 2, null);
      const before = await costOf(operator.pid);
      const measured = await load({ pool, headers }, SECONDS, null);
      const after = await costOf(operator.pid);
      report(`${way}, as fast as it goes`, measured);
      perSecond[way].push(measured.perSecond);
      cpuMs[way].push(((after.cpuMs - before.cpuMs) / measured.milliseconds.length) * 1000);
      await operator.kill();
    }
  }
  const medians = (of: Record<GateAuthentication, number[]>) =>
    [quantile(of.Address, 0.5), quantile(of.Token, 0.5)] as const;
  const [[fast, fastToken], [cheap, cheapToken]] = [medians(perSecond), medians(cpuMs)];
  console.log(
    `with tokens ${(fastToken / fast).toFixed(2)} of the questions a second that are answered without; ${cheapToken.toFixed(0)} ms of a core for a thousand of them, ${cheap.toFixed(0)} without, ratio ${(cheap / cheapToken).toFixed(2)}`,
  );
}

/** As a kubelet projects it into the pod. */
async function tokenOf({ pod }: Member): Promise<string> {
  const found = await h.world.readPod(namespace, pod);
  const uid = (found?.['metadata'] as { readonly uid?: string } | undefined)?.uid;
  const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name: pod, uid };
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/default/token`;
  const spec = { audiences: ['leadergroup'], expirationSeconds: 3600, boundObjectRef };
  return (await h.world.rest.must<{ readonly status: { readonly token: string } }>('POST', path, { spec })).status
    .token;
}

function poolOf(url: string): Pool & AsyncDisposable {
  const pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1 });
  return Object.assign(pool, { [Symbol.asyncDispose]: () => pool.destroy() });
}

/** `headers`: of the question with this number among the members. */
type Target = { readonly pool: Pool; readonly headers: (at: number) => Readonly<Record<string, string>> };

type Load = {
  readonly perSecond: number;
  readonly milliseconds: readonly number[];
  readonly statuses: ReadonlyMap<number, number>;
};

/** `perSecond` null: each connection asks again as soon as it was answered. */
async function load(
  { pool, headers }: Target,
  seconds: number,
  perSecond: number | null,
  signal?: AbortSignal,
): Promise<Load> {
  const milliseconds: number[] = [];
  const statuses = new Map<number, number>();
  const begunMs = performance.now();
  const untilMs = begunMs + seconds * 1000;
  let sent = 0;
  const one = async (): Promise<void> => {
    sent += 1;
    const sentMs = performance.now();
    const at = sent % paths.length;
    const { statusCode, body } = await pool.request({ path: paths[at] ?? '', method: 'GET', headers: headers(at) });
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
    await paced({ perSecond, lookMs: 1, over }, one);
  }
  return { perSecond: (milliseconds.length / (performance.now() - begunMs)) * 1000, milliseconds, statuses };
}

function report(what: string, { perSecond, milliseconds, statuses }: Load): void {
  const at = (share: number): string => quantile(milliseconds, share).toFixed(2);
  const answers = [...statuses].map(([status, count]) => `${count} x ${status}`).join(', ');
  console.log(`${what}: ${perSecond.toFixed(0)} a second, median ${at(0.5)} ms, p99 ${at(0.99)} ms (${answers})`);
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
  return quantile(times, 0.5);
}

/** What they cost while nothing happens. */
async function waiting({ pid, url }: OperatorProcess): Promise<void> {
  const before = await costOf(pid);
  await delay(SECONDS * 1000);
  const alone = await costOf(pid);
  using waits = waitAt(
    url,
    Array.from({ length: WAITING }, (_, at) => paths[at % paths.length] ?? ''),
  );
  await delay(3000);
  const begun = await costOf(pid);
  await delay(SECONDS * 1000);
  const together = await costOf(pid);
  console.log(
    `${(await metricsOf(url)).sum(WAITING_NOW)} of ${waits.count} clients wait: CPU ${((together.cpuMs - begun.cpuMs) / SECONDS).toFixed(1)} ms a second, ${((alone.cpuMs - before.cpuMs) / SECONDS).toFixed(1)} without; memory ${together.megabytes.toFixed(0)} MB, ${alone.megabytes.toFixed(0)} without`,
  );
}

/** Every member of one large group waits for a change, and the leader changes. */
async function crowd({ group, led, world }: Harness, { url }: OperatorProcess): Promise<void> {
  await group(namespace, 'crowd', { pods: CROWD });
  const { name, token } = await led(namespace, 'crowd', { timeoutMs: 60_000 });
  const others = Array.from({ length: CROWD }, (_, at) => `crowd-${at}`).filter((member) => member !== name);
  const crowdPath = (member: string): string => new URL(memberUrl(url, namespace, 'crowd', member)).pathname;
  using waits = waitAt(
    url,
    others.map((member) => `${crowdPath(member)}?token=${token}`),
  );
  await delay(3000);
  // Each scrape begins the longest stop of the event loop anew.
  const waitingNow = (await metricsOf(url)).sum(WAITING_NOW);
  const startedMs = performance.now();
  await world.setReady(namespace, name, false);
  await led(namespace, 'crowd', { not: name, minToken: token + 1 });
  const movedMs = performance.now() - startedMs;
  await waits.answered;
  const answeredMs = performance.now() - startedMs;
  const lagMs = (await metricsOf(url)).sum('nodejs_eventloop_lag_max_seconds') * 1000;
  console.log(
    `a group of ${CROWD} of which ${waitingNow} wait: the next leader after ${movedMs.toFixed(0)} ms, all told after ${answeredMs.toFixed(0)} ms; event loop stopped for at most ${lagMs.toFixed(0)} ms`,
  );
}

/** From many addresses: the number of one client's is limited. */
function waitAt(url: string, asked: readonly string[]) {
  const { hostname, port } = new URL(url);
  const agents = Array.from({ length: 20 }, () => new Agent({ keepAlive: true }));
  const answers: Promise<void>[] = [];
  const requests = asked.map((path, at) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    answers.push(promise);
    const wait = `${path}${path.includes('?') ? '&' : '?'}wait=60s`;
    const agent = agents[at % agents.length] as Agent;
    const localAddress = `127.0.9.${(at % agents.length) + 1}`;
    return get({ host: hostname, port, path: wait, agent, localAddress }, (answer) => {
      answer.resume();
      resolve();
    }).on('error', () => resolve());
  });
  return {
    count: requests.length,
    answered: Promise.all(answers),
    [Symbol.dispose]: () => {
      for (const request of requests) request.destroy();
      for (const agent of agents) agent.destroy();
    },
  };
}
