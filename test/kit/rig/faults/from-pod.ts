/** Requests of the process in a pod, from the address of that pod: by it the operator knows who asks. */
import { request } from 'node:http';
import { text } from 'node:stream/consumers';

export type FromPod = {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly url: string;
  readonly address: string;
  /** Without a byte for so long it is given up. */
  readonly withinMs: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
};

/** status 0: no answer. `body`: empty where it is no JSON. */
export type Answer<Body> = { readonly status: number; readonly body: Partial<Body> };

export function askFromPod<Body>({ method, url, address, withinMs, headers, body }: FromPod): Promise<Answer<Body>> {
  return new Promise((resolve) => {
    const none = (): void => resolve({ status: 0, body: {} });
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const options = { method, localAddress: address, agent: false, headers: { ...type, ...headers } };
    const sent = request(url, options, (answer) => {
      text(answer).then((said) => resolve({ status: answer.statusCode ?? 0, body: bodyOf(said) }), none);
    });
    sent.setTimeout(withinMs, () => sent.destroy());
    sent.on('error', none).on('close', none);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function bodyOf<Body>(said: string): Partial<Body> {
  try {
    return JSON.parse(said) as Partial<Body>;
  } catch {
    return {};
  }
}
