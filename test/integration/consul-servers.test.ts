/** Three servers of Consul behind one name, as a headless Service has them: replaced one by one, or frozen, they move no leader. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ComponentName } from '../../dev/cluster/spec.ts';
import { type Harness, type Leading, startHarness } from '../kit/rig/harness.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';
import { freePort } from '../kit/rig/ports.ts';

const NAME = 'consul.test';
const GROUPS = ['a', 'b', 'c', 'd'];
const SOON = { timeoutMs: 30_000, what: 'another server is asked' };

/** What one server has at the address of its own. It refuses connections while it is closed, as the address of a pod that is gone. */
type Front = { readonly host: string; readonly server: ComponentName; open(): Promise<void>; close(): void };

function frontOf(host: string, port: number, server: ComponentName, target: number): Front {
  const sockets = new Set<Socket>();
  let listener: Server | null = null;
  const pass = (inner: Socket): void => {
    const outer = connect(target, '127.0.0.1');
    for (const [socket, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(socket);
      socket.pipe(other);
      socket.on('error', () => other.destroy());
      socket.once('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  };
  return {
    host,
    server,
    open: async () => {
      listener = createServer(pass);
      const listening = once(listener, 'listening');
      listener.listen(port, host);
      await listening;
    },
    close: () => {
      listener?.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The name is known to the operator alone, which is asked to load this first. */
function knowing(hosts: readonly string[]): string {
  const addresses = JSON.stringify(hosts.map((address) => ({ address, family: 4 })));
  const code = `import dns from 'node:dns';
    const real = dns.lookup;
    dns.lookup = (name, options, found) => name === '${NAME}' ? found(null, ${addresses}) : real(name, options, found);`;
  return `--import data:text/javascript,${encodeURIComponent(code)}`;
}

describe.runIf(process.platform === 'linux')('three servers of Consul', () => {
  let h: Harness;
  let namespace: string;
  let operator: OperatorProcess;
  let fronts: readonly Front[] = [];
  let before: readonly Leading[];

  const leaders = (): Promise<readonly Leading[]> => Promise.all(GROUPS.map((group) => h.led(namespace, group)));
  const told = (of: readonly Leading[]) => of.map(({ name, token }) => `${name} ${token}`);

  beforeAll(async () => {
    h = await startHarness({ consulServers: 3 });
    namespace = await h.world.namespace('servers');
    const port = await freePort();
    const [first, second, third] = h.cluster.consulAddresses.map((address) => Number(address.split(':').at(-1)));
    // The test itself asks the first server, so the operator begins with another.
    fronts = [
      frontOf('127.0.0.1', port, 'consul-2', second ?? 0),
      frontOf('127.0.0.2', port, 'consul-3', third ?? 0),
      frontOf('127.0.0.3', port, 'consul', first ?? 0),
    ];
    for (const front of fronts) await front.open();
    const NODE_OPTIONS = knowing(fronts.map(({ host }) => host));
    operator = await h.spawnOperator({ env: { CONSUL_HTTP_ADDR: `http://${NAME}:${port}`, NODE_OPTIONS } });
    await operator.ready(SOON.timeoutMs * 4);
    for (const group of GROUPS) await h.group(namespace, group, { pods: 2 });
    before = await leaders();
  });

  afterAll(async () => {
    for (const front of fronts) front.close();
    await h[Symbol.asyncDispose]();
  });

  const left = (host: string): Promise<unknown> =>
    operator.untilLog(({ message, server }) => server === host && /asking another/.test(message ?? ''), SOON);

  it('of which the one that is asked is frozen move no leader: another is asked', async () => {
    const frozen = h.cluster.component('consul-2');
    await frozen.freeze();
    await left('127.0.0.1');
    await operator.ready();
    expect(told(await leaders())).toEqual(told(before));
    await frozen.thaw();
  }, 120_000);

  it('that are replaced one by one move no leader, and who goes meanwhile is replaced', async () => {
    for (const front of fronts) {
      front.close();
      await h.cluster.component(front.server).restart();
      await front.open();
      await operator.ready();
    }
    expect(told(await leaders())).toEqual(told(before));
    const [gone] = before;
    await h.world.deletePod(namespace, gone?.name ?? '');
    expect((await h.led(namespace, 'a', { not: gone?.name ?? '' })).token).toBeGreaterThan(gone?.token ?? 0);
  }, 180_000);
});
