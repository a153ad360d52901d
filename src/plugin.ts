/** What `kubectl leadergroup` needs of this machine: the terminal, the kubeconfig, signals. */
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { runCli } from './cli/run.ts';
import { createClock } from './clock.ts';

/** Runs the command line of this process. Resolves with its exit code. */
export function runPlugin(version: string): Promise<number> {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => stop.abort(new Error(`stopped by ${name}`)));
  // Whoever reads the output may have seen enough: `kubectl leadergroup watch | head`.
  process.stdout.on('error', () => process.exit());
  const clock = createClock();
  const { NO_COLOR, FORCE_COLOR, TERM, LEADERGROUP_DEBUG } = process.env;
  return runCli(process.argv.slice(2), {
    clock,
    version,
    signal: stop.signal,
    debug: LEADERGROUP_DEBUG === '1',
    io: {
      out: (text) => void process.stdout.write(`${text}\n`),
      err: (text) => void process.stderr.write(`${text}\n`),
      colours: (NO_COLOR ?? '') === '' && TERM !== 'dumb' && (process.stdout.isTTY || (FORCE_COLOR ?? '') !== ''),
      writePrivate: (path, content) => writeFile(path, content, { mode: 0o600, flag: 'wx' }),
      readLines: (path) => createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY }),
    },
    connect: async ({ context, kubeconfig }) => {
      if (kubeconfig !== null) process.env['KUBECONFIG'] = kubeconfig;
      // What reads kubeconfigs takes a quarter of a second to load.
      const { connect } = await import('./cli/connect.ts');
      return connect(context, clock, stop.signal);
    },
  });
}
