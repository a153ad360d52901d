/** A raw server on loopback that answers every request with any bytes, and then, if told so, cuts the connection. */
import { type AddressInfo, createServer, type Socket } from 'node:net';

export type AdversarialServer = AsyncDisposable & {
  readonly address: string;
  /** From now on. `keep`: the connection is left open. A function is asked for each request, by its text. */
  answer(bytes: Answer, end: 'close' | 'reset' | 'keep'): void;
};

type Answer = string | Buffer | ((request: string) => string);

export async function startAdversarialServer(): Promise<AdversarialServer> {
  const sockets = new Set<Socket>();
  let answer: Answer = '';
  let end: 'close' | 'reset' | 'keep' = 'close';
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
    socket.on('data', (request) => {
      const bytes = typeof answer === 'function' ? answer(request.toString('latin1')) : answer;
      const after = (): void => {
        if (end === 'close') socket.end();
        else if (end === 'reset') socket.resetAndDestroy();
      };
      if (bytes.length > 0) socket.write(bytes, after);
      else after();
    });
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(0, '127.0.0.1', resolve);
  await promise;
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    answer: (next, how) => {
      answer = next;
      end = how;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      for (const socket of sockets) socket.destroy();
      await closed.promise;
    },
  };
}

/** A whole answer of HTTP/1.1. */
export function http(status: number, body: string, headers: Readonly<Record<string, string>> = {}): string {
  const all = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Whatever\r\n${lines.join('')}\r\n${body}`;
}
