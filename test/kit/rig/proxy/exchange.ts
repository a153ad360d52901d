/** Carries one request to the server and its answer back. */
import {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Agent as PlainAgent,
  request as plainRequest,
  type ServerResponse,
} from 'node:http';
import { type Agent as TlsAgent, request as tlsRequest } from 'node:https';

/** One request that passed, for looking at the order of what was sent and answered. Times are performance.now(). */
export type Exchange = {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
  readonly receivedMs: number;
  /** When it went on to the server; null: not yet, or never. */
  forwardedMs: number | null;
  /** When the client was given the whole answer; null: not yet, or never. */
  answeredMs: number | null;
  status: number | null;
  /** The answer's text; null for streams. */
  answer: string | null;
};

export type Upstream = {
  readonly origin: URL;
  readonly agent: PlainAgent | TlsAgent;
  /** Replace the client's own. */
  readonly authorization: string | undefined;
  readonly stripAuthorization: boolean;
};

const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding', 'proxy-connection', 'upgrade', 'te', 'trailer'];

export async function readBody(request: IncomingMessage): Promise<string> {
  request.setEncoding('utf8');
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}

/** Sends it on. Resolves when the head of the answer is there. Not tied to the client: a late request arrives in any case. */
export async function forward(exchange: Exchange, upstream: Upstream, cut: AbortSignal): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const url = new URL(exchange.path, upstream.origin);
  const start = url.protocol === 'https:' ? tlsRequest : plainRequest;
  const headers = forwardedHeaders(exchange, upstream);
  const outgoing: ClientRequest = start(url, { method: exchange.method, agent: upstream.agent, headers, signal: cut });
  outgoing.on('response', resolve);
  outgoing.on('error', reject);
  exchange.forwardedMs = performance.now();
  outgoing.end(exchange.body);
  return await promise;
}

function forwardedHeaders(exchange: Exchange, upstream: Upstream): OutgoingHttpHeaders {
  const kept = Object.entries(exchange.headers).filter(
    (entry): entry is [string, string | string[]] =>
      entry[1] !== undefined &&
      !HOP_BY_HOP.includes(entry[0]) &&
      entry[0] !== 'host' &&
      entry[0] !== 'content-length' &&
      !(upstream.stripAuthorization && entry[0] === 'authorization'),
  );
  const length =
    exchange.body === '' && exchange.method === 'GET'
      ? {}
      : { 'content-length': String(Buffer.byteLength(exchange.body)) };
  const authorization = upstream.authorization === undefined ? {} : { authorization: upstream.authorization };
  return { ...Object.fromEntries(kept), ...length, ...authorization };
}

const answerHeaders = (answer: IncomingMessage): OutgoingHttpHeaders =>
  Object.fromEntries(
    Object.entries(answer.headers).filter(
      (entry): entry is [string, string | string[]] => entry[1] !== undefined && !HOP_BY_HOP.includes(entry[0]),
    ),
  );

/** Passes the head and every chunk on as it comes: a watch must not wait for its end. */
export async function stream(answer: IncomingMessage, response: ServerResponse): Promise<void> {
  response.writeHead(answer.statusCode ?? 502, answerHeaders(answer));
  response.flushHeaders();
  response.on('close', () => answer.destroy());
  for await (const chunk of answer) response.write(chunk);
  response.end();
}

/** Reads the whole answer, so that the server is done whatever becomes of the client. */
export async function buffer(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** What a server says, and what is made of it on the way. */
export type Said = { readonly headers: OutgoingHttpHeaders; readonly body: string };
export type Change = (said: Said) => Said;

export function reply(answer: IncomingMessage, body: Buffer, response: ServerResponse, change?: Change): void {
  const headers = answerHeaders(answer);
  const said = change === undefined ? { headers, body } : change({ headers, body: body.toString('utf8') });
  const length = String(Buffer.byteLength(said.body));
  response.writeHead(answer.statusCode ?? 502, { ...said.headers, 'content-length': length });
  response.end(said.body);
}
