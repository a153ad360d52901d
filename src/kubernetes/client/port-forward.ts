/**
 * HTTP to a port of a pod that the network does not reach, through the API server and the kubelet, as `kubectl port-forward` does. The library's own PortForward
 * knows neither `tokenFile` nor the groups of an impersonation; this goes by the same access and the same connections as every other request.
 */
import { Agent, get, type IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { type Dispatcher, WebSocket } from 'undici';
import type { Access } from './access.ts';
import type { Credentials } from './credentials.ts';
import type { Pools } from './pools.ts';

export type PodPort = { readonly namespace: string; readonly name: string; readonly port: number };

/** `body`: parsed JSON, or text. `retryAfterSeconds`: of whoever refuses for now, if it says so. */
export type PodAnswer = { readonly status: number; readonly body: unknown; readonly retryAfterSeconds?: number };

export type Forward = {
  /** Rejects with an Error when there is no answer, in time or at all. */
  get(path: string): Promise<PodAnswer>;
  close(): void;
};

export const forwardPath = ({ namespace, name, port }: PodPort): string =>
  `/api/v1/namespaces/${namespace}/pods/${name}/portforward?ports=${port}`;

const PROTOCOL = 'v4.channel.k8s.io';
/** A replica answers from memory. */
const ANSWER_MS = 5000;
const OPEN_MS = 5000;
/** Far more than the largest answer; what is longer is not read to its end. */
const MOST_BYTES = 4 * 1024 * 1024;

type Parts = { readonly credentials: Pick<Credentials, 'current'>; readonly pools: Pools };

/** Rejects with an Error when the API server does not open it: why, only a request that is none of a WebSocket is told. */
export async function openForward({ credentials, pools }: Parts, pod: PodPort, signal: AbortSignal): Promise<Forward> {
  const access = await credentials.current(signal);
  const socket = new WebSocket(urlOf(access, forwardPath(pod)), {
    protocols: [PROTOCOL],
    dispatcher: withHeaders(pools.pick('long', access), access.headers),
    headers: { 'user-agent': 'kubectl-leadergroup' },
  });
  socket.binaryType = 'arraybuffer';
  await opened(socket, signal);
  const stream = streamOver(socket);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = () => stream;
  return {
    get: (path) => answerOf(agent, path, signal),
    close: () => {
      agent.destroy();
      stream.destroy();
      socket.close();
    },
  };
}

/** A WebSocket's own would put the groups of an impersonation into one header, which the API server takes for one group of that name. */
const withHeaders = (dispatcher: Dispatcher, headers: Access['headers']): Dispatcher =>
  dispatcher.compose(
    (dispatch) => (options, handler) =>
      dispatch({ ...options, headers: { ...(options.headers as Access['headers']), ...headers } }, handler),
  );

function urlOf({ server }: Access, path: string): string {
  const scheme = server.protocol === 'http:' ? 'ws' : 'wss';
  return `${scheme}://${server.host}${server.pathname.replace(/\/+$/, '')}${path}`;
}

function opened(socket: WebSocket, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const late = AbortSignal.any([signal, AbortSignal.timeout(OPEN_MS)]);
  late.addEventListener('abort', () => reject(new Error(`it was not opened within ${OPEN_MS / 1000} s`)), {
    once: true,
  });
  socket.addEventListener('open', () => resolve(), { once: true });
  socket.addEventListener('error', () => reject(new Error('the API server did not open it')), { once: true });
  return promise.catch((error: unknown) => {
    socket.close();
    throw error;
  });
}

/** Each message begins with its channel: 0 is the port's data, 1 is what is wrong. The first of each has the number of the port alone. */
function streamOver(socket: WebSocket): Duplex {
  const known = new Set<number>();
  const stream = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      socket.send(Buffer.concat([Buffer.from([0]), chunk]));
      done();
    },
    final: (done) => done(),
  });
  // Node's client sets these on what it takes for a socket.
  Object.assign(stream, {
    setTimeout: () => stream,
    setNoDelay: () => stream,
    setKeepAlive: () => stream,
    ref: () => stream,
    unref: () => stream,
  });
  socket.addEventListener('message', ({ data }) => {
    const bytes = Buffer.from(data as ArrayBuffer);
    const channel = bytes[0] ?? 0;
    const content = bytes.subarray(known.has(channel) ? 1 : 3);
    known.add(channel);
    if (content.length === 0) return;
    if (channel === 1) stream.destroy(new Error(content.toString('utf8').trim()));
    else stream.push(content);
  });
  socket.addEventListener('close', () => stream.push(null));
  socket.addEventListener('error', () => stream.destroy(new Error('the connection broke off')));
  return stream;
}

function answerOf(agent: Agent, path: string, signal: AbortSignal): Promise<PodAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<PodAnswer>();
  const request = get({
    agent,
    path,
    host: 'localhost',
    headers: { host: 'localhost', accept: 'application/json' },
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
  });
  request.once('error', reject);
  request.once('response', (response) => void readWhole(response).then(resolve, reject));
  return promise;
}

async function readWhole(response: IncomingMessage): Promise<PodAnswer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MOST_BYTES) throw new Error(`its answer is longer than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  const seconds = Number(response.headers['retry-after'] ?? Number.NaN);
  return {
    status: response.statusCode ?? 0,
    body: parsed(Buffer.concat(chunks).toString('utf8')),
    ...(Number.isFinite(seconds) ? { retryAfterSeconds: seconds } : {}),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
