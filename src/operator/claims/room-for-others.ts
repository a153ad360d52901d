/** What claims may take of the connections to Consul: the rest is left to handovers; renewals have their own (pools.ts). */
import { createTurns, during } from '../../common/turns.ts';
import type { Consul } from '../../ports/consul.ts';

/** Of twenty. */
export const AT_ONCE = 8;

type Asked = Pick<Consul, 'txn' | 'readKeys' | 'listKeys'>;

/** So many requests at a time; the others wait, and each bucket has its turn. */
export function withRoomForOthers(consul: Asked): Asked {
  const turns = createTurns({ atOnce: AT_ONCE });
  async function taken<T>(client: string | undefined, work: () => Promise<T>): Promise<T> {
    const giveBack = await turns.take(client ?? '');
    return giveBack === null ? await work() : await during(giveBack, work);
  }
  return {
    txn: (ops, signal) => taken(ops[0]?.key, () => consul.txn(ops, signal)),
    readKeys: (keys, signal) => taken(keys[0], () => consul.readKeys(keys, signal)),
    listKeys: (prefix, signal) => taken(prefix, () => consul.listKeys(prefix, signal)),
  };
}
