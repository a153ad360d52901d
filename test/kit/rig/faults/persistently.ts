/** Things done to a server that may be down just now: tried again until they are done. */
import { setTimeout as delay } from 'node:timers/promises';

const AGAIN_MS = 300;
const TRIES = 200;

/** Rejects with the last error after a minute. */
export async function untilDone<T>(what: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await what();
    } catch (error) {
      if (tries === TRIES) throw error;
      await delay(AGAIN_MS);
    }
  }
}

/** The same; what is not there need not be done. */
export async function persistently(what: () => Promise<unknown>): Promise<void> {
  await untilDone(async () => {
    await what().catch((error: unknown) => {
      if (!String(error).includes('404')) throw error;
    });
  });
}
