/** The real operator as a child process: started with an environment, read by its log, stopped, frozen and killed by pid. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './ports.ts';
import { type Limit, waiting } from './waiting.ts';

/** Several run on one machine, and have one loopback. */
const NO_DIAGNOSTICS = { LEADERGROUP_DIAGNOSTICS_PORT: '0' };

export type LogLine = Readonly<Record<string, unknown>> & { readonly message?: string };

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type OperatorOptions = {
  /** Over the environment of the tests, of which only PATH and HOME are kept. */
  readonly env: Readonly<Record<string, string>>;
  /** Further command line arguments, e.g. --config FILE. */
  readonly args?: readonly string[];
  /** Where the log goes as well; appended, so that a restarted operator continues it. */
  readonly logFile?: string;
  /** For the tests of this file: another program than the operator. */
  readonly main?: string;
  /** A program and its arguments that become the operator, as `exec` does: the pid stays. */
  readonly under?: readonly string[];
};

export type OperatorProcess = {
  readonly pid: number;
  /** Base of its HTTP server: http://127.0.0.1:port */
  readonly url: string;
  /** Parsed log lines so far; what is no JSON is under `message`. */
  readonly log: readonly LogLine[];
  /** Settled once the process has ended, however. */
  readonly ended: Promise<Exit>;
  /** Resolves when /readyz answers 200. Rejects with the last log lines when the process ends before or the time is up. */
  ready(timeoutMs?: number): Promise<void>;
  /** Resolves with the first line, past or to come, that matches. Rejects as `ready` does. */
  untilLog(matches: (line: LogLine) => boolean, limit: Limit): Promise<LogLine>;
  /** Sends a signal (default SIGTERM) and resolves when the process has ended. After `timeoutMs` it is killed, which rejects. */
  kill(signal?: NodeJS.Signals, timeoutMs?: number): Promise<Exit>;
  /** SIGSTOP: it keeps its connections and does nothing. */
  freeze(): void;
  thaw(): void;
  [Symbol.asyncDispose](): Promise<void>;
};

const READY_TIMEOUT_MS = 60_000;
const KILL_TIMEOUT_MS = 15_000;
const ASK_AGAIN_MS = 25;
const MAIN = join(import.meta.dirname, '../../../src/main.ts');

export async function startOperator(options: OperatorOptions): Promise<OperatorProcess> {
  const address = options.env['LEADERGROUP_HTTP_ADDRESS'] ?? `127.0.0.1:${await freePort()}`;
  const command = [...(options.under ?? []), process.execPath, options.main ?? MAIN, ...(options.args ?? [])];
  const child = spawn(command[0] ?? '', command.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      ...NO_DIAGNOSTICS,
      ...options.env,
      LEADERGROUP_HTTP_ADDRESS: address,
    },
  });
  const wait = waiting();
  const log: LogLine[] = [];
  const file = options.logFile === undefined ? null : createWriteStream(options.logFile, { flags: 'a' });
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      log.push(parsed(line));
      file?.write(`${line}\n`);
      wait.note(line);
    });
  }
  const ended = endOf(child, file);
  void ended.then(({ code, signal }) =>
    wait.fail(new Error(`the operator ended with ${signal ?? code}. ${lastLines(log)}`)),
  );
  if (child.pid === undefined) throw new Error(`the operator did not start: ${JSON.stringify(await ended)}`);
  const url = `http://${address}`;
  const kill: OperatorProcess['kill'] = (signal = 'SIGTERM', timeoutMs = KILL_TIMEOUT_MS) =>
    end(child, ended, log, signal, timeoutMs);
  return {
    pid: child.pid,
    url,
    log,
    ended,
    ready: (timeoutMs = READY_TIMEOUT_MS) => becomeReady(url, child, log, ended, timeoutMs),
    untilLog: (matches, limit) => wait.until(() => log.find(matches), limit),
    kill,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function parsed(line: string): LogLine {
  try {
    const json: unknown = JSON.parse(line);
    return typeof json === 'object' && json !== null ? (json as LogLine) : { message: line };
  } catch {
    return { message: line };
  }
}

const lastLines = (log: readonly LogLine[]): string =>
  `Its last log lines:\n  ${
    log
      .slice(-15)
      .map((line) => JSON.stringify(line))
      .join('\n  ') || 'none'
  }`;

/** 'close', not 'exit': by then all output has been read. */
async function endOf(child: ChildProcess, file: WriteStream | null): Promise<Exit> {
  const { promise, resolve } = Promise.withResolvers<Exit>();
  child.once('close', (code, signal) => resolve({ code, signal }));
  child.once('error', () => resolve({ code: null, signal: null }));
  const exit = await promise;
  file?.end();
  return exit;
}

async function end(
  child: ChildProcess,
  ended: Promise<Exit>,
  log: readonly LogLine[],
  signal: NodeJS.Signals,
  timeoutMs: number,
): Promise<Exit> {
  child.kill(signal);
  const limit = new AbortController();
  const timeout = delay(timeoutMs, null, { signal: limit.signal }).catch(() => null);
  const exit = await Promise.race([ended, timeout]);
  limit.abort();
  if (exit !== null) return exit;
  child.kill('SIGKILL');
  await ended;
  throw new Error(`the operator did not end within ${timeoutMs} ms of ${signal}. ${lastLines(log)}`);
}

async function becomeReady(
  url: string,
  child: ChildProcess,
  log: readonly LogLine[],
  ended: Promise<Exit>,
  timeoutMs: number,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (performance.now() < deadlineMs) {
    if (child.exitCode !== null || child.signalCode !== null) {
      const { code, signal } = await ended;
      throw new Error(`the operator ended with ${signal ?? code} before it was ready. ${lastLines(log)}`);
    }
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) }).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.status === 200) return;
    await delay(ASK_AGAIN_MS);
  }
  throw new Error(`the operator was not ready within ${timeoutMs} ms. ${lastLines(log)}`);
}
