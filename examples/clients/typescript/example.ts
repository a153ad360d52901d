/** Says a word ten times a second while this pod leads. */
import { setTimeout as delay } from 'node:timers/promises';
import { createGate } from './index.ts';

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

await createGate().runWhileLeader(async (term) => {
  while (term.holds()) {
    console.log(`work ${term.token}`);
    await delay(100, undefined, { signal: term.signal }).catch(() => undefined);
  }
  console.log('stopped');
}, stop.signal);
