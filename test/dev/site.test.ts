/** The site is made of the pages in docs, and leads to each of them. */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { navigation } from '../../dev/site/navigation.ts';
import { linksOf, type Markdown, outside, withoutComments } from '../../dev/site/pages.ts';

const DOCS = join(import.meta.dirname, '../../docs');

describe('the navigation', () => {
  const shown = navigation.flatMap(({ pages }) => pages.map(({ page }) => page));

  it('has each page of docs once, and decisions, runbooks and findings by their own index', () => {
    const pages = globSync('**/*.md', { cwd: DOCS }).filter(
      (page) => !/^(?:adr\/\d|runbooks\/LeaderGroup|doctor\/(?!README))/.test(page),
    );
    expect(shown.toSorted()).toEqual(pages.toSorted());
  });

  it('calls each by a name of its own', () => {
    const titles = navigation.flatMap(({ pages }) => pages.map(({ title }) => title));
    expect(new Set(titles).size).toBe(titles.length);
  });
});

describe('a link', () => {
  it.each([
    ['claims.md#clients', 'notifier.md', null],
    ['../claims.md', 'adr/0001-ports-folder.md', null],
    ['performance/failover.svg', 'performance.md', null],
    ['https://example.com/a', 'notifier.md', null],
    ['#limits', 'claims.md', null],
    ['../examples/notifier/claims.ts', 'schedulers.md', 'examples/notifier/claims.ts'],
    ['../../deploy/consul-policy.hcl', 'how-to/several-clusters.md', 'deploy/consul-policy.hcl'],
    ['openapi.yaml', 'claims.md', 'docs/openapi.yaml'],
    ['../SECURITY.md#reporting', 'threat-model.md', 'SECURITY.md'],
  ])('to %s in %s leads out of the site to %j', (href, page, target) => {
    expect(outside(href, page)).toBe(target);
  });

  it.each([
    ['https://github.com/a/b', 'https://github.com/a/b/blob/main/examples/x.ts'],
    [null, 'about:blank#examples/x.ts'],
  ])('out of it, with the repository %s, is %s', (repository, href) => {
    const attributes = new Map([['href', '../examples/x.ts']]);
    const link = {
      type: 'link_open',
      children: null,
      attrGet: (name: string) => attributes.get(name) ?? null,
      attrSet: (name: string, value: string) => void attributes.set(name, value),
    };
    const inline = { ...link, type: 'inline', children: [link] };
    run((markdown) => linksOf(markdown, repository), { src: '', tokens: [inline], env: { relativePath: 'x.md' } });
    expect(attributes.get('href')).toBe(href);
  });
});

it('a comment is not shown', () => {
  const state = { src: 'a\n\n  <!-- not run: b\nc -->\n\nd <!-- e -->\n', tokens: [], env: {} };
  run(withoutComments, state);
  expect(state.src).toBe('a\n\n\nd <!-- e -->\n');
});

/** What a rule makes of a page. */
function run(
  install: (markdown: Markdown) => void,
  state: { src: string; tokens: never[] | object[]; env: object },
): void {
  type Rule = Parameters<Markdown['core']['ruler']['push']>[1];
  const add = (rule: Rule): void => rule(state as unknown as Parameters<Rule>[0]);
  install({ core: { ruler: { before: (_, __, rule) => add(rule), push: (_, rule) => add(rule) } } });
}
