/** examples/notifier by claims: replicas as processes, a gate that gives out positions by the operator's rules, and a sink that checks nothing. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { type FakeGate, nobodyKnows, raw, type SaysToClaim, startFakeGate } from '../kit/fakes/gate-server.ts';
import { createSeries, type FakeSeries, refusing } from '../kit/fakes/series.ts';
import { type Program, type Sink, startClaimer, startSink } from '../kit/rig/notifiers.ts';

const TICK_MS = 100;
const SERIES = 'report';
const PODS = [0, 1, 2] as const;
const SOON = { timeout: 25_000, interval: 20 };

type Stage = {
  readonly gate: FakeSeries & Pick<FakeGate, 'claims' | 'sayToClaims'> & { silence(silent: boolean): void };
  readonly sink: Sink;
  readonly start: (wish: Wish) => Promise<Program>;
};
type Wish = {
  readonly at: number;
  readonly mode?: 'AtMostOnce' | 'AtLeastOnce';
  readonly prepareMs?: number;
  readonly retryAfterSeconds?: number;
  /** Where it sends to; by default to the sink. */
  readonly to?: string;
};

async function stage(): Promise<Stage> {
  const [server, series] = [await startFakeGate(), createSeries(null)];
  onTestFinished(() => server[Symbol.asyncDispose]());
  const silence = (silent: boolean): void => server.sayToClaims(silent ? nobodyKnows : series.says());
  silence(false);
  const sink = await startSink({ checks: false });
  onTestFinished(() => sink[Symbol.asyncDispose]());
  const start = async (wish: Wish): Promise<Program> => {
    const { at, mode = 'AtMostOnce', prepareMs = 0, retryAfterSeconds = 1, to = sink.url } = wish;
    const program = await startClaimer({
      pod: `notifier-${at}`,
      uid: `uid-${at}`,
      namespace: 'shop',
      group: 'notifier',
      gate: server.url,
      sink: to,
      claims: { text: `${SERIES}:${TICK_MS}:${mode}`, retryAfterSeconds },
      prepareMs,
    });
    onTestFinished(() => program[Symbol.asyncDispose]());
    return program;
  };
  const { claims, sayToClaims } = server;
  return { gate: { ...series, claims, sayToClaims, silence }, sink, start };
}

const sentBy = async (sink: Sink, pod: string): Promise<readonly number[]> =>
  (await sink.deliveries()).filter((delivery) => delivery.pod === pod).map(({ tick }) => tick);

const sent = async (sink: Sink): Promise<readonly number[]> => (await sink.deliveries()).map(({ tick }) => tick);

const inARow = (first = 0, last = 0): readonly number[] =>
  Array.from({ length: (last - first) / TICK_MS + 1 }, (_, at) => first + at * TICK_MS);

it('sends each tick once and forgets none, whoever of three replicas leads, and while nobody does', async () => {
  const { gate, sink, start } = await stage();
  await Promise.all(PODS.map((at) => start({ at })));
  for (const pod of ['notifier-0', 'notifier-1', null, 'notifier-2']) {
    gate.lead(pod);
    if (pod === null) {
      await vi.waitFor(async () => expect((await sent(sink)).at(-1)).toBeLessThan(Date.now() - 3 * TICK_MS), SOON);
      continue;
    }
    await vi.waitFor(async () => expect((await sentBy(sink, pod)).length).toBeGreaterThan(5), SOON);
  }
  // Who leads no more may still be at the tick that it has claimed.
  const ticks = (await sent(sink)).toSorted((a, b) => a - b);
  expect(ticks).toEqual(inARow(ticks[0], ticks.at(-1)));
});

it('sends late what nobody could say whose it was', async () => {
  const { gate, sink, start } = await stage();
  gate.lead('notifier-0');
  await start({ at: 0 });
  await vi.waitFor(async () => expect((await sent(sink)).length).toBeGreaterThan(2), SOON);
  gate.silence(true);
  const silentMs = Date.now();
  await vi.waitFor(() => expect(Date.now() - silentMs).toBeGreaterThan(5 * TICK_MS), SOON);
  gate.silence(false);
  await vi.waitFor(async () => expect((await sent(sink)).at(-1)).toBeGreaterThan(Date.now() - 2 * TICK_MS), SOON);
  const ticks = await sent(sink);
  expect(ticks).toEqual(inARow(ticks[0], ticks.at(-1)));
});

it('begins after the last tick that was claimed: none is forgotten while its only process is started again', async () => {
  const { gate, sink, start } = await stage();
  gate.lead('notifier-0');
  const first = await start({ at: 0 });
  await vi.waitFor(async () => expect((await sent(sink)).length).toBeGreaterThan(2), SOON);
  // Not in the midst of a tick, which would be lost.
  gate.lead(null);
  await vi.waitFor(async () => expect((await sent(sink)).at(-1)).toBeLessThan(Date.now() - 5 * TICK_MS), SOON);
  await first.kill();
  gate.lead('notifier-0');
  const begunMs = Date.now();
  await start({ at: 0 });
  await vi.waitFor(async () => expect((await sent(sink)).at(-1)).toBeGreaterThan(begunMs), SOON);
  const ticks = await sent(sink);
  expect(ticks).toEqual(inARow(ticks[0], ticks.at(-1)));
});

it('AtMostOnce: a tick whose claimer dies before it sends is lost, and the next ones are not', async () => {
  const { gate, sink, start } = await stage();
  await start({ at: 1 });
  gate.lead('notifier-0');
  const first = await start({ at: 0, prepareMs: 60_000 });
  await vi.waitFor(() => expect(gate.mark(SERIES)).not.toBeNull(), SOON);
  const lost = gate.mark(SERIES)?.position ?? 0;
  await first.kill();
  gate.lead('notifier-1');
  await vi.waitFor(async () => expect((await sent(sink)).length).toBeGreaterThan(3), SOON);
  expect((await sent(sink))[0]).toBe(lost + TICK_MS);
});

