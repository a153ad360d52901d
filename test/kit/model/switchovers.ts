/** Promise I14 at every transaction on a lock: what the record says of switchovers, read here independently of the operator's own parser. */
import type { TxnOp } from '../../../src/ports/consul.ts';

/** `to`: null: only a bound. */
type Handled = { readonly atMs: number; readonly to: string | null };
type Seen = { readonly holder: string; readonly handled: Handled | null };

/** Returns what is wrong with a transaction on this lock; null: nothing. To be told of each one that was committed, in their order. */
export function switchoversOf(lock: string): (ops: readonly TxnOp[]) => string | null {
  let before: Seen | null = null;
  let latestMs = Number.NEGATIVE_INFINITY;
  return (ops) => {
    const change = ops.findLast(({ verb, key }) => key === lock && (verb === 'lock' || verb === 'unlock'));
    const seen = change !== undefined && 'value' in change ? read(change.value) : null;
    if (seen === null) return null;
    const { holder, handled } = seen;
    const isNew = handled !== null && handled.to !== null && handled.atMs !== before?.handled?.atMs;
    const from = before?.holder ?? null;
    before = seen;
    if (!isNew) return null;
    const wrong = wrongIn(handled, { holder, from, latestMs });
    latestMs = Math.max(latestMs, handled.atMs);
    return wrong === null ? null : `I14: the switchover of ${new Date(handled.atMs).toISOString()} ${wrong}`;
  };
}

function wrongIn(
  { atMs, to }: Handled,
  { holder, from, latestMs }: { readonly holder: string; readonly from: string | null; readonly latestMs: number },
): string | null {
  if (atMs <= latestMs) return `was done after that of ${new Date(latestMs).toISOString()}`;
  if (holder !== to) return `was to ${to}, and the record names ${holder}`;
  return holder === from ? `moved nobody: ${holder} had the lock` : null;
}

function read(value: string): Seen | null {
  const record = JSON.parse(value) as {
    readonly holder: { readonly pod: string };
    readonly switchover?: Handled;
  };
  return { holder: record.holder.pod, handled: record.switchover ?? null };
}
