/**
 * `npm run bench:claims`: what claims cost on the real components, with one server of Consul and with three, their data on disk. Claims per second
 * one at a time and together, ten thousand at one instant, how late a renewal is beside them, and what a tick and rest write. Prints a table;
 * asserts nothing.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Harness, startHarness } from '../test/kit/rig/harness.ts';
import { consulRest } from '../test/kit/rig/rest.ts';
import {
  type Claimer,
  type Claimers,
  claimAsFast,
  claimAtOneInstant,
  claimOf,
  count,
  firstClaims,
  newTally,
  nextTick,
  openClaimers,
  renewing,
  type Tally,
} from './bench/claiming.ts';
import { type Metrics, metricsOf } from './bench/cost.ts';
import { quantile, type Row, row, shown } from './bench/row.ts';
import { script } from './command-line.ts';
import { table } from './markdown.ts';

type Lengths = {
  readonly servers: readonly (1 | 3)[];
  readonly groups: number;
  /** Of each group, claimed at the same instant: together 10,000. */
  readonly series: number;
  readonly atOnce: number;
  readonly seconds: number;
  readonly ticks: number;
  readonly restMs: number;
  /** Before the first row. */
  readonly quietMs: number;
};

const FULL: Lengths = {
  servers: [1, 3],
  groups: 250,
  series: 40,
  atOnce: 200,
  seconds: 10,
  ticks: 40,
  restMs: 50_000,
  quietMs: 6000,
};
const SMOKE: Lengths = {
  servers: [1],
  groups: 4,
  series: 3,
  atOnce: 4,
  seconds: 0.2,
  ticks: 5,
  restMs: 1000,
  quietMs: 1000,
};
const RENEW_EVERY_MS = 50;
/** Slower than a group may claim. */
const TICK_MS = 50;
const LED_TIMEOUT_MS = 120_000;
/** Of the operator's requests: those that read a key, and those that write. Blocking reads of locks and the renewals of sessions go on at rest. */
const READS = ['readKeys', 'readKey', 'readPrefix'];
const WRITES = ['txn'];

const options = script('bench:claims', 'What claims cost; asserts nothing.')
  .option('--smoke', 'a few groups and short rows, one server: shows that the benchmark works, and measures nothing')
  .parse()
  .opts();
const lengths = options.smoke === true ? SMOKE : FULL;
const results: (readonly Row[])[] = [];
for (const servers of lengths.servers) results.push(await measured(servers));
const names = (results[0] ?? []).map(({ what }) => what);
const cellsOf = (what: string): readonly string[] =>
  results.map((rows) => rows.flatMap((each) => (each.what === what ? [shown(each)] : [])).join());
console.log(
  table(
    ['what', ...lengths.servers.map((servers) => (servers === 1 ? 'one Consul server' : `${servers} Consul servers`))],
    names.map((what) => [what, ...cellsOf(what)]),
  ),
);

type Stage = {
  readonly claimers: Claimers;
  /** Of the three replicas those that do not lead. */
  readonly followers: readonly Claimer[];
  readonly metrics: () => Promise<Metrics>;
  /** Entries of Consul's Raft log. */
  readonly entries: () => Promise<number>;
};

async function measured(consulServers: 1 | 3): Promise<readonly Row[]> {
  await using h = await startHarness({ consulServers });
  const namespace = await h.world.namespace('bench');
  await using claimers = await openClaimers(h.world, namespace, lengths.groups);
  const operator = await h.startOperator();
  await led(h, namespace, claimers);
  await claimers.ask(operator.url);
  await using consul = consulRest({ address: h.cluster.consulAddress });
  const entries = async (): Promise<number> => {
    const { Stats } = await consul.must<{ readonly Stats: { readonly raft: { readonly last_log_index: string } } }>(
      'GET',
      '/v1/agent/self',
    );
    return Number(Stats.raft.last_log_index);
  };
  const { name: leader } = await h.led(namespace, 'replicas');
  const followers = claimers.replicas.filter(({ pod }) => pod !== leader);
  const stage: Stage = { claimers, followers, metrics: () => metricsOf(operator.url), entries };
  await h.atRest(lengths.quietMs);
  const rows: Row[] = [];
  const note = (some: readonly Row[]): void => {
    for (const each of some) console.error(`── ${each.what}: ${shown(each)}`);
    rows.push(...some);
  };
  note(await rest(stage, 'before any claim'));
  note(await perTick(stage));
  note(await oneAtATime(stage));
  note(await together(stage));
  note(await passed(stage));
  note(await atOneInstant(stage));
  note(await besideRenewals(stage));
  note(await rest(stage, 'at rest, with all these series'));
  note(await whileTheyWait(stage));
  return rows;
}

