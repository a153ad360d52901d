/** Promise I15 at every transaction on a lock: what the record says of preemptions, read here independently of the operator's own parser. */
import type { TxnOp } from '../../../src/ports/consul.ts';

type Preempted = { readonly atMs: number; readonly level: number; readonly leads: boolean };
type Seen = {
  readonly groupUid: string;
  readonly writes: number;
  readonly holder: { readonly pod: string; readonly uid: string };
  readonly switchover?: { readonly atMs: number };
  readonly pinned?: boolean;
  readonly preempted?: Preempted;
};
/** `sinceMs`: when the holder got the lock. */
type Led = Seen & { readonly sinceMs: number };

const HOUR_MS = 3_600_000;
/** How far apart the clocks of two owners may be. */
const APART_MS = 45_000;

/**
 * Returns what is wrong with a transaction on this lock; null: nothing. To be told of each one that was committed, in their order, and when it was. Without a
 * delay the group preempts nobody.
 */
export function preemptionsOf(
  lock: string,
  delayMs: number | null,
): (ops: readonly TxnOp[], nowMs: number) => string | null {
  let before: Led | null = null;
  return (ops, nowMs) => {
    const change = ops.findLast(({ verb, key }) => key === lock && (verb === 'lock' || verb === 'unlock'));
    if (change === undefined || !('value' in change)) return null;
    const seen = JSON.parse(change.value) as Seen;
    const from = before;
    const stays = from?.holder.uid === seen.holder.uid;
    before = { ...seen, sinceMs: stays ? from.sinceMs : nowMs };
    const isLeft = change.verb === 'unlock';
    // Where Consul was wiped the writes of the record are counted anew, and nothing is known.
    const known = from !== null && from.groupUid === seen.groupUid && seen.writes > from.writes ? from : null;
    const wrong = stays ? letGo(isLeft ? null : known, seen, delayMs) : wrongIn(known, seen, { delayMs, nowMs });
    return wrong === null ? null : `I15: ${seen.holder.pod} ${wrong}`;
  };
}

type Time = { readonly delayMs: number | null; readonly nowMs: number };

function wrongIn(known: Led | null, to: Seen, time: Time): string | null {
  if (to.preempted?.leads === true) return hasty(known, to.preempted, time);
  return known === null ? null : forgotten(known, to, time);
}

/** It leads on. */
const letGo = (known: Led | null, to: Seen, delayMs: number | null): string | null =>
  known?.pinned === true && to.pinned !== true && delayMs !== null
    ? 'was put there by a switchover, leads on, and the record says so no more'
    : null;

function hasty(from: Led | null, { level }: Preempted, { delayMs, nowMs }: Time): string | null {
  if (from === null || delayMs === null) return 'preempts, and nobody led, or nobody asked for it';
  if (from.pinned === true) return 'preempts a leader that a switchover has put there';
  const before = from.preempted?.level ?? 0;
  const waitedMs = nowMs - from.sinceMs;
  if (waitedMs < Math.min(delayMs * 2 ** before, HOUR_MS))
    return `preempts a leader that had led for ${waitedMs} ms, with the delay doubled ${before} times`;
  return level < before ? 'preempts, and forgets how often the delay has doubled' : null;
}

/** A leader that got the lead so has lost it. A switchover doubles nothing. */
function forgotten({ preempted, switchover, sinceMs }: Led, to: Seen, { delayMs, nowMs }: Time): string | null {
  if (preempted?.leads !== true || delayMs === null) return null;
  const kept = nowMs - sinceMs >= 10 * Math.min(delayMs * 2 ** preempted.level, HOUR_MS) - APART_MS;
  const moved = to.switchover?.atMs !== switchover?.atMs;
  return kept || moved || (to.preempted?.level ?? 0) > preempted.level
    ? null
    : 'follows a preferred leader that was lost soon, and the delay has not doubled';
}
