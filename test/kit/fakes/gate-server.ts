/** A gate that says what the test wants, and clients as processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';

export type Says = (response: ServerResponse) => void;

export const UID = 'uid-0';

const body = (leader: boolean, token: number, validMs: number): Readonly<Record<string, unknown>> => ({
  leader,
  pod: 'notifier-0',
  uid: UID,
  token,
  validForMilliseconds: validMs,
  acquireTime: '',
});

export const raw =
  (status: number, text: string): Says =>
  (response) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(text);

/** A grant, but for what `other` says. */
export const grant = (token: number, validMs = 1500, other: Readonly<Record<string, unknown>> = {}): Says =>
  raw(200, JSON.stringify({ ...body(true, token, validMs), ...other }));

export const no = (token: number): Says => raw(409, JSON.stringify(body(false, token, 0)));
export const nobodyKnows: Says = raw(503, JSON.stringify({ reason: 'NotKnown', message: 'ask again' }));
export const nothing: Says = () => undefined;

/** On its way for so long. */
export const late =
  (ms: number, says: Says): Says =>
  (response) =>
    void setTimeout(says, ms, response);

/** The connection breaks in the middle of the body. */
export const cutShort =
  (token: number): Says =>
  (response) => {
    const text = JSON.stringify(body(true, token, 1500));
    response.writeHead(200, { 'content-length': text.length + 1 }).write(text, () => response.destroy());
  };

/** One after the other; the last one from then on. */
export function inTurn(first: Says, ...others: readonly Says[]): Says {
  const left = [first, ...others];
  return (response) => {
    const [says = first] = left.length > 1 ? left.splice(0, 1) : left;
    says(response);
  };
}

export type FakeGate = AsyncDisposable & {
  readonly url: string;
  /** The paths that were asked for, but /v1/self. */
  readonly asked: readonly string[];
  /** Of each of those questions, the secret of its term. */
  readonly secrets: readonly string[];
  /** The terms that were released. */
  readonly released: readonly { readonly url: string; readonly secret: string }[];
  /** How often /v1/self was asked for. */
  selves(): number;
  /** The last Authorization that came. */
  authorization(): string | undefined;
  say(says: Says): void;
  /** What /v1/self is answered with; 200 by default. */
  know(says: Says): void;
};

export async function startFakeGate(): Promise<FakeGate> {
  let says: Says = nothing;
  let knows: Says = raw(200, '{}');
  const asked: string[] = [];
  const secrets: string[] = [];
  const released: { readonly url: string; readonly secret: string }[] = [];
  let selves = 0;
  let authorization: string | undefined;
  const server = createServer((request, response) => {
    authorization = request.headers.authorization;
    if (request.url?.startsWith('/v1/self?') === true) {
      selves += 1;
      knows(response);
      return;
    }
    if (request.method === 'POST') {
      released.push({ url: request.url ?? '', secret: String(request.headers['leadergroup-client'] ?? '') });
      raw(200, '{"released":true,"resigned":false}')(response);
      return;
    }
    asked.push(request.url ?? '');
    secrets.push(String(request.headers['leadergroup-client'] ?? ''));
    says(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    secrets,
    released,
    selves: () => selves,
    authorization: () => authorization,
    know: (next) => {
      knows = next;
    },
    say: (next) => {
      says = next;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export type Running = AsyncDisposable & {
  readonly lines: readonly string[];
  readonly errors: readonly string[];
  /** The exit status; null: a signal ended it. */
  readonly ended: Promise<number | null>;
  signal(signal: NodeJS.Signals): void;
};

const running = new Set<Running>();

/** Also those whose test ran out of time before it could end them. */
export async function endAll(): Promise<void> {
  for (const program of running) await program[Symbol.asyncDispose]();
}

export function run(env: Readonly<Record<string, string>>, command: string, ...args: readonly string[]): Running {
  const child: ChildProcess = spawn(command, args, {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const read = (stream: ChildProcess['stdout']): string[] => {
    const lines: string[] = [];
    if (stream !== null) createInterface({ input: stream }).on('line', (line) => lines.push(line));
    return lines;
  };
  const program: Running = {
    lines: read(child.stdout),
    errors: read(child.stderr),
    ended,
    signal: (signal) => void child.kill(signal),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
  running.add(program);
  return program;
}
