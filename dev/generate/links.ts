/** Links of the pages that are made. */
import { posix } from 'node:path';

/** Where the pages that are made lie: links are made from there. */
const FOLDER = 'docs/reference';

/** `docs/labels.md#where` becomes a link to it, named as the page is. */
export const linked = (text: string): string =>
  text.replaceAll(/(?<!`)docs\/[\w./-]+\.md(?:#[\w-]+)?/g, (path) => {
    const [page = ''] = path.split('#');
    return `[${posix.basename(page)}](${posix.relative(FOLDER, path)})`;
  });
