/**
 * The record: what a lock's value says about its last holder. It outlives the session (behaviour release), so it names
 * the previous holder and the last token; it never says who holds the lock now (only the entry's session does).
 */
import { type PodUid, podUid } from '../api/ids.ts';
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
  /** The group was deleted then, in whole minutes since 1970: what is left is its last token. Absent while it is there. */
  readonly deleted?: number;
};

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
  return isCount(raw['deleted']) ? { ...record, deleted: raw['deleted'] } : record;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
