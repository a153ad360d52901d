import { randomInt } from 'node:crypto';
import { isFree } from '../../../dev/cluster/ports.ts';

/** Below those of development clusters, which are below those that the system gives to outgoing connections. */
const LOWEST = 10_000;
const BEYOND = 20_000;
const TRIES = 100;

/**
 * A loopback port that is free now, drawn from ten thousand that no client is given, since other tests run beside. Somebody else may take it
 * before it is used; whoever uses it fails loudly then.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = randomInt(LOWEST, BEYOND);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${LOWEST} and ${BEYOND} on 127.0.0.1 in ${TRIES} tries`);
}
