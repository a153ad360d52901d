/** The lock's history as a row of states: who held it, with which record, between which moments. */
import { groupKey, type History, type KeyState, type SessionMember, type WatchedGroup } from './history.ts';

/** The record in a lock's value, read here independently of the operator's own parser. */
export type SeenRecord = {
  readonly groupUid: string | null;
  readonly podUid: string | null;
  readonly podName: string | null;
  readonly token: number;
  /** Raised by one with each write of the record; null: not there. */
  readonly writes: number | null;
};

export type LockState = {
  readonly state: KeyState;
  /** uid of the member whose session holds the lock; null: nobody, an external holder, or a session of unknown name. */
  readonly holder: string | null;
  /** The record that stood beside the lock at that index; null: none, or not seen. */
  readonly record: SeenRecord | null;
  /** The first state seen of a new incarnation of Consul: nobody's transaction made it, if its token is not a new one. */
  readonly firstOfIncarnation: boolean;
};

type Json = Readonly<Record<string, unknown>>;

const asObject = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});
const asText = (value: unknown): string | null => (typeof value === 'string' ? value : null);

export function readRecord(value: string | null): SeenRecord | null {
  const json = asObject(parsed(value));
  const token = json['token'];
  if (typeof token !== 'number' || !Number.isSafeInteger(token)) return null;
  const writes = json['writes'];
  return {
    token,
    groupUid: asText(json['groupUid']),
    podUid: asText(asObject(json['holder'])['uid']),
    podName: asText(asObject(json['holder'])['pod']),
    writes: typeof writes === 'number' && Number.isSafeInteger(writes) ? writes : null,
  };
}

function parsed(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

/** Every seen state of the group's lock, in order. */
export function locksOf(history: History, group: WatchedGroup): readonly LockState[] {
  const records = history.keys.filter((state) => state.key === group.recordKey);
  let incarnation = -1;
  return history.keys
    .filter((state) => state.key === group.lockKey)
    .map((state) => {
      const record = readRecord(recordBeside(group, state, records));
      const firstOfIncarnation = state.incarnation !== incarnation;
      incarnation = state.incarnation;
      return { state, record, firstOfIncarnation, holder: holderOf(state, record, group, history.sessions) };
    })
    .filter((state) => belongsTo(group, state));
}

/** Under a shared lockKey the record is another key, written in the same transaction: same index. */
const recordBeside = (group: WatchedGroup, lock: KeyState, records: readonly KeyState[]): string | null =>
  group.recordKey === group.lockKey
    ? lock.value
    : (records.find((state) => state.incarnation === lock.incarnation && state.modifyIndex === lock.modifyIndex)
        ?.value ?? null);

function holderOf(
  state: KeyState,
  record: SeenRecord | null,
  group: WatchedGroup,
  sessions: ReadonlyMap<string, SessionMember>,
): string | null {
  if (state.session === null) return null;
  const member = sessions.get(state.session);
  // Opened and ended between two answers, and never seen: the record was written with the lock, by whoever it is for.
  if (member === undefined) return record?.podUid ?? null;
  return member.group === group.name && member.namespace === group.namespace ? member.podUid : null;
}

/** The name may have been used by an earlier object: a record that names another uid is not this group's. */
const belongsTo = (group: WatchedGroup, { record }: LockState): boolean =>
  record === null || record.groupUid === null || record.groupUid === group.uid;

export const lockName = (group: WatchedGroup): string => `the lock of ${groupKey(group)}`;
