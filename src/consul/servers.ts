/**
 * Which of the servers behind Consul's name is used: HashiCorp's chart has a Service without an address of its own, whose name has the address of
 * each server, also of one that is not ready. All connections go to one of them for as long as it does; one that fails is not asked for a while, unless
 * all have failed.
 */
import dns from 'node:dns';
import type { LookupFunction } from 'node:net';

export type Servers = {
  /** For net.connect, which tries the addresses in their order. */
  readonly lookup: LookupFunction;
  /** Rises with each server that is left: who began before that says nothing of the one in use since. */
  turn(): number;
  /** A connection stands: the others follow there. */
  connected(address: string): void;
  /** Whether the name had this address when it was last looked up. */
  has(address: string): boolean;
  /** No connection was made by who began in this turn: what leave says of the server in use, or null where it is another by now. */
  failed(turn: number): string | null;
  /** This one does not do. Its address, where there is another; else null, and nothing changes. */
  leave(address: string): string | null;
};

export type Resolve = typeof dns.lookup;

/** About what a server that is replaced takes to be back. */
const LEFT_FOR_MS = 30_000;

/** `nowMs`: monotonic. */
export function createServers(nowMs: () => number, resolve?: Resolve): Servers {
  let known: readonly string[] = [];
  let inUse: string | null = null;
  let turn = 0;
  const leftAtMs = new Map<string, number>();

  /** The one in use first; of those that were left, the one that was left first. */
  const rank = (address: string): number => leftAtMs.get(address) ?? (address === inUse ? -2 : -1);

  function forget(): void {
    for (const [address, atMs] of leftAtMs)
      if (!known.includes(address) || nowMs() - atMs > LEFT_FOR_MS) leftAtMs.delete(address);
  }

  /** Node goes on to the next address after a quarter of a second, which a busy machine may need: that must be none that was left. */
  function order(found: readonly dns.LookupAddress[]): dns.LookupAddress[] {
    known = found.map(({ address }) => address);
    forget();
    const good = found.filter(({ address }) => !leftAtMs.has(address));
    const ordered = (good.length > 0 ? good : found).toSorted((a, b) => rank(a.address) - rank(b.address));
    // Whoever asks next goes to the same one, though the name's addresses come in another order each time.
    inUse = ordered[0]?.address ?? null;
    return ordered;
  }

  const lookup: LookupFunction = (hostname, options, callback) => {
    (resolve ?? dns.lookup)(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, []);
      const ordered = order(found);
      if (options.all === true) return callback(null, ordered);
      callback(null, ordered[0]?.address ?? '', ordered[0]?.family);
    });
  };

  function leave(address: string): string | null {
    if (known.length < 2) return null;
    leftAtMs.set(address, nowMs());
    if (inUse === address) inUse = null;
    turn += 1;
    return address;
  }

  return {
    lookup,
    turn: () => turn,
    connected: (address) => {
      if (known.includes(address)) inUse = address;
    },
    has: (address) => known.includes(address),
    failed: (begun) => (begun === turn && inUse !== null ? leave(inUse) : null),
    leave,
  };
}