/** Also of those three whose lead does not matter here one leads. */
async function led(h: Harness, namespace: string, { leaders, replicas, renewer }: Claimers): Promise<void> {
  const groups = new Set([...leaders, ...replicas, renewer].map(({ group }) => group));
  await Promise.all([...groups].map((group) => h.led(namespace, group, { timeoutMs: LED_TIMEOUT_MS })));
}

/** Those that do not lead have claimed the next tick, for which the leader is not ready yet. */
async function whileTheyWait(stage: Stage): Promise<readonly Row[]> {
  const claim = claimOf('ticks-AtMostOnce', nextTick());
  const waiting = stage.followers.map((follower) =>
    follower.send('POST', '', `&wait=${lengths.restMs + 2000}ms`, claim),
  );
  const rows = await rest(stage, 'while two replicas wait for a tick');
  await Promise.all(waiting);
  return rows;
}

/** What the operator asks Consul for, and what anybody writes, while nobody claims. */
async function rest({ metrics, entries }: Stage, when: string): Promise<readonly Row[]> {
  const look = async () => ({ metrics: await metrics(), entries: await entries() });
  const before = await look();
  await delay(lengths.restMs);
  const after = await look();
  const requests = (operations: readonly string[]): number =>
    operations.reduce((sum, operation) => sum + since(before.metrics, after.metrics, operation), 0);
  const minutes = lengths.restMs / 60_000;
  return [
    row(`${when}: reads of the operator a minute`, requests(READS) / minutes, ''),
    row(`${when}: writes of the operator a minute`, requests(WRITES) / minutes, ''),
    row(`${when}: Raft entries of anybody a minute`, (after.entries - before.entries) / minutes, ''),
  ];
}

function since(before: Metrics, after: Metrics, operation: string): number {
  const requests = 'leadergroup_consul_requests_total';
  return after.sum(requests, { operation }) - before.sum(requests, { operation });
}

/** Three replicas claim each tick, one leads. */
async function perTick({ claimers, entries }: Stage): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const mode of ['AtMostOnce', 'AtLeastOnce'] as const) {
    const series = `ticks-${mode}`;
    // The first one makes the series.
    await tickOf(claimers.replicas, series, mode);
    const before = await entries();
    const tally = newTally();
    for (let ticks = 0; ticks < lengths.ticks; ticks += 1) {
      tally.milliseconds.push(await tickOf(claimers.replicas, series, mode));
      await delay(TICK_MS);
    }
    const done = mode === 'AtLeastOnce' ? ', and its done' : '';
    rows.push(
      row(`${mode}: Raft entries of a tick of three replicas${done}`, ((await entries()) - before) / lengths.ticks, ''),
      row(`${mode}: a tick of three replicas${done}, until all know, median`, quantile(tally.milliseconds, 0.5), 'ms'),
    );
  }
  return rows;
}

/** Milliseconds until the last of them knows. */
async function tickOf(replicas: readonly Claimer[], series: string, mode: string): Promise<number> {
  const position = nextTick();
  const begunMs = performance.now();
  const statuses = await Promise.all(
    replicas.map(async (replica) => {
      const claim = claimOf(series, position);
      const { status } = await replica.send('POST', '', '&wait=10s', { ...claim, mode });
      if (status === 201 && mode === 'AtLeastOnce') await replica.send('PUT', '/done', '', claim);
      return status;
    }),
  );
  if (statuses.toSorted((a, b) => a - b).join() !== '201,409,409')
    throw new Error(`a tick was answered with ${statuses.join()}`);
  return performance.now() - begunMs;
}

async function oneAtATime({ claimers }: Stage): Promise<readonly Row[]> {
  await firstClaims(claimers.leaders, 'lane-0');
  const found = await claimAsFast(claimers.leaders, 1, lengths.seconds);
  return [row('one at a time: claims a second', found.perSecond, ''), ...timesOf('one at a time', found)];
}

