/** One question to a Service, on a connection of its own, as a new client asks. */
import { request } from 'node:http';
import type { Answerer } from './lines.ts';

export type Asked = { readonly method: 'GET' | 'POST'; readonly url: string; readonly timeoutMs: number };

/** null: nobody has answered in time, or not as a member does. Never rejects. */
export function ask({ method, url, timeoutMs }: Asked): Promise<Answerer | null> {
  return new Promise((resolve) => {
    const asked = request(url, { method, agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => void (text += piece));
      response.on('end', () => resolve(answererOf(text)));
      response.on('error', () => resolve(null));
    });
    asked.on('error', () => resolve(null));
    asked.end();
  });
}

function answererOf(text: string): Answerer | null {
  try {
    const { pod, uid, boot } = JSON.parse(text) as Partial<Answerer>;
    return pod === undefined || uid === undefined || boot === undefined ? null : { pod, uid, boot };
  } catch {
    return null;
  }
}
