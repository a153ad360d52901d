/** Two clusters, each with its operator, and one Consul: groups that share a lock have one leader in all, and nobody else's locks are touched. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { assertKept } from '../kit/checker/checker.ts';
import { type Harness, type Leading, startHarness } from '../kit/rig/harness.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';

const RULES = [{ namespaces: ['*'], prefix: 'jobs' }];
const SOON = { timeout: 40_000, interval: 100 };

type Side = { readonly name: string; readonly h: Harness; readonly operator: OperatorProcess };

let east: Side;
let west: Side;
let namespace: string;

async function begin(name: string, consul?: Harness['consul']): Promise<Side> {
  const operatorEnv = { LEADERGROUP_LOCK_KEYS: JSON.stringify(RULES), LEADERGROUP_CLUSTER: name };
  const h = await startHarness({ operatorEnv, ...(consul === undefined ? {} : { consul }) });
  return { name, h, operator: await h.startOperator() };
}

beforeAll(async () => {
  east = await begin('east');
  west = await begin('west', east.h.consul);
});

beforeEach(async () => {
  namespace = await east.h.world.namespace('shared');
  await west.h.world.ensureNamespace(namespace);
});

afterAll(async () => {
  await west.h[Symbol.asyncDispose]();
  await east.h[Symbol.asyncDispose]();
});

const both = (): readonly Side[] => [east, west];
const otherOf = (side: Side): Side => (side === east ? west : east);

/** The group and two pods of it in each cluster. */
async function group(name: string, spec: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const shared = { lockKey: `jobs/${name}`, sessionTTLSeconds: 20, lockDelaySeconds: 0, ...spec };
  await Promise.all(both().map(({ h }) => h.group(namespace, name, { pods: 2, spec: shared })));
}

type Lead = { readonly side: Side; readonly leader: Leading };

/** Resolves once one of the clusters has the leader. */
async function led(name: string): Promise<Lead> {
  const leads = both().map(async (side) => ({ side, leader: await side.h.led(namespace, name) }));
  const first = await Promise.race(leads);
  for (const lead of leads) lead.catch(() => undefined);
  return first;
}

const leadersOf = (name: string): string =>
  `/api/v1/namespaces/${namespace}/pods?labelSelector=app%3D${name}%2Cleadergroup.dev%2Frole%3Dleader`;

type PodList = {
  readonly items: readonly { readonly metadata: { readonly name: string; readonly resourceVersion: string } }[];
};

/** What the API server itself says at this moment, not a watch. */
async function labelled({ h }: Side, name: string): Promise<readonly string[]> {
  const { items } = await h.world.rest.must<PodList>('GET', leadersOf(name));
  return items.map(({ metadata }) => `${metadata.name} at ${metadata.resourceVersion}`);
}

/**
 * Reads one cluster after the other for as long as `work` takes. A pod that carried the label before and after a reading that showed another in the
 * other cluster carried it at the same time. Returns those pairs.
 */
async function atTheSameTime(name: string, work: () => Promise<void>): Promise<readonly string[]> {
  const working = work();
  const over = new AbortController();
  working.finally(() => over.abort()).catch(() => undefined);
  const found: string[] = [];
  let readings = 0;
  let earlier: readonly string[] = [];
  let last: readonly string[] = [];
  for (let side = east; !over.signal.aborted; side = otherOf(side)) {
    const now = await labelled(side, name);
    const stayed = now.filter((pod) => earlier.includes(pod));
    if (stayed.length > 0 && last.length > 0) found.push(`${stayed.join()} and ${last.join()}`);
    [earlier, last] = [last, now];
    readings += 1;
  }
  await working;
  expect(readings).toBeGreaterThan(10);
  return found;
}

async function kept(name: string): Promise<void> {
  for (const { h } of both()) {
    await h.observer.caughtUp();
    assertKept(h.observer.history({ namespaces: [namespace] }), { leaderless: [`${namespace}/${name}`] });
  }
}

async function deletePods({ h }: Side, name: string): Promise<void> {
  await Promise.all([0, 1].map((at) => h.world.deletePod(namespace, `${name}-${at}`)));
}

