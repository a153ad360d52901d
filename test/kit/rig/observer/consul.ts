/**
 * Watches every key and every session of a Consul by blocking queries. A blocking query shows the newest state only: of two
 * writes in quick succession the first may never be seen. An index that goes back is a rebuilt Consul, a new incarnation.
 */
import { type IncomingMessage, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type KeyState, type SessionMember, sessionMember } from '../../checker/history.ts';
import { type ConsulAccess, consulHeaders, consulUrl } from '../rest.ts';

const RETRY_MS = 50;
const WAIT_S = 55;
const ANSWER_TIMEOUT_MS = 75_000;
/** An answer that took longer was being waited for when the change came, so it tells when that was. */
const WAITED_MS = 250;

export type ConsulSink = {
  /** Everything of an answer about keys has been delivered. */
  readonly answered: (index: number) => void;
  readonly key: (state: KeyState) => void;
  readonly session: (id: string, member: SessionMember) => void;
  readonly trouble: (message: string) => void;
};

type RawEntry = {
  readonly Key: string;
  readonly Value: string | null;
  readonly Session?: string;
  readonly ModifyIndex: number;
};
type RawSession = { readonly ID: string; readonly Name: string };
type Snapshot<T> = { readonly index: number; readonly items: readonly T[] };

/**
 * Whether a server was frozen while a read that was sent at `sentMs` waited, or shortly before: then its answer may have been kept
 * back for as long. Monotonic milliseconds.
 */
export type HeldBack = (sentMs: number) => boolean;

/** Runs until aborted. */
export async function watchKeys(
  consul: ConsulAccess,
  sink: ConsulSink,
  signal: AbortSignal,
  heldBack: HeldBack = () => false,
): Promise<void> {
  const known = new Map<string, RawEntry>();
  let [incarnation, index, lastMs, beforeMs] = [0, 0, performance.now(), performance.now()];
  // Consistent: a server that led until it was frozen answers with what it knew, and states would come out of order.
  await blocking<RawEntry>(consul, '/v1/kv/?recurse=true&consistent=true', signal, sink.trouble, (answer, sentMs) => {
    const atMs = performance.now();
    const delayed = heldBack(sentMs ?? lastMs);
    // Held back, an answer may be as old as its question; what the next one adds may have happened any time since then.
    const earliestMs = delayed ? beforeMs : atMs - (sentMs ?? atMs) > WAITED_MS ? atMs : lastMs;
    const when = { atMs, earliestMs: Math.min(earliestMs, atMs) };
    if (
      answer.index < index ||
      answer.items.some((entry) => entry.ModifyIndex < (known.get(entry.Key)?.ModifyIndex ?? 0))
    ) {
      incarnation += 1;
    }
    for (const state of differences(known, answer, incarnation)) sink.key({ ...state, ...when });
    [index, lastMs, beforeMs] = [answer.index, atMs, sentMs ?? lastMs];
    sink.answered(answer.index);
  });
}

function differences(
  known: Map<string, RawEntry>,
  { index, items }: Snapshot<RawEntry>,
  incarnation: number,
): readonly Omit<KeyState, 'atMs'>[] {
  const changed = items.filter((entry) => JSON.stringify(known.get(entry.Key)) !== JSON.stringify(entry));
  const present = new Set(items.map((entry) => entry.Key));
  const gone = [...known.keys()].filter((key) => !present.has(key));
  for (const key of gone) known.delete(key);
  for (const entry of changed) known.set(entry.Key, entry);
  return [
    ...changed
      .toSorted((a, b) => a.ModifyIndex - b.ModifyIndex)
      .map((entry) => ({
        key: entry.Key,
        exists: true,
        session: entry.Session ?? null,
        value: entry.Value === null ? null : Buffer.from(entry.Value, 'base64').toString('utf8'),
        modifyIndex: entry.ModifyIndex,
        incarnation,
      })),
    ...gone.map((key) => ({ key, exists: false, session: null, value: null, modifyIndex: index, incarnation })),
  ];
}

/** Runs until aborted. */
export const watchSessions = async (consul: ConsulAccess, sink: ConsulSink, signal: AbortSignal): Promise<void> =>
  await blocking<RawSession>(consul, '/v1/session/list?', signal, sink.trouble, ({ items }) => {
    for (const { ID, Name } of items) {
      const member = sessionMember(Name);
      if (member !== null) sink.session(ID, member);
    }
  });

async function blocking<T>(
  consul: ConsulAccess,
  path: string,
  signal: AbortSignal,
  trouble: (message: string) => void,
  answered: (answer: Snapshot<T>, sentMs: number | null) => void,
): Promise<void> {
  let index = 0;
  for (;;) {
    const sentMs = performance.now();
    try {
      const answer: Snapshot<T> = await get<T>(
        consul,
        index === 0 ? path : `${path}&index=${index}&wait=${WAIT_S}s`,
        signal,
      );
      // A read that did not ask for a change waits only for a Consul that is starting: it tells nothing of when.
      answered(answer, index === 0 ? null : sentMs);
      // Waiting for an index that a rebuilt Consul has not reached would be waiting for ever.
      index = answer.index < index ? 0 : answer.index;
    } catch (error) {
      if (signal.aborted) return;
      index = 0;
      trouble(`${path}: ${String(error)}`);
      await delay(RETRY_MS, undefined, { signal }).catch(() => {});
    }
  }
}

async function get<T>(consul: ConsulAccess, path: string, signal: AbortSignal): Promise<Snapshot<T>> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
  const headers = consulHeaders(consul);
  request(`${consulUrl(consul.address)}${path}`, { agent: false, signal: limit, headers }, resolve)
    .on('error', reject)
    .end();
  const response = await promise;
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) text += chunk;
  const index = Number(response.headers['x-consul-index']);
  if (response.statusCode === 404 && index > 0) return { index, items: [] };
  if (response.statusCode !== 200 || !(index > 0)) throw new Error(`answered ${response.statusCode} ${text}`);
  return { index, items: JSON.parse(text) as readonly T[] };
}
