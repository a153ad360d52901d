/** What the measurements say. Pure. */

import { type FaultName, type Phase, type Run, WAYS, type Way } from '../../verify/lines.ts';
import type { AuditResult } from '../audit/audit.ts';
import type { AuditBreach } from '../audit/rules.ts';
import type { Finding } from '../doctor/findings.ts';
import type { Timeline } from './timeline.ts';

/** Milliseconds. null: it could not be measured. */
export type ByWay = Readonly<Record<Way, number | null>>;

export type FaultResult = {
  readonly fault: FaultName;
  readonly from: string;
  /** Who leads afterwards; null: nobody. */
  readonly to: string | null;
  /** Longest time without an answer of whoever carried the label. */
  readonly gapMs: ByWay;
  /** From when the EndpointSlices showed the next leader to its first answer. */
  readonly proxyMs: ByWay;
};

export type VerifyResult = {
  readonly verdict: 'Verified' | 'Found' | 'NotMeasurable';
  /** Why, in one sentence; empty where everything was measured. */
  readonly reason: string;
  readonly baselineGapMs: ByWay;
  readonly faults: readonly FaultResult[];
  readonly labels: {
    /** Versions of pods that were looked at. */
    readonly versions: number;
    /** Moments, each a version, at which two members carried the label. */
    readonly twoLabels: number;
    /** How often a leader was seen to come, each with a higher token than the one before unless a breach says otherwise. */
    readonly changes: number;
  };
  readonly breaches: readonly AuditBreach[];
  readonly findings: readonly Finding[];
  /** What could not be found out. */
  readonly unknown: readonly string[];
};

/** Without any fault nobody may be without an answer for as long as kube-proxy usually takes. */
export const NOISE_MS = 1_000;
/** kube-proxy's usual minSyncPeriod is a second; what comes to it in a busy cluster is within another one. */
export const PROXY_MS = 2_000;
/** By how much the two clocks may be apart after all. */
const APART_MS = 150;

export function judge(timeline: Timeline, audit: AuditResult, object: string): VerifyResult {
  const baselineGapMs = baselineOf(timeline);
  const faults = faultsOf(timeline);
  const labels = {
    versions: audit.versions,
    twoLabels: audit.breaches.filter(({ rule }) => rule === 'TwoLeaders').length,
    changes: audit.groups.reduce((sum, { changes }) => sum + changes, 0),
  };
  const { breaches } = audit;
  const findings = [...proxyFindings(faults), ...lost(timeline, faults, object)];
  const reason = notMeasurable(timeline, baselineGapMs, faults);
  const unknown = [
    ...(baselineGapMs.slice === null && baselineGapMs.label !== null
      ? [
          'by slice: nobody answered through the Service of spec.route (docs/routing.md says which rights the operator needs for it)',
        ]
      : []),
    ...audit.unproved.map(({ why }) => `labels: ${why}`),
  ];
  const isFound = findings.length > 0 || breaches.length > 0;
  const verdict = isFound ? 'Found' : reason === '' ? 'Verified' : 'NotMeasurable';
  return { verdict, reason, baselineGapMs, faults, labels, breaches, findings, unknown };
}

function notMeasurable({ phases, end }: Timeline, { label }: ByWay, faults: readonly FaultResult[]): string {
  if (phases.length === 0) return end?.why ?? 'the prober said nothing';
  if (label === null) return 'nobody answered while nothing happened';
  if (label > NOISE_MS)
    return `nobody answered for ${Math.round(label)} ms while nothing happened: whatever a handover costs is lost in that`;
  if (end === null) return 'the prober ended before it was through';
  if (end.why !== '') return end.why;
  return faults.length === 0 ? 'no fault was measured' : '';
}

/** Of each phase: until when it lasts. */
const endOf = ({ phases, end }: Timeline, at: number): number =>
  phases[at + 1]?.atMs ?? end?.atMs ?? Number.POSITIVE_INFINITY;

function baselineOf(timeline: Timeline): ByWay {
  const at = timeline.phases.findIndex(({ phase }) => phase === 'baseline');
  const phase = timeline.phases[at];
  return byWay((way) =>
    phase === undefined ? null : longestGap(timeline.runs.filter(isBy(way)), phase.atMs, endOf(timeline, at)),
  );
}

function faultsOf(timeline: Timeline): readonly FaultResult[] {
  return timeline.phases.flatMap((phase, at) =>
    phase.phase === 'baseline' ? [] : [faultOf(timeline, phase, phase.phase, endOf(timeline, at))],
  );
}

