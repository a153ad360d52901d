/** Consul's transactions: the operations in their order on a copy, which counts only when none of them failed. */
import type { KvEntry, TxnOp, TxnRejection } from '../../../src/ports/consul.ts';

export type TxnInput = {
  readonly entries: ReadonlyMap<string, KvEntry>;
  readonly sessions: ReadonlyMap<string, unknown>;
  /** Raft index that the transaction gets. */
  readonly index: number;
  /** Whether the key's lock-delay has not passed. */
  readonly delayed: (key: string) => boolean;
};

export type TxnOutcome =
  | {
      readonly kind: 'committed';
      readonly state: ReadonlyMap<string, KvEntry>;
      readonly entries: readonly KvEntry[];
      readonly changed: boolean;
    }
  | { readonly kind: 'rejected'; readonly rejections: readonly TxnRejection[] };

type Refusal = Omit<TxnRejection, 'op'>;
type Applied = { readonly entry: KvEntry | null };

/** A lock-delay is found before anything else is looked at, so it hides every other reason. */
export function runTxn(input: TxnInput, ops: readonly TxnOp[]): TxnOutcome {
  const early = ops.flatMap((op, at): TxnRejection[] =>
    op.verb === 'lock' && input.delayed(op.key)
      ? [{ op: at, reason: 'lock-delay', text: `failed to lock key "${op.key}" due to lock delay` }]
      : [],
  );
  if (early.length > 0) return { kind: 'rejected', rejections: early };
  const state = new Map(input.entries);
  const rejections: TxnRejection[] = [];
  const written: KvEntry[] = [];
  for (const [at, op] of ops.entries()) {
    const done = apply(input, state, op);
    if ('reason' in done) rejections.push({ op: at, ...done });
    else if (done.entry !== null) written.push(done.entry);
  }
  if (rejections.length > 0) return { kind: 'rejected', rejections };
  const changed = written.some(({ modifyIndex }) => modifyIndex === input.index) || state.size < input.entries.size;
  return { kind: 'committed', state, entries: written, changed };
}

function apply(input: TxnInput, state: Map<string, KvEntry>, op: TxnOp): Applied | Refusal {
  const found = state.get(op.key);
  switch (op.verb) {
    case 'check-session':
      if (found === undefined)
        return { reason: 'session-check', text: `failed to check session, key "${op.key}" doesn't exist` };
      return found.session === op.session
        ? { entry: null }
        : {
            reason: 'session-check',
            text: `failed session check for key "${op.key}", current session "${found.session ?? ''}" != "${op.session}"`,
          };
    case 'check-index':
      if (found === undefined)
        return { reason: 'index-check', text: `failed to check index, key "${op.key}" doesn't exist` };
      return found.modifyIndex === op.index
        ? { entry: null }
        : {
            reason: 'index-check',
            text: `failed index check for key "${op.key}", current modify index ${found.modifyIndex} != ${op.index}`,
          };
    case 'check-not-exists':
      return found === undefined ? { entry: null } : { reason: 'exists', text: `key "${op.key}" exists` };
    case 'lock':
      return lock(input, state, op, found);
    case 'unlock':
      if (found?.session == null || found.session !== op.session) {
        return {
          reason: 'not-holder',
          text: `failed to unlock key "${op.key}", lock isn't held, or is held by another session`,
        };
      }
      return write(input, state, { ...found, value: op.value, isLock: true, session: null });
    case 'set':
      return write(input, state, entryOf(input, op.key, found, { value: op.value, isLock: true }));
    case 'cas':
      return cas(input, state, op, found);
    case 'delete':
      state.delete(op.key);
      return { entry: null };
  }
}

function lock(
  input: TxnInput,
  state: Map<string, KvEntry>,
  op: Extract<TxnOp, { verb: 'lock' }>,
  found: KvEntry | undefined,
): Applied | Refusal {
  if (!input.sessions.has(op.session)) return { reason: 'invalid-session', text: `invalid session "${op.session}"` };
  const holder = found?.session ?? null;
  if (holder !== null && holder !== op.session) {
    return { reason: 'held', text: `failed to lock key "${op.key}", lock is already held` };
  }
  return write(input, state, entryOf(input, op.key, found, { value: op.value, isLock: true, session: op.session }));
}

function cas(
  input: TxnInput,
  state: Map<string, KvEntry>,
  op: Extract<TxnOp, { verb: 'cas' }>,
  found: KvEntry | undefined,
): Applied | Refusal {
  return (found?.modifyIndex ?? 0) === op.index
    ? write(input, state, entryOf(input, op.key, found, { value: op.value, isLock: true }))
    : { reason: 'index-check', text: `failed to set key "${op.key}", index is stale` };
}

function entryOf(input: TxnInput, key: string, found: KvEntry | undefined, change: Partial<KvEntry>): KvEntry {
  const fresh: KvEntry = {
    key,
    value: null,
    isLock: false,
    session: null,
    createIndex: input.index,
    modifyIndex: input.index,
  };
  return { ...fresh, ...found, ...change };
}

/** An identical entry is left as it is, index included. */
function write(input: TxnInput, state: Map<string, KvEntry>, entry: KvEntry): Applied {
  const found = input.entries.get(entry.key);
  const now = state.get(entry.key);
  const same =
    now !== undefined && now.value === entry.value && now.session === entry.session && now.isLock === entry.isLock;
  const written = same && now === found ? now : { ...entry, modifyIndex: input.index };
  state.set(entry.key, written);
  return { entry: written };
}
