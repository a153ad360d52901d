/**
 * Which connections stay open. A client that holds many and asks nothing must not keep the kubelet out: where there is no room the
 * connection that has been idle for longest makes room for the new one. Knows sockets only as things that can be destroyed.
 */

export type Connection = { readonly client: string; destroy(): void };

export type Connections = {
  /** A new one, which may cost an idle one its place, or be refused itself. To be told when it is busy, idle again, and closed. */
  open(connection: Connection): void;
  /** A request has come on it, which is being worked on: it keeps its place. One call of `idle` for each that this does not refuse. */
  busy(connection: Connection): Taken;
  /** Answered, whether or not the client reads the answer: else whoever reads nothing would keep a place for ever. */
  idle(connection: Connection): void;
  closed(connection: Connection): void;
  count(): number;
};

export type Refused = 'evicted' | 'refused';

/** `refused`: its client sends far more than it waits for, and has lost the connection for it. */
export type Taken = 'taken' | 'refused';

export type Limits = { readonly all: number; readonly perClient: number };

/** Most of them of applications that wait for their answer at the gate to change. */
const LIMITS: Limits = { all: 5000, perClient: 1000 };

/** Requests of one connection under way; a client that waits for its answers has one. One write may bring tens of thousands. */
const AT_ONCE = 32;

export type ConnectionsOptions = {
  /** Told of each connection that was ended for want of room, or refused because its client sends far more than it waits for. */
  readonly refused: (what: Refused, client: string) => void;
  /** A client that asks for many others (another replica); only the number of all is limited then. */
  readonly exempt: (client: string) => boolean;
  readonly limits?: Limits;
};

export function createConnections({ refused, exempt, limits = LIMITS }: ConnectionsOptions): Connections {
  const clients = new Map<string, Set<Connection>>();
  /** In the order in which they became idle, all of them and by client: a Set keeps the order of insertion. */
  const idle = new Set<Connection>();
  const idleOf = new Map<string, Set<Connection>>();
  /** Requests that are being worked on; several where a client sends the next before it has the answer. */
  const working = new Map<Connection, number>();
  let all = 0;

  function becomeIdle(connection: Connection): void {
    idle.add(connection);
    idleOf.set(connection.client, (idleOf.get(connection.client) ?? new Set()).add(connection));
  }

  function wake(connection: Connection): void {
    idle.delete(connection);
    const own = idleOf.get(connection.client);
    if (own?.delete(connection) && own.size === 0) idleOf.delete(connection.client);
  }

  function closed(connection: Connection): void {
    const own = clients.get(connection.client);
    if (own?.delete(connection) !== true) return;
    if (own.size === 0) clients.delete(connection.client);
    all -= 1;
    working.delete(connection);
    wake(connection);
  }

  const isOpen = (connection: Connection): boolean => clients.get(connection.client)?.has(connection) === true;

  function makeRoom(among: Iterable<Connection>): boolean {
    for (const oldest of among) {
      closed(oldest);
      oldest.destroy();
      refused('evicted', oldest.client);
      return true;
    }
    return false;
  }

  const full = (client: string): boolean => (clients.get(client)?.size ?? 0) >= limits.perClient && !exempt(client);

  const hasRoom = (client: string): boolean => {
    if (full(client) && !makeRoom(idleOf.get(client) ?? [])) return false;
    return all < limits.all || makeRoom(idle);
  };

  return {
    open: (connection) => {
      if (!hasRoom(connection.client)) {
        connection.destroy();
        refused('refused', connection.client);
        return;
      }
      all += 1;
      clients.set(connection.client, (clients.get(connection.client) ?? new Set()).add(connection));
      becomeIdle(connection);
    },
    busy: (connection) => {
      if (!isOpen(connection)) return 'refused';
      const count = (working.get(connection) ?? 0) + 1;
      working.set(connection, count);
      wake(connection);
      if (count <= AT_ONCE) return 'taken';
      closed(connection);
      connection.destroy();
      refused('refused', connection.client);
      return 'refused';
    },
    idle: (connection) => {
      if (!isOpen(connection)) return;
      const left = (working.get(connection) ?? 1) - 1;
      if (left > 0) working.set(connection, left);
      else working.delete(connection);
      if (left === 0) becomeIdle(connection);
    },
    closed,
    count: () => all,
  };
}
