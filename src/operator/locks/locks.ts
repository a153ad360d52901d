/**
 * The locks as last seen: by the bucket watches, by consistent reads, and by the answers to our own transactions. All
 * of it is a hint; every transaction checks the versions it was planned with.
 */
import type { LeaderGroup } from '../../api/leadergroup.ts';
import { groupKeys, groupOfKey, type KeySpace } from '../../election/keys.ts';
import type { GroupKeys, LockView } from '../../election/observation.ts';
import { type LockRecord, parseRecord } from '../../election/record.ts';
import { parseToken } from '../../election/token.ts';
import type { Consul, KvEntry, KvSnapshot } from '../../ports/consul.ts';
import { createPairs } from '../cache/pairs.ts';
import { groupKey } from '../cache/store.ts';

export type Locks = {
  keysOf(group: LeaderGroup): GroupKeys;
  /** null: not known yet, or invalidated. */
  view(group: LeaderGroup): LockView | null;
  /** Consistent. Throws ConsulError, and leaves the view unknown then, as it does where something else was learnt meanwhile. */
  read(group: LeaderGroup, signal: AbortSignal): Promise<void>;
  /**
   * Consistent, of up to 64 keys that no watch covers. What is read is known then; a key of which something else was learnt meanwhile
   * is left out, since which of the two is the later one cannot be told. Throws ConsulError.
   */
  look(keys: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, KvEntry | null>>;
  /** The answer to our own transaction: what it wrote is known before any watch tells, unless one has told of more. */
  applied(group: LeaderGroup, entries: readonly KvEntry[]): void;
  /** What is known of this group's lock is not to be believed until it has been read. */
  invalidate(group: LeaderGroup): void;
  /**
   * A watch's view of everything below a prefix. `asked`: what `now` said when the read was sent; without it an answer
   * that lacks what we know is taken for a late one. Returns the keys that changed or are invalidated.
   */
  snapshot(prefix: string, snapshot: KvSnapshot, rebuilt: boolean, asked?: number): readonly string[];
  /** Where we are in the order of what is learnt: to be taken before a read of a watch is sent, and given with its answer. */
  now(): number;
  /** A transaction on the group's lock is under way, until the returned function is called. */
  writing(group: LeaderGroup): () => void;
  /**
   * The entry is as the group's own transaction has left it; or one of it is under way, which may have been: its pass goes on with
   * whatever is known then.
   */
  ownWrite(key: string, group: string): boolean;
  /** Everything that is known to exist, ours and what else stands below what is watched. */
  entries(): readonly KvEntry[];
  /** Nothing below this prefix is known any more. */
  forget(prefix: string): void;
  /** Nobody looks at these any more. */
  forgetKeys(keys: readonly string[]): void;
  /** The group is gone: what it had invalidated, and read of keys that nobody else reads, need not be kept. */
  dropped(group: string): void;
};

/** `index`: a snapshot older than this does not know of the entry. */
type Known = {
  readonly entry: KvEntry | null;
  readonly index: number;
  readonly learnt: number;
  /** Key of the group whose own transaction made this version; null: somebody else's, or not known. */
  readonly writer: string | null;
};

/** A consistent read under way. */
type Reading = { readonly keys: readonly string[]; readonly overtaken: Set<string> };

export function createLocks(consul: Consul, space: KeySpace): Locks {
  const known = new Map<string, Known>();
  let learnt = 0;
  /** By group, how many of its transactions are under way. */
  const underWay = new Map<string, number>();
  /** Prefixes whose watch has delivered, with what is known below: what is not known there does not exist. */
  const covered = new Map<string, Set<string>>();
  const keysOf = (group: LeaderGroup): GroupKeys => groupKeys(space, group, group.spec.lockKey);

  function lookUp(key: string): Known | null {
    const found = known.get(key);
    if (found !== undefined) return found;
    return inSight(key) ? { entry: null, index: 0, learnt: 0, writer: null } : null;
  }

  function view(group: LeaderGroup): LockView | null {
    const keys = keysOf(group);
    const name = groupKey(group);
    const entries = namesOf(keys).map((key) => ({ key, known: invalidated.has(key, name) ? null : lookUp(key) }));
    if (entries.some((entry) => entry.known === null)) return null;
    return viewOf(keys, new Map(entries.map((entry) => [entry.key, entry.known?.entry ?? null])));
  }

  const inSight = (key: string): boolean => [...ancestors(key)].some((prefix) => covered.has(prefix));

  function put(key: string, entry: Known | null): void {
    if (entry === null) known.delete(key);
    else known.set(key, entry);
    for (const prefix of ancestors(key)) {
      if (entry === null) covered.get(prefix)?.delete(key);
      else covered.get(prefix)?.add(key);
    }
  }

  /** What a group has invalidated is its own: whoever shares the key would go blind for them, and nobody would wake it. */
  const invalidated = createPairs();
  /** Keys that are covered by no watch, with the groups that have read them. */
  const readers = createPairs();
  /** Keys that are looked at until they are forgotten, whoever has read them: nobody would wake those that are told of them. */
  const lookedAt = new Set<string>();
  const readings = new Set<Reading>();

  async function read(group: LeaderGroup, signal: AbortSignal): Promise<void> {
    const names = namesOf(keysOf(group));
    for (const key of names) invalidated.add(key, groupKey(group));
    for (const key of names) if (!inSight(key)) readers.add(key, groupKey(group));
    const { entries, overtaken } = await ask(names, signal);
    if (overtaken.size === 0) for (const [at, key] of names.entries()) found(key, entries[at] ?? null);
  }

  async function look(keys: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, KvEntry | null>> {
    for (const key of keys) lookedAt.add(key);
    const { entries, overtaken } = await ask(keys, signal);
    const believed = keys.flatMap((key, at) => (overtaken.has(key) ? [] : [[key, entries[at] ?? null] as const]));
    for (const [key, entry] of believed) found(key, entry);
    return new Map(believed);
  }

  /** Which of two things learnt at the same time is the later one cannot be told, but the next read is later than both. */
  async function ask(keys: readonly string[], signal: AbortSignal) {
    const reading: Reading = { keys, overtaken: new Set() };
    readings.add(reading);
    const entries = await consul.readKeys(keys, signal).finally(() => readings.delete(reading));
    return { entries, overtaken: reading.overtaken };
  }

  function found(key: string, entry: KvEntry | null): void {
    if (differ(known.get(key)?.entry ?? null, entry)) overtake((other) => other === key);
    learn(key, entry);
  }

  /** Something is learnt of a key that a read under way may not know. */
  function overtake(concerned: (key: string) => boolean): void {
    for (const { keys, overtaken } of readings) for (const key of keys) if (concerned(key)) overtaken.add(key);
  }

  function learn(key: string, entry: KvEntry | null, writer = writerOf(key, entry)): void {
    invalidated.dropKey(key);
    learnt += 1;
    put(key, { entry, index: entry?.modifyIndex ?? 0, learnt, writer });
  }

  /** Still the one who wrote it, if this is what was written. */
  function writerOf(key: string, entry: KvEntry | null): string | null {
    const before = known.get(key);
    return before === undefined || entry === null || differ(before.entry, entry) ? null : before.writer;
  }

  function snapshot(prefix: string, { index, entries }: KvSnapshot, rebuilt: boolean, asked = 0): readonly string[] {
    const seen = new Map(entries.map((entry) => [entry.key, entry]));
    const below = covered.get(prefix) ?? cover(prefix);
    return [...new Set([...seen.keys(), ...below])].filter((key) => {
      const before = known.get(key);
      if (!rebuilt && before !== undefined && before.index > index) return asked >= before.learnt && lostBehind(key);
      return replace(key, below.has(key), before?.entry ?? null, seen.get(key) ?? null);
    });
  }

  /** The first answer of its watch: from now on what is not known there does not exist. */
  function cover(prefix: string): ReadonlySet<string> {
    overtake((key) => key.startsWith(prefix));
    const below = new Set([...known.keys()].filter((key) => key.startsWith(prefix)));
    covered.set(prefix, below);
    return below;
  }

  /**
   * An answer asked for after we learnt of an entry does not know it: Consul was restored to before it, which a watch that had
   * not yet told of the entry cannot see by its index. Read consistently before anything is believed.
   */
  function lostBehind(key: string): boolean {
    invalidated.add(key, groupOfKey(space, key) ?? '');
    const before = known.get(key);
    // Whoever wrote it must be woken like anybody else: what it wrote is gone.
    if (before !== undefined) put(key, { ...before, writer: null });
    overtake((other) => other === key);
    return true;
  }

  /** Whether that changed anything. */
  function replace(key: string, isKnown: boolean, before: KvEntry | null, entry: KvEntry | null): boolean {
    // Most of a snapshot is as it was.
    if (isKnown && entry !== null && !differ(before, entry)) return false;
    put(key, entry === null ? null : { entry, index: entry.modifyIndex, learnt, writer: writerOf(key, entry) });
    const changed = differ(before, entry);
    if (changed) overtake((other) => other === key);
    return changed;
  }

  return {
    keysOf,
    view,
    read,
    look,
    applied: (group, entries) => {
      const names = new Set(namesOf(keysOf(group)));
      // The watch may have shown a later change before the answer came: a session that ended just then.
      const late = ({ key, modifyIndex }: KvEntry): boolean => (known.get(key)?.index ?? 0) > modifyIndex;
      const news = entries.filter((entry) => names.has(entry.key) && !late(entry));
      for (const entry of news) learn(entry.key, entry, groupKey(group));
      overtake((key) => names.has(key));
    },
    invalidate: (group) => {
      const names = namesOf(keysOf(group));
      for (const key of names) invalidated.add(key, groupKey(group));
      overtake((key) => names.includes(key));
    },
    snapshot,
    now: () => learnt,
    writing: (group) => {
      const key = groupKey(group);
      underWay.set(key, (underWay.get(key) ?? 0) + 1);
      return () => {
        const left = (underWay.get(key) ?? 1) - 1;
        if (left > 0) underWay.set(key, left);
        else underWay.delete(key);
      };
    },
    ownWrite: (key, group) => underWay.has(group) || known.get(key)?.writer === group,
    entries: () => [...known.values()].flatMap(({ entry }) => entry ?? []),
    forget: (prefix) => {
      const below = covered.get(prefix) ?? [];
      covered.delete(prefix);
      // Another watch may go on that covers it too.
      for (const key of below) if (!inSight(key)) put(key, null);
    },
    forgetKeys: (keys) => {
      overtake((key) => keys.includes(key));
      for (const key of keys) {
        lookedAt.delete(key);
        invalidated.dropKey(key);
        if (!inSight(key)) put(key, null);
      }
    },
    dropped: (group) => {
      invalidated.dropGroup(group);
      for (const key of readers.dropGroup(group)) if (!inSight(key) && !lookedAt.has(key)) put(key, null);
    },
  };
}

/** A Consul that was rebuilt or restored may use an index again, hence session and value. */
const differ = (a: KvEntry | null, b: KvEntry | null): boolean =>
  a?.modifyIndex !== b?.modifyIndex || a?.session !== b?.session || a?.value !== b?.value;

const namesOf = (keys: GroupKeys): readonly string[] =>
  [keys.lock, keys.record, keys.token, keys.earlier].filter((key) => key !== null);

/** Prefixes that a watch of this key may have: every folder above it. */
function* ancestors(key: string): Generator<string> {
  for (let end = key.lastIndexOf('/'); end > 0; end = key.lastIndexOf('/', end - 1)) yield key.slice(0, end + 1);
}

function viewOf(keys: GroupKeys, entries: ReadonlyMap<string, KvEntry | null>): LockView {
  const entry = (key: string | null): KvEntry | null => (key === null ? null : (entries.get(key) ?? null));
  const lock = entry(keys.lock);
  const shared = keys.record !== null;
  return {
    versions: namesOf(keys).map((key) => ({ key, index: entry(key)?.modifyIndex ?? 0 })),
    session: lock?.session ?? null,
    record: recordOf(entry(keys.record ?? keys.lock)),
    heldFor: recordOf(lock)?.holder ?? null,
    sharedToken: parseToken(entry(keys.token)?.value),
    earlierToken: earlierToken(entry(keys.earlier)),
    foreignEntry: shared && lock !== null && !lock.isLock,
  };
}

/** By entry, which never changes: each pass and each answer of the gate looks at it, and most find it as it was. */
const records = new WeakMap<KvEntry, LockRecord | null>();

function recordOf(entry: KvEntry | null): LockRecord | null {
  if (entry === null) return null;
  const before = records.get(entry);
  if (before !== undefined) return before;
  const record = parseRecord(entry.value);
  records.set(entry, record);
  return record;
}

const earlierToken = (entry: KvEntry | null): number | null => (entry === null ? null : (recordOf(entry)?.token ?? 0));
