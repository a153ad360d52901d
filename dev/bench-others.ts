/**
 * `npm run bench:others`: how long a group is without a leader, or with two, when its leader is killed, told to end, or hangs, with
 * the usual alternatives as they come: client-go's election by a Lease, and `consul lock`. On a real API server and a real
 * Consul; ten minutes at most. Prints a table; asserts nothing.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { quoted } from './cluster/environment.ts';
import { startCluster } from './cluster/index.ts';
import { MARK } from './cluster/processes.ts';
import { script } from './command-line.ts';
import { interruption } from './interruption.ts';
import type { Command } from './others/candidate.ts';
import { type Fault, startGroup } from './others/group.ts';
import { summaryTable, type Trial, time } from './others/summary.ts';
import { buildProgram } from './tools/index.ts';
import { leaseCandidate } from './tools/products.ts';

const LIMIT_MS = 600_000;
const tooLong =
  `The benchmark took more than ${LIMIT_MS / 60_000} minutes and was ended: what is missing above has hung; ` +
  'run it again when the machine is quieter.';

const faults: readonly Fault[] = [
  { name: 'killed (-9)', signal: 'SIGKILL', times: 5 },
  { name: 'told to end (SIGTERM)', signal: 'SIGTERM', times: 3 },
  { name: 'hangs (SIGSTOP), woken when the next one leads', signal: 'SIGSTOP', times: 3 },
];

type Alternative = {
  readonly name: string;
  /** Faults come at moments spread evenly over this. */
  readonly renewalMs: number;
  readonly command: (group: string, identity: string) => Command;
};

script('bench:others', 'How long a group has no leader, or two, with the usual alternatives; asserts nothing.').parse();
const { signal: interrupted } = interruption();

try {
  await bench(interrupted);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = interrupted.aborted ? 130 : 1;
}

async function bench(signal: AbortSignal): Promise<void> {
  const program = await buildProgram(leaseCandidate, signal);
  const dir = await mkdtemp(join(tmpdir(), 'leadergroup-others-'));
  try {
    await using cluster = await startCluster({ dir, signal });
    // With the mark, whoever clears away the cluster of a killed benchmark ends its candidates, frozen ones too.
    const env = { ...process.env, ...cluster.env, [MARK]: cluster.dir };
    const trials = await sideBySide(alternatives(program, env), signal);
    console.log(summaryTable(trials));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function alternatives(program: string, env: Readonly<NodeJS.ProcessEnv>): readonly Alternative[] {
  return [
    {
      name: 'client-go, Lease',
      renewalMs: 2_000,
      command: (group, identity) => ({ file: program, args: ['lease', group, identity], env }),
    },
    {
      name: '`consul lock`',
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
