/** Labels and a route side by side: what each handover cost the clients of the Service. Pure. */
import { median } from '../faults/samples.ts';
import type { Cost } from './costs.ts';

/** `others`: how often Services of others change. */
export type RouteCost = Cost & { readonly by: 'label' | 'route'; readonly others: string };

const WAYS = ['label', 'route'] as const;

/** A table in Markdown; medians, and the longest in brackets. */
export function routeTable(costs: readonly RouteCost[]): string {
  const name = ({ kind, others }: RouteCost): string => `${kind} | ${others}`;
  const rows = [...new Set(costs.map(name))].map((row) => {
    const own = costs.filter((cost) => name(cost) === row);
    const ways = WAYS.map((way) => columns(own.filter(({ by }) => by === way)));
    return `| ${row} | ${ways.join(' | ')} |`;
  });
  const column = (way: string): string =>
    `by ${way}: times | the last leader has let go | first answer of the next | longest gap | answers of the last one after that`;
  return [
    `| handover | other Services change | ${WAYS.map(column).join(' | ')} |`,
    `|${' --- |'.repeat(12)}`,
    ...rows,
  ].join('\n');
}

function columns(some: readonly RouteCost[]): string {
  const handovers = some.flatMap(({ handover }) => handover ?? []);
  const stale = handovers.reduce((sum, { staleAnswers }) => sum + staleAnswers, 0);
  return [
    some.length,
    words(handovers.flatMap(({ labelOffMs }) => labelOffMs ?? [])),
    words(handovers.flatMap(({ answeredMs }) => answeredMs ?? [])),
    words(some.map(({ freshGapMs }) => freshGapMs)),
    stale,
  ].join(' | ');
}

const words = (some: readonly number[]): string =>
  some.length === 0 ? '' : `${Math.round(median(some))} ms (${Math.round(Math.max(...some))} ms)`;
