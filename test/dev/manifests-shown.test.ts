/** The LeaderGroups of examples/ and of the pages are ones that the API server takes as they stand, and between them they have every field. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { specSchema } from '../../dev/generate/crd.ts';
import type { JsonSchema } from '../../dev/generate/json-schema.ts';
import { parseSpec } from '../../src/api/parse-spec.ts';

const ROOT = join(import.meta.dirname, '../..');
const EXAMPLES = globSync('examples/**/*.yaml', { cwd: ROOT, exclude: ['**/node_modules/**'] }).toSorted();
const PAGES = ['README.md', ...globSync('docs/**/*.md', { cwd: ROOT }).toSorted()];

type Shown = { readonly at: string; readonly spec: object };

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const groupsIn = (at: string, text: string): readonly Shown[] =>
  parseAllDocuments(text).flatMap((document) => {
    const { kind, spec = {} } = (document.toJS() ?? {}) as { readonly kind?: string; readonly spec?: object };
    return kind === 'LeaderGroup' ? [{ at, spec }] : [];
  });

const blocksOf = (page: string): readonly string[] =>
  [...read(page).matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block = '']) => block);

const ofExamples = EXAMPLES.flatMap((path) => groupsIn(path, read(path)));
const ofPages = PAGES.flatMap((page) => blocksOf(page).flatMap((block) => groupsIn(page, block)));

/** Fields that the schema lacks: the API server drops them, and kubectl warns at most. */
function unknownFields(value: unknown, schema: JsonSchema, path: string): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((each) => unknownFields(each, schema.items ?? {}, `${path}[]`));
  if (typeof value !== 'object' || value === null || schema.properties === undefined) return [];
  const { properties } = schema;
  return Object.entries(value).flatMap(([name, inner]) => {
    const known = properties[name];
    return known === undefined ? [`${path}.${name}`] : unknownFields(inner, known, `${path}.${name}`);
  });
}

describe('a LeaderGroup that is shown', () => {
  it('is there at all', () => {
    expect(ofExamples.length).toBeGreaterThanOrEqual(10);
    expect(ofPages.length).toBeGreaterThanOrEqual(3);
  });

  it.each([...ofExamples, ...ofPages])('is taken as it stands: $at', ({ spec }) => {
    const problems: string[] = [];
    parseSpec(spec, problems);
    expect([...problems, ...unknownFields(spec, specSchema, 'spec')]).toEqual([]);
  });
});

describe('examples/', () => {
  it('has every field of the spec in one of its files', () => {
    const shown = new Set(ofExamples.flatMap(({ spec }) => Object.keys(spec)));
    expect(Object.keys(specSchema.properties ?? {}).filter((name) => !shown.has(name))).toEqual([]);
  });

  it('has each of its manifests in its own table', () => {
    const table = read('examples/README.md');
    const own = EXAMPLES.filter((path) => path.split('/').length === 2).map((path) => path.slice('examples/'.length));
    expect(own.filter((name) => !table.includes(`(${name})`))).toEqual([]);
  });
});
