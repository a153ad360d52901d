/** A plain TCP proxy on loopback: it knows bytes only, so TLS passes through it, and can do to them what a bad network does. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** `swallow`: connections stand and nothing passes. `drop`: what the server answers is cut off, after it has been asked. */
export type Mode = 'pass' | 'refuse' | 'swallow' | 'drop';

export type TcpProxy = {
  readonly port: number;
  /** For connections that stand as well as for new ones. Back to `pass` cuts those that stand: their bytes are lost. */
  set(mode: Mode): void;
  /** Everything passes so much later, in both directions. */
  delay(ms: number): void;
  cutAll(): void;
  [Symbol.asyncDispose](): Promise<void>;
};

/**
 * At once, with a reset. A socket that is being shut down cannot be reset: libuv refuses it (EINVAL), and Node takes the handle for closed all the same, so
 * that the connection stands for ever, and the process turns round and round when it is to end (Environment::CleanupHandles of Node 24).
 */
export function cutOff(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}

/** `upstream`: host:port for each new connection; null: nobody is there. `at`: by default a free port of 127.0.0.1. */
export async function startTcpProxy(
  upstream: () => string | null,
  at: { readonly host: string; readonly port: number } = { host: '127.0.0.1', port: 0 },
): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let mode: Mode = 'pass';
  let delayMs = 0;

  function accept(client: Socket): void {
    track(client);
    const target = mode === 'refuse' ? null : upstream();
    if (target === null) return void client.destroy();
    const [host = '', port = ''] = target.split(':');
    const server = connect(Number(port), host);
    track(server);
    client.on('data', (data) => pass(data, server));
    server.on('data', (data) => (mode === 'drop' ? cut(client, server) : pass(data, client)));
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const)
      one.once('close', () => setTimeout(() => other.destroy(), delayMs));
  }

  function track(socket: Socket): void {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
  }

  function pass(data: Buffer, to: Socket): void {
    if (mode === 'swallow') return;
    const send = (): void => void (to.writable && to.write(data));
    if (delayMs === 0) send();
    else setTimeout(send, delayMs);
  }

  function cut(...some: readonly Socket[]): void {
    for (const socket of some) cutOff(socket);
  }

  const server = createServer(accept);
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject).listen(at.port, at.host, listening.resolve);
  await listening.promise;
  const { port } = server.address() as AddressInfo;
  return {
    port,
    set: (next) => {
      const before = mode;
      mode = next;
      if (next === 'refuse' || (before === 'swallow' && next === 'pass')) cut(...sockets);
    },
    delay: (ms) => {
      delayMs = ms;
    },
    cutAll: () => cut(...sockets),
    [Symbol.asyncDispose]: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      cut(...sockets);
      await closed.promise;
    },
  };
}
