/**
 * What the prober of `kubectl leadergroup verify` says in its log, one JSON object a line, which the command reads: the pod network cannot be reached from a laptop, and a
 * log can be read through the API server. Times are epoch milliseconds by the clock of the prober's node.
 */

export const FAULTS = ['kill', 'delete', 'evict', 'freeze'] as const;
export type FaultName = (typeof FAULTS)[number];

/** How a Service finds the leader: by the leader label in its selector, or by EndpointSlices of the operator. */
export const WAYS = ['label', 'slice'] as const;
export type Way = (typeof WAYS)[number];

/** A process of a member: a container that begins anew has another `boot`. */
export type Answerer = { readonly pod: string; readonly uid: string; readonly boot: string };

/** Answers of one process through one Service, none much later than the one before. */
export type Run = Answerer & {
  readonly kind: 'run';
  readonly way: Way;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly answers: number;
};

/** From now on it is measured what this does to the leader. `delete` and `evict` are for the command to do, once it reads this. */
export type Phase = {
  readonly kind: 'phase';
  readonly phase: 'baseline' | FaultName;
  readonly atMs: number;
  /** Who answers by label as it begins. */
  readonly leader: Answerer;
};

export type End = {
  readonly kind: 'end';
  readonly atMs: number;
  /** Why nothing more could be measured, in one sentence; empty: everything was. */
  readonly why: string;
};

export type Line = Run | Phase | End | { readonly kind: 'alive'; readonly atMs: number };

const KINDS: ReadonlySet<unknown> = new Set<Line['kind']>(['run', 'phase', 'end', 'alive']);

export const lineText = (line: Line, number: number): string => JSON.stringify({ ...line, number });

export type Numbered = { readonly number: number; readonly line: Line };

/** null: no line of the prober, as what Node itself writes. */
export function readLine(text: string): Numbered | null {
  if (!text.startsWith('{')) return null;
  try {
    const { number, ...line } = JSON.parse(text) as Line & { readonly number: unknown };
    return typeof number === 'number' && KINDS.has(line.kind) ? { number, line } : null;
  } catch {
    return null;
  }
}
