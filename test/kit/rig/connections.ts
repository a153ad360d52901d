/** A client of Consul that takes all connections which its server allows to one address, and has no use for them. */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const TRY_AGAIN_MS = 20;
const AT_ONCE = 16;

/** `address` as in CONSUL_HTTP_ADDR. It also takes what others let go of, until it is disposed of. */
export function takeConnections(address: string): AsyncDisposable {
  const [host = '', port = ''] = address.split(':');
  const sockets = new Set<Socket>();
  const over = new AbortController();

  /** Resolves when it has a connection, or is refused one. */
  const take = async (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const socket = connect({ host, port: Number(port) }, resolve);
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', () => socket.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      resolve();
    });
    await promise;
  };

  const taking = (async () => {
    while (!over.signal.aborted) {
      await Promise.all(Array.from({ length: AT_ONCE }, take));
      await delay(TRY_AGAIN_MS, undefined, { signal: over.signal }).catch(() => undefined);
    }
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await taking;
      for (const socket of sockets) socket.destroy();
    },
  };
}
