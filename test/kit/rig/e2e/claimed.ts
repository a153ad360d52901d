/** What became of each tick that was sent to a sink which refuses nothing, by the fault in whose time it fell. Pure. */
import { table } from '../../../../dev/markdown.ts';
import type { Delivery } from '../notifiers.ts';
import type { Cost } from './costs.ts';
import { monotonic } from './deliveries.ts';

/** A schedule: claimed as CLAIMS of the notifier has it, or kept by whoever holds a Lease. */
export type Series = {
  readonly name: string;
  readonly tickMs: number;
  readonly mode: 'AtMostOnce' | 'AtLeastOnce' | 'Lease';
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
  kinds.map((kind) => ({ ...kind, name: `${namespace}/${kind.mode}-${kind.tickMs}` }));

export const claimsText = (all: readonly Series[]): string =>
  all.map(({ name, tickMs, mode }) => `${name}:${tickMs}:${mode}`).join(',');

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
    const column = `${series.mode}, ${series.tickMs} ms`;
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
