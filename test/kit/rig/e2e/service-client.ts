/** A client of a Service that calls it all the time and notes who answered. */
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { readOnce, readWith } from './read.ts';

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
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const read = () => (kind === 'fresh' ? readOnce(url, TIMEOUT_MS) : readWith(agent, url, TIMEOUT_MS));
  const stop = new AbortController();
  const answers: Answer[] = [];

  async function loop(): Promise<void> {
    while (!stop.signal.aborted) {
      const sentMs = performance.now();
      // One after the other: a thousand connections given up at a node that is cut off leave the kernel what later ones of their ports meet.
      const pod = await read().then(podIn, () => null);
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

const podIn = (body: string): string => (JSON.parse(body) as { readonly pod: string }).pod;