it('AtLeastOnce: a tick whose claimer dies before it sends is sent by the next one, before any later one', async () => {
  const { gate, sink, start } = await stage();
  await start({ at: 1, mode: 'AtLeastOnce' });
  gate.lead('notifier-0');
  const first = await start({ at: 0, mode: 'AtLeastOnce', prepareMs: 60_000 });
  await vi.waitFor(() => expect(gate.mark(SERIES)).not.toBeNull(), SOON);
  const lost = gate.mark(SERIES)?.position ?? 0;
  await first.kill();
  gate.lead('notifier-1');
  await vi.waitFor(async () => expect((await sent(sink)).length).toBeGreaterThan(3), SOON);
  const ticks = await sent(sink);
  expect(ticks).toEqual(inARow(lost, ticks.at(-1)));
});

it('ends the tick under way when it is told to stop, says that it is done, and claims no more', async () => {
  const { gate, sink, start } = await stage();
  gate.lead('notifier-0');
  const program = await start({ at: 0, mode: 'AtLeastOnce', prepareMs: 500 });
  await vi.waitFor(() => expect(gate.mark(SERIES)?.state).toBe('Claimed'), SOON);
  const last = gate.mark(SERIES)?.position;
  program.signal('SIGTERM');
  expect(await program.ended).toBe(0);
  expect(await sent(sink)).toEqual([last]);
  expect(gate.mark(SERIES)).toMatchObject({ position: last, state: 'Done' });
});

it('is not held up by a gate that does not note what is done when it is told to stop', async () => {
  const { gate, sink, start } = await stage();
  const real = gate.says();
  gate.sayToClaims((response, asked) => (asked.method === 'PUT' ? nobodyKnows(response) : real(response, asked)));
  gate.lead('notifier-0');
  // For a third of this time it says so, unless it is to stop.
  const program = await start({ at: 0, mode: 'AtLeastOnce', retryAfterSeconds: 300 });
  await vi.waitFor(async () => expect(await sent(sink)).toHaveLength(1), SOON);
  program.signal('SIGTERM');
  expect(await program.ended).toBe(0);
  expect(program.errors.join('\n')).toContain('is done, but the gate has not noted it');
});

it.each<[string, 'GET' | 'POST', SaysToClaim, number]>([
  // Where it stands is refused, too.
  ['longer and longer pauses', 'GET', refusing(400, 'SharedLock'), 0],
  ['pauses as it is told', 'POST', refusing(429, 'TooManySeries', { retryAfterMilliseconds: 1500 }), 1400],
])(
  'asks with %s for what the gate does not take, says so once, and goes on when it does',
  async (_, method, refuses, leastMs) => {
    const { gate, sink, start } = await stage();
    const real = gate.says();
    gate.sayToClaims((response, asked) => (asked.method === method ? refuses : real)(response, asked));
    const refused = () => gate.claims.filter((asked) => asked.method === method);
    gate.lead('notifier-0');
    const program = await start({ at: 0 });
    await vi.waitFor(() => expect(refused().length).toBeGreaterThan(leastMs > 0 ? 2 : 4), SOON);
    const gaps = refused()
      .slice(1)
      .map(({ atMs }, at) => atMs - (refused()[at]?.atMs ?? 0));
    for (const gap of gaps) expect(gap).toBeGreaterThan(leastMs);
    expect(gaps.at(-1)).toBeGreaterThan(700);
    expect(program.errors.filter((line) => line.includes('told '))).toHaveLength(1);
    gate.silence(false);
    await vi.waitFor(async () => expect((await sent(sink)).length).toBeGreaterThan(2), SOON);
  },
);

it('AtLeastOnce: forgets no tick while the sink fails, also what is asked for while an earlier one fails again', async () => {
  const { gate, start } = await stage();
  const ticks: number[] = [];
  let failures = 0;
  const failing = createServer((request, response) => {
    void request.toArray().then((chunks) => {
      failures += ticks.length === 2 ? 1 : 0;
      if (ticks.length === 2 && failures <= 3) return raw(503, 'no paper')(response);
      ticks.push((JSON.parse(chunks.join('')) as { readonly tick: number }).tick);
      raw(200, 'accepted')(response);
    });
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void failing.close());
  await once(failing, 'listening');
  gate.lead('notifier-0');
  const { port } = failing.address() as AddressInfo;
  await start({ at: 0, mode: 'AtLeastOnce', to: `http://127.0.0.1:${port}` });
  await vi.waitFor(() => expect(ticks.length).toBeGreaterThan(8), SOON);
  expect(failures).toBe(4);
  expect(ticks).toEqual(inARow(ticks[0], ticks.at(-1)));
});

it('a sink that checks nothing takes a tick as often as it comes, and one that checks takes it once', async () => {
  for (const checks of [false, true]) {
    await using sink = await startSink({ checks });
    const message = { series: SERIES, tick: 1, token: 7, pod: 'notifier-0' };
    const statuses: number[] = [];
    for (const each of [message, message, { ...message, series: 'digest' }, { ...message, tick: 2, token: 6 }]) {
      const sending = { method: 'POST', body: JSON.stringify(each) };
      statuses.push((await fetch(`${sink.url}/deliveries`, sending)).status);
    }
    expect(statuses).toEqual(checks ? [200, 409, 200, 409] : [200, 200, 200, 200]);
  }
});
