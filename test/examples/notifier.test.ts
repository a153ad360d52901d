/** examples/notifier, with a gate that says what the test wants. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished, vi } from 'vitest';
import { grant, no, run, type Says, startFakeGate, UID } from '../kit/fakes/gate-server.ts';
import { freePort } from '../kit/rig/ports.ts';

const NOTIFIER = join(import.meta.dirname, '../../examples/notifier/notifier.ts');
const SOON = { timeout: 20_000, interval: 20 };

async function notify(says: Says, times: Readonly<Record<string, string>>) {
  const gate = await startFakeGate();
  gate.say(says);
  const sent: unknown[] = [];
  const ticks: number[] = [];
  const sink = createServer((request, response) => {
    void text(request).then((body) => {
      const { token, tick } = JSON.parse(body) as { readonly token: unknown; readonly tick: number };
      sent.push(token);
      ticks.push(tick);
      response.end('{}');
    });
  });
  sink.listen(0, '127.0.0.1');
  await once(sink, 'listening');
  const pod = { LEADERGROUP_NAME: 'notifier', POD_NAMESPACE: 'shop', POD_NAME: 'notifier-0', POD_UID: UID };
  const places = { SINK: `http://127.0.0.1:${(sink.address() as AddressInfo).port}`, PORT: String(await freePort()) };
  const program = run({ ...pod, ...places, LEADERGROUP_GATE: gate.url, ...times }, process.execPath, NOTIFIER);
  onTestFinished(async () => {
    await program[Symbol.asyncDispose]();
    await gate[Symbol.asyncDispose]();
    sink.closeAllConnections();
    sink.close();
  });
  return { gate, sent, ticks, program };
}

it('sends what its grant is still good for, and asks by the uid of its pod', async () => {
  const { gate, sent } = await notify(grant(7), { TICK_MS: '100', PREPARE_MS: '20' });
  await vi.waitFor(() => expect(sent.length).toBeGreaterThan(2), SOON);
  expect(new Set(sent)).toEqual(new Set([7]));
  expect(gate.asked[0]).toMatch(`?uid=${UID}`);
});

it('sends no tick twice, however late its timer is', async () => {
  // Every now and then the process stands still for more than half a tick.
  const standsStill = 'setInterval(() => { for (const end = Date.now() + 140; Date.now() < end; ); }, 170).unref()';
  const options = { NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(standsStill)}"` };
  const { ticks } = await notify(grant(7), { TICK_MS: '200', PREPARE_MS: '0', ASK: 'no', ...options });
  await vi.waitFor(() => expect(ticks.length).toBeGreaterThan(15), SOON);
  expect(ticks).toEqual([...new Set(ticks)].toSorted((a, b) => a - b));
});

it('drops what took longer to prepare than it led', async () => {
  const { gate, sent, program } = await notify(grant(7, 1000), { TICK_MS: '100', PREPARE_MS: '3000' });
  // Its term has begun.
  await vi.waitFor(() => expect(gate.asked.length).toBeGreaterThan(2), SOON);
  gate.say(no(8));
  await vi.waitFor(() => expect(program.lines.length).toBeGreaterThan(0), SOON);
  expect(program.lines.filter((line) => !line.endsWith('dropped, its grant is over'))).toEqual([]);
  expect(sent).toEqual([]);
});

it('gives the lead back when it is told to stop, and ends', async () => {
  const { gate, sent, program } = await notify(grant(7), { TICK_MS: '100', PREPARE_MS: '20' });
  await vi.waitFor(() => expect(sent.length).toBeGreaterThan(0), SOON);
  program.signal('SIGTERM');
  expect(await program.ended).toBe(0);
  expect(gate.released.map(({ secret }) => secret)).toEqual([gate.secrets[0]]);
});