function faultOf(timeline: Timeline, { atMs, leader }: Phase, fault: FaultName, toMs: number): FaultResult {
  const { runs, labels } = timeline;
  const promoted = labels.findLast((seen) => seen.on && seen.atMs >= atMs - APART_MS && seen.atMs < toMs);
  const next =
    promoted === undefined
      ? null
      : (runs.findLast(
          ({ uid, firstMs, lastMs }) => uid === promoted.uid && firstMs <= toMs && lastMs >= promoted.atMs - APART_MS,
        ) ?? null);
  const led = runs.flatMap((run) => whileLeading(run, timeline));
  return {
    fault,
    from: leader.pod,
    to: next?.pod ?? null,
    gapMs: byWay((way) => longestGap(led.filter(isBy(way)), atMs, toMs)),
    proxyMs: byWay((way) => (next === null ? null : proxyDelay(timeline, way, next, { fromMs: atMs, toMs }))),
  };
}

const byWay = (of: (way: Way) => number | null): ByWay => ({ label: of('label'), slice: of('slice') });
const isBy =
  (way: Way) =>
  (run: Run): boolean =>
    run.way === way;

/** The parts of a run in which its pod carried the label: what a former leader answers is no answer. */
function whileLeading(run: Run, { labels }: Timeline): readonly Run[] {
  const own = labels.filter(({ uid }) => uid === run.uid);
  return own.flatMap(({ on, atMs }, at) => {
    if (!on) return [];
    const firstMs = Math.max(run.firstMs, atMs - APART_MS);
    const lastMs = Math.min(run.lastMs, own[at + 1]?.atMs ?? Number.POSITIVE_INFINITY);
    return firstMs <= lastMs ? [{ ...run, firstMs, lastMs }] : [];
  });
}

/** Between two answers of which one is in the stretch; null: there is none before its end, or none in it. */
export function longestGap(
  runs: readonly Pick<Run, 'firstMs' | 'lastMs'>[],
  fromMs: number,
  toMs: number,
): number | null {
  const sorted = runs.filter(({ firstMs }) => firstMs <= toMs).toSorted((one, other) => one.firstMs - other.firstMs);
  let endMs: number | null = null;
  let longest = 0;
  for (const { firstMs, lastMs } of sorted) {
    if (endMs !== null && firstMs > fromMs) longest = Math.max(longest, firstMs - endMs);
    endMs = Math.max(endMs ?? lastMs, lastMs);
  }
  if (endMs === null || endMs < fromMs) return null;
  // Nobody may have answered to its end.
  return Number.isFinite(toMs) ? Math.max(longest, toMs - endMs) : longest;
}

type Stretch = { readonly fromMs: number; readonly toMs: number };

/** null: the one was not seen, or the other. */
function proxyDelay({ endpoints, runs }: Timeline, way: Way, next: Run, { fromMs, toMs }: Stretch): number | null {
  const first = runs.find(
    (run) => run.way === way && run.boot === next.boot && run.lastMs >= fromMs && run.firstMs <= toMs,
  );
  const seen = endpoints.filter((one) => one.way === way);
  const shown = seen.find(
    ({ atMs, uids }, at) =>
      atMs >= fromMs - APART_MS &&
      atMs < toMs &&
      uids.includes(next.uid) &&
      seen[at - 1]?.uids.includes(next.uid) !== true,
  );
  return first === undefined || shown === undefined ? null : Math.max(0, first.firstMs - shown.atMs);
}

/** Of half of the handovers at least: one that is slow may be chance. */
function proxyFindings(faults: readonly FaultResult[]): readonly Finding[] {
  const slow = WAYS.flatMap((way) => {
    const delays = faults.map(({ proxyMs }) => proxyMs[way]).filter((ms) => ms !== null);
    const late = delays.filter((ms) => ms > PROXY_MS);
    if (late.length === 0 || 2 * late.length < delays.length) return [];
    return [
      `${seconds(Math.max(...late))} s by ${way} (${late.length} of ${delays.length} took more than ${seconds(PROXY_MS)} s)`,
    ];
  });
  if (slow.length === 0) return [];
  const message = `New connections reached the next leader so long after its EndpointSlice showed it: ${slow.join(', ')}. A minSyncPeriod of at least that length does that.`;
  return [{ id: 'proxy-min-sync-period', object: 'kube-proxy', message }];
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1);

/** The last fault, where nobody has followed. */
function lost({ end }: Timeline, faults: readonly FaultResult[], object: string): readonly Finding[] {
  const last = faults.at(-1);
  if (last === undefined || end === null || end.why === '') return [];
  return last.to === null
    ? [
        {
          id: 'not-led',
          object,
          message: `After ${last.fault} of ${last.from} no other process came to lead: ${end.why}.`,
        },
      ]
    : [{ id: 'not-routed', object, message: `After ${last.fault} of ${last.from} ${last.to} leads: ${end.why}.` }];
}
