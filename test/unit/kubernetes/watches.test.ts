/** Watches of some namespaces only: what is asked for, when all is listed, and what becomes of one that may not be read. */
import { describe, expect, it } from 'vitest';
import { parseLeaderGroup } from '../../../src/api/parse.ts';
import { createNamespaces, readableOf, unwatchedIn } from '../../../src/kubernetes/namespaces.ts';
import type { Resource } from '../../../src/kubernetes/objects/resources.ts';
import { type ListWatch, ListWatchError } from '../../../src/kubernetes/reflector/list-watch.ts';
import { createWatches } from '../../../src/kubernetes/watches.ts';
import { createFakeClock, createFakeRandom, settle } from '../../kit/fakes/clock.ts';
import { rawPod } from '../../kit/fakes/kubernetes/raw.ts';
import { noLog } from '../../kit/model/sinks.ts';

type Wish = {
  /** null: all. */
  readonly watched?: readonly string[] | null;
  /** What may not be read: `pods of shop`. */
  readonly denied?: readonly string[];
  /** What is not answered. */
  readonly held?: readonly string[];
  /** What the server fails to answer. */
  readonly failing?: readonly string[];
};

function aReplica({ watched = ['shop', 'mail'], ...wish }: Wish = {}) {
  const asked: string[] = [];
  const denied = new Set(wish.denied);
  const held = new Set(wish.held);
  const failing = new Set(wish.failing);
  const namespaces = createNamespaces(watched ?? [], 'ops');
  const clock = createFakeClock();
  const source = ({ plural }: Resource, namespace: string | null): ListWatch => {
    const what = `${plural} of ${namespace ?? 'all'}`;
    const refuse = (): void => {
      if (failing.has(what)) throw new ListWatchError('unreachable', `no answer about ${what}`);
      if (denied.has(what)) throw new ListWatchError('denied', `may not list ${what}`);
    };
    return {
      list: async (_, signal) => {
        asked.push(what);
        refuse();
        if (held.has(what)) await untilAborted(signal);
        const items = plural === 'pods' && namespace !== null ? [rawPod(`pod-of-${namespace}`, { namespace })] : [];
        return { items, resourceVersion: '1', next: null };
      },
      async *watch(_, signal) {
        refuse();
        yield [];
        await untilAborted(signal);
      },
    };
  };
  const random = createFakeRandom('watches');
  const watching = { source, parseGroup: parseLeaderGroup, clock, random, log: noLog };
  const watches = createWatches({ ...watching, namespaces: watched === null ? null : namespaces });
  const told: string[] = [];
  const stop = new AbortController();
  const ended = Promise.all(
    (['groups', 'pods', 'nodes'] as const).map((kind) =>
      watches[kind].run(
        {
          changed: (_, after: unknown) => told.push(`${kind} ${(after as { readonly name: string }).name}`),
          synced: () => told.push(`${kind} listed`),
          listed: (namespace) => told.push(`${kind} of ${namespace} listed`),
        },
        (problem) => told.push(`${kind} ${problem ?? 'well'}`),
        stop.signal,
      ),
    ),
  );
  return { asked, denied, failing, told, namespaces, clock, watches, end: () => (stop.abort(), ended) };
}

async function untilAborted(signal: AbortSignal): Promise<never> {
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  throw signal.reason;
}

