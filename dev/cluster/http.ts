/** One HTTP request to a component, plain or TLS. Node's own fetch cannot be told which authority to trust. */
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';

const TIMEOUT_MS = 2_000;

export interface Request {
  readonly url: string;
  readonly method?: 'GET' | 'POST';
  /** PEM of the authority to trust; required for https. */
  readonly authority?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Sends a request on a connection of its own. Rejects when nothing answers within two seconds or `signal` is aborted. */
export async function send(request: Request, signal: AbortSignal | undefined): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const start = request.url.startsWith('https:') ? tlsRequest : plainRequest;
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  const outgoing = start(request.url, {
    method: request.method ?? 'GET',
    headers: request.headers ?? {},
    agent: false,
    signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    ...(request.authority === undefined ? {} : { ca: request.authority }),
  });
  outgoing.on('error', reject);
  outgoing.on('response', (response) => {
    let body = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => (body += chunk));
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    response.on('error', reject);
  });
  outgoing.end(request.body);
  return await promise;
}
