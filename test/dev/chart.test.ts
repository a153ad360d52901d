/** What of deploy/chart can be judged without Helm. test/integration/chart.test.ts renders it. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Change, templateOf } from '../../dev/generate/chart.ts';
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

  it('knows every setting of the operator but its port, which probes and Services name, and the namespaces, which rights follow', () => {
    const known = leavesOf(schema.properties?.['settings'] ?? {});
    expect(known.toSorted()).toEqual(
      SETTING_PATHS.filter((path) => !['http.address', 'watchNamespaces'].includes(path)).toSorted(),
    );
  });

  it('reads no value that has no default', () => {
    const files = globSync('templates/*', { cwd: CHART });
    const used = files.flatMap((file) => [...read(file).matchAll(/\.Values\.([\w.]+)/g)].map(([, path = '']) => path));
    const given = pathsOf(values);
    const known = (path: string): boolean => given.some((each) => each === path || `${each}.`.startsWith(`${path}.`));
    expect(used.length).toBeGreaterThan(30);
    expect(used.filter((path) => !known(path))).toEqual([]);
  });

  it.each(['README.md', 'docs/install.md'])('has every value that %s sets', (page) => {
    const text = readFileSync(join(CHART, '../..', page), 'utf8');
    const named = [...text.matchAll(/--set(?:-json)? '?([\w.]+)=/g)].map(([, path = '']) => path);
    // Of the chart of Consul.
    const ours = named.filter((path) => !/^(?:global|server)\./.test(path));
    expect(ours).toContain('image.repository');
    expect(ours.filter((path) => !leavesOf(schema).includes(path))).toEqual([]);
  });

  it.each(globSync('files/*.mjs', { cwd: CHART }))(
    'has no $( in %s, which Kubernetes would take for a variable',
    (file) => {
      expect(read(file)).not.toContain('$(');
    },
  );
});

describe('a template of the chart', () => {
  const source = 'deploy/a.yaml';
  const change = { from: 'replicas: 2', by: '  replicas: {{ .Values.replicas }}' };
  const made = (text: string, changes: readonly Change[] = [change]): string => templateOf(text, { source, changes });

  it('is the manifest with the lines that follow the values, in the namespace of the release', () => {
    const text = 'metadata:\n  namespace: leadergroup-system\nspec:\n  # Two.\n  replicas: 2\n  paused: false\n';
    expect(
      made(text, [{ from: '# Two.', to: 'replicas: 2', by: change.by }])
        .split('\n')
        .slice(1),
    ).toEqual([
      'metadata:',
      '  namespace: {{ .Release.Namespace | quote }}',
      'spec:',
      '  replicas: {{ .Values.replicas }}',
      '  paused: false',
      '',
    ]);
  });

  it.each([
    ['a line is gone', 'spec:\n  replicas: 3\n', /deploy\/a\.yaml has 0 lines that read "replicas: 2"/],
    ['a line is there twice', 'replicas: 2\n---\nreplicas: 2\n', /has 2 lines that read "replicas: 2"/],
    ['there is a directive of Helm', 'replicas: 2\nname: "{{ x }}"\n', /has \{\{, which Helm would take for its own/],
    ['the namespace is in a text', 'replicas: 2\nhost: a.leadergroup-system.svc\n', /names leadergroup-system where/],
  ])('is not made where %s', (_, text, problem) => {
    expect(() => made(text)).toThrow(problem);
  });

  it('is not made where the end of a change is gone', () => {
    expect(() => made('replicas: 2\n', [{ ...change, to: 'paused: false' }])).toThrow(
      'has no line "paused: false" after "replicas: 2"',
    );
  });
});
