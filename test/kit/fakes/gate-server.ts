/** A gate that says what the test wants, and clients as processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
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
/** This pod leads, but gets no more grants; or: the secret is that of a term which was released. */
export const noMore = (
  reason: 'Revoking' | 'Released',
  token = 7,
  other: Readonly<Record<string, unknown>> = {},
): Says => raw(409, JSON.stringify({ ...body(false, token, 0), reason, ...other }));

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

/** A claim, or a report of one. */
export type AskedClaim = {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly pod: string;
  /** 0: it does not wait. */
  readonly waitMs: number;
  readonly body: unknown;
  readonly atMs: number;
};

export type SaysToClaim = (response: ServerResponse, asked: AskedClaim) => void;

/** One after the other; the last one from then on. */
export function inTurn(first: Says, ...others: readonly Says[]): Says {
  const left = [first, ...others];
  return (response) => {
    const [says = first] = left.length > 1 ? left.splice(0, 1) : left;
    says(response);
  };
}

export type Asked = {
  /** Path and query. */
  readonly url: string;
  /** Of its term; empty: none. */
  readonly secret: string;
  readonly authorization: string | undefined;
  readonly atMs: number;
};

export type FakeGate = AsyncDisposable & {
  readonly url: string;
  /** The questions that were to be answered at once, but those to /v1/self. */
  readonly questions: readonly Asked[];
  /** Their paths. */
  readonly asked: readonly string[];
  /** Of each of them, the secret of its term. */
  readonly secrets: readonly string[];
  /** The questions that wait for news. */
  readonly waits: readonly Asked[];
  /** The terms that were released. */
  readonly released: readonly { readonly url: string; readonly secret: string }[];
  /** Those and their reports, in the order in which they came. */
  readonly claims: readonly AskedClaim[];
  /** How often /v1/self was asked for. */
  selves(): number;
  /** The last Authorization that came. */
  authorization(): string | undefined;
  /** How many questions about the member, waiting or not, were unanswered at the same time. */
  mostAtOnce(): number;
  /** Whoever waits is told that it is worth asking. */
  say(says: Says): void;
  /** What whoever waits is answered with at once. By default they wait for `say`, or until their time is over. */
  sayToWaiting(says: Says): void;
  /** What /v1/self is answered with; 200 by default. */
  know(says: Says): void;
  /** What claims and their reports are answered with; by default that nobody knows. */
  sayToClaims(says: SaysToClaim): void;
  /** What a release is answered with; 200 by default. */
  sayToRelease(says: Says): void;
};

async function readClaim(request: IncomingMessage): Promise<AskedClaim> {
  const { method = '', url = '' } = request;
  const atMs = performance.now();
  const text = (await request.toArray()).join('');
  const body: unknown = request.headers['content-type'] === 'application/json' && text !== '' ? JSON.parse(text) : null;
  const pod = /\/members\/([^/]+)\/claims/.exec(url)?.[1] ?? '';
  return { method, url, pod, waitMs: Number(/[?&]wait=(\d+)ms/.exec(url)?.[1] ?? 0), body, atMs };
}

export async function startFakeGate(): Promise<FakeGate> {
  let says: Says = nothing;
  let knows: Says = raw(200, '{}');
  let saysToRelease: Says = raw(200, '{"released":true,"resigned":false}');
  let saysToWaiting: Says | null = null;
  let saysToClaims: SaysToClaim = nobodyKnows;
  const claims: AskedClaim[] = [];
  const questions: Asked[] = [];
  const waits: Asked[] = [];
  const held = new Set<() => void>();
  const released: { readonly url: string; readonly secret: string }[] = [];
  let [selves, open, mostAtOnce] = [0, 0, 0];
  let authorization: string | undefined;

  function hold(response: ServerResponse, search: URLSearchParams): void {
    const ms = Number(/^(\d+)ms$/.exec(search.get('wait') ?? '')?.[1] ?? 0);
    const wake = (): void => grant(1, 2000)(response);
    const over = setTimeout(() => no(Number(search.get('token')))(response), ms);
    held.add(wake);
    response.once('close', () => {
      clearTimeout(over);
      held.delete(wake);
    });
  }

  const server = createServer((request, response) => {
    const { url = '' } = request;
    ({ authorization } = request.headers);
    const secret = String(request.headers['leadergroup-client'] ?? '');
    if (url.startsWith('/v1/self?')) {
      selves += 1;
      knows(response);
      return;
    }
    if (url.includes('/claims')) {
      void readClaim(request).then((asked) => {
        claims.push(asked);
        saysToClaims(response, asked);
      });
      return;
    }
    if (request.method === 'POST') {
      released.push({ url, secret });
      saysToRelease(response);
      return;
    }
    open += 1;
    mostAtOnce = Math.max(mostAtOnce, open);
    response.once('close', () => {
      open -= 1;
    });
    const { searchParams: search } = new URL(url, 'http://gate');
    const asked = { url, secret, authorization, atMs: performance.now() };
    if (!search.has('wait')) {
      questions.push(asked);
      says(response);
      return;
    }
    waits.push(asked);
    if (saysToWaiting === null) hold(response, search);
    else saysToWaiting(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    questions,
    get asked() {
      return questions.map(({ url }) => url);
    },
    get secrets() {
      return questions.map(({ secret }) => secret);
    },
    waits,
    released,
    claims,
    selves: () => selves,
    authorization: () => authorization,
    mostAtOnce: () => mostAtOnce,
    know: (next) => {
      knows = next;
    },
    say: (next) => {
      says = next;
      for (const wake of held) wake();
    },
    sayToWaiting: (next) => {
      saysToWaiting = next;
    },
    sayToClaims: (next) => {
      saysToClaims = next;
    },
    sayToRelease: (next) => {
      saysToRelease = next;
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
