/**
 * A schedule of which each tick is claimed before anything is done for it: once over all replicas, whoever leads, dies or hangs. All replicas
 * claim each tick, one after the other: the leader gets it at once, the others wait until it is given out, and get it if they lead first. So
 * no tick is forgotten while nobody leads, only late. By the HTTP contract (docs/claims.md), without a library.
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

export type Schedule = {
  /** Its name, the same in all replicas. */
  readonly series: string;
  readonly tickMs: number;
  /** AtMostOnce: whoever has claimed a tick has it for good. AtLeastOnce: a tick that nobody has done is given out again. */
  readonly mode: 'AtMostOnce' | 'AtLeastOnce';
};

/** `position`: the time for which the tick was scheduled, in milliseconds since 1970. */
export type Tick = { readonly series: string; readonly position: number; readonly token: number };

export type ClaimOptions = {
  readonly gate: string;
  readonly namespace: string;
  readonly group: string;
  readonly pod: string;
  readonly uid: string;
  /** Of a ServiceAccount token, where the gate asks for one; empty: none is sent. */
  readonly tokenFile: string;
  /** AtLeastOnce: after so long a tick that was claimed and not done is given out again. */
  readonly retryAfterSeconds: number;
  /** Ticks that are older when the process begins are dropped. */
  readonly catchUpMs: number;
};

/** `position`: the one that was given out; where it has passed, the last one that was. */
type Said =
  | { readonly kind: 'claimed'; readonly position: number; readonly token: number }
  | { readonly kind: 'passed'; readonly position: number }
  /** Nobody has it yet, the one before it is not done, or nobody can say. */
  | { readonly kind: 'notYet' };

type Sent = {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly url: string;
  readonly body?: object;
  readonly withinMs: number;
  readonly stop?: AbortSignal;
};

type Reply = { readonly status: number; readonly body: Readonly<Record<string, unknown>> };

/** Not longer: the replica that is asked may have died with the leader. */
const WAIT_MS = 2000;
const ANSWER_MS = 1000;
const PAUSE_MS = 100;
/** A timer does not see that the clock was set, and none of Node is longer than 24 days. */
const LOOK_MS = 60_000;

/** From `daily-report:60000:AtMostOnce,digest:1000:AtLeastOnce`. */
export function schedulesIn(text: string): readonly Schedule[] {
  const parts = text.split(',').map((part) => part.trim());
  return parts.filter((part) => part !== '').map(scheduleIn);
}

function scheduleIn(text: string): Schedule {
  const [, series = '', ms, mode] = /^(.+):(\d+):(AtMostOnce|AtLeastOnce)$/.exec(text) ?? [];
  if (mode === undefined || Number(ms) === 0)
    throw new Error(`CLAIMS: ${text} is not SERIES:TICK_MS:AtMostOnce or SERIES:TICK_MS:AtLeastOnce`);
  return { series, tickMs: Number(ms), mode: mode as Schedule['mode'] };
}

/** Returns when `signal` has aborted and no tick is under way. `work` does one tick; a tick that it rejects of was not done. */
export async function keepByClaims(
  { series, tickMs, mode }: Schedule,
  options: ClaimOptions,
  work: (tick: Tick) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { gate, namespace, group, pod, uid, tokenFile, retryAfterSeconds, catchUpMs } = options;
  const base = `${gate}/v1/namespaces/${namespace}/leadergroups/${group}/members/${pod}/claims`;
  const query = `?uid=${encodeURIComponent(uid)}`;

  /** null: no answer in time, or told to stop. */
  async function send({ method, url, body, withinMs, stop }: Sent): Promise<Reply | null> {
    const over = new AbortController();
    const end = (): void => over.abort();
    const limit = setTimeout(end, withinMs);
    stop?.addEventListener('abort', end);
    try {
      const bearer = tokenFile === '' ? {} : { authorization: `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}` };
      const headers = { 'content-type': 'application/json', ...bearer };
      const sent = body === undefined ? null : JSON.stringify(body);
      const response = await fetch(url, { method, headers, body: sent, signal: over.signal });
      return { status: response.status, body: (await response.json()) as Reply['body'] };
    } catch {
      return null;
    } finally {
      clearTimeout(limit);
      stop?.removeEventListener('abort', end);
    }
  }

  async function firstDue(): Promise<number> {
    const nowMs = Date.now();
    const oldest = nextAfter(nowMs - catchUpMs);
    while (!signal.aborted) {
      const url = `${base}${query}&series=${encodeURIComponent(series)}`;
      const reply = await send({ method: 'GET', url, withinMs: ANSWER_MS, stop: signal });
      const position = reply?.body['position'];
      if (position === null) return nextAfter(nowMs);
      if (typeof position === 'number') return Math.max(oldest, nextAfter(position));
      await pause(PAUSE_MS);
    }
    return nextAfter(nowMs);
  }

  const nextAfter = (ms: number): number => (Math.floor(ms / tickMs) + 1) * tickMs;
  const pause = (ms: number): Promise<unknown> => delay(ms, null, { signal }).catch(() => undefined);

  /** Asks until somebody can say. Told to stop, it waits no longer, but hears whether the tick has become its own meanwhile. */
  async function claim(position: number, id: string): Promise<Said> {
    const asked = { series, position, id, mode, ...(mode === 'AtLeastOnce' ? { retryAfterSeconds } : {}) };
    while (!signal.aborted) {
      const url = `${base}${query}&wait=${WAIT_MS}ms`;
      const said = read(await send({ method: 'POST', url, body: asked, withinMs: WAIT_MS + ANSWER_MS, stop: signal }));
      if (said.kind !== 'notYet') return said;
      await pause(PAUSE_MS);
    }
    return read(await send({ method: 'POST', url: base + query, body: asked, withinMs: ANSWER_MS }));
  }

  function read(reply: Reply | null): Said {
    const { position, token, reason } = reply?.body ?? {};
    if (typeof position !== 'number') return { kind: 'notYet' };
    if (reply?.status === 201 && typeof token === 'number') return { kind: 'claimed', position, token };
    return reply?.status === 409 && reason === 'Passed' ? { kind: 'passed', position } : { kind: 'notYet' };
  }

  /** If nobody hears it, the tick is done a second time. */
  async function done(position: number, id: string): Promise<void> {
    const sent: Sent = {
      method: 'PUT',
      url: `${base}/done${query}`,
      body: { series, position, id },
      withinMs: ANSWER_MS,
    };
    for (const untilMs = performance.now() + retryAfterSeconds * 1000; performance.now() < untilMs; ) {
      const reply = await send(sent);
      if (reply?.status === 200 || reply?.status === 409) return;
      await delay(PAUSE_MS);
    }
  }

  async function onTick(due: number): Promise<number> {
    // Of this call alone: two calls with one id would both be told that they have it.
    const id = randomBytes(16).toString('hex');
    const said = await claim(due, id);
    if (said.kind === 'notYet') return due;
    if (said.kind === 'passed') return Math.max(due + tickMs, nextAfter(said.position));
    const { position, token } = said;
    try {
      await work({ series, position, token });
      if (mode === 'AtLeastOnce') await done(position, id);
    } catch (error) {
      console.error(`${series} ${position}: ${String(error)}`);
    }
    // It may have been an earlier one, that nobody had done.
    return position === due ? due + tickMs : due;
  }

  for (let due = await firstDue(); !signal.aborted; ) {
    // Again if the timer was a millisecond early.
    if (Date.now() < due) await pause(Math.min(due - Date.now(), LOOK_MS));
    else due = await onTick(due);
  }
}
