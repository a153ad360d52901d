/**
 * src/cli/dashboard/assets.ts: the files of the dashboard's page, as text in one module. So they are there wherever the commands are: in a
 * checkout, in dist, in a single executable. The page's TypeScript is its JavaScript without the types: no bundler, and nothing to debug but what was written.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '../../src/cli/dashboard/page');

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  ts: 'text/javascript; charset=utf-8',
};

export function dashboardAssets(): string {
  const files = readdirSync(FOLDER)
    .toSorted()
    .map((name) => ({ name, type: TYPES[name.split('.').at(-1) ?? ''] }))
    .filter((file) => file.type !== undefined);
  const entries = files.map(
    ({ name, type }) =>
      `  ${JSON.stringify(addressOf(name))}: {\n    type: ${JSON.stringify(type)},\n    content: ${JSON.stringify(contentOf(name))},\n  },\n`,
  );
  return `/** Made by \`npm run generate\` from src/cli/dashboard/page. */

export type Asset = { readonly type: string; readonly content: string };

/** By path. */
export const ASSETS: Readonly<Record<string, Asset>> = {
${entries.join('')}};
`;
}

const addressOf = (name: string): string => (name === 'index.html' ? '/' : `/${name.replace(/\.ts$/, '.js')}`);

function contentOf(name: string): string {
  const text = readFileSync(join(FOLDER, name), 'utf8');
  return name.endsWith('.ts') ? javascriptOf(text) : text;
}

/** Types leave blanks behind, so that lines stay where they are. */
const javascriptOf = (text: string): string =>
  stripTypeScriptTypes(text)
    .replaceAll(/(from '\.\/[\w-]+)\.ts'/g, "$1.js'")
    .replaceAll(/[ \t]+$/gm, '');
