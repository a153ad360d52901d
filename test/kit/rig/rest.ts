/** JSON over HTTP to the API server or Consul, for what tests do. Every request is bounded; nothing is retried but what a server had no room for. */
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, type Dispatcher, request } from 'undici';
import type { KubeAccess } from './kubeconfig.ts';

/** Hundreds of objects are made at once while other clusters start: ten seconds were not enough on two busy cores. */
const TIMEOUT_MS = 30_000;
/** Thawed, Consul finds more connections than it allows an address; it refuses until it has seen that most are closed. */
const CROWDED_MS = 5000;

export type Answer<T> = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: T;
};

export type RawAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
};

export type Rest = {
  /** Any status is an answer. Rejects only when there is none. The body is text when it is no JSON. */
  send<T>(method: Dispatcher.HttpMethod, path: string, body?: unknown, contentType?: string): Promise<Answer<T>>;
  /** As `send`, with the body as text. */
  raw(method: Dispatcher.HttpMethod, path: string, body?: unknown, contentType?: string): Promise<RawAnswer>;
  /** As `send`, but rejects with the server's words unless the status is 2xx. After a 429, which did nothing, it asks again for five seconds. */
  must<T>(method: Dispatcher.HttpMethod, path: string, body?: unknown, contentType?: string): Promise<T>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** A server's refusal, in its own words. */
export class RestError extends Error {
  override readonly name = 'RestError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const MERGE_PATCH = 'application/merge-patch+json';

export function kubeRest(access: KubeAccess): Rest {
  const { ca, cert, key, token } = access;
  const tls = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  return rest(
    access.server.origin,
    new Agent({ connect: tls, allowH2: false }),
    token === undefined ? {} : { authorization: `Bearer ${token}` },
  );
}

export type ConsulAccess = {
  /** As in CONSUL_HTTP_ADDR: with or without http:// */
  readonly address: string;
  readonly token?: string | undefined;
};

export const consulHeaders = ({ token }: ConsulAccess): Record<string, string> =>
  token === undefined ? {} : { 'x-consul-token': token };

export const consulRest = (consul: ConsulAccess): Rest =>
  rest(consulUrl(consul.address), new Agent({ allowH2: false }), consulHeaders(consul));

export const consulUrl = (address: string): string => (address.includes('://') ? address : `http://${address}`);

function rest(origin: string, dispatcher: Agent, credentials: Readonly<Record<string, string>>): Rest {
  const raw: Rest['raw'] = async (method, path, body, contentType) => {
    const answer = await request(`${origin}${path}`, {
      dispatcher,
      method,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': contentType ?? 'application/json' }),
        ...credentials,
      },
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const headers = answer.headers as Record<string, string>;
    return { status: answer.statusCode, headers, text: await answer.body.text() };
  };
  const send = async <T>(...args: Parameters<Rest['raw']>): Promise<Answer<T>> => {
    const { text, ...answer } = await raw(...args);
    return { ...answer, body: parsed(text) as T };
  };
  const sendUntilRoom = async <T>(...args: Parameters<Rest['raw']>): Promise<Answer<T>> => {
    const untilMs = performance.now() + CROWDED_MS;
    for (;;) {
      const answer = await send<T>(...args);
      if (answer.status !== 429 || performance.now() > untilMs) return answer;
      await delay(100);
    }
  };
  return {
    raw,
    send,
    must: async <T>(...args: Parameters<Rest['send']>) => {
      const { status, body } = await sendUntilRoom<T>(...args);
      if (status >= 200 && status < 300) return body;
      throw new RestError(
        status,
        `${args[0]} ${args[1]}: ${status} ${typeof body === 'string' ? body : JSON.stringify(body)}`,
      );
    },
    [Symbol.asyncDispose]: () => dispatcher.destroy(),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