describe('the watches of some namespaces', () => {
  it("ask for pods there and in the operator's own, then for groups there, and for no node", async () => {
    const { asked, told, end } = aReplica();
    await settle();
    expect(asked.toSorted()).toEqual([
      'leadergroups of mail',
      'leadergroups of shop',
      'pods of mail',
      'pods of ops',
      'pods of shop',
    ]);
    expect(told.filter((each) => each.endsWith(' listed') && !each.includes(' of ')).toSorted()).toEqual([
      'groups listed',
      'nodes listed',
      'pods listed',
    ]);
    await end();
  });

  it("ask for the pods of the operator's own namespace once where groups are there too", async () => {
    const { asked, end } = aReplica({ watched: ['ops'] });
    await settle();
    expect(asked).toEqual(['pods of ops', 'leadergroups of ops']);
    await end();
  });

  it('show no group before the pods of its namespace are listed', async () => {
    const replica = aReplica({ held: ['pods of shop'] });
    await settle();
    expect(replica.asked).not.toContain('leadergroups of shop');
    expect(replica.asked).toContain('leadergroups of mail');
    expect(replica.told).not.toContain('pods listed');
    expect(replica.told).not.toContain('groups listed');
    await replica.end();
  });

  it.each(['pods of shop', 'leadergroups of shop'])(
    'go on without a namespace where the operator may not list the %s, and say why',
    async (what) => {
      const replica = aReplica({ denied: [what] });
      await settle();
      expect(replica.told).toEqual(expect.arrayContaining(['pods pod-of-mail', 'pods listed', 'groups listed']));
      expect(replica.told.filter((each) => each.includes('may not'))).toEqual([]);
      expect(replica.namespaces.leftOut('shop')).toBe(`may not list ${what}`);
      expect(readableOf(replica.namespaces).get('shop')).toBe(false);
      await replica.end();
    },
  );

  it('do not take a group for missing in a namespace that has not been listed, and say when it is', async () => {
    const replica = aReplica({ denied: ['leadergroups of shop'] });
    const shown = () => ['shop', 'mail', 'elsewhere'].map(replica.namespaces.groupsIn);
    await settle();
    expect(shown()).toEqual(['unread', 'listed', 'unwatched']);
    expect(replica.told).not.toContain('groups of shop listed');
    replica.denied.clear();
    await replica.clock.advance(10_000);
    expect(shown()).toEqual(['listed', 'listed', 'unwatched']);
    expect(replica.told).toContain('groups of shop listed');
    await replica.end();
  });

  it('let nobody be told that a group is missing there before', async () => {
    const { namespaces, denied, clock, end } = aReplica({ denied: ['pods of shop'], held: ['leadergroups of shop'] });
    await settle();
    expect(unwatchedIn(namespaces, 'shop')).toEqual({ why: 'may not list pods of shop', passing: true });
    denied.clear();
    await clock.advance(10_000);
    expect(unwatchedIn(namespaces, 'shop')).toEqual({ why: 'they are not listed yet', passing: true });
    expect(unwatchedIn(namespaces, 'mail')).toBeNull();
    expect(unwatchedIn(namespaces, 'elsewhere')).toMatchObject({ passing: false });
    await end();
  });

  it('take a namespace in once it may be read', async () => {
    const replica = aReplica({ denied: ['pods of shop'] });
    await settle();
    replica.denied.clear();
    await replica.clock.advance(10_000);
    expect(replica.told).toContain('pods pod-of-shop');
    expect(replica.asked).toContain('leadergroups of shop');
    expect(replica.namespaces.leftOut('shop')).toBeNull();
    expect(readableOf(replica.namespaces).get('shop')).toBe(true);
    await replica.end();
  });

  it('are a problem, and not listed, where no namespace may be read; and well once one may', async () => {
    const replica = aReplica({ watched: ['shop'], denied: ['pods of shop', 'pods of ops'] });
    await settle();
    expect(replica.told.toSorted()).toEqual([
      'groups may not list pods of shop',
      'nodes listed',
      'pods may not list pods of shop; may not list pods of ops',
    ]);
    replica.denied.clear();
    await replica.clock.advance(10_000);
    expect(replica.told).toEqual(expect.arrayContaining(['pods listed', 'groups listed', 'pods well', 'groups well']));
    await replica.end();
  });

  it('have heard from the server when the one that was heard last has', async () => {
    const replica = aReplica({ watched: ['shop'] });
    await settle();
    const [atMs] = [replica.clock.nowMs()];
    await replica.clock.advance(1000);
    expect(replica.watches.pods.lastContactMs()).toBe(atMs);
    expect(replica.watches.nodes.lastContactMs()).toBeNull();
    await replica.end();
  });

  it('show no nodes, which nobody may take for their being as they were', async () => {
    const replica = aReplica({ watched: ['shop'] });
    await settle();
    expect([replica.watches.nodes.denied(), replica.watches.pods.denied()]).toEqual([true, false]);
    await replica.end();
  });
});

describe('a watch of nodes', () => {
  it('that may not be read stays so while the API server fails, since what it has shown is old all the same', async () => {
    const replica = aReplica({ watched: null, denied: ['nodes of all'] });
    await settle();
    replica.failing.add('nodes of all');
    await replica.clock.advance(60_000);
    expect(replica.told).toContain('nodes no answer about nodes of all');
    expect(replica.watches.nodes.denied()).toBe(true);
    replica.failing.clear();
    replica.denied.clear();
    await replica.clock.advance(60_000);
    expect(replica.watches.nodes.denied()).toBe(false);
    await replica.end();
  });

  it('says whether the right to it is missing', async () => {
    const replica = aReplica({ watched: null, denied: ['nodes of all'] });
    await settle();
    expect(replica.watches.nodes.denied()).toBe(true);
    replica.denied.clear();
    await replica.clock.advance(10_000);
    expect(replica.watches.nodes.denied()).toBe(false);
    await replica.end();
  });
});
