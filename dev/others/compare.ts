/**
 * The usual alternatives as they come, client-go's election by a Lease and `consul lock`, on a cluster of their own: how long a group has no
 * leader, or two, when its leader is killed, told to end, or hangs; and what a group costs the servers while nothing happens.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { quoted } from '../cluster/environment.ts';
import { type Cluster, startCluster } from '../cluster/index.ts';
import { MARK } from '../cluster/processes.ts';
import { buildProgram } from '../tools/index.ts';
import { leaseCandidate } from '../tools/products.ts';
import type { Command } from './candidate.ts';
import { type Fault, startGroup } from './group.ts';
import { costTable, openMeter, type RestCost, type Server } from './rest-cost.ts';
import { summaryTable, type Trial, time } from './summary.ts';

const LIMIT_MS = 900_000;
const RESTING_GROUPS = 5;
const tooLong =
  `The comparison took more than ${LIMIT_MS / 60_000} minutes and was ended: what is missing above has hung; ` +
  'run it again when the machine is quieter.';

const faults: readonly Fault[] = [
  { name: 'killed (-9)', signal: 'SIGKILL', times: 5 },
  { name: 'told to end (SIGTERM)', signal: 'SIGTERM', times: 3 },
  { name: 'hangs (SIGSTOP), woken when the next one leads', signal: 'SIGSTOP', times: 3 },
];

export type Alternative = {
  readonly name: string;
  /** Whose requests and writes a group of it causes. */
  readonly server: Server;
  /** Faults come at moments spread evenly over this. */
  readonly renewalMs: number;
  readonly command: (group: string, identity: string) => Command;
};

/** Two tables. Takes about twelve minutes; rejects with the first failure, when `signal` aborts, and when it takes too long. */
export async function compareOthers(signal: AbortSignal): Promise<string> {
  const program = await buildProgram(leaseCandidate, signal);
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-others-'));
  try {
    await using cluster = await startCluster({ dir, signal });
    // With the mark, whoever clears away the cluster of a killed benchmark ends its candidates, frozen ones too.
    const env = { ...process.env, ...cluster.env, [MARK]: cluster.dir };
    const list = alternatives(program, env);
    const costs = await costsAtRest(list, cluster, signal);
    const trials = await sideBySide(list, signal);
    return `${summaryTable(trials)}\n${costTable(costs)}`;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function alternatives(program: string, env: Readonly<NodeJS.ProcessEnv>): readonly Alternative[] {
  const lease = (name: string, verb: string): Alternative => ({
    name,
    server: 'kubernetes',
    renewalMs: 2_000,
    command: (group, identity) => ({ file: program, args: [verb, `${verb}-${group}`, identity], env }),
  });
  return [
    lease('client-go, Lease, ReleaseOnCancel', 'lease'),
    lease('client-go, Lease', 'lease-kept'),
    {
      name: '`consul lock`',
      server: 'consul',
      renewalMs: 7_500,
      command: (group) => ({
        file: 'consul',
        // Verbose only so that it says when it competes.
        args: ['lock', '-verbose', `others/${group}`, `exec ${quoted(program)} work`],
        env: { ...env, SHELL: '/bin/sh' },
        waitingLine: 'Attempting lock acquisition',
      }),
    },
  ];
}

/** One alternative after the other, for a server does not say whose requests it counts. */
async function costsAtRest(
  list: readonly Alternative[],
  cluster: Cluster,
  signal: AbortSignal,
): Promise<readonly RestCost[]> {
  await using meter = await openMeter(cluster);
  const costs: RestCost[] = [];
  for (const alternative of list) {
    const without = await meter.rates(alternative.server, signal);
    await using groups = new AsyncDisposableStack();
    for (let at = 1; at <= RESTING_GROUPS; at += 1) {
      const group = groups.use(await startGroup((identity) => alternative.command(`resting-${at}`, identity), signal));
      await group.settled();
    }
    const together = await meter.rates(alternative.server, signal);
    costs.push({
      alternative: alternative.name,
      requestsPerSecond: (together.requests - without.requests) / RESTING_GROUPS,
      writesPerMinute: (together.writes - without.writes) / RESTING_GROUPS,
    });
  }
  return costs;
}

/** Each alternative and fault with a group of its own, all at the same time. The first failure ends all of them. */
async function sideBySide(list: readonly Alternative[], signal: AbortSignal): Promise<readonly Trial[]> {
  const failure = new AbortController();
  const limit = AbortSignal.timeout(LIMIT_MS);
  const either = AbortSignal.any([signal, limit, failure.signal]);
  const running = list.flatMap((alternative) =>
    faults.map(async (fault, index) => {
      try {
        return await series(alternative, fault, `group-${index + 1}`, either);
      } catch (error) {
        failure.abort(limit.aborted ? new Error(tooLong) : error);
        return [];
      }
    }),
  );
  const trials = (await Promise.all(running)).flat();
  failure.signal.throwIfAborted();
  return trials;
}

async function series(
  { name, renewalMs, command }: Alternative,
  fault: Fault,
  groupName: string,
  signal: AbortSignal,
): Promise<readonly Trial[]> {
  await using group = await startGroup((identity) => command(groupName, identity), signal);
  const trials: Trial[] = [];
  for (let count = 0; count < fault.times; count += 1) {
    const outcome = await group.suffer(fault, ((count + 0.5) / fault.times) * renewalMs);
    trials.push({ alternative: name, fault: fault.name, ...outcome });
    const figures = `no leader for ${time(outcome.gapMs)}, two for ${time(outcome.overlapMs)}`;
    console.error(`${name}, ${fault.name}, ${count + 1} of ${fault.times}: ${figures}`);
  }
  return trials;
}
