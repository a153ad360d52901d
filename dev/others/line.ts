/** What a candidate prints. Pure. */

const words = ['waits', 'leads', 'works', 'stops'] as const;

/** `works`: it still believes that it leads. */
export type Word = (typeof words)[number];

export type Said = { readonly word: Word; readonly atMs: number; readonly pid: number };

/** What a line of lease-candidate says, the time in milliseconds since 1970; undefined for a line of anybody else. */
export function parseLine(line: string): Said | undefined {
  const [first, microseconds, pid, ...rest] = line.split(' ');
  const word = words.find((candidate) => candidate === first);
  if (word === undefined || rest.length > 0) return undefined;
  if (!/^\d+$/.test(microseconds ?? '') || !/^\d+$/.test(pid ?? '')) return undefined;
  return { word, atMs: Number(microseconds) / 1000, pid: Number(pid) };
}
