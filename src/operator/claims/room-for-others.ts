/** What claims may take of the connections to Consul: the rest is left to handovers; renewals have their own (pools.ts). */
import { createFairTurns } from '../../common/fair-turns.ts';
import type { Consul } from '../../ports/consul.ts';

/** Of twenty. */
export const AT_ONCE = 8;

type Asked = Pick<Consul, 'txn' | 'readKeys' | 'listKeys'>;

/** So many requests at a time; the others wait, and each bucket has its turn. */
export function withRoomForOthers(consul: Asked): Asked {
  const unlimited = { waiting: Number.POSITIVE_INFINITY, waitingPerClient: Number.POSITIVE_INFINITY };
  const turns = createFairTurns({ atOnce: AT_ONCE, perClient: AT_ONCE, ...unlimited });
  const taken = <T>(client: string | undefined, work: () => Promise<T>): Promise<T> =>
    turns.take(client ?? '', work) ?? work();
  return {
    txn: (ops, signal) => taken(ops[0]?.key, () => consul.txn(ops, signal)),
    readKeys: (keys, signal) => taken(keys[0], () => consul.readKeys(keys, signal)),
    listKeys: (prefix, signal) => taken(prefix, () => consul.listKeys(prefix, signal)),
  };
}
