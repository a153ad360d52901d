/** A run of `kubectl leadergroup verify` as its prober and the watch tell it, for tests: every figure is planted. Times are milliseconds from its beginning. */
import type { EndpointsSeen, LabelSeen, Timeline } from '../../../../src/cli/verify/timeline.ts';
import { type Answerer, type FaultName, type Phase, type Run, WAYS, type Way } from '../../../../src/verify/lines.ts';

export type Handover = {
  readonly fault: FaultName;
  /** From when the former leader lost its label to when the next one got it. */
  readonly unledMs?: number;
  /** From the label to the endpoint. */
  readonly controllerMs?: number;
  /** From the endpoint to the first answer. */
  readonly proxyMs?: Readonly<Record<Way, number>>;
  /** So long the former leader still answers after it has lost its label. */
  readonly staleMs?: number;
};

export type MeasuredWish = {
  readonly handovers?: readonly Handover[];
  /** So long nobody answers in the middle of the baseline. */
  readonly noiseMs?: number;
  /** Nobody is ever led to it by slice. */
  readonly withoutSlice?: boolean;
  readonly end?: string;
};

const BASELINE_MS = 10_000;
const STEADY_MS = 3_000;

export const processOf = (at: number): Answerer => ({ pod: `verify-${at}`, uid: `uid-${at}`, boot: `boot-${at}` });

/** The first leader is process 0; each handover has the next one lead. */
export function measured({ handovers = [], noiseMs = 0, withoutSlice = false, end = '' }: MeasuredWish = {}): Timeline {
  const ways = withoutSlice ? (['label'] as const) : WAYS;
  const middleMs = STEADY_MS + BASELINE_MS / 2;
  const made: Made = {
    runs: ways.map((way) => run(0, way, 0, middleMs)),
    phases: [{ kind: 'phase', phase: 'baseline', atMs: STEADY_MS, leader: processOf(0) }],
    labels: [{ atMs: -10, uid: 'uid-0', on: true }],
    endpoints: ways.map((way) => ({ atMs: -5, way, uids: ['uid-0'] })),
    beginMs: { label: middleMs + noiseMs, slice: middleMs + noiseMs },
    nowMs: STEADY_MS + BASELINE_MS,
  };
  for (const [at, handover] of handovers.entries()) handOver(made, at, { ...USUAL, ...handover }, ways);
  const { runs, phases, labels, endpoints, beginMs, nowMs } = made;
  runs.push(...ways.map((way) => run(handovers.length, way, beginMs[way], nowMs + 100)));
  const sorted = runs.toSorted((one, other) => one.firstMs - other.firstMs);
  return { runs: sorted, phases, labels, endpoints, end: { atMs: nowMs, why: end } };
}

const USUAL = { unledMs: 25, controllerMs: 30, proxyMs: { label: 40, slice: 20 }, staleMs: 0 } as const;

type Made = {
  readonly runs: Run[];
  readonly phases: Phase[];
  readonly labels: LabelSeen[];
  readonly endpoints: EndpointsSeen[];
  beginMs: Readonly<Record<Way, number>>;
  nowMs: number;
};

const run = (at: number, way: Way, firstMs: number, lastMs: number): Run => ({
  kind: 'run',
  way,
  ...processOf(at),
  firstMs,
  lastMs,
  answers: 10,
});

function handOver(made: Made, at: number, handover: Required<Handover>, ways: readonly Way[]): void {
  const { fault, unledMs, controllerMs, proxyMs, staleMs } = handover;
  const { nowMs, beginMs } = made;
  const shownMs = nowMs + unledMs + controllerMs;
  made.phases.push({ kind: 'phase', phase: fault, atMs: nowMs, leader: processOf(at) });
  made.labels.push(
    { atMs: nowMs, uid: `uid-${at}`, on: false },
    { atMs: nowMs + unledMs, uid: `uid-${at + 1}`, on: true },
  );
  for (const way of ways) {
    made.endpoints.push({ atMs: shownMs, way, uids: [`uid-${at + 1}`] });
    made.runs.push(run(at, way, beginMs[way], nowMs + staleMs));
  }
  made.beginMs = { label: shownMs + proxyMs.label, slice: shownMs + proxyMs.slice };
  made.nowMs = Math.max(made.beginMs.label, made.beginMs.slice) + STEADY_MS;
}
