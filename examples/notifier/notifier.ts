/**
 * A notifier as many are: three replicas, one schedule, and each would send. It keeps the schedule while it leads: at every tick it prepares
 * the message, looks whether it still leads, and sends it with the token. When it is told to stop, or is about to lose the lead, it ends or
 * drops the tick that is under way, and the client gives the lead back. With ASK=no it does not ask, and everybody gets each message three times.
 *
 * POD_NAME, POD_UID, POD_NAMESPACE, LEADERGROUP_NAME, LEADERGROUP_GATE: of the gate. SINK: where messages go. TICK_MS, PORT.
 * PREPARE_MS: what a message takes before the last look; DEPART_MS: what it takes from there until it has left.
 */
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { createGate, type Leadership } from '../clients/typescript/index.ts';

const { env } = process;
const SINK = env['SINK'] ?? 'http://sink:8080';
const TICK_MS = Number(env['TICK_MS'] ?? 1000);
const PREPARE_MS = Number(env['PREPARE_MS'] ?? 50);
const DEPART_MS = Number(env['DEPART_MS'] ?? 0);
const POD = env['POD_NAME'] ?? 'unknown';
const gate = env['ASK'] === 'no' ? null : createGate();

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

/** The leader-only Service routes here; who answers tells who was routed to. Ready as soon as it listens. */
const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ pod: POD }));
});
server.listen(Number(env['PORT'] ?? 8080));

if (gate === null) await keepSchedule(null, stop.signal);
else await gate.runWhileLeader((term) => keepSchedule(term, term.signal), stop.signal);
server.close();
server.closeAllConnections();

/** Returns when the signal has aborted and no tick is under way. */
async function keepSchedule(term: Leadership | null, signal: AbortSignal): Promise<void> {
  while (await nextTick(signal)) {
    // Rounded: a timer may be a millisecond early.
    const tick = Math.round(Date.now() / TICK_MS);
    await onTick(tick, term).catch((error: unknown) => console.error(`tick ${tick}: ${String(error)}`));
  }
}

/** False: told to stop. */
async function nextTick(signal: AbortSignal): Promise<boolean> {
  const ms = TICK_MS - (Date.now() % TICK_MS);
  await delay(ms, null, { signal }).catch(() => undefined);
  return !signal.aborted;
}

async function onTick(tick: number, term: Leadership | null): Promise<void> {
  // A template is filled, a recipient is looked up. Whoever stands still here sees it below.
  await delay(PREPARE_MS);
  if (term?.holds() === false) return console.log(`tick ${tick} token ${term.token}: dropped, its grant is over`);
  // A name is resolved, a connection is made. Whoever stands still here sends late, and only the token can tell.
  await delay(DEPART_MS);
  const response = await fetch(`${SINK}/deliveries`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ tick, token: term?.token ?? null, pod: POD }),
  });
  console.log(`tick ${tick} token ${term?.token ?? 'none'}: ${response.status} ${await response.text()}`);
}
