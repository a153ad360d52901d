/** Which of several addresses of Consul's name is connected to. */
import { describe, expect, it } from 'vitest';
import { createServers, type Resolve } from '../../../src/consul/servers.ts';

const A = '10.0.0.1';
const B = '10.0.0.2';
const C = '10.0.0.3';

function setUp(...addresses: readonly string[]) {
  const world = { nowMs: 1000, addresses: [...addresses], error: null as Error | null };
  const resolve = ((_name: string, _options: object, callback: (error: Error | null, found: unknown) => void) =>
    callback(
      world.error,
      world.addresses.map((address) => ({ address, family: 4 })),
    )) as unknown as Resolve;
  const servers = createServers(() => world.nowMs, resolve);
  const order = (): readonly string[] => {
    let found: readonly string[] = [];
    servers.lookup('consul', { all: true }, (error, list) => {
      if (error !== null) throw error;
      found = (list as { readonly address: string }[]).map(({ address }) => address);
    });
    return found;
  };
  return { servers, world, order };
}

describe('the servers behind a name', () => {
  it('are one server for all connections, though the name gives its addresses in another order each time', () => {
    const { world, order } = setUp(A, B, C);
    expect(order()[0]).toBe(A);
    world.addresses = [C, B, A];
    expect(order()[0]).toBe(A);
  });

  it('are tried in their order, and the one that answers is the first from then on', () => {
    const { servers, order } = setUp(A, B, C);
    expect(order()).toEqual([A, B, C]);
    servers.connected(B);
    expect(order()).toEqual([B, A, C]);
  });

  it('are without those that failed, until all have, and then begin with the one that failed first', () => {
    const { servers, world, order } = setUp(A, B, C);
    order();
    expect(servers.leave(A)).toBe(A);
    expect(order()).toEqual([B, C]);
    world.nowMs += 10;
    expect(servers.leave(B)).toBe(B);
    expect(order()).toEqual([C]);
    world.nowMs += 10;
    expect(servers.leave(C)).toBe(C);
    expect(order()).toEqual([A, B, C]);
  });

  it('forget after half a minute that one has failed, and stay with the one in use', () => {
    const { servers, world, order } = setUp(A, B);
    order();
    servers.leave(A);
    expect(order()).toEqual([B]);
    world.nowMs += 30_001;
    expect(order()).toEqual([B, A]);
    servers.leave(B);
    expect(order()).toEqual([A]);
  });

  it('that are one are never left', () => {
    const { servers, order } = setUp(A);
    expect(servers.leave(A)).toBeNull();
    order();
    expect(servers.leave(A)).toBeNull();
    expect(servers.failed(servers.turn())).toBeNull();
  });

  it('are not left for a connection that failed after the one that it was begun to had been', () => {
    const { servers, world, order } = setUp(A, B, C);
    order();
    const begun = servers.turn();
    expect(servers.failed(begun)).toBe(A);
    expect(order()[0]).toBe(B);
    expect(servers.failed(begun)).toBeNull();
    expect(order()[0]).toBe(B);
    world.nowMs += 10;
    expect(servers.failed(servers.turn())).toBe(B);
    expect(order()).toEqual([C]);
  });

  it('that are others by now are found', () => {
    const { servers, world, order } = setUp(A, B);
    order();
    servers.leave(A);
    world.addresses = [C];
    expect(order()).toEqual([C]);
    expect([servers.has(A), servers.has(C)]).toEqual([false, true]);
    servers.connected(A);
    expect(order()).toEqual([C]);
    expect(servers.leave(A)).toBeNull();
  });

  it('are given one at a time to whoever wants one, and a name that is not known is an error', () => {
    const { servers, world } = setUp(A, B);
    let got: unknown = null;
    servers.lookup('consul', {}, (error, address, family) => {
      got = [error, address, family];
    });
    expect(got).toEqual([null, A, 4]);
    world.error = new Error('ENOTFOUND');
    servers.lookup('consul', {}, (error) => {
      got = error;
    });
    expect(got).toBe(world.error);
  });
});
