/** Says a word ten times a second while this pod leads; has another lead on SIGUSR2. */
import { setTimeout as delay } from 'node:timers/promises';
import { createGate } from './index.ts';

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
let resign: (() => void) | null = null;
process.on('SIGUSR2', () => resign?.());

await createGate().runWhileLeader(async (term) => {
  const resigned = new AbortController();
  resign = () => {
    term.resign();
    resigned.abort();
  };
  const over = AbortSignal.any([term.signal, resigned.signal]);
  while (term.holds() && !over.aborted) {
    console.log(`work ${term.token}`);
    await delay(100, undefined, { signal: over }).catch(() => undefined);
  }
  console.log('stopped');
}, stop.signal);
