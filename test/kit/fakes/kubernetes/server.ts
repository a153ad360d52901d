/** An HTTP(S) server whose answers a test writes by hand. */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Certificate } from '../certificate.ts';

type Received = {
  readonly method: string;
  readonly url: URL;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  /** Which connection it came over, counted from 1. */
  readonly connection: number;
};

/** May be async. */
export type Respond = (request: Received, response: ServerResponse) => unknown;

export type FakeServer = AsyncDisposable & {
  readonly url: string;
  readonly port: number;
  readonly requests: readonly Received[];
  /** Connections made since the start. */
  connections(): number;
  /** Connections open now. */
  open(): number;
  respond: Respond;
  /** Cuts every connection, in the middle of whatever it carries. */
  cut(): void;
};

export async function startServer(
  respond: Respond,
  options: { readonly tls?: Certificate; readonly port?: number } = {},
): Promise<FakeServer> {
  const requests: Received[] = [];
  const sockets = new Map<Socket, number>();
  let made = 0;
  const listener = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const received = await receive(request, made, sockets);
    requests.push(received);
    await server.respond(received, response);
  };
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    listener(request, response).catch(() => response.destroy());
  };
  const node = options.tls === undefined ? http.createServer(handle) : https.createServer(options.tls, handle);
  node.keepAliveTimeout = 60_000;
  node.on(options.tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    made += 1;
    sockets.set(socket, made);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
  });
  const port = await listen(node, options.port ?? 0);
  const server: FakeServer = {
    url: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    requests,
    connections: () => made,
    open: () => sockets.size,
    respond,
    cut: () => {
      for (const socket of sockets.keys()) socket.destroy();
    },
    [Symbol.asyncDispose]: async () => {
      const closed = Promise.withResolvers<void>();
      node.close(() => closed.resolve());
      node.closeAllConnections();
      for (const socket of sockets.keys()) socket.destroy();
      await closed.promise;
    },
  };
  return server;
}

async function listen(server: http.Server, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(port, '127.0.0.1', resolve);
  await promise;
  return (server.address() as AddressInfo).port;
}

async function receive(
  request: IncomingMessage,
  made: number,
  sockets: ReadonlyMap<Socket, number>,
): Promise<Received> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return {
    method: request.method ?? '',
    url: new URL(request.url ?? '', 'http://test'),
    headers: request.headers,
    text: Buffer.concat(chunks).toString('utf8'),
    connection: sockets.get(request.socket) ?? made,
  };
}

export function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: http.OutgoingHttpHeaders = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** As the API server itself says no. */
export const aStatus = (code: number, reason: string, more: Readonly<Record<string, unknown>> = {}): unknown => ({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  code,
  reason,
  message: `${reason} it is`,
  ...more,
});