async function together({ claimers, metrics }: Stage): Promise<readonly Row[]> {
  const what = `${lengths.atOnce} at a time`;
  // Each of its series has been claimed then.
  await claimAsFast(claimers.leaders, lengths.atOnce, lengths.seconds / 4);
  const before = await metrics();
  const found = await claimAsFast(claimers.leaders, lengths.atOnce, lengths.seconds);
  const transactions = since(before, await metrics(), 'txn');
  return [
    row(`${what}: claims a second`, found.perSecond, ''),
    ...timesOf(what, found),
    row(`${what}: claims in a transaction`, found.milliseconds.length / transactions, ''),
  ];
}

/** What is refused is refused from memory. */
async function passed({ claimers, entries }: Stage): Promise<readonly Row[]> {
  const [leader] = claimers.leaders;
  const claim = claimOf('passed', nextTick());
  await leader?.send('POST', '', '', claim);
  const [before, tally, begunMs] = [await entries(), newTally(), performance.now()];
  while (performance.now() - begunMs < lengths.seconds * 250) {
    const heard = await leader?.send('POST', '', '', { ...claim, ...claimOf('passed', 1) });
    if (heard !== undefined) count(tally, heard);
  }
  return [
    ...timesOf('refused, one at a time', tally, 409),
    row('refused: Raft entries of a hundred', (((await entries()) - before) / tally.milliseconds.length) * 100, ''),
  ];
}

async function atOneInstant({ claimers: { leaders } }: Stage): Promise<readonly Row[]> {
  const what = `${(lengths.groups * lengths.series).toLocaleString('en')} at one instant`;
  const first = await claimAtOneInstant(leaders, lengths.series);
  // As many as a group may claim in a second.
  await delay(1000);
  const next = await claimAtOneInstant(leaders, lengths.series);
  return [
    row(`${what}, of new series: all answered after`, first.tookMs, 'ms'),
    ...timesOf(`${what}, of new series`, first),
    row(`${what}, the next tick: all answered after`, next.tookMs, 'ms'),
    ...timesOf(`${what}, the next tick`, next),
  ];
}

/** Of a claim by its claimer, and of the sessions of all members by the operator. */
async function besideRenewals({ claimers, metrics }: Stage): Promise<readonly Row[]> {
  await using renewals = await renewing(claimers.renewer, RENEW_EVERY_MS);
  const rows: Row[] = [];
  const beside: Readonly<Record<string, () => Promise<unknown>>> = {
    'nothing else': () => delay(lengths.seconds * 1000),
    [`${lengths.atOnce} claims at a time`]: () => claimAsFast(claimers.leaders, lengths.atOnce, lengths.seconds),
    'the claims of one instant': () => claimAtOneInstant(claimers.leaders, lengths.series),
  };
  for (const [what, work] of Object.entries(beside)) {
    const [before, from] = [await metrics(), renewals.tally.milliseconds.length];
    // A small size may be claimed whole between two renewals.
    do await work();
    while (renewals.tally.milliseconds.length === from);
    const after = await metrics();
    const took = renewals.tally.milliseconds.slice(from);
    rows.push(
      row(`renewal of a claim beside ${what}: median`, quantile(took, 0.5), 'ms'),
      row(`renewal of a claim beside ${what}: longest`, Math.max(...took, 0), 'ms'),
      row(`renewals of sessions beside ${what}: mean`, meanRenewalMs(before, after), 'ms'),
    );
  }
  rows.push(row('renewals of a claim that were not taken', others(renewals.tally, 200), ''));
  return rows;
}

function meanRenewalMs(before: Metrics, after: Metrics): number {
  const spent = (name: string): number =>
    after.sum(name, { operation: 'renewSession' }) - before.sum(name, { operation: 'renewSession' });
  const [seconds, count] = [
    spent('leadergroup_consul_request_duration_seconds_sum'),
    spent('leadergroup_consul_request_duration_seconds_count'),
  ];
  return count === 0 ? 0 : (seconds / count) * 1000;
}

/** `wanted`: the status of a good answer. */
function timesOf(what: string, tally: Tally, wanted = 201): readonly Row[] {
  return [
    row(`${what}: median`, quantile(tally.milliseconds, 0.5), 'ms'),
    row(`${what}: p99`, quantile(tally.milliseconds, 0.99), 'ms'),
    row(`${what}: answers other than ${wanted}`, others(tally, wanted), ''),
  ];
}

function others({ milliseconds, statuses }: Tally, wanted: number): number {
  return milliseconds.length - (statuses.get(wanted) ?? 0);
}
