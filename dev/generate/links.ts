/** Links of the pages that are made. */
import { posix } from 'node:path';

/** Where most pages that are made lie. */
const FOLDER = 'docs/reference';

/** `docs/labels.md#where` becomes a link to it from a page in `folder`, named as the page is. */
export const linked = (text: string, folder: string = FOLDER): string =>
  text.replaceAll(/(?<!`)docs\/[\w./-]+\.md(?:#[\w-]+)?/g, (path) => {
    const [page = ''] = path.split('#');
    return `[${posix.basename(page)}](${posix.relative(folder, path)})`;
  });
