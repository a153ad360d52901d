/**
 * Which connections stay open. A client that holds many and asks nothing must not keep the kubelet out: where there is no room the
 * connection that has been idle for longest makes room for the new one. Knows sockets only as things that can be destroyed.
 */

export type Connection = { readonly client: string; destroy(): void };

export type Connections = {
  /** A new one, which may cost an idle one its place, or be refused itself. To be told when it is busy, idle again, and closed. */
  open(connection: Connection): void;
  busy(connection: Connection): void;
  idle(connection: Connection): void;
  closed(connection: Connection): void;
  count(): number;
};

export type Refused = 'evicted' | 'refused';

/** Most of them of applications that wait for their answer at the gate to change. */
const LIMITS = { all: 5000, perClient: 1000 } as const;

/** `refused` is told of each connection that was ended for want of room. */
export function createConnections(
  refused: (what: Refused, client: string) => void,
  limits: { readonly all: number; readonly perClient: number } = LIMITS,
): Connections {
  const clients = new Map<string, Set<Connection>>();
  /** In the order in which they became idle, all of them and by client: a Set keeps the order of insertion. */
  const idle = new Set<Connection>();
  const idleOf = new Map<string, Set<Connection>>();
  let all = 0;

  function rest(connection: Connection): void {
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
    wake(connection);
  }

  function makeRoom(among: Iterable<Connection>): boolean {
    for (const oldest of among) {
      closed(oldest);
      oldest.destroy();
      refused('evicted', oldest.client);
      return true;
    }
    return false;
  }

  const hasRoom = (client: string): boolean => {
    if ((clients.get(client)?.size ?? 0) >= limits.perClient && !makeRoom(idleOf.get(client) ?? [])) return false;
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
      rest(connection);
    },
    busy: wake,
    idle: (connection) => {
      if (clients.get(connection.client)?.has(connection) === true) rest(connection);
    },
    closed,
    count: () => all,
  };
}
