/** The table in docs/mutants.md of what killed which mutant. Pure. */
import { table } from './markdown.ts';

/** Between these marks it stands. */
const BEGIN = '<!-- written by npm run test:mutants -->';
const END = '<!-- end -->';

const HEADER = ['mutant', 'promise', 'what is weaker', 'killed first by'] as const;

/** The cells of one mutant, escaped; the first is its id, as `idCell` says it. */
export type Row = readonly string[];

export const idCell = (id: string): string => `\`${id}\``;

/**
 * `text` with this row in its table, in place of an earlier one of the same mutant. The others stay, in the order of `ids`: those of mutants that are gone
 * go. null: `text` has no table.
 */
export function withRow(text: string, row: Row, ids: readonly string[]): string | null {
  const [before, rest] = text.split(BEGIN);
  const [written, after] = rest?.split(END) ?? [];
  if (before === undefined || written === undefined || after === undefined) return null;
  const rows = new Map([...rowsIn(written), row].map((each) => [each[0], each]));
  const ordered = ids.flatMap((id) => {
    const found = rows.get(idCell(id));
    return found === undefined ? [] : [found];
  });
  return `${before}${BEGIN}\n\n${table(HEADER, ordered)}\n\n${END}${after}`;
}

/** Without the header. */
const rowsIn = (text: string): readonly Row[] => text.split('\n').flatMap((line) => cellsIn(line) ?? []);

function cellsIn(line: string): readonly [Row] | null {
  if (!line.startsWith('| `')) return null;
  return [
    line
      .trim()
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  ];
}