describe('groups with one lock in two clusters', () => {
  it('have one leader in all, and the other cluster says which pod of which cluster it is', async () => {
    await group('one');
    const { side, leader } = await led('one');
    const other = otherOf(side);
    await other.h.condition(namespace, 'one', 'Ready', 'True', 'LedElsewhere');
    expect(other.h.observer.leaders(namespace, 'one')).toEqual([]);
    expect(other.h.status(namespace, 'one')?.lockedBy).toContain(
      `pod ${leader.name} of LeaderGroup ${namespace}/one in cluster ${side.name}`,
    );
    await kept('one');
  });

  it('never have two while the lead goes within a cluster, to the other and back, and tokens rise all the way', async () => {
    await group('moved');
    const leads: Lead[] = [await led('moved')];
    const [first] = leads;
    const home = first?.side ?? east;
    const away = otherOf(home);
    const pairs = await atTheSameTime('moved', async () => {
      await home.h.world.setReady(namespace, first?.leader.name ?? '', false);
      leads.push({ side: home, leader: await home.h.led(namespace, 'moved', { not: first?.leader.name ?? '' }) });
      await deletePods(home, 'moved');
      leads.push({ side: away, leader: await away.h.led(namespace, 'moved') });
      await home.h.world.pods(namespace, 'moved', 2);
      await home.h.condition(namespace, 'moved', 'Ready', 'True', 'LedElsewhere');
      await deletePods(away, 'moved');
      leads.push({ side: home, leader: await home.h.led(namespace, 'moved') });
    });
    expect(pairs).toEqual([]);
    const tokens = leads.map(({ leader }) => leader.token);
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
    expect(away.h.observer.leaders(namespace, 'moved')).toEqual([]);
    await kept('moved');
  });

  it('and `consul lock` have one holder: nobody leads in either while it has the key, then one does', async () => {
    const { address } = east.h.consul;
    const external = spawn('consul', ['lock', '-name=batch', 'jobs/joined', 'exec sleep 300'], {
      env: { ...process.env, ...east.h.cluster.env, CONSUL_HTTP_ADDR: `http://${address}` },
      stdio: 'ignore',
    });
    const ended = once(external, 'close');
    try {
      await east.h.observer.until(() => east.h.observer.key('jobs/joined/.lock')?.session, {
        timeoutMs: 20_000,
        what: '`consul lock` has the key',
      });
      await group('joined');
      for (const { h } of both()) await h.condition(namespace, 'joined', 'Ready', 'True', 'LedElsewhere');
      expect(both().flatMap(({ h }) => h.observer.leaders(namespace, 'joined'))).toEqual([]);
    } finally {
      external.kill('SIGTERM');
      await ended;
    }
    const { side } = await led('joined');
    await otherOf(side).h.condition(namespace, 'joined', 'Ready', 'True', 'LedElsewhere');
    expect(otherOf(side).h.observer.leaders(namespace, 'joined')).toEqual([]);
    await kept('joined');
  });

  it('have a leader with a higher token when the operator of the first one stands still, and one leader once it goes on', async () => {
    await group('frozen', { sessionTTLSeconds: 10 });
    const { side, leader } = await led('frozen');
    const other = otherOf(side);
    await other.h.condition(namespace, 'frozen', 'Ready', 'True', 'LedElsewhere');
    side.operator.freeze();
    try {
      const next = await other.h.led(namespace, 'frozen', { timeoutMs: 60_000 });
      expect(next.token).toBeGreaterThan(leader.token);
    } finally {
      side.operator.thaw();
    }
    await side.h.observer.until(({ leaders }) => leaders(namespace, 'frozen').length === 0, {
      timeoutMs: 20_000,
      what: 'the operator that went on has taken the label off',
    });
    await side.h.condition(namespace, 'frozen', 'Ready', 'True', 'LedElsewhere');
    expect(other.h.observer.leaders(namespace, 'frozen')).toHaveLength(1);
  });
});

describe('a copy of a cluster, which has its name and its uid', () => {
  it('is refused while a replica of the first one runs, and no leader moves', async () => {
    await east.h.group(namespace, 'own', { pods: 2 });
    const before = await east.h.led(namespace, 'own');
    // What tells the clusters apart by their uids is gone, as it is where the uids are the same.
    await east.h.world.consul.deleteKey('leadergroup/east/.cluster');
    await using copy = await west.h.spawnOperator({ replica: 'copy', env: { LEADERGROUP_CLUSTER: 'east' } });
    await expect
      .poll(() => copy.log.map(({ error }) => String(error)), SOON)
      .toContainEqual(
        expect.stringMatching(/acts on an API server with other certificate authorities.*LEADERGROUP_CLUSTER/),
      );
    const ready = await fetch(`${copy.url}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('LEADERGROUP_CLUSTER')]);
    expect(await east.h.led(namespace, 'own')).toMatchObject({ name: before.name, token: before.token });
  });
});
