/** Pods that claim, each from an address of its own on this machine, for a claim counts only from the pod itself. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'undici';
import type { World } from '../../test/kit/rig/world.ts';
import { each } from './population.ts';

export type Claimers = AsyncDisposable & {
  /** One pod of each group, which leads it. */
  readonly leaders: readonly Claimer[];
  /** The three pods of one more group. */
  readonly replicas: readonly Claimer[];
  /** Leads a group of its own. */
  readonly renewer: Claimer;
  /** From now on they ask this replica. */
  ask(url: string): Promise<void>;
};

export type Claimer = {
  readonly group: string;
  readonly pod: string;
  /** `path`: behind `…/claims`, such as `/done`. Rejects without an answer. */
  send(method: 'POST' | 'PUT', path: string, query: string, body: object): Promise<Heard>;
};

export type Heard = {
  readonly status: number;
  readonly milliseconds: number;
  readonly body: Readonly<Record<string, unknown>>;
};

/** Of one pod. The operator takes 5,000 in all. */
const CONNECTIONS = 8;
const REPLICAS = 3;

const newId = (): string => randomBytes(16).toString('hex');

/** Makes `groups` groups of one pod, one of three, and one for renewals. Disposing of it closes the connections. */
export async function openClaimers(world: World, namespace: string, groups: number): Promise<Claimers> {
  let url = '';
  const pools = new Map<string, Pool>();
  const wanted = [
    ...Array.from({ length: groups }, (_, at) => ({ group: `claims-${at}`, pod: `claims-${at}-0` })),
    ...Array.from({ length: REPLICAS }, (_, at) => ({ group: 'replicas', pod: `replicas-${at}` })),
    { group: 'renewer', pod: 'renewer-0' },
  ];
  const claimers = new Map<string, Claimer>();
  await each(wanted, async ({ group, pod }, at) => {
    const ip = `127.2.${Math.floor(at / 250)}.${(at % 250) + 1}`;
    const made = await world.pod({ namespace, name: pod, labels: { app: group }, ip });
    claimers.set(
      pod,
      claimer({ namespace, group, pod, uid: made.metadata.uid }, () => poolOf(ip)),
    );
  });
  await each([...new Set(wanted.map(({ group }) => group))], (name) => world.applyGroup({ namespace, name }));

  function poolOf(localAddress: string): Pool {
    const known = pools.get(localAddress);
    if (known !== undefined) return known;
    const pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1, localAddress });
    pools.set(localAddress, pool);
    return pool;
  }
  async function close(): Promise<void> {
    const old = [...pools.values()];
    pools.clear();
    await Promise.all(old.map((pool) => pool.destroy()));
  }
  const named = (pod: string): readonly Claimer[] => [claimers.get(pod) ?? []].flat();
  const all = wanted.flatMap(({ pod }) => named(pod));
  const ofGroup = (name: string): readonly Claimer[] => all.filter(({ group }) => group === name);
  const [renewer] = ofGroup('renewer');
  if (renewer === undefined) throw new Error('nobody renews');
  return {
    leaders: all.slice(0, groups),
    replicas: ofGroup('replicas'),
    renewer,
    ask: async (now) => {
      url = now;
      await close();
    },
    [Symbol.asyncDispose]: close,
  };
}

type Member = { readonly namespace: string; readonly group: string; readonly pod: string; readonly uid: string };

function claimer({ namespace, group, pod, uid }: Member, poolOf: () => Pool): Claimer {
  const base = `/v1/namespaces/${namespace}/leadergroups/${group}/members/${pod}/claims`;
  return {
    group,
    pod,
    send: async (method, path, query, body) => {
      const sentMs = performance.now();
      const answer = await poolOf().request({
        method,
        path: `${base}${path}?uid=${uid}${query}`,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      const heard = (await answer.body.json()) as Heard['body'];
      return { status: answer.statusCode, milliseconds: performance.now() - sentMs, body: heard };
    },
  };
}

/** Milliseconds that each of them took, and how many were answered by each status. */
export type Tally = {
  readonly milliseconds: number[];
  readonly statuses: Map<number, number>;
};

export const newTally = (): Tally => ({ milliseconds: [], statuses: new Map() });

export function count({ milliseconds, statuses }: Tally, heard: Heard): void {
  milliseconds.push(heard.milliseconds);
  statuses.set(heard.status, (statuses.get(heard.status) ?? 0) + 1);
}

/** A tick that no group has claimed: the same for all, and higher each time. */
let tick = 0;
export function nextTick(): number {
  tick += 1;
  return tick;
}

export const claimOf = (series: string, position: number): object => ({ series, position, id: newId() });

/** Of the first claim of a series more is read. */
export async function firstClaims(leaders: readonly Claimer[], series: string): Promise<void> {
  const position = nextTick();
  await each(leaders, (leader) => leader.send('POST', '', '', claimOf(series, position)));
}

/** So many at the same time, each of other groups and a series of its own, each again as soon as it was answered. */
export async function claimAsFast(
  leaders: readonly Claimer[],
  atOnce: number,
  seconds: number,
): Promise<Tally & { readonly perSecond: number }> {
  const tally = newTally();
  const begunMs = performance.now();
  await Promise.all(
    Array.from({ length: atOnce }, async (_, lane) => {
      for (let at = lane; performance.now() - begunMs < seconds * 1000; at += atOnce) {
        const leader = leaders[at % leaders.length];
        if (leader !== undefined) count(tally, await leader.send('POST', '', '', claimOf(`lane-${lane}`, nextTick())));
      }
    }),
  );
  return { ...tally, perSecond: tally.milliseconds.length / ((performance.now() - begunMs) / 1000) };
}

/** One tick of all these series of all groups, at the same moment. */
export async function claimAtOneInstant(
  leaders: readonly Claimer[],
  series: number,
): Promise<Tally & { readonly tookMs: number }> {
  const tally = newTally();
  const position = nextTick();
  const begunMs = performance.now();
  await Promise.all(
    leaders.flatMap((leader) =>
      Array.from({ length: series }, async (_, at) =>
        count(tally, await leader.send('POST', '', '', claimOf(`instant-${at}`, position))),
      ),
    ),
  );
  return { ...tally, tookMs: performance.now() - begunMs };
}

export type Renewals = AsyncDisposable & { readonly tally: Tally };

/** Renews one claim again and again, `everyMs` from answer to question. */
export async function renewing(renewer: Claimer, everyMs: number): Promise<Renewals> {
  const claim = claimOf('renewed', nextTick());
  const { status } = await renewer.send('POST', '', '', { ...claim, mode: 'AtLeastOnce' });
  if (status !== 201) throw new Error(`the claim that is to be renewed was answered with ${status}`);
  const over = new AbortController();
  const tally = newTally();
  const running = (async (): Promise<void> => {
    while (!over.signal.aborted) {
      count(tally, await renewer.send('PUT', '/renew', '', claim));
      await delay(everyMs, null, { signal: over.signal }).catch(() => undefined);
    }
  })();
  return {
    tally,
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await running;
    },
  };
}
