/** Claims: of each position of a series, who was told to do it. A position is what rises with each tick: a scheduled time, a sequence number, an offset. */
import * as z from 'zod';
import { podUid } from './ids.ts';

/**
 * AtMostOnce: who claims a position has it for good, also if it dies before it acts. AtLeastOnce: a position that was not said to be done in
 * time is given out again.
 */
export type ClaimMode = 'AtMostOnce' | 'AtLeastOnce';

const count = z.int().min(0);
const text = z.string().min(1);

/** The last position of a series that was given out, as it stands in Consul. Every lower one has passed. */
const schema = z.object({
  v: z.literal(1),
  series: text,
  position: count,
  mode: z.enum(['AtMostOnce', 'AtLeastOnce']),
  state: z.enum(['Claimed', 'Done']),
  /** Hash of what the call that has it drew for itself. */
  id: text,
  pod: text,
  uid: text.transform(podUid),
  /** Fencing token under which it was given out. */
  token: count,
  /** How often the position was given out. */
  attempt: count,
  /** Milliseconds since 1970 by the clock of the replica that wrote it: when it was given out, or renewed last. */
  sinceMs: count,
  /** With AtLeastOnce: given out again when it was neither done nor renewed for so long. */
  retryAfterMs: count,
});

export type Claim = Readonly<Omit<z.infer<typeof schema>, 'v'>>;

export const formatClaim = (claim: Claim): string => JSON.stringify({ v: 1, ...claim });

/** null for anything that this version cannot act on: no JSON, another version, a field missing or of the wrong type. */
export function parseClaim(value: string | null): Claim | null {
  try {
    const { v: _, ...claim } = schema.parse(JSON.parse(value ?? ''));
    return claim;
  } catch {
    return null;
  }
}

export type ClaimRequest = Pick<Claim, 'series' | 'position' | 'mode' | 'id' | 'retryAfterMs'>;

export const RETRY_AFTER_MS = 300_000;
export const MAX_SERIES_LENGTH = 200;
