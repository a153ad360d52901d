/**
 * The story: three notifiers with one schedule, and a sink that stores every delivery. The notifiers are processes, their pods objects of
 * the real API server, the operator and Consul are real. Beside the schedule that they keep by terms they claim each tick of two others, and send
 * those to a sink that refuses nothing. The gate knows them by tokens, for they have no addresses of their own.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { assertKept } from '../kit/checker/checker.ts';
import { claimsText, doubled, fatesOf, lost, seriesOf } from '../kit/rig/e2e/claimed.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import { acceptedPerTick, type Program, type Sink, startNotifier, startSink } from '../kit/rig/notifiers.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';

const PODS = ['notifier-0', 'notifier-1', 'notifier-2'];
const TICK_MS = 200;
/** How often each kind of fault befalls the leader; more, for figures, by NOTIFIER_TURNS. */
const TURNS = Number(process.env['NOTIFIER_TURNS'] ?? 1);
const CLAIMED = seriesOf('story', [
  { by: 'loop', mode: 'AtMostOnce', tickMs: TICK_MS },
  // Each of them is written twice, and one that is given out again has to wait.
  { by: 'loop', mode: 'AtLeastOnce', tickMs: 2 * TICK_MS },
]);
const RETRY_AFTER_SECONDS = 1;
const SOON = { timeout: 30_000, interval: 50 };

let h: Harness;
let operator: OperatorProcess;

beforeAll(async () => {
  h = await startHarness();
  operator = await h.startOperator({ env: { LEADERGROUP_GATE_AUTHENTICATION: 'Token' } });
});

afterAll(() => h[Symbol.asyncDispose]());

type Stage = {
  readonly namespace: string;
  readonly sink: Sink;
  /** Refuses nothing. */
  readonly unchecked: Sink;
  readonly notifiers: Map<string, Program>;
};

type Options = { readonly asks: boolean; readonly prepareMs: number; readonly departMs: number };

async function stage(options: Options): Promise<Stage> {
  const namespace = await h.world.namespace('story');
  const sink = await startSink();
  onTestFinished(() => sink[Symbol.asyncDispose]());
  const unchecked = await startSink({ checks: false });
  onTestFinished(() => unchecked[Symbol.asyncDispose]());
  const notifiers = new Map<string, Program>();
  onTestFinished(async () => {
    for (const program of notifiers.values()) await program[Symbol.asyncDispose]();
  });
  const opened = { namespace, sink, unchecked, notifiers };
  if (options.asks) {
    await h.group(namespace, 'notifier', { pods: PODS.length });
    await h.led(namespace, 'notifier');
  }
  for (const pod of PODS) await start(opened, pod, options);
  return opened;
}

async function start(
  { namespace, sink, unchecked, notifiers }: Stage,
  pod: string,
  { asks, prepareMs, departMs }: Options,
): Promise<void> {
  const gate = asks ? operator.url : null;
  const uid = (await h.world.readPod(namespace, pod))?.metadata.uid ?? 'no pod';
  const about = { pod, uid, namespace, group: 'notifier', gate, sink: sink.url, tickMs: TICK_MS, prepareMs, departMs };
  const claims = { text: claimsText(CLAIMED), sink: unchecked.url, retryAfterSeconds: RETRY_AFTER_SECONDS };
  const more = asks ? { claims, tokenFile: await tokenOf(namespace, pod, uid) } : {};
  notifiers.set(pod, await startNotifier({ ...about, ...more }));
}

