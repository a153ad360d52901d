/**
 * An application with node-cron in a pod of the end-to-end test: what a user makes of examples/adapters/node-cron.ts and the client. It sends each second of
 * each of its SCHEDULES (SERIES:MODE with commas between) to SINK.
 *
 * MODE: AtMostOnce or AtLeastOnce: by claims, given out again after RETRY_AFTER_SECONDS. Lease: if the container beside it holds the pod's Lease. Nothing: always.
 * PREPARE_MS, DEPART_MS: of a message, as in examples/notifier. PORT: ready as soon as it is served.
 */
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type ScheduledTask, schedule } from 'node-cron';
import { scheduleOnce } from '../../../../../examples/adapters/node-cron.ts';
import { createGate, type Outcome } from '../../../../../examples/clients/typescript/index.ts';

const { env } = process;
const EACH_SECOND = '* * * * * *';
const PREPARE_MS = Number(env['PREPARE_MS']);
const DEPART_MS = Number(env['DEPART_MS']);
/** Of dev/tools/lease, in the same pod. */
const LEADS = 'http://127.0.0.1:8090';
/** A leader on a node that is cut off is replaced after most of a minute where no probe notices it. */
const WAIT_MS = 120_000;
/** The group is made anew before some faults: meanwhile nobody is a member. */
const PATIENCE_MS = 10_000;
const CATCH_UP_MS = Number(env['CATCH_UP_MS']);

const stop = new AbortController();
const tasks = (env['SCHEDULES'] ?? '').split(',').map((text) => taskOf(text));
const server = createServer((_request, response) => response.end('ready'));
server.listen(Number(env['PORT']));
process.once('SIGTERM', () => {
  stop.abort();
  for (const task of tasks) void task.destroy();
  // It ends by itself when nothing is under way.
  server.close();
  server.closeAllConnections();
});

function taskOf(text: string): ScheduledTask {
  const [series = '', mode] = text.split(':');
  const options = { timezone: 'UTC' };
  if (mode !== 'AtMostOnce' && mode !== 'AtLeastOnce')
    return schedule(EACH_SECOND, ({ date }) => withoutClaim(series, date.getTime(), mode === 'Lease'), options);
  const gate = createGate();
  const retryAfterSeconds = Number(env['RETRY_AFTER_SECONDS']);
  const asked = { mode, retryAfterSeconds, waitMs: WAIT_MS, patienceMs: PATIENCE_MS, signal: stop.signal } as const;
  return scheduleOnce(
    { gate, series, expression: EACH_SECOND, catchUpMs: CATCH_UP_MS, ...asked, ...options },
    async ({ position, token }) => {
      await delay(PREPARE_MS + DEPART_MS);
      await send(series, position, token);
    },
    (said) => tell(series, said),
  );
}

async function withoutClaim(series: string, position: number, byLease: boolean): Promise<void> {
  await delay(PREPARE_MS);
  if (byLease && !(await leads())) return;
  await delay(DEPART_MS);
  await send(series, position, null);
}

const leads = (): Promise<boolean> =>
  fetch(LEADS).then(
    ({ ok }) => ok,
    () => false,
  );

async function send(series: string, tick: number, token: number | null): Promise<void> {
  const body = JSON.stringify({ series, tick, token, pod: env['POD_NAME'] });
  const headers = { 'content-type': 'application/json' };
  await (await fetch(`${env['SINK']}/deliveries`, { method: 'POST', headers, body })).text();
}

function tell(series: string, said: Outcome | Error): void {
  if (said instanceof Error) console.error(series, said);
  else if (said.kind === 'unknown') console.error(series, said.message);
}
