/** The clients of the members: each has one term at a time, believes its grants by its own clock, and none of a term that it has released (I10). */
import type { Model } from '../model.ts';
import type { Replica } from '../replica.ts';

export type Clients = {
  /** Asks in the present term; what it was answered, in words. */
  ask(owner: Replica, member: string): string;
  /** Ends the term, believing nothing of it from here on; a copy of what it sends stays under way. */
  release(owner: Replica, member: string, resign: boolean): string;
  /** Another process of the pod begins, with a term of its own; the one before may go on, and its grants with it. */
  restarts(member: string): void;
  copies(): number;
  /** The oldest copy of a release arrives. */
  copyArrives(owner: Replica): string;
  breaches(): readonly string[];
  /** How many grants were given, and how many of them to another than the first. */
  grants(): number;
  toOthers(): number;
  /** All that may matter from here on. */
  state(): unknown;
};

/** `uid`: of the pod in which its process runs. */
type Client = { readonly uid: string; term: number; readonly untilMs: Map<string, number> };
type Copy = { readonly uid: string; readonly secret: string; readonly resign: boolean };

export function createClients({ clock, api }: Model): Clients {
  /** By uid: the process of a pod that is gone from the API may go on. */
  const clients = new Map<string, Client>();
  const copies: Copy[] = [];
  const breaches: string[] = [];
  const given: string[] = [];

  function of(member: string): Client {
    const uid = api.pod(member)?.uid ?? '';
    const known = clients.get(uid) ?? { uid, term: 1, untilMs: new Map() };
    clients.set(uid, known);
    return known;
  }

  const secretOf = ({ uid, term }: Client): string => `secret ${term} of ${uid}`;

  function next(client: Client): void {
    client.term += 1;
  }

  function ask(owner: Replica, member: string): string {
    const client = of(member);
    const answer = owner.ask(client.uid, secretOf(client));
    if (answer.kind === 'released') breaches.push(`a term of ${member} that it has not ended counts as released`);
    if (answer.kind === 'grant') believe(client, clock.nowMs() + answer.validForMs);
    return `${secretOf(client)}: ${answer.kind}`;
  }

  const leftMs = ({ untilMs }: Client): number => Math.max(0, ...untilMs.values()) - clock.nowMs();

  function believe(client: Client, untilMs: number): void {
    client.untilMs.set(secretOf(client), untilMs);
    given.push(client.uid);
    for (const other of clients.values())
      if (other !== client && leftMs(other) > 0)
        breaches.push(`I10: ${client.uid} has a grant while ${other.uid} has one for ${leftMs(other)} ms more`);
  }

  return {
    ask,
    release: (owner, member, resign) => {
      const client = of(member);
      const copy = { uid: client.uid, secret: secretOf(client), resign };
      client.untilMs.delete(copy.secret);
      next(client);
      copies.push(copy);
      return `${copy.secret}: ${JSON.stringify(owner.release(copy.uid, copy.secret, resign))}`;
    },
    restarts: (member) => next(of(member)),
    copies: () => copies.length,
    copyArrives: (owner) => {
      const copy = copies.shift();
      if (copy === undefined) return 'nothing';
      return `${copy.secret}: ${JSON.stringify(owner.release(copy.uid, copy.secret, copy.resign))}`;
    },
    breaches: () => breaches,
    grants: () => given.length,
    toOthers: () => given.filter((uid) => uid !== given[0]).length,
    state: () => ({
      copies,
      clients: [...clients.values()]
        .map(({ untilMs, ...client }) => ({
          ...client,
          leftMs: [...untilMs].map(([secret, until]) => [secret, Math.max(0, until - clock.nowMs())]),
        }))
        .toSorted((x, y) => (x.uid < y.uid ? -1 : 1)),
    }),
  };
}
