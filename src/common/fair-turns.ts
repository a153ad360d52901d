/** Work that only so much of may go on at a time, shared fairly: whoever asks for much of it waits for itself, and hardly for others. */

export type FairTurns = {
  /** Begins `work` when it is its client's turn; null: too much waits already. */
  take<T>(client: string, work: () => Promise<T>): Promise<T> | null;
};

export type TurnLimits = {
  /** Under way, of all together and of one client. */
  readonly atOnce: number;
  readonly perClient: number;
  /** Waiting, of all together and of one client. */
  readonly waiting: number;
  readonly waitingPerClient: number;
};

type Client = { running: number; readonly waiting: (() => void)[] };

export function createFairTurns({ atOnce, perClient, waiting, waitingPerClient }: TurnLimits): FairTurns {
  /** Whoever has begun last comes last. */
  const clients = new Map<string, Client>();
  let [running, queued] = [0, 0];

  function next(): void {
    for (const [name, client] of clients) {
      if (running >= atOnce) return;
      if (client.running >= perClient) continue;
      const begin = client.waiting.shift();
      if (begin === undefined) continue;
      queued -= 1;
      clients.delete(name);
      clients.set(name, client);
      begin();
    }
  }

  function ended(name: string, client: Client): void {
    running -= 1;
    client.running -= 1;
    if (client.running === 0 && client.waiting.length === 0) clients.delete(name);
    next();
  }

  return {
    take: (name, work) => {
      const client = clients.get(name) ?? { running: 0, waiting: [] };
      if (queued >= waiting || client.waiting.length >= waitingPerClient) return null;
      clients.set(name, client);
      const turn = new Promise<void>((resolve) => {
        client.waiting.push(() => {
          running += 1;
          client.running += 1;
          resolve();
        });
      });
      queued += 1;
      next();
      return turn.then(work).finally(() => ended(name, client));
    },
  };
}
