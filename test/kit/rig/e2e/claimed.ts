/** What became of each tick that was sent to a sink which refuses nothing, by the fault in whose time it fell. Pure. */
import { table } from '../../../../dev/markdown.ts';
import type { Delivery } from '../notifiers.ts';
import type { Cost } from './costs.ts';
import { monotonic } from './deliveries.ts';

/** Who says that it is time: the loop of examples/notifier, or a library. */
export type Scheduler = 'loop' | 'node-cron' | 'APScheduler' | 'CronJob';

/** A schedule: by claims, kept by whoever holds a Lease, or by every replica. */
export type Series = {
  readonly name: string;
  readonly by: Scheduler;
  readonly tickMs: number;
  readonly mode: 'AtMostOnce' | 'AtLeastOnce' | 'Lease' | 'Nothing';
};

/** A tick between the first and the last that were delivered. `lateMs`: from its time until it was delivered first; null: it was not. */
export type Fate = {
  readonly position: number;
  readonly times: number;
  readonly pods: readonly string[];
  readonly lateMs: number | null;
};

/** Of all notifiers: theirs are told apart by it. */
export const seriesOf = (namespace: string, kinds: readonly Omit<Series, 'name'>[]): readonly Series[] =>
  kinds.map((kind) => ({ ...kind, name: `${namespace}/${kind.by}-${kind.mode}-${kind.tickMs}` }));

/** CLAIMS of the notifier. */
export const claimsText = (all: readonly Series[]): string =>
  all
    .filter(({ by }) => by === 'loop')
    .map(({ name, tickMs, mode }) => `${name}:${tickMs}:${mode}`)
    .join(',');

/** SCHEDULES of the application with this library. */
export const schedulesText = (all: readonly Series[], scheduler: Scheduler): string =>
  all
    .filter(({ by }) => by === scheduler)
    .map(({ name, mode }) => `${name}:${mode}`)
    .join(',');

export function fatesOf({ tickMs }: Series, deliveries: readonly Delivery[]): readonly Fate[] {
  const byTick = Map.groupBy(deliveries, ({ tick }) => tick);
  const positions = [...byTick.keys()];
  if (positions.length === 0) return [];
  const [first, last] = [positions.reduce((a, b) => Math.min(a, b)), positions.reduce((a, b) => Math.max(a, b))];
  return Array.from({ length: Math.round((last - first) / tickMs) + 1 }, (_, at) => {
    const position = first + at * tickMs;
    const own = byTick.get(position) ?? [];
    const [soonest] = own.map(({ atMs }) => atMs).toSorted((a, b) => a - b);
    return {
      position,
      times: own.length,
      pods: own.map(({ pod }) => pod),
      lateMs: soonest === undefined ? null : soonest - position,
    };
  });
}

export const lost = (fates: readonly Fate[]): readonly Fate[] => fates.filter(({ times }) => times === 0);
export const doubled = (fates: readonly Fate[]): readonly Fate[] => fates.filter(({ times }) => times > 1);

export type Judged = { readonly namespace: string; readonly series: Series; readonly fates: readonly Fate[] };

/** Each row of ticks that were lost, and how late the ones before and after it came, from whom: whoever lags behind loses differently from who dies. */
export function lossesText({ series, fates }: Judged): readonly string[] {
  const said: string[] = [];
  const isLost = (at: number): boolean => fates[at]?.times === 0;
  for (let at = 0; at < fates.length; at += 1) {
    if (!isLost(at) || isLost(at - 1)) continue;
    const rest = fates.slice(at).findIndex(({ times }) => times > 0);
    const sent = [fates[at - 1], fates[at + rest]].map((fate) => `${fate?.lateMs} ms late by ${fate?.pods[0]}`);
    said.push(`${series.name} lost ${rest} from ${fates[at]?.position}: between what came ${sent.join(' and ')}`);
  }
  return said;
}

/** A fault, and when it was: all of these are compared in one table. */
export type Hit = Pick<Cost, 'kind' | 'namespace' | 'setting' | 'during'>;

const NO_FAULT = 'no fault';

/** For each kind of fault and each kind of series: how many ticks were lost and doubled of those that fell in its time, and the latest. */
export function claimsTable(judged: readonly Judged[], faults: readonly Hit[]): string {
  const rowOf = ({ kind, setting }: Pick<Hit, 'kind' | 'setting'>): string => `${kind} | ${setting}`;
  const rows = new Map<string, Map<string, Fate[]>>();
  for (const fault of faults) rows.set(rowOf(fault), new Map());
  rows.set(rowOf({ kind: NO_FAULT, setting: '' }), new Map());
  const columns = new Set<string>();
  for (const { namespace, series, fates } of judged) {
    const own = faults.filter((fault) => fault.namespace === namespace);
    const column = `${series.by}, ${series.mode}, ${series.tickMs} ms`;
    columns.add(column);
    for (const fate of fates) {
      const atMs = monotonic(fate.position);
      const fault = own.find(({ during }) => during.fromMs <= atMs && atMs <= during.toMs);
      const cells = rows.get(rowOf(fault ?? { kind: NO_FAULT, setting: '' }));
      const cell = cells?.get(column) ?? [];
      cell.push(fate);
      cells?.set(column, cell);
    }
  }
  const names = [...columns].toSorted();
  return table(
    ['fault', 'leader probe', ...names],
    [...rows].map(([row, cells]) => [...row.split(' | '), ...names.map((name) => inWords(cells.get(name) ?? []))]),
  );
}

function inWords(fates: readonly Fate[]): string {
  if (fates.length === 0) return '';
  const latestMs = fates.reduce((latest, { lateMs }) => Math.max(latest, lateMs ?? 0), 0);
  const counts = `${lost(fates).length} lost, ${doubled(fates).length} twice of ${fates.length}`;
  return `${counts}; latest ${(latestMs / 1000).toFixed(1)} s`;
}
