/** The gate on the real components: whichever replica is asked, the owner decides, and no two pods hold a grant at a time. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { bucketName, bucketOf } from '../../src/election/keys.ts';
import { assertKept } from '../kit/checker/checker.ts';
import { endAll, type Running, run } from '../kit/fakes/gate-server.ts';
import { askAllTheTime, askGate, memberUrl } from '../kit/rig/asking.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';

const PODS = 3;
/** 127.0.0.1 is where the replicas are, of which more connections are taken. Only Linux has all of 127/8. */
const STRANGER =
  process.platform === 'linux' ? { address: '127.0.0.2', evicted: 200 } : { address: '127.0.0.1', evicted: 0 };
const SOON = { timeout: 30_000, interval: 50 };

let h: Harness;
let namespace: string;
const operators = new Map<string, OperatorProcess>();

const urls = (): readonly string[] => [...operators.values()].map(({ url }) => url);

async function start(name: string): Promise<void> {
  operators.set(name, await h.spawnOperator({ replica: name, env: { POD_IP: '127.0.0.1' } }));
  await operators.get(name)?.ready();
}

beforeAll(async () => {
  h = await startHarness();
  namespace = await h.world.namespace('gate');
  await start('a');
  await start('b');
});

afterAll(async () => {
  const errors = [...operators.values()].flatMap(({ log }) => log.filter(({ level }) => level === 'error'));
  await h[Symbol.asyncDispose]();
  expect(errors).toEqual([]);
});

async function led(name: string, spec: Readonly<Record<string, unknown>> = {}): Promise<string> {
  await h.group(namespace, name, { pods: PODS, spec });
  return (await h.led(namespace, name)).name;
}

const podsOf = (group: string): readonly string[] => Array.from({ length: PODS }, (_, at) => `${group}-${at}`);

async function ownerOf(group: string): Promise<string> {
  const bucket = bucketName(bucketOf(namespace, group));
  for (const [name, operator] of operators) {
    const answer = await fetch(`${operator.url}/replicas`);
    const { own } = (await answer.json()) as { readonly own: Readonly<Record<string, string>> };
    if (own[bucket] === 'owned') return name;
  }
  throw new Error(`nobody owns bucket ${bucket}`);
}

