/** The commands that a page prints, to be run as a reader runs them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../../..');

/** The first block of shell commands below a heading of a page, a command each; a line that ends in a backslash goes on in the next. */
export function printedCommands(page: string, heading: string): readonly string[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const lines = text.split('\n');
  const at = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading);
  const block = at < 0 ? undefined : /^```sh\n(.*?)^```$/ms.exec(lines.slice(at + 1).join('\n'))?.[1];
  if (block === undefined) throw new Error(`${page} prints no commands below "${heading}"`);
  return block.trimEnd().split(/(?<!\\)\n/);
}
