/** What of deploy/chart can be judged without Helm. test/integration/chart.test.ts renders it. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import manifest from '../../package.json' with { type: 'json' };
import { SETTING_PATHS } from '../../src/config/settings.ts';

const CHART = join(import.meta.dirname, '../../deploy/chart');
const read = (file: string): string => readFileSync(join(CHART, file), 'utf8');

type Schema = { readonly type?: string; readonly properties?: Readonly<Record<string, Schema>> };
const schema = JSON.parse(read('values.schema.json')) as Schema;
const values = parse(read('values.yaml')) as Readonly<Record<string, unknown>>;

const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `consul.tls.ca.key`; of an empty mapping its own path. */
const pathsOf = (value: unknown, path: readonly string[] = []): readonly string[] =>
  isMapping(value) && Object.keys(value).length > 0
    ? Object.entries(value).flatMap(([key, each]) => pathsOf(each, [...path, key]))
    : [path.join('.')];

const leavesOf = ({ properties }: Schema, path: readonly string[] = []): readonly string[] =>
  properties === undefined
    ? [path.join('.')]
    : Object.entries(properties).flatMap(([key, each]) => leavesOf(each, [...path, key]));

describe('the chart', () => {
  it('has the version of the project, twice', () => {
    expect(parse(read('Chart.yaml'))).toMatchObject({ version: manifest.version, appVersion: manifest.version });
  });

  it('takes its own default values', () => {
    const validate = new Ajv({ strict: false }).compile(schema);
    expect({ valid: validate(values), errors: validate.errors }).toEqual({ valid: true, errors: null });
  });

  it('has a default and a comment for every value that its schema knows', () => {
    const known = leavesOf(schema).filter((path) => path !== 'global' && !path.startsWith('settings.'));
    const given = pathsOf(values);
    const missing = known.filter((path) => !given.some((each) => each === path || each.startsWith(`${path}.`)));
    expect(missing).toEqual([]);
  });

  it('knows every setting of the operator but its port, which probes and Services name', () => {
    const known = leavesOf(schema.properties?.['settings'] ?? {});
    expect(known.toSorted()).toEqual(SETTING_PATHS.filter((path) => path !== 'http.address').toSorted());
  });

  it('reads no value that has no default', () => {
    const files = globSync('templates/*', { cwd: CHART });
    const used = files.flatMap((file) => [...read(file).matchAll(/\.Values\.([\w.]+)/g)].map(([, path = '']) => path));
    const given = pathsOf(values);
    const known = (path: string): boolean => given.some((each) => each === path || `${each}.`.startsWith(`${path}.`));
    expect(used.length).toBeGreaterThan(30);
    expect(used.filter((path) => !known(path))).toEqual([]);
  });

  it('has a check without $( in it, which Kubernetes would take for a variable', () => {
    expect(read('files/check.mjs')).not.toContain('$(');
  });
});
