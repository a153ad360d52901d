/**
 * What was seen, on one clock: answers, which the prober's log tells by the clock of its node, and writes, which a watch tells as they arrive here. The quickest line of the log says
 * how far the two clocks are apart; the watch takes about as long as that line. Pure.
 */
import type { Line, Numbered, Phase, Run, Way } from '../../verify/lines.ts';

/** The label has come to a pod, or has gone from it. */
export type LabelSeen = { readonly atMs: number; readonly uid: string; readonly on: boolean };
/** Which pods the EndpointSlices of a Service show as ready. */
export type EndpointsSeen = { readonly atMs: number; readonly way: Way; readonly uids: readonly string[] };

export type Timeline = {
  readonly runs: readonly Run[];
  readonly phases: readonly Phase[];
  /** null: the prober did not come to its end. `why`: empty where it is through. */
  readonly end: { readonly atMs: number; readonly why: string } | null;
  readonly labels: readonly LabelSeen[];
  readonly endpoints: readonly EndpointsSeen[];
};

export type Heard = Numbered & {
  /** When it was read here. */
  readonly heardMs: number;
};

export type Writes = Pick<Timeline, 'labels' | 'endpoints'>;

/** `heard`: each line once, with when it was first read. */
export function timelineOf(heard: readonly Heard[], writes: Writes): Timeline {
  const shiftMs = Math.min(...heard.map(({ line, heardMs }) => heardMs - saidMs(line)));
  const lines = heard.toSorted((one, other) => one.number - other.number).map(({ line }) => shifted(line, shiftMs));
  return {
    ...writes,
    runs: lines.filter((line) => line.kind === 'run').toSorted((one, other) => one.firstMs - other.firstMs),
    phases: lines.filter((line) => line.kind === 'phase'),
    end: lines.find((line) => line.kind === 'end') ?? null,
  };
}

/** A run is told when it is over. */
const saidMs = (line: Line): number => (line.kind === 'run' ? line.lastMs : line.atMs);

function shifted<T extends Line>(line: T, ms: number): T {
  return line.kind === 'run'
    ? { ...line, firstMs: line.firstMs + ms, lastMs: line.lastMs + ms }
    : { ...line, atMs: line.atMs + ms };
}
