#!/usr/bin/env node
/** `kubectl leadergroup`: makes what the commands need, and ends with their exit code. */
import { createReadStream, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { runCli } from './cli/run.ts';
import { createClock } from './clock.ts';

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => stop.abort(new Error(`stopped by ${name}`)));
// Whoever reads the output may have seen enough: `kubectl leadergroup watch | head`.
process.stdout.on('error', () => process.exit());

const clock = createClock();
const { NO_COLOR, FORCE_COLOR, TERM, LEADERGROUP_DEBUG } = process.env;

process.exitCode = await runCli(process.argv.slice(2), {
  clock,
  version: packageVersion(),
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

/** The package stands beside `src` and beside `dist`. */
function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { version?: unknown }).version);
}
