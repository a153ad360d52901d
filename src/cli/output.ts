/** How results are printed: tables and sentences for people, JSON and YAML for programs. */
import { stringify } from 'yaml';

import type { Io, Session } from './session.ts';

export { duration } from './dashboard/page/duration.ts';

/** The result in the format that was asked for. `text` is for people, each element a line. */
export function show({ io, format }: Session, data: object, text: () => readonly string[]): void {
  if (format === 'json') io.out(JSON.stringify(data, null, 2));
  else if (format === 'yaml') io.out(stringify(data).trimEnd());
  else for (const line of text()) io.out(line.trimEnd());
}

/** Columns as kubectl sets them: three spaces between, nothing after the last. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => visible(row[column] ?? ''))));
  return all.map((row) =>
    row
      .map((cell, column) => padded(cell, widths[column] ?? 0))
      .join('   ')
      .trimEnd(),
  );
}

/** Names with their values, the values below one another; entries without a value are left out. */
export function fields(entries: readonly (readonly [string, string | null])[]): readonly string[] {
  const shown = entries.filter((entry): entry is readonly [string, string] => entry[1] !== null);
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${name.padEnd(width)}   ${value}`);
}

const CODES = { good: 32, warn: 33, bad: 31, dim: 2 } as const;
const ESCAPE = '\u001B[';

/** Coloured where the terminal shows it. */
export const tint = ({ colours }: Pick<Io, 'colours'>, tone: keyof typeof CODES, text: string): string =>
  colours && text !== '' ? `${ESCAPE}${CODES[tone]}m${text}${ESCAPE}0m` : text;

const withoutColours = (text: string): string =>
  text
    .split(ESCAPE)
    .map((part, at) => (at === 0 ? part : part.replace(/^\d+m/, '')))
    .join('');
const visible = (text: string): number => withoutColours(text).length;
const padded = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - visible(text)));

/** What stands for nothing in a table. */
export const orNone = (text: string): string => (text === '' ? '<none>' : text);
