import { describe, expect, it } from 'vitest';
import { type Connection, createConnections } from '../../../src/http/connections.ts';

function some(limits = { all: 4, perClient: 3 }) {
  const told: string[] = [];
  const connections = createConnections({
    refused: (what, client) => told.push(`${what} ${client}`),
    exempt: (client) => client === 'replica',
    limits,
  });
  const destroyed: string[] = [];
  const from = (client: string, name = client): Connection => ({ client, destroy: () => destroyed.push(name) });
  const open = (client: string, name = client): Connection => {
    const connection = from(client, name);
    connections.open(connection);
    return connection;
  };
  return { connections, open, told, destroyed };
}

describe('where there is no room', () => {
  it('the connection that has been idle for longest makes room for the new one', () => {
    const { connections, open, told, destroyed } = some();
    for (const client of ['a', 'b', 'c', 'd', 'kubelet']) open(client);
    expect([destroyed, told, connections.count()]).toEqual([['a'], ['evicted a'], 4]);
  });

  it('one that is asking something stays', () => {
    const { connections, open, destroyed } = some();
    connections.busy(open('a'));
    for (const client of ['b', 'c', 'd', 'e']) open(client);
    expect(destroyed).toEqual(['b']);
  });

  it('the new one is refused only when all the others are asking something', () => {
    const { connections, open, told, destroyed } = some();
    for (const client of ['a', 'b', 'c', 'd']) connections.busy(open(client));
    open('e');
    expect([destroyed, told, connections.count()]).toEqual([['e'], ['refused e'], 4]);
  });

  it('a client that has too many pays for its own', () => {
    const { open, destroyed } = some();
    open('other');
    for (const name of ['1', '2', '3', '4']) open('greedy', name);
    expect(destroyed).toEqual(['1']);
  });

  it('another replica, which asks for many others, has as many as there are', () => {
    const { connections, open, destroyed } = some();
    for (let at = 0; at < 4; at += 1) connections.busy(open('replica'));
    expect([destroyed, connections.count()]).toEqual([[], 4]);
  });

  it('one with two requests keeps its place until both are answered', () => {
    const { connections, open, destroyed } = some();
    const first = open('a');
    connections.busy(first);
    connections.busy(first);
    for (const client of ['b', 'c', 'd']) connections.busy(open(client));
    connections.idle(first);
    open('e');
    connections.idle(first);
    open('f');
    expect(destroyed).toEqual(['e', 'a']);
  });

  it('one that was answered is idle from then on', () => {
    const { connections, open, destroyed } = some();
    const first = open('a');
    connections.busy(first);
    for (const client of ['b', 'c', 'd']) open(client);
    connections.idle(first);
    open('e');
    open('f');
    expect(destroyed).toEqual(['b', 'c']);
  });
});

it('a connection that is closed leaves nothing behind', () => {
  const { connections, open } = some();
  const connection = open('a');
  connections.busy(connection);
  connections.closed(connection);
  connections.idle(connection);
  connections.closed(connection);
  expect(connections.count()).toBe(0);
});
