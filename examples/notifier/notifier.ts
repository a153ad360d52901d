/**
 * A notifier as many are: three replicas, one schedule, and each would send. At every tick it asks the gate, prepares the message, looks
 * whether its grant is still good, and sends it with the token. With ASK=no it does not ask, and everybody gets each message three times.
 *
 * POD_NAME, POD_UID, POD_NAMESPACE, LEADERGROUP_NAME, LEADERGROUP_GATE: of the gate. SINK: where messages go. TICK_MS, PORT.
 * PREPARE_MS: what a message takes before the last look; DEPART_MS: what it takes from there until it has left.
 */
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { createGate } from '../clients/typescript/index.ts';

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

while (await nextTick()) {
  // Rounded: a timer may be a millisecond early.
  const tick = Math.round(Date.now() / TICK_MS);
  await onTick(tick).catch((error: unknown) => console.error(`tick ${tick}: ${String(error)}`));
}
server.close();
server.closeAllConnections();

/** False: told to stop. */
async function nextTick(): Promise<boolean> {
  const ms = TICK_MS - (Date.now() % TICK_MS);
  await delay(ms, null, { signal: stop.signal }).catch(() => undefined);
  return !stop.signal.aborted;
}

async function onTick(tick: number): Promise<void> {
  const leadership = gate === null ? null : await gate.ask(stop.signal);
  if (gate !== null && leadership === null) return;
  // A template is filled, a recipient is looked up. Whoever stands still here sees it below.
  await delay(PREPARE_MS);
  if (leadership?.holds() === false)
    return console.log(`tick ${tick} token ${leadership.token}: dropped, its grant is over`);
  // A name is resolved, a connection is made. Whoever stands still here sends late, and only the token can tell.
  await delay(DEPART_MS);
  const response = await fetch(`${SINK}/deliveries`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ tick, token: leadership?.token ?? null, pod: POD }),
  });
  console.log(`tick ${tick} token ${leadership?.token ?? 'none'}: ${response.status} ${await response.text()}`);
}
