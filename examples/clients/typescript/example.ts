/** Says a word ten times a second while this pod leads. */
import { createGate } from './index.ts';

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

await createGate().runWhileLeader(async ({ token, signal }) => {
  while (!signal.aborted) {
    console.log(`work ${token}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  console.log('stopped');
}, stop.signal);
