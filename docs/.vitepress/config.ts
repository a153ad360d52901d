/** `npm run docs` builds the site with this. */
import { defineConfig } from 'vitepress';
import { navigation } from '../../dev/site/navigation.ts';
import { linksOf, withoutComments } from '../../dev/site/pages.ts';

const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: name } = process.env;
const repository = server !== undefined && name !== undefined ? `${server}/${name}` : null;

export default defineConfig({
  title: 'LeaderGroup',
  description: 'Leader election for Kubernetes pods: one object, one leader label, a Consul lock behind it',
  lang: 'en-GB',
  base: process.env['LEADERGROUP_DOCS_BASE'] ?? '/',
  // A page is what GitHub shows: no HTML, and no templates.
  markdown: {
    html: false,
    config(markdown) {
      withoutComments(markdown);
      linksOf(markdown, repository);
    },
  },
  rewrites: { 'adr/README.md': 'adr/index.md', 'runbooks/README.md': 'runbooks/index.md' },
  themeConfig: {
    // In the browser, from an index that is built with the pages: nothing is asked of anybody.
    search: { provider: 'local' },
    outline: [2, 3],
    sidebar: navigation.map(({ title, pages }) => ({
      text: title,
      items: pages.map(({ title: text, page }) => ({ text, link: `/${page.replace(/(?:index|README)?\.md$/, '')}` })),
    })),
  },
});
