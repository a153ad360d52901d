import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OperatorProcess, startOperator } from '../../kit/rig/operator-process.ts';

/** Stands in for the operator: ready at the second question, says so, and ends by its argument's rule. */
const PROGRAM = `
import { createServer } from 'node:http';
const [mode] = process.argv.slice(2);
if (mode === 'crash') { console.error('no Consul today'); process.exit(3); }
if (mode === 'deaf') process.on('SIGTERM', () => console.log(JSON.stringify({ message: 'ignored' })));
else process.on('SIGTERM', () => { console.log(JSON.stringify({ message: 'stopping' })); process.exit(0); });
const [host, port] = process.env.LEADERGROUP_HTTP_ADDRESS.split(':');
let asked = 0;
createServer((request, response) => response.writeHead(++asked > 1 ? 200 : 503).end()).listen(Number(port), host, () => {
  console.log(JSON.stringify({ message: 'listening', extra: process.env.EXTRA, home: process.env.KUBECONFIG ?? 'none' }));
});
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'leadergroup-process-'));
  await writeFile(join(folder, 'main.mjs'), PROGRAM);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const start = (mode: string, logFile?: string): Promise<OperatorProcess> =>
  startOperator({ main: join(folder, 'main.mjs'), args: [mode], env: { EXTRA: 'x' }, ...(logFile && { logFile }) });

const soon = (what: string) => ({ timeoutMs: 10_000, what });

describe('an operator process', () => {
  it('is ready when /readyz says so, and gets only the environment it is given', async () => {
    await using operator = await start('run');
    await operator.ready();
    expect(operator.log).toContainEqual({ message: 'listening', extra: 'x', home: 'none' });
  });

  it('ends by SIGTERM with its own exit code, all its lines in the log and in the file', async () => {
    const logFile = join(folder, 'run.log');
    await using operator = await start('run', logFile);
    await operator.untilLog((line) => line.message === 'listening', soon('the first line'));
    expect(await operator.kill()).toEqual({ code: 0, signal: null });
    expect(operator.log.at(-1)).toEqual({ message: 'stopping' });
    expect(await readFile(logFile, 'utf8')).toContain('"stopping"');
  });

  it('shows its last words to whoever waits for it when it dies', async () => {
    await using operator = await start('crash');
    await expect(operator.ready()).rejects.toThrow(/ended with 3 before it was ready.*no Consul today/s);
    await expect(operator.untilLog(() => false, soon('a line that never comes'))).rejects.toThrow(/no Consul today/);
  });

  it('is killed when it does not end in time, and that is an error', async () => {
    await using operator = await start('deaf');
    await operator.untilLog((line) => line.message === 'listening', soon('the first line'));
    await expect(operator.kill('SIGTERM', 100)).rejects.toThrow(/did not end within 100 ms of SIGTERM.*ignored/s);
    expect(await operator.ended).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('does nothing while frozen and goes on when thawed', async () => {
    await using operator = await start('run');
    await operator.ready();
    operator.freeze();
    const asked = fetch(`${operator.url}/readyz`);
    const answered = await Promise.race([
      asked.then(() => true),
      new Promise((resolve) => setTimeout(resolve, 150, false)),
    ]);
    expect(answered).toBe(false);
    operator.thaw();
    expect((await asked).status).toBe(200);
  });

  it('is ended on disposal even when frozen', async () => {
    const operator = await start('deaf');
    await operator.untilLog((line) => line.message === 'listening', soon('the first line'));
    operator.freeze();
    await operator[Symbol.asyncDispose]();
    expect(await operator.ended).toEqual({ code: null, signal: 'SIGKILL' });
  });
});
