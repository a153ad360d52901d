/** What the site does to a page of docs that GitHub shows as it is. */
import { posix } from 'node:path';

/** As much of markdown-it as is used here, so that its version is VitePress's business. */
type Token = {
  readonly type: string;
  readonly children: readonly Token[] | null;
  readonly attrGet: (name: string) => string | null;
  readonly attrSet: (name: string, value: string) => void;
};
type State = { src: string; readonly tokens: readonly Token[]; readonly env: { readonly relativePath?: string } };
export type Markdown = {
  readonly core: {
    readonly ruler: {
      before: (rule: string, name: string, run: (state: State) => void) => void;
      push: (name: string, run: (state: State) => void) => void;
    };
  };
};

/** Comments are for whoever edits the page and for tests. */
export function withoutComments(markdown: Markdown): void {
  markdown.core.ruler.before('normalize', 'comments', (state) => {
    state.src = state.src.replaceAll(/^ *<!--.*?-->\n?/gms, '');
  });
}

/** Files beside docs are in the repository, and no pages of the site. */
export function linksOf(markdown: Markdown, repository: string | null): void {
  markdown.core.ruler.push('outside', ({ tokens, env }) => {
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const href = token.type === 'link_open' ? token.attrGet('href') : null;
      const target = href === null ? null : outside(href, env.relativePath ?? '');
      if (target !== null) token.attrSet('href', addressOf(target, repository));
    }
  });
}

/**
 * The path in the repository that a link leads to if that is no page of docs; null: it is one, or another site.
 *
 * @param page in docs, such as `adr/README.md`
 */
export function outside(href: string, page: string): string | null {
  if (/^(?:[a-z]+:|#|\/)/.test(href)) return null;
  const [path = ''] = href.split('#');
  const target = posix.join('docs', posix.dirname(page), decodeURI(path));
  if (target.startsWith('docs/') && /(?:\.md|\.svg|\/)$/.test(target)) return null;
  return target;
}

/** Without a repository's address the name of the file has to do. */
const addressOf = (target: string, repository: string | null): string =>
  repository === null ? `about:blank#${target}` : `${repository}/blob/main/${target}`;
