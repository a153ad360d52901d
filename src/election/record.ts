/**
 * The record: what a lock's value says about its last holder. It outlives the session (behaviour release), so it names
 * the previous holder and the last token; it never says who holds the lock now (only the entry's session does).
 */
import { type PodUid, podUid } from '../api/ids.ts';
import { LAST_MS } from '../api/time.ts';
import { isObject, isText, parseJson } from './json.ts';
import { readable } from './token.ts';

export type LockRecord = {
  readonly v: 1;
  readonly groupUid: string;
  /** metadata.generation of the group its writer acted on. */
  readonly generation: number;
  readonly holder: { readonly pod: string; readonly uid: PodUid };
  /** Fencing token of the holder. */
  readonly token: number;
  /** Raised by every write, so that no two records are equal: an identical value would leave the lock's index alone. */
  readonly writes: number;
  /**
   * No switchover that was asked for at or before `atMs` (milliseconds since 1970) is handled. `to`: the pod that got the lead by the one of that time;
   * null: none did, it is only a bound. Absent: a version that knows no switchovers wrote the record, and nobody knows which were handled.
   */
  readonly switchover?: HandledSwitchover;
  /** The holder was put there by a switchover and has led ever since. */
  readonly pinned?: true;
  /** Of the last preemption. Absent: there was none, or a version that knows none wrote the record. */
  readonly preempted?: LastPreemption;
  /** The group was deleted then, in whole minutes since 1970: what is left is its last token. Absent while it is there. */
  readonly deleted?: number;
};

/**
 * `atMs`: milliseconds since 1970. `level`: how often the delay has doubled. `leads`: the holder got the lead by it, and has had it ever since.
 */
export type LastPreemption = { readonly atMs: number; readonly level: number; readonly leads: boolean };

/** A second, doubled so often, is more than an hour. */
export const MAX_PREEMPTION_LEVEL = 12;

export type HandledSwitchover = { readonly atMs: number; readonly to: string | null };

export const formatRecord = (record: LockRecord): string => JSON.stringify(record);

/** null for anything that this version cannot act on: no JSON, another version, a field missing or of the wrong type. */
export function parseRecord(text: string | null): LockRecord | null {
  const raw = parseJson(text);
  if (!isObject(raw) || raw.v !== 1 || !isObject(raw.holder)) return null;
  const { groupUid, generation, token, writes, holder } = raw;
  if (!isText(groupUid) || !isText(holder.pod) || !isText(holder.uid)) return null;
  if (!isCount(generation) || !isCount(token) || !isCount(writes) || !readable(token)) return null;
  const record = {
    v: 1,
    groupUid,
    generation,
    token,
    writes,
    holder: { pod: holder.pod, uid: podUid(holder.uid) },
  } as const;
  return { ...record, ...moreOf(raw) };
}

/** What only some records have. */
function moreOf(raw: Record<string, unknown>): Pick<LockRecord, 'switchover' | 'pinned' | 'preempted' | 'deleted'> {
  const preempted = parsePreempted(raw['preempted']);
  const switchover = parseHandled(raw['switchover']);
  return {
    ...(switchover === null ? {} : { switchover }),
    ...(raw['pinned'] === true ? { pinned: true } : {}),
    ...(preempted === null ? {} : { preempted }),
    ...(isCount(raw['deleted']) ? { deleted: raw['deleted'] } : {}),
  };
}

function parsePreempted(raw: unknown): LastPreemption | null {
  if (!isObject(raw)) return null;
  const { atMs, level, leads } = raw;
  if (!isCount(atMs) || atMs > LAST_MS || !isCount(level) || typeof leads !== 'boolean') return null;
  return { atMs, level: Math.min(level, MAX_PREEMPTION_LEVEL), leads };
}

function parseHandled(raw: unknown): HandledSwitchover | null {
  if (!isObject(raw)) return null;
  const { atMs, to = null } = raw;
  return isCount(atMs) && atMs <= LAST_MS && (to === null || isText(to)) ? { atMs, to } : null;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
