/** How many may wait at a time: of one client, and of all together. */

export type Waits = {
  /** null: no more may wait. Else to be called once when the wait is over. */
  begin(client: string): (() => void) | null;
  count(): number;
};

const PER_CLIENT = 64;
const ALL = 4000;

/** `exempt`: a client that asks for many others (another replica); only the number of all is limited then. */
export function createWaits(exempt: (client: string) => boolean, limits = { perClient: PER_CLIENT, all: ALL }): Waits {
  const waiting = new Map<string, number>();
  let all = 0;
  return {
    begin: (client) => {
      const own = waiting.get(client) ?? 0;
      if (all >= limits.all || (own >= limits.perClient && !exempt(client))) return null;
      waiting.set(client, own + 1);
      all += 1;
      return () => {
        all -= 1;
        const left = (waiting.get(client) ?? 1) - 1;
        if (left > 0) waiting.set(client, left);
        else waiting.delete(client);
      };
    },
    count: () => all,
  };
}
