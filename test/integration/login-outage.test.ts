/**
 * The API server is down while the operator logs in by it: past the half of a token's life, when a new one is due, and past its end. Consul asks the API
 * server at each login, so none succeeds meanwhile.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { Leading } from '../kit/rig/harness.ts';
import { type LoginCluster, startLoginCluster } from '../kit/rig/login.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';

/** Of a token. The shortest that Consul allows. */
const LIFE_MS = 60_000;
/** The shortest, for groups whose sessions are to end with the token. */
const TTL_SECONDS = 10;
/** Consul ends a session that is not renewed after twice its TTL. */
const SESSIONS_END_MS = 2 * TTL_SECONDS * 1000 + 3000;

/** `calm` has the default TTL, a minute. */
const GROUPS = ['calm', 'hold', 'demote'] as const;
type Group = (typeof GROUPS)[number];

let cluster: LoginCluster;
let operator: OperatorProcess;
let namespace: string;

beforeAll(async () => {
  cluster = await startLoginCluster(LIFE_MS);
  const { h } = cluster;
  namespace = await h.world.namespace('outage');
  await h.group(namespace, 'calm');
  await h.group(namespace, 'hold', { spec: { sessionTTLSeconds: TTL_SECONDS, onConsulLoss: 'Hold' } });
  await h.group(namespace, 'demote', { spec: { sessionTTLSeconds: TTL_SECONDS, onConsulLoss: 'Demote' } });
  operator = await h.startOperator({ env: cluster.env });
  // Those that stand by have theirs a little later than the leader.
  await vi.waitFor(async () => expect((await look()).sessions.size).toBe(3 * GROUPS.length), { timeout: 30_000 });
});

afterAll(() => cluster[Symbol.asyncDispose]());

type Found = {
  readonly leaders: Readonly<Record<Group, Leading>>;
  /** Of members, by name. */
  readonly sessions: ReadonlyMap<string, string>;
};

async function look(): Promise<Found> {
  const leaders = await Promise.all(GROUPS.map(async (name) => [name, await cluster.h.led(namespace, name)] as const));
  const sessions = (await cluster.h.world.consul.sessions()).filter(({ name }) => name.startsWith(`${namespace}/`));
  return {
    leaders: Object.fromEntries(leaders) as Found['leaders'],
    sessions: new Map(sessions.map(({ name, id }) => [name, id])),
  };
}

const identityOf = ({ name, uid, token }: Leading) => ({ name, uid, token });

const sessionsOf = ({ sessions }: Found, group: Group): readonly (readonly [string, string])[] =>
  [...sessions].filter(([name]) => name.startsWith(`${namespace}/${group}/`));

const apiServer = () => cluster.h.cluster.component('kube-apiserver');

/** Of lines that come after the first `from`. */
const logged = (message: string, from: number, timeoutMs: number) =>
  operator.untilLog((line) => line.message === message && operator.log.indexOf(line) >= from, {
    timeoutMs,
    what: message,
  });

/** Leads on after `outage`, which begins now: the new login is due in it, and made after it. */
async function outage(lastsMs: number): Promise<void> {
  const from = operator.log.length;
  await apiServer().kill();
  await delay(lastsMs);
  await apiServer().start();
  const failed = await logged('logging in to Consul failed; retrying', from, 1000);
  expect(failed['reason']).toContain('Consul cannot reach the API server');
  await logged('logged in to Consul again', from, 30_000);
}

it('nothing is lost where it is down for longer than half of the life of a token', async () => {
  const before = await look();
  const [first] = await cluster.tokensOf('leadergroup');
  await outage(LIFE_MS / 2 + 2000);
  // The first token has not ended yet: no session was without a renewal.
  expect((await cluster.tokensOf('leadergroup')).map(({ AccessorID }) => AccessorID)).toContain(first?.AccessorID);
  const after = await look();
  for (const name of GROUPS) expect(identityOf(after.leaders[name])).toEqual(identityOf(before.leaders[name]));
  expect(after.sessions).toEqual(before.sessions);
  // Past the end of the first token: the next one renews what the first had opened, and opens more.
  await vi.waitFor(
    async () =>
      expect((await cluster.tokensOf('leadergroup')).map(({ AccessorID }) => AccessorID)).not.toContain(
        first?.AccessorID,
      ),
    { timeout: LIFE_MS, interval: 500 },
  );
  expect((await look()).sessions).toEqual(before.sessions);
  expect(await (await fetch(`${operator.url}/metrics`)).text()).toMatch(
    /^leadergroup_consul_token_remaining_seconds \d/m,
  );
}, 200_000);

it('where it is down past the end of the token, sessions end by their TTL, and whoever led leads again', async () => {
  const before = await look();
  const from = operator.log.length;
  const leftMs = await tokenLeftMs();
  await outage(leftMs + SESSIONS_END_MS);
  await logged("Consul's token is near its end, and there is no new one: then no session can be renewed", from, 1000);
  const longer = await look();
  expect(identityOf(longer.leaders.calm)).toEqual(identityOf(before.leaders.calm));
  expect(sessionsOf(longer, 'calm')).toEqual(sessionsOf(before, 'calm'));
  for (const group of ['hold', 'demote'] as const) {
    const { name, token } = before.leaders[group];
    const after = await cluster.h.led(namespace, group, { minToken: token + 1 });
    expect(after.name).toBe(name);
  }
}, 240_000);

async function tokenLeftMs(): Promise<number> {
  const text = await (await fetch(`${operator.url}/metrics`)).text();
  const seconds = /^leadergroup_consul_token_remaining_seconds (\S+)$/m.exec(text)?.[1];
  return Number(seconds ?? expect.fail('no token')) * 1000;
}
