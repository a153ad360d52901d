/** Tables, and what may stand in a cell of one. */
import { posix } from 'node:path';

/** Where the pages that are made lie: links are made from there. */
const FOLDER = 'docs/reference';

/** A text in a cell: no line breaks, no cell's end, and nothing between angle brackets that a browser would take for a tag. */
export const cell = (text: string): string =>
  text.replaceAll('|', '\\|').replaceAll(/`[^`]*`|</g, (found) => (found === '<' ? '&lt;' : found));

export const code = (value: unknown): string => `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;

/** `docs/labels.md#where` becomes a link to it, named as the page is. */
export const linked = (text: string): string =>
  text.replaceAll(/(?<!`)docs\/[\w./-]+\.md(?:#[\w-]+)?/g, (path) => {
    const [page = ''] = path.split('#');
    return `[${posix.basename(page)}](${posix.relative(FOLDER, path)})`;
  });
