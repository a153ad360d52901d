/** A client of a Service that calls it all the time and notes who answered. */
import { Agent, get } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

/** Monotonic milliseconds. `pod` null: nobody answered in time. */
export type Answer = { readonly sentMs: number; readonly atMs: number; readonly pod: string | null };

export type ServiceClient = AsyncDisposable & {
  readonly kind: 'fresh' | 'kept';
  /** So far, in order. */
  readonly answers: readonly Answer[];
};

const PAUSE_MS = 20;
/** Whoever has not answered by then is not waited for: a call that was routed well may have met a process that hangs. */
const TIMEOUT_MS = 250;

/** `fresh`: a new connection for each call. `kept`: one for all, until it breaks. The Service answers `{ "pod": NAME }`. */
export function callAllTheTime(url: string, kind: ServiceClient['kind']): ServiceClient {
  const agent = new Agent({ keepAlive: kind === 'kept', maxSockets: 1 });
  const stop = new AbortController();
  const answers: Answer[] = [];

  async function loop(): Promise<void> {
    while (!stop.signal.aborted) {
      const sentMs = performance.now();
      const pod = await call(url, agent).catch(() => null);
      answers.push({ sentMs, atMs: performance.now(), pod });
      await delay(PAUSE_MS, null, { signal: stop.signal }).catch(() => undefined);
    }
  }

  const running = loop();
  return {
    kind,
    answers,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
      agent.destroy();
    },
  };
}

function call(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, signal: AbortSignal.timeout(TIMEOUT_MS) }, (response) => {
      text(response).then((body) => resolve((JSON.parse(body) as { readonly pod: string }).pod), reject);
    });
    request.once('error', reject);
  });
}