describe('the gate', () => {
  it('gives the same answer whichever replica is asked: grant to the leader, no to the others, who leads to anybody', async () => {
    const leader = await led('same');
    const { token } = await h.led(namespace, 'same');
    for (const base of urls()) {
      for (const pod of podsOf('same')) {
        const { status, body } = await askGate(memberUrl(base, namespace, 'same', pod));
        expect([pod, status, body.leader, body.pod, body.token]).toEqual([
          pod,
          pod === leader ? 200 : 409,
          pod === leader,
          leader,
          token,
        ]);
        if (status === 200) expect(body.validForMilliseconds).toBeGreaterThan(0);
      }
      const group = await askGate(`${base}/v1/namespaces/${namespace}/leadergroups/same`);
      expect(group).toMatchObject({ status: 200, body: { leader: true, pod: leader, validForMilliseconds: 0 } });
    }
  });

  it('knows what it does not know', async () => {
    await led('known');
    const [base = ''] = urls();
    expect(await askGate(memberUrl(base, namespace, 'nothing', 'x'))).toMatchObject({
      status: 404,
      body: { reason: 'GroupUnknown' },
    });
    expect(await askGate(memberUrl(base, namespace, 'known', 'x'))).toMatchObject({
      status: 404,
      body: { reason: 'MemberUnknown' },
    });
    expect(await askGate(`${base}/v1/self`)).toMatchObject({ status: 404, body: { reason: 'CallerUnknown' } });
  });

  it('refuses a parameter that it does not know, so that a misspelt uid is no grant; HEAD is answered as GET', async () => {
    const leader = await led('misspelt');
    const uid = 'uid-of-nobody';
    for (const base of urls()) {
      const member = memberUrl(base, namespace, 'misspelt', leader);
      for (const query of [`UID=${uid}`, `podUid=${uid}`, 'uid=a&uid=b', 'uid=', 'wait=1s&Token=3'])
        expect([query, await askGate(`${member}?${query}`)]).toMatchObject([
          query,
          { status: 400, body: { reason: 'BadQuery' } },
        ]);
      expect(await askGate(`${member}?uid=${uid}`)).toMatchObject({ status: 404, body: { reason: 'MemberUnknown' } });
      expect(await askGate(`${base}/v1/self?UID=${uid}`)).toMatchObject({ status: 400, body: { reason: 'BadQuery' } });
      await vi.waitFor(async () => expect((await fetch(member, { method: 'HEAD' })).status).toBe(200), SOON);
    }
  });

  it('answers health and metrics while one client holds connections and asks nothing', async () => {
    const [base = ''] = urls();
    const sockets = await Promise.all(Array.from({ length: 1200 }, () => silent(base)));
    try {
      for (const path of ['/livez', '/metrics']) {
        const answer = await fetch(base + path, { headers: { connection: 'close' } });
        expect([path, answer.status]).toEqual([path, 200]);
        const evicted = /^leadergroup_http_connections_refused_total\{what="evicted"\} (\d+)$/m.exec(
          await answer.text(),
        );
        if (path === '/metrics') expect(Number(evicted?.[1] ?? 0)).toBeGreaterThanOrEqual(STRANGER.evicted);
      }
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });

  async function silent(base: string): Promise<Socket> {
    const socket = connect({ port: Number(new URL(base).port), host: '127.0.0.1', localAddress: STRANGER.address }).on(
      'error',
      () => undefined,
    );
    await once(socket, 'connect');
    return socket;
  }

  it('lets whoever knows a token wait for the first leader', async () => {
    await h.group(namespace, 'first', { pods: 0 });
    await h.condition(namespace, 'first', 'Ready', 'False', 'NoMembers');
    const asked = urls().map((base) =>
      askGate(`${base}/v1/namespaces/${namespace}/leadergroups/first?wait=40s&token=7`),
    );
    await h.world.pods(namespace, 'first', 1);
    const { name, token } = await h.led(namespace, 'first');
    for (const answer of await Promise.all(asked))
      expect(answer).toMatchObject({ status: 200, body: { leader: true, pod: name, token } });
  });

  it('tells whoever waits that nobody leads for a moment, and then who does', async () => {
    const leader = await led('waits');
    const { token } = await h.led(namespace, 'waits');
    const waiting = podsOf('waits').flatMap((pod) => urls().map((base) => nextLeader(base, pod, token)));
    await h.world.setReady(namespace, leader, false);
    const next = await h.led(namespace, 'waits', { not: leader });
    for (const { pod, status, token: told } of await Promise.all(waiting))
      expect([pod, status, told]).toEqual([pod, pod === next.name ? 200 : 409, next.token]);
  });

  /** Waits, each time with the token of the last answer, until a higher one than `token` is told. */
  async function nextLeader(base: string, pod: string, token: number) {
    for (let known = token; ; ) {
      const { status, body } = await askGate(`${memberUrl(base, namespace, 'waits', pod)}?wait=40s&token=${known}`);
      known = body.token ?? known;
      if (known > token) return { pod, status, token: known };
    }
  }

  it('leads the clients of all languages, one after the other, and tells them once that it takes no release of a stranger', async () => {
    const clients = join(import.meta.dirname, '../../examples/clients');
    const go = join(h.dir, 'go-client');
    execFileSync('go', ['build', '-o', go, '.'], { cwd: join(clients, 'go'), stdio: 'pipe' });
    const script = 'trap "echo stopped; exit" TERM; while :; do echo "work $LEADER_TOKEN"; sleep 0.1; done';
    const commands: readonly (readonly [string, ...string[]])[] = [
      [process.execPath, join(clients, 'typescript/example.ts')],
      [go],
      ['python3', join(clients, 'python/leader.py')],
      [join(clients, 'shell/while-leader.sh'), 'sh', '-c', script],
    ];
    await h.group(namespace, 'languages', { pods: commands.length });
    const programs = new Map<string, Running>();
    for (const [at, command] of commands.entries()) {
      const pod = `languages-${at}`;
      const uid = (await h.world.readPod(namespace, pod))?.metadata.uid ?? 'no pod';
      const about = { POD_NAME: pod, POD_NAMESPACE: namespace, POD_UID: uid, LEADERGROUP_NAME: 'languages' };
      programs.set(pod, run({ ...about, LEADERGROUP_GATE: urls().join(',') }, ...command));
    }
    const led = new Set<string>();
    try {
      while (led.size < commands.length) {
        const { name, token } = await h.led(namespace, 'languages');
        const { lines = [] } = programs.get(name) ?? {};
        await vi.waitFor(() => expect(lines.at(-1)).toBe(`work ${token}`), SOON);
        led.add(name);
        await h.world.setReady(namespace, name, false);
        await vi.waitFor(() => expect(lines.at(-1)).toBe('stopped'), SOON);
        // Else the last one could not be replaced. It comes behind those that have been ready for longer.
        await h.world.setReady(namespace, name, true);
      }
      // From 127.0.0.1, which is no address of the pods.
      for (const [pod, { errors }] of programs)
        await vi.waitFor(
          () =>
            expect([pod, errors.filter((line) => line.includes('CallerNotMember'))]).toEqual([
              pod,
              [expect.any(String)],
            ]),
          SOON,
        );
    } finally {
      await endAll();
    }
  });

  it('gives no two members a grant at a time, through handovers, and while the owner is killed, frozen and replaced', async () => {
    await led('one');
    const asking = askAllTheTime(urls, namespace, 'one', podsOf('one'), 40);
    for (let turn = 0; turn < 5; turn += 1) {
      const { name } = await h.led(namespace, 'one');
      await vi.waitFor(() => expect(asking.grants.get(name) ?? 0).toBeGreaterThan(3), SOON);
      await h.world.setReady(namespace, name, false);
      await h.led(namespace, 'one', { not: name });
      await h.world.setReady(namespace, name, true);
    }
    const owner = await ownerOf('one');
    const process = operators.get(owner);
    const { name: old } = await h.led(namespace, 'one');
    await vi.waitFor(() => expect(asking.lastGrantMs(old)).not.toBeNull(), SOON);
    process?.freeze();
    await h.world.setReady(namespace, old, false);
    const { name: next } = await h.led(namespace, 'one', { not: old, timeoutMs: 60_000 });
    process?.thaw();
    await vi.waitFor(() => expect(performance.now() - (asking.lastGrantMs(next) ?? 0)).toBeLessThan(1000), SOON);
    await h.world.setReady(namespace, old, true);
    operators.delete(owner);
    await process?.kill('SIGKILL');
    await start(owner);
    const before = asking.grants.get(next) ?? 0;
    await vi.waitFor(() => expect(asking.grants.get(next) ?? 0).toBeGreaterThan(before + 3), SOON);
    await asking.stop();
    expect(asking.breaches).toEqual([]);
    await h.observer.caughtUp();
    assertKept(h.observer.history({ namespaces: [namespace] }));
  });
});
