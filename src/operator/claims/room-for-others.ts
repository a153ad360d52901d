/** What claims may take of the connections to Consul: the rest is left to handovers; renewals have their own (pools.ts). */
import { createTurns, during } from '../../common/turns.ts';
import type { Consul } from '../../ports/consul.ts';

/** Of twenty. */
export const AT_ONCE = 8;

type Asked = Pick<Consul, 'txn' | 'readKeys' | 'listKeys'>;

/** So many requests at a time; the others wait, and each kind has its turn: what is written does not wait for all that is read. */
export function withRoomForOthers(consul: Asked): Asked {
  const turns = createTurns({ atOnce: AT_ONCE });
  const taken = async <T>(kind: keyof Asked, work: () => Promise<T>): Promise<T> => {
    const giveBack = await turns.take(kind);
    return giveBack === null ? await work() : await during(giveBack, work);
  };
  return {
    txn: (ops, signal) => taken('txn', () => consul.txn(ops, signal)),
    readKeys: (keys, signal) => taken('readKeys', () => consul.readKeys(keys, signal)),
    listKeys: (prefix, signal) => taken('listKeys', () => consul.listKeys(prefix, signal)),
  };
}