/** As a kubelet projects it into the pod. */
async function tokenOf(namespace: string, name: string, uid: string): Promise<string> {
  const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name, uid };
  const spec = { audiences: ['leadergroup'], expirationSeconds: 3600, boundObjectRef };
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/default/token`;
  const { status } = await h.world.rest.must<{ readonly status: { readonly token: string } }>('POST', path, { spec });
  const file = join(h.dir, `${uid}.token`);
  await writeFile(file, status.token, { mode: 0o600 });
  return file;
}

const accepted = async ({ sink }: Stage): Promise<number> =>
  [...acceptedPerTick(await sink.deliveries()).values()].filter((count) => count > 0).length;

async function untilDelivered(opened: Stage, more: number): Promise<void> {
  const before = await accepted(opened);
  await vi.waitFor(async () => expect(await accepted(opened)).toBeGreaterThanOrEqual(before + more), SOON);
}

it('without LeaderGroup every tick is delivered three times', { timeout: 60_000 }, async () => {
  const opened = await stage({ asks: false, prepareMs: 5, departMs: 0 });
  await untilDelivered(opened, 12);
  // Twelve in a row, as soon as no process was kept from its tick by a busy machine. Not the last ones: they are under way.
  await vi.waitFor(async () => {
    const counts = [...acceptedPerTick(await opened.sink.deliveries()).values()].slice(-14, -2);
    expect(counts).toEqual(counts.map(() => 3));
  }, SOON);
});

it('with it no tick is delivered twice, whoever crashes, hangs, goes or comes back; a late delivery is refused by its token, and what is claimed needs no refusal', {
  timeout: 240_000,
}, async () => {
  const options = { asks: true, prepareMs: 60, departMs: 60 };
  const opened = await stage(options);
  const { namespace, sink, notifiers } = opened;
  const missed: Record<string, number[]> = {};
  const refused: Record<string, number> = {};

  async function fault(kind: string, cause: (leader: string) => Promise<() => Promise<void>>): Promise<void> {
    await untilDelivered(opened, 5);
    const { name: leader } = await h.led(namespace, 'notifier');
    const gaps = (): number => [...acceptedPerTick(lately).values()].filter((count) => count === 0).length;
    const late = (): number => lately.filter(({ verdict }) => verdict === 'refused-by-token').length;
    let lately = await sink.deliveries();
    const before = { gaps: gaps(), late: late() };
    const undo = await cause(leader);
    await h.led(namespace, 'notifier', { not: leader, timeoutMs: 30_000 });
    await untilDelivered(opened, 5);
    await undo();
    await untilDelivered(opened, 3);
    lately = await sink.deliveries();
    (missed[kind] ??= []).push(gaps() - before.gaps);
    refused[kind] = (refused[kind] ?? 0) + late() - before.late;
  }

  async function hang(leader: string, afterTickMs: number): Promise<() => Promise<void>> {
    await justAfterTick(afterTickMs);
    notifiers.get(leader)?.signal('SIGSTOP');
    await h.world.setReady(namespace, leader, false);
    return async () => {
      notifiers.get(leader)?.signal('SIGCONT');
      await h.world.setReady(namespace, leader, true);
    };
  }

  for (let turn = 0; turn < TURNS; turn += 1) {
    await fault('container killed with -9', async (leader) => {
      await notifiers.get(leader)?.kill();
      await h.world.setReady(namespace, leader, false);
      return async () => {
        await start(opened, leader, options);
        await h.world.setReady(namespace, leader, true);
      };
    });
    await fault('pod deleted', async (leader) => {
      await notifiers.get(leader)?.kill();
      await h.world.deletePod(namespace, leader);
      return async () => {
        await h.world.pod({ namespace, name: leader, labels: { app: 'notifier' } });
        await start(opened, leader, options);
      };
    });
    // Awake again, it looks whether its grant is still good, and drops the tick.
    await fault('process hung before its last look', (leader) => hang(leader, options.prepareMs / 2));
    // Nobody can look at the very moment a message leaves: this one is on its way when it is woken, and only the token can tell.
    await fault('process hung after its last look', (leader) => hang(leader, options.prepareMs + options.departMs / 2));
  }
  const all = await sink.deliveries();
  const twice = [...acceptedPerTick(all)].filter(([, count]) => count > 1);
  expect(twice).toEqual([]);
  expect(refused['process hung after its last look']).toBeGreaterThan(0);
  for (const [kind, ticks] of Object.entries(missed))
    console.log(
      `notifier: ${kind}: ticks of ${TICK_MS} ms missed: ${ticks.join(', ')}; refused by token: ${refused[kind]}`,
    );
  const count = (verdict: string): number => all.filter((delivery) => delivery.verdict === verdict).length;
  console.log(
    `notifier: accepted ${count('accepted')}, refused by token ${count('refused-by-token')}, refused by tick ${count('refused-by-tick')}`,
  );
  for (const series of CLAIMED) {
    const fates = fatesOf(series, await opened.unchecked.deliveries(series.name));
    const counts = `${fates.length} ticks, ${lost(fates).length} lost, ${doubled(fates).length} sent twice`;
    console.log(`notifier: ${series.mode}, sink that refuses nothing: ${counts}`);
    expect(fates.length).toBeGreaterThan(15);
    expect([series.mode, series.mode === 'AtMostOnce' ? doubled(fates) : lost(fates)]).toEqual([series.mode, []]);
  }
  await h.observer.caughtUp();
  assertKept(h.observer.history({ namespaces: [namespace] }));
});

async function justAfterTick(ms: number): Promise<void> {
  const now = Date.now();
  await delay(TICK_MS - (now % TICK_MS) + ms);
}
