/**
 * The locks as last seen: by the bucket watches, by consistent reads, and by the answers to our own transactions. All
 * of it is a hint; every transaction checks the versions it was planned with.
 */
import type { LeaderGroup } from '../api/leadergroup.ts';
import { bucketOf, groupKeys, groupOfKey, groupsPrefix, type KeySpace } from '../election/keys.ts';
import type { GroupKeys, LockView } from '../election/observation.ts';
import { parseRecord } from '../election/record.ts';
import { parseToken } from '../election/token.ts';
import type { Consul, KvEntry, KvSnapshot } from '../ports/consul.ts';
import { groupKey } from './store.ts';

export type Locks = {
  keysOf(group: LeaderGroup): GroupKeys;
  /** null: not known yet, or in doubt. */
  view(group: LeaderGroup): LockView | null;
  /** Consistent. Throws ConsulError, and leaves the view in doubt then, as it does where something else was learnt meanwhile. */
  read(group: LeaderGroup, signal: AbortSignal): Promise<void>;
  /** The answer to our own transaction: what it wrote is known before any watch tells, unless one has told of more. */
  applied(group: LeaderGroup, entries: readonly KvEntry[]): void;
  /** What is known of this group's lock is not to be believed until it has been read. */
  doubt(group: LeaderGroup): void;
  /**
   * A watch's view of everything below a prefix. `asked`: what `now` said when the read was sent; without it an answer
   * that lacks what we know is taken for a late one. Returns the keys that changed or are in doubt.
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
  /** What is known of one key, and its place in the order of what is learnt; null: nothing. */
  known(key: string): { readonly entry: KvEntry | null; readonly learnt: number } | null;
  /** Everything that is known to exist, ours and what else stands below what is watched. */
  entries(): readonly KvEntry[];
  /** Nothing below this prefix is known any more. */
  forget(prefix: string): void;
  /** The group is gone: what it had in doubt need not be read any more. */
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
type Reading = { readonly keys: readonly string[]; overtaken: boolean };

export function createLocks(consul: Consul, space: KeySpace): Locks {
  const known = new Map<string, Known>();
  let learnt = 0;
  /** By group, how many of its transactions are under way. */
  const underWay = new Map<string, number>();
  /** Prefixes whose watch has delivered: below them, a key that is not known does not exist. */
  const covered = new Set<string>();
  const keysOf = (group: LeaderGroup): GroupKeys => groupKeys(space, group, group.spec.lockKey);

  function lookUp(key: string): Known | null {
    const found = known.get(key);
    if (found !== undefined) return found;
    const inSight = covered.has(key) || [...ancestors(key)].some((prefix) => covered.has(prefix));
    return inSight ? { entry: null, index: 0, learnt: 0, writer: null } : null;
  }

  function view(group: LeaderGroup): LockView | null {
    const keys = keysOf(group);
    const entries = namesOf(keys).map((key) => ({ key, known: doubted.has(key) ? null : lookUp(key) }));
    if (entries.some((entry) => entry.known === null)) return null;
    return viewOf(keys, new Map(entries.map((entry) => [entry.key, entry.known?.entry ?? null])));
  }

  /** Keys, each with the groups that have it in doubt. */
  const doubted = new Map<string, Set<string>>();
  const readings = new Set<Reading>();

  function doubt(key: string, group: string): void {
    doubted.set(key, (doubted.get(key) ?? new Set()).add(group));
  }

  /** These groups have nothing in doubt any more. */
  function settle(concerned: (group: string) => boolean): void {
    for (const [key, groups] of doubted) {
      for (const group of groups) if (concerned(group)) groups.delete(group);
      if (groups.size === 0) doubted.delete(key);
    }
  }

  const prefixOf = (group: string): string => {
    const [namespace = '', name = ''] = group.split('/');
    return groupsPrefix(space, bucketOf(namespace, name));
  };

  async function read(group: LeaderGroup, signal: AbortSignal): Promise<void> {
    const names = namesOf(keysOf(group));
    for (const key of names) doubt(key, groupKey(group));
    const reading: Reading = { keys: names, overtaken: false };
    readings.add(reading);
    const entries = await consul.readKeys(names, signal).finally(() => readings.delete(reading));
    // Which of the two is the later one cannot be told, but the next read is later than both.
    if (reading.overtaken) return;
    for (const [i, key] of names.entries()) {
      const entry = entries[i] ?? null;
      if (differ(known.get(key)?.entry ?? null, entry)) overtake((other) => other === key);
      learn(key, entry);
    }
  }

  /** Something is learnt of a key that a read under way may not know. */
  function overtake(concerned: (key: string) => boolean): void {
    for (const reading of readings) if (reading.keys.some(concerned)) reading.overtaken = true;
  }

  function learn(key: string, entry: KvEntry | null, writer = writerOf(key, entry)): void {
    doubted.delete(key);
    learnt += 1;
    known.set(key, { entry, index: entry?.modifyIndex ?? 0, learnt, writer });
  }

  /** Still the one who wrote it, if this is what was written. */
  function writerOf(key: string, entry: KvEntry | null): string | null {
    const before = known.get(key);
    const same =
      entry !== null && before?.entry?.modifyIndex === entry.modifyIndex && before.entry.session === entry.session;
    return same ? before.writer : null;
  }

  function snapshot(prefix: string, { index, entries }: KvSnapshot, rebuilt: boolean, asked = 0): readonly string[] {
    const seen = new Map(entries.map((entry) => [entry.key, entry]));
    const keys = new Set([...seen.keys(), ...[...known.keys()].filter((key) => key.startsWith(prefix))]);
    if (!covered.has(prefix)) overtake((key) => key.startsWith(prefix));
    covered.add(prefix);
    return [...keys].filter((key) => {
      const before = known.get(key);
      if (!rebuilt && before !== undefined && before.index > index) return asked >= before.learnt && lostBehind(key);
      return replace(key, before?.entry ?? null, seen.get(key) ?? null);
    });
  }

  /**
   * An answer asked for after we learnt of an entry does not know it: Consul was restored to before it, which a watch that had
   * not yet told of the entry cannot see by its index. Read consistently before anything is believed.
   */
  function lostBehind(key: string): boolean {
    doubt(key, groupOfKey(space, key) ?? '');
    const before = known.get(key);
    // Whoever wrote it must be woken like anybody else: what it wrote is gone.
    if (before !== undefined) known.set(key, { ...before, writer: null });
    overtake((other) => other === key);
    return true;
  }

  /** Whether that changed anything. */
  function replace(key: string, before: KvEntry | null, entry: KvEntry | null): boolean {
    if (entry === null) known.delete(key);
    else known.set(key, { entry, index: entry.modifyIndex, learnt, writer: writerOf(key, entry) });
    const changed = differ(before, entry);
    if (changed) overtake((other) => other === key);
    return changed;
  }

  return {
    keysOf,
    view,
    read,
    applied: (group, entries) => {
      const names = new Set(namesOf(keysOf(group)));
      // The watch may have shown a later change before the answer came: a session that ended just then.
      const late = ({ key, modifyIndex }: KvEntry): boolean => (known.get(key)?.index ?? 0) > modifyIndex;
      const news = entries.filter((entry) => names.has(entry.key) && !late(entry));
      for (const entry of news) learn(entry.key, entry, groupKey(group));
      overtake((key) => names.has(key));
    },
    doubt: (group) => {
      const names = namesOf(keysOf(group));
      for (const key of names) doubt(key, groupKey(group));
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
    known: lookUp,
    entries: () => [...known.values()].flatMap(({ entry }) => entry ?? []),
    forget: (prefix) => {
      covered.delete(prefix);
      // What groups of this bucket had in doubt is another replica's business now; who shares a key with them must not go blind for it.
      settle((group) => prefixOf(group) === prefix);
      for (const key of known.keys()) {
        // A shared key may lie below another: its own watch goes on, and what it told must not look as if it were gone.
        if (key.startsWith(prefix) && !covered.has(key) && ![...ancestors(key)].some((other) => covered.has(other)))
          known.delete(key);
      }
    },
    dropped: (group) => settle((other) => other === group),
  };
}

/** A rebuilt Consul may use an index again, hence the session. */
const differ = (a: KvEntry | null, b: KvEntry | null): boolean =>
  a?.modifyIndex !== b?.modifyIndex || a?.session !== b?.session;

const namesOf = (keys: GroupKeys): readonly string[] =>
  [keys.lock, keys.record, keys.token].filter((key) => key !== null);

/** Prefixes that a watch of this key may have, besides itself: every folder above it. */
function* ancestors(key: string): Generator<string> {
  for (let end = key.lastIndexOf('/'); end > 0; end = key.lastIndexOf('/', end - 1)) yield key.slice(0, end + 1);
}

function viewOf(keys: GroupKeys, entries: ReadonlyMap<string, KvEntry | null>): LockView {
  const lock = entries.get(keys.lock) ?? null;
  const shared = keys.record !== null;
  const recordText = entries.get(keys.record ?? keys.lock)?.value ?? null;
  const tokenText = keys.token === null ? null : entries.get(keys.token)?.value;
  return {
    versions: namesOf(keys).map((key) => ({ key, index: entries.get(key)?.modifyIndex ?? 0 })),
    session: lock?.session ?? null,
    record: parseRecord(recordText),
    sharedToken: parseToken(tokenText),
    foreignEntry: shared && lock !== null && !lock.isLock,
  };
}
