/**
 * Which of the servers behind Consul's name is used: HashiCorp's chart has a Service without an address of its own, whose name has the address of
 * each server, also of one that is not ready. All connections go to one of them for as long as it does; one that fails is asked last for a while.
 */
import dns from 'node:dns';
import type { LookupFunction } from 'node:net';

export type Servers = {
  /** For net.connect, which tries the addresses in their order. */
  readonly lookup: LookupFunction;
  /** A connection stands: the others follow there. */
  connected(address: string | undefined): void;
  /** The one in use does not do. Its address, where there is another; else null, and nothing changes. */
  leave(): string | null;
};

export type Resolve = typeof dns.lookup;

/** About what a server that is replaced takes to be back. */
const LEFT_FOR_MS = 30_000;

/** `nowMs`: monotonic. */
export function createServers(nowMs: () => number, resolve?: Resolve): Servers {
  let known: readonly string[] = [];
  let inUse: string | null = null;
  const leftAtMs = new Map<string, number>();

  /** The one in use first, those that were left last, and the one that was left first before them. */
  const rank = (address: string): number => leftAtMs.get(address) ?? (address === inUse ? -2 : -1);

  function forget(): void {
    for (const [address, atMs] of leftAtMs)
      if (!known.includes(address) || nowMs() - atMs > LEFT_FOR_MS) leftAtMs.delete(address);
  }

  function order(found: readonly dns.LookupAddress[]): dns.LookupAddress[] {
    known = found.map(({ address }) => address);
    forget();
    const ordered = found.toSorted((a, b) => rank(a.address) - rank(b.address));
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

  return {
    lookup,
    connected: (address) => {
      if (address !== undefined && known.includes(address)) inUse = address;
    },
    leave: () => {
      const left = inUse;
      if (left === null || known.length < 2) return null;
      leftAtMs.set(left, nowMs());
      inUse = null;
      return left;
    },
  };
}
