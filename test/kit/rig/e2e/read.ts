/** Reads JSON through a Service, as often as it takes. */
import { Agent, get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { untilDone } from '../faults/persistently.ts';

const READ_TIMEOUT_MS = 5000;

/** Only for reads that may be repeated: one that meets a Service without endpoints, or a server that is being replaced, is made again. */
export const readJson = async (url: string): Promise<unknown> =>
  JSON.parse(await untilDone(() => readOnce(url, READ_TIMEOUT_MS))) as unknown;

/**
 * One call on a connection of its own, which this side closes. Where the server closed it, the server would remember it for a minute, and a
 * later connection that masquerading gives the same port could meet what it remembers and time out.
 */
export async function readOnce(url: string, timeoutMs: number): Promise<string> {
  const agent = new Agent({ keepAlive: true });
  try {
    return await readWith(agent, url, timeoutMs);
  } finally {
    agent.destroy();
  }
}

/** As above, on a connection of the agent. Rejects unless the answer is 200. */
export function readWith(agent: Agent, url: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      bodyOf(url, response).then(resolve, reject);
    });
    request.once('error', reject);
  });
}

async function bodyOf(url: string, response: IncomingMessage): Promise<string> {
  const body = await text(response);
  if (response.statusCode === 200) return body;
  throw new Error(`${url} answered ${response.statusCode}: ${body}`);
}
