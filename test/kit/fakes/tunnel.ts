/** An HTTP proxy as companies have: it knows CONNECT and nothing else. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

export type TunnelProxy = Disposable & {
  readonly url: string;
  /** How many tunnels it has made. */
  readonly tunnels: () => number;
};

export async function startTunnelProxy(): Promise<TunnelProxy> {
  let tunnels = 0;
  const proxy = createServer().on('connect', (request, client: Socket) => {
    tunnels += 1;
    const [host = '', port] = (request.url ?? '').split(':');
    const server = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      server.pipe(client).pipe(server);
    });
    for (const socket of [server, client]) socket.on('error', () => [server, client].map((each) => each.destroy()));
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  const { port } = proxy.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, tunnels: () => tunnels, [Symbol.dispose]: () => void proxy.close() };
}
