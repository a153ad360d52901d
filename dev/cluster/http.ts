/** One HTTP request to a component, plain or TLS. */
import { Agent, request } from 'undici';

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
export async function send({ url, authority, ...rest }: Request, signal: AbortSignal | undefined): Promise<Answer> {
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  const dispatcher = new Agent(authority === undefined ? {} : { connect: { ca: authority } });
  try {
    const either = signal === undefined ? limit : AbortSignal.any([signal, limit]);
    const { statusCode, body } = await request(url, { ...rest, dispatcher, signal: either });
    return { status: statusCode, body: await body.text() };
  } finally {
    await dispatcher.destroy();
  }
}

/** Whether a request is answered with 200. Rejects as `send` does. */
export async function isOk(request: Request, signal: AbortSignal | undefined): Promise<boolean> {
  return (await send(request, signal)).status === 200;
}
