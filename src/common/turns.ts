/** Work that only so much of may go on at a time, shared fairly: whoever wants much of it waits for itself, and hardly for others. */

/** To be called when the work is over; again it does nothing. */
export type GiveBack = () => void;

/** Calls back when waiting is over; the answer takes that back. */
export type Limit = (over: () => void) => () => void;

export type Turns = {
  /** A turn of this client. null: none came before `limit` was over (default: none has to), or too much waits already. */
  take(client: string, limit?: Limit): Promise<GiveBack | null>;
};

/** By default none but `atOnce`. */
export type TurnLimits = {
  /** Under way, of all together and of one client. */
  readonly atOnce: number;
  readonly perClient?: number;
  /** Waiting, of all together and of one client. */
  readonly waiting?: number;
  readonly waitingPerClient?: number;
};

type Waiting = { readonly begin: () => void };

export function createTurns({
  atOnce,
  perClient = Infinity,
  waiting = Infinity,
  waitingPerClient = Infinity,
}: TurnLimits): Turns {
  /** Clients that wait, in the order in which they are served next. */
  const ring = new Map<string, Set<Waiting>>();
  /** By client; none of whoever has none. */
  const underWay = new Map<string, number>();
  let [taken, queued] = [0, 0];

  const mayBegin = (client: string): boolean => taken < atOnce && (underWay.get(client) ?? 0) < perClient;

  function begin(client: string): GiveBack {
    taken += 1;
    underWay.set(client, (underWay.get(client) ?? 0) + 1);
    let given = false;
    return () => {
      if (!given) giveBack(client);
      given = true;
    };
  }

  function giveBack(client: string): void {
    taken -= 1;
    const left = (underWay.get(client) ?? 0) - 1;
    if (left > 0) underWay.set(client, left);
    else underWay.delete(client);
    serve();
  }

  /** One turn each, as long as there are any; whoever wants more comes last, and again. */
  function serve(): void {
    for (const [client, queue] of ring) {
      if (taken >= atOnce) return;
      if (!mayBegin(client)) continue;
      const [first] = queue;
      ring.delete(client);
      if (queue.size > 1) ring.set(client, queue);
      if (first === undefined) continue;
      queue.delete(first);
      queued -= 1;
      first.begin();
    }
  }

  function wait(client: string, limit: Limit): Promise<GiveBack | null> {
    const { promise, resolve } = Promise.withResolvers<GiveBack | null>();
    const queue = ring.get(client) ?? new Set<Waiting>();
    const over = (): void => {
      queue.delete(entry);
      queued -= 1;
      if (queue.size === 0 && ring.get(client) === queue) ring.delete(client);
      resolve(null);
    };
    const cancel = limit(over);
    const entry: Waiting = {
      begin: () => {
        cancel();
        resolve(begin(client));
      },
    };
    ring.set(client, queue.add(entry));
    queued += 1;
    return promise;
  }

  return {
    take: async (client, limit = never) => {
      if (mayBegin(client)) return begin(client);
      if (queued >= waiting || (ring.get(client)?.size ?? 0) >= waitingPerClient) return null;
      return await wait(client, limit);
    },
  };
}

const never: Limit = () => () => undefined;

/** Gives the turn back when the work has ended, however. */
export async function during<T>(giveBack: GiveBack, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    giveBack();
  }
}
