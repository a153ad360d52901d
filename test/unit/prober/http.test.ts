import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpProbe } from '../../../src/ports/prober.ts';
import { createHttpProber } from '../../../src/prober/http.ts';

const open = new Set<Server>();
const sockets = new Set<Socket>();

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of open) server.close();
  open.clear();
  sockets.clear();
});

async function listening(server: Server): Promise<number> {
  open.add(server);
  server.on('connection', (socket: Socket) => void sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

const aPod = (handle: (request: IncomingMessage, response: ServerResponse) => void) => listening(createServer(handle));
const never = new AbortController().signal;
const ask = (port: number, probe: Partial<HttpProbe> = {}, signal = never) =>
  createHttpProber().get(
    { address: '127.0.0.1', port, scheme: 'HTTP', path: '/healthz', timeoutMs: 2000, ...probe },
    signal,
  );

describe('a probe over HTTP', () => {
  it.each([
    [200, null],
    [204, null],
    [302, null],
    [399, null],
    [400, 'Status4xx'],
    [404, 'Status4xx'],
    [500, 'Status5xx'],
    [503, 'Status5xx'],
  ] as const)('of status %i is %s', async (status, expected) => {
    const port = await aPod((_, response) => response.writeHead(status, { location: '/elsewhere' }).end());
    expect(await ask(port)).toBe(expected);
  });

  it('follows no redirect, asks on a connection of its own, and says nothing but who it is', async () => {
    const asked: (readonly [string | undefined, readonly string[]])[] = [];
    const connections = new Set<unknown>();
    const port = await aPod((request, response) => {
      asked.push([request.url, Object.keys(request.headers).toSorted()]);
      connections.add(request.socket);
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    expect([await ask(port), await ask(port)]).toEqual([null, null]);
    expect(asked).toEqual([1, 2].map(() => ['/healthz', ['host', 'user-agent']]));
    expect(connections.size).toBe(2);
  });

  it('waits for no body', async () => {
    const port = await aPod((_, response) => void response.writeHead(200).write('and so on'));
    expect(await ask(port)).toBeNull();
  });

  it('gives up after its time', async () => {
    expect(await ask(await aPod(() => undefined), { timeoutMs: 50 })).toBe('Timeout');
  });

  it('tells a connection that is refused from one that breaks', async () => {
    const server = createTcpServer();
    const port = await listening(server);
    server.close();
    open.delete(server);
    expect(await ask(port)).toBe('Refused');
    expect(await ask(await listening(createTcpServer((socket) => socket.destroy())))).toBe('Reset');
    expect(await ask(await listening(createTcpServer((socket) => socket.end('this is no HTTP\r\n\r\n'))))).toBe(
      'Reset',
    );
  });

  it('that cannot leave this host shows nothing of the pod', async () => {
    // No connection can be made to it; Linux says so without sending anything.
    const result = await createHttpProber().get(
      { address: '255.255.255.255', port: 9, scheme: 'HTTP', path: '/', timeoutMs: 2000 },
      never,
    );
    expect(result).toMatchObject({ notAsked: expect.stringMatching(/cannot open a connection \(E/) as string });
  });

  it('shows nothing of the pod where this process stood still for half of its time', async () => {
    const asked = ask(await aPod(() => undefined), { timeoutMs: 60 });
    const fromMs = performance.now();
    while (performance.now() - fromMs < 200);
    expect(await asked).toMatchObject({ notAsked: expect.stringContaining('stood still') as string });
  });

  it('ends when nobody needs it any more', async () => {
    const end = new AbortController();
    const asked = ask(await aPod(() => end.abort(new Error('over'))), {}, end.signal);
    await expect(asked).rejects.toThrow('over');
  });
});
