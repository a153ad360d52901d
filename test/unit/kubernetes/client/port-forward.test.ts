/** HTTP over a forwarded port, against an API server that speaks what a kubelet speaks: channels over a WebSocket. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import type { Access } from '../../../../src/kubernetes/client/access.ts';
import { createPools } from '../../../../src/kubernetes/client/pools.ts';
import { openForward } from '../../../../src/kubernetes/client/port-forward.ts';
import { selfSigned } from '../../../kit/fakes/certificate.ts';
import { startTunnelProxy } from '../../../kit/fakes/tunnel.ts';

const releases: (() => unknown)[] = [];

afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release();
});

const POD = { namespace: 'leadergroup-system', name: 'operator-a', port: 8081 };
const PORT = Buffer.from([0x91, 0x1f]);

function frame(content: Buffer): Buffer {
  const long = content.length > 125;
  const head = Buffer.alloc(long ? 4 : 2);
  head[0] = 0x82;
  head[1] = long ? 126 : content.length;
  if (long) head.writeUInt16BE(content.length, 2);
  return Buffer.concat([head, content]);
}

/** Of one masked frame of a client; what it sends here is shorter than 64 KiB. */
function unmasked(bytes: Buffer): Buffer {
  const short = (bytes[1] ?? 0) & 0x7f;
  const at = short === 126 ? 4 : 2;
  const length = short === 126 ? bytes.readUInt16BE(2) : short;
  const mask = bytes.subarray(at, at + 4);
  return Buffer.from(bytes.subarray(at + 4, at + 4 + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
}

type Peer = { readonly request: IncomingMessage; readonly send: (channel: number, content: Buffer | string) => void };

type Wanted = { readonly refuse?: boolean; readonly tls?: boolean; readonly access?: Partial<Access> };

/** `pod`: what the pod answers to each request that arrives, as HTTP; null: nothing. */
async function start(pod: (asked: string, peer: Peer) => string | null, wanted: Wanted = {}) {
  const { refuse = false, tls = false } = wanted;
  const seen: IncomingMessage[] = [];
  const certificate = selfSigned();
  const server = tls ? createTlsServer(certificate) : createServer();
  server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    seen.push(request);
    if (refuse) return void socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
    const key = createHash('sha1').update(
      `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`,
    );
    const head = `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${key.digest('base64')}\r\nsec-websocket-protocol: v4.channel.k8s.io`;
    socket.write(`${head}\r\n\r\n`);
    const send: Peer['send'] = (channel, content) =>
      void socket.write(frame(Buffer.concat([Buffer.from([channel]), Buffer.from(content)])));
    for (const channel of [0, 1]) send(channel, PORT);
    socket.on('data', (bytes: Buffer) => {
      if ((bytes[0] ?? 0) !== 0x82) return;
      const answer = pod(unmasked(bytes).subarray(1).toString('utf8'), { request, send });
      if (answer !== null) send(0, answer);
    });
    socket.on('error', () => undefined);
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => void sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const pools = createPools(2000);
  releases.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
    return pools.close();
  });
  const access: Access = {
    server: new URL(`${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}/behind/a/proxy`),
    proxy: null,
    tls: {
      ca: tls ? certificate.cert : undefined,
      cert: undefined,
      key: undefined,
      servername: undefined,
      insecure: false,
    },
    headers: { authorization: 'Bearer of-alice', 'impersonate-group': ['on-call'] },
    ...wanted.access,
  };
  const credentials = { current: async () => access };
  const open = async () => {
    const forward = await openForward({ credentials, pools }, POD, AbortSignal.timeout(10_000));
    releases.push(() => forward.close());
    return forward;
  };
  return { open, seen };
}

const reply = (body: string): string =>
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

describe('a forwarded port', () => {
  it('is asked as the kubeconfig says, and answers one question after the other over one connection', async () => {
    const asked: string[] = [];
    const { open, seen } = await start((text) => {
      asked.push(...text.split('\r\n').filter((line) => /^(?:GET|host)/i.test(line)));
      return reply(`{"n":${asked.length}}`);
    });
    const forward = await open();
    expect(await forward.get('/v1/self')).toEqual({ status: 200, body: { n: 2 } });
    expect(await forward.get('/v1/other')).toEqual({ status: 200, body: { n: 4 } });
    expect(asked).toEqual(['GET /v1/self HTTP/1.1', 'host: localhost', 'GET /v1/other HTTP/1.1', 'host: localhost']);
    expect(seen.map(({ url, headers }) => [url, headers.authorization, headers['impersonate-group']])).toEqual([
      [
        '/behind/a/proxy/api/v1/namespaces/leadergroup-system/pods/operator-a/portforward?ports=8081',
        'Bearer of-alice',
        'on-call',
      ],
    ]);
  });

  it('goes through the proxy of the kubeconfig', async () => {
    using proxy = await startTunnelProxy();
    const { open, seen } = await start(() => reply('{}'), { tls: true, access: { proxy: proxy.url } });
    expect(await (await open()).get('/v1/self')).toEqual({ status: 200, body: {} });
    expect([proxy.tunnels(), seen.length]).toEqual([1, 1]);
  });

  it('is opened for all groups of an impersonation, each in a header of its own, as the API server reads them', async () => {
    const { open, seen } = await start(() => reply('{}'), {
      access: { headers: { 'impersonate-group': ['on-call', 'dev'] } },
    });
    expect((await (await open()).get('/v1/self')).status).toBe(200);
    expect(seen[0]?.headersDistinct['impersonate-group']).toEqual(['on-call', 'dev']);
  });

  it('puts an answer together that comes in pieces', async () => {
    const body = JSON.stringify({ text: 'x'.repeat(5000) });
    const { open } = await start((_, { send }) => {
      const whole = reply(body);
      for (let at = 0; at < whole.length; at += 700) send(0, whole.slice(at, at + 700));
      return null;
    });
    expect((await (await open()).get('/')).body).toEqual(JSON.parse(body));
  });

  it.each([
    ['retry-after: 2\r\n', { retryAfterSeconds: 2 }],
    ['retry-after: Fri, 31 Dec 1999 23:59:59 GMT\r\n', {}],
    ['', {}],
  ])('says for how many seconds it refuses, where that is told: %j', async (header, told) => {
    const { open } = await start(() => `HTTP/1.1 429 Too Many Requests\r\n${header}content-length: 2\r\n\r\n{}`);
    expect(await (await open()).get('/')).toEqual({ status: 429, body: {}, ...told });
  });

  it('says in the words of the kubelet that nobody listens there', async () => {
    const { open } = await start((_, { send }) => {
      send(1, 'failed to connect to localhost:8081 inside namespace: connection refused');
      return null;
    });
    await expect((await open()).get('/')).rejects.toThrow('connection refused');
  });

  it('is not there where the API server refuses it', async () => {
    const { open } = await start(() => null, { refuse: true });
    await expect(open()).rejects.toThrow('the API server did not open it');
  });
});
