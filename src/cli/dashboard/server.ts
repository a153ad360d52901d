/** The dashboard's HTTP server: fixed endpoints on 127.0.0.1, each behind the guard. It only reads. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../ports/clock.ts';
import { CliError } from '../errors.ts';
import { ASSETS } from './assets.ts';
import { cookieName, isSame, KEY_HEADER, OPEN, refusalOf, type Secrets } from './guard.ts';
import type { Store } from './store.ts';
import type { About, Findings, OneGroup, Timeline } from './wire.ts';

export type Dashboard = AsyncDisposable & { readonly port: number };

export type DashboardOptions = {
  /** 0: any that is free. */
  readonly port: number;
  readonly secrets: Secrets;
  readonly store: Store;
  readonly clock: Clock;
  readonly about: About;
  readonly findings: () => Promise<Findings>;
};

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

/** A page asks what is new, and is answered when there is something, or after this. */
const LONGEST_WAIT_MS = 20_000;
const MOST_WAITING = 32;
const LONGEST_BODY = 1_024;
const NEWEST_CHANGES = 200;

/** Resolves when it listens. Rejects with a sentence when the port is taken. */
export async function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server: Server = createServer({ maxHeaderSize: 16_384 }, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (!response.headersSent)
        sendJson(response, 502, { why: error instanceof Error ? error.message : String(error) });
    });
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 10_000;
  server.maxConnections = 128;
  server.once('error', (error) => reject(notListening(options.port, error)));
  server.listen(options.port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  const port = await promise;
  const routes = createRoutes(options);
  const expected = { port, secrets: options.secrets, endpoints: new Set(Object.keys(routes)) };
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const { pathname, searchParams } = new URL(`http://127.0.0.1${request.url ?? ''}`);
    const asked = { method: request.method ?? '', path: pathname, headers: request.headers };
    const refusal = refusalOf(asked, expected);
    if (refusal !== null) {
      if (refusal.status === 405) response.setHeader('allow', pathname === OPEN ? 'POST' : 'GET');
      return send(response, refusal.status, 'text/plain; charset=utf-8', `${refusal.why}\n`);
    }
    if (pathname === OPEN) return open(request, response);
    await routes[pathname]?.(response, searchParams);
  }

  async function open(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = new URLSearchParams(await bodyOf(request));
    if (!isSame(form.get('ticket') ?? '', options.secrets.ticket))
      return send(response, 403, 'text/plain; charset=utf-8', 'The file is that of another run of the dashboard.\n');
    const { cookie, key } = options.secrets;
    response.setHeader('set-cookie', `${cookieName(port)}=${cookie}; HttpOnly; SameSite=Strict; Path=/`);
    send(response, 200, 'text/html; charset=utf-8', openingPage(key));
  }
}

/** Its script keeps the key, and goes on to the dashboard. A redirect would come from the file, and the cookie would stay at home. */
const openingPage = (key: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>LeaderGroups</title>
<meta name="${KEY_HEADER}" content="${key}">
<script type="module" src="/open.js"></script>
<noscript>The dashboard needs JavaScript.</noscript>
</html>
`;

type Route = (response: ServerResponse, query: URLSearchParams) => Promise<void> | void;

function createRoutes(options: DashboardOptions): Readonly<Record<string, Route>> {
  const { store, about, findings } = options;
  const files = Object.entries(ASSETS).map(([path, { type, content }]): readonly [string, Route] => [
    path,
    (response) => send(response, 200, type, content),
  ]);
  return {
    ...Object.fromEntries(files),
    '/v1/about': (response) => sendJson(response, 200, about),
    '/v1/changes': changesRoute(options),
    '/v1/group': (response, query) =>
      sendJson(response, 200, { detail: store.detail(query.get('key') ?? '') } satisfies OneGroup),
    '/v1/timeline': (response) =>
      sendJson(response, 200, { transitions: store.timeline(NEWEST_CHANGES) } satisfies Timeline),
    '/v1/findings': async (response) => sendJson(response, 200, await findings()),
  };
}

function changesRoute({ store, clock }: DashboardOptions): Route {
  let waiting = 0;
  return async (response, query) => {
    const after = Number(query.get('after') ?? 0);
    const key = query.get('group');
    if (!Number.isSafeInteger(after) || after < 0) return sendJson(response, 400, { why: 'after is a number.' });
    if (waiting >= MOST_WAITING) return sendJson(response, 503, { why: 'Too many pages are open.' });
    const over = new AbortController();
    response.once('close', () => over.abort());
    const cancel = clock.after(LONGEST_WAIT_MS, () => over.abort());
    const ended = new Promise<void>((resolve) => over.signal.addEventListener('abort', () => resolve()));
    waiting += 1;
    try {
      while (!over.signal.aborted && !store.hasNews(after, key)) await Promise.race([store.changed(), ended]);
    } finally {
      waiting -= 1;
      cancel();
    }
    if (!response.destroyed) sendJson(response, 200, store.since(after, key));
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) {
    body += String(chunk);
    if (body.length > LONGEST_BODY) break;
  }
  return body.slice(0, LONGEST_BODY);
}

const sendJson = (response: ServerResponse, status: number, content: object): void =>
  send(response, status, 'application/json', JSON.stringify(content));

function send(response: ServerResponse, status: number, type: string, content: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(content) });
  response.end(content);
}

function notListening(port: number, error: NodeJS.ErrnoException): CliError {
  const what = error.code === 'EADDRINUSE' ? 'another program has it' : error.message;
  return new CliError(`Cannot listen on 127.0.0.1:${port}: ${what}. Use another --port, or none.`, undefined, {
    cause: error,
  });
}
