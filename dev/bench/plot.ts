/** Bar charts as SVG, for docs: one figure of several sizes, of each checkout a bar. Readable on light and dark pages. */

import { shown } from './row.ts';

export type Bar = { readonly name: string; readonly figure: number };
export type Chart = {
  readonly title: string;
  readonly unit: string;
  /** A place for each; its bars stand below one another. */
  readonly places: readonly { readonly name: string; readonly bars: readonly Bar[] }[];
};

const WIDTH = 780;
const LEFT = 310;
const RIGHT = 90;
const BAR = 16;
const GAP = 14;
const TOP = 40;
const COLOURS = ['#9aa5b1', '#2f6fde', '#3aa675'];

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** All bars to one scale, from zero. */
export function chart({ title, unit, places }: Chart): string {
  const most = Math.max(...places.flatMap(({ bars }) => bars.map(({ figure }) => figure)), Number.MIN_VALUE);
  const lines: string[] = [];
  let y = TOP;
  for (const { name, bars } of places) {
    lines.push(text(LEFT - 10, y + (bars.length * BAR) / 2 + 4, name, 'end'));
    for (const [at, bar] of bars.entries()) {
      const width = Math.max(1, ((WIDTH - LEFT - RIGHT) * bar.figure) / most);
      lines.push(
        `<rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR - 3}" fill="${COLOURS[at % COLOURS.length]}"><title>${escaped(bar.name)}</title></rect>`,
        text(LEFT + width + 6, y + BAR - 6, shown({ figure: bar.figure, unit }), 'start'),
      );
      y += BAR;
    }
    y += GAP;
  }
  const names = places[0]?.bars.map(({ name }) => name) ?? [];
  const legend = names.length < 2 ? [] : names.flatMap((name, at) => legendOf(name, at, y));
  const height = y + (legend.length === 0 ? 0 : 24);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12" role="img" aria-label="${escaped(title)}">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="10" y="22" font-size="14" font-weight="bold">${escaped(title)}</text>`,
    ...lines,
    ...legend,
    '</svg>',
    '',
  ].join('\n');
}

const text = (x: number, y: number, words: string, anchor: 'start' | 'end'): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escaped(words)}</text>`;

const legendOf = (name: string, at: number, y: number): readonly string[] => [
  `<rect x="${LEFT + at * 180}" y="${y}" width="12" height="12" fill="${COLOURS[at % COLOURS.length]}"/>`,
  text(LEFT + at * 180 + 18, y + 10, name, 'start'),
];
