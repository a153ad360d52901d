/**
 * A notifier as many are: three replicas, one schedule, and each would send. There are two ways to have it send once:
 *
 * - By claims (CLAIMS): at every tick all replicas claim it, and whoever gets it sends. Nothing is asked of the sink. See claims.ts.
 * - By terms: it keeps the schedule while it leads. At every tick it prepares the message, looks whether it still leads, and sends it with the
 *   token, by which the sink refuses what comes late. When it is told to stop, or is about to lose the lead, it ends or drops the tick that is
 *   under way, and the client gives the lead back.
 *
 * With ASK=no it does not ask, and everybody gets each message three times.
 *
 * POD_NAME, POD_UID, POD_NAMESPACE, LEADERGROUP_NAME, LEADERGROUP_GATE, LEADERGROUP_TOKEN_FILE: of the gate. SINK: where messages go. PORT.
 * CLAIMS: schedules of which each tick is claimed, SERIES:TICK_MS:MODE with commas between; RETRY_AFTER_SECONDS, CATCH_UP_MS: see claims.ts;
 * CLAIMS_SINK: where their messages go, if elsewhere.
 * TICK_MS: of the schedule that is kept by terms; beside those of CLAIMS only if it is set.
 * PREPARE_MS: what a message takes before the last look; DEPART_MS: what it takes from there until it has left.
 */
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type Claim, createGate, type Leadership } from '../clients/typescript/index.ts';
import { keepByClaims, schedulesIn } from './claims.ts';

const { env } = process;
const SINK = env['SINK'] ?? 'http://sink:8080';
const CLAIMS = schedulesIn(env['CLAIMS'] ?? '');
const TICK_MS = Number(env['TICK_MS'] ?? 1000);
const PREPARE_MS = Number(env['PREPARE_MS'] ?? 50);
const DEPART_MS = Number(env['DEPART_MS'] ?? 0);
/** A sink that hangs holds up no later tick, nor the end of this process, for longer. */
const SEND_MS = 10_000;
const POD = env['POD_NAME'] ?? 'unknown';
const gate = env['ASK'] === 'no' ? null : createGate();

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

/** The leader-only Service routes here; who answers tells who was routed to. Ready as soon as it listens. */
const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ pod: POD }));
});
server.listen(Number(env['PORT'] ?? 8080));

const byTerms = gate === null || CLAIMS.length === 0 || env['TICK_MS'] !== undefined ? [keepByTerms()] : [];
await Promise.all([...byTerms, ...keepAllByClaims()]);
server.close();
server.closeAllConnections();

async function keepByTerms(): Promise<void> {
  if (gate === null) return await keepSchedule(null, stop.signal);
  return await gate.runWhileLeader((term) => keepSchedule(term, term.signal), stop.signal);
}

function keepAllByClaims(): readonly Promise<void>[] {
  if (gate === null) return [];
  const retryAfterSeconds = Number(env['RETRY_AFTER_SECONDS'] ?? 300);
  const catchUpMs = env['CATCH_UP_MS'] === undefined ? null : Number(env['CATCH_UP_MS']);
  const options = { gate, retryAfterSeconds, catchUpMs, signal: stop.signal };
  return CLAIMS.map((schedule) => keepByClaims(schedule, onClaimed, options));
}

/** Returns when the signal has aborted and no tick is under way. */
async function keepSchedule(term: Leadership | null, signal: AbortSignal): Promise<void> {
  // Chosen before it is waited for: a timer may be a millisecond early, or late by more than a tick, and no tick comes twice for that.
  for (let tick = tickAfter(0); await reached(tick, signal); tick = tickAfter(tick))
    await onTick(tick, term).catch((error: unknown) => console.error(`tick ${tick}: ${String(error)}`));
}

function tickAfter(last: number): number {
  return Math.max(last, Math.floor(Date.now() / TICK_MS)) + 1;
}

/** False: told to stop. */
async function reached(tick: number, signal: AbortSignal): Promise<boolean> {
  await delay(Math.max(0, tick * TICK_MS - Date.now()), null, { signal }).catch(() => undefined);
  return !signal.aborted;
}

async function onTick(tick: number, term: Leadership | null): Promise<void> {
  // A template is filled, a recipient is looked up. Whoever stands still here sees it below.
  await delay(PREPARE_MS);
  const checkedAtMs = term === null ? null : Date.now();
  if (term?.holds() === false) return console.log(`tick ${tick} token ${term.token}: dropped, its grant is over`);
  // A name is resolved, a connection is made. Whoever stands still here sends late, and only the token can tell.
  await delay(DEPART_MS);
  await send(SINK, { tick, token: term?.token ?? null, pod: POD, checkedAtMs });
}

/** Nobody else has this tick: there is nothing to look at once more. */
async function onClaimed({ series, position, token }: Claim): Promise<void> {
  await delay(PREPARE_MS + DEPART_MS);
  await send(env['CLAIMS_SINK'] ?? SINK, { series, tick: position, token, pod: POD });
}

type Message = {
  readonly series?: string;
  readonly tick: number;
  readonly token: number | null;
  readonly pod: string;
  /** When it was last seen to lead. */
  readonly checkedAtMs?: number | null;
};

async function send(sink: string, message: Message): Promise<void> {
  const response = await fetch(`${sink}/deliveries`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(message),
    signal: AbortSignal.timeout(SEND_MS),
  });
  const { series, tick, token } = message;
  const what = [...(series === undefined ? [] : [series]), `tick ${tick}`, `token ${token ?? 'none'}`].join(' ');
  const said = `${what}: ${response.status} ${await response.text()}`;
  if (response.status >= 500) throw new Error(said);
  console.log(said);
}
