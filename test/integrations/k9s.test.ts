/** deploy/integrations/k9s: its columns are fields that there are, and its keys do what they say, with a kubectl that only notes what it is given. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { specSchema, statusSchema } from '../../dev/generate/crd.ts';
import type { JsonSchema } from '../../dev/generate/json-schema.ts';
import { CONDITION_REASONS } from '../../src/api/condition-reasons.ts';
import { API_GROUP, API_VERSION, PLURAL, SWITCHOVER_ANNOTATION } from '../../src/api/names.ts';
import { parseSpec } from '../../src/api/parse-spec.ts';
import { parseSwitchover } from '../../src/api/switchover.ts';

const read = (name: string): unknown =>
  parse(readFileSync(join(import.meta.dirname, `../../deploy/integrations/k9s/${name}.yaml`), 'utf8'));

type Plugin = { readonly command: string; readonly args: readonly string[]; readonly scopes: readonly string[] };

const { plugins } = read('plugins') as { readonly plugins: Readonly<Record<string, Plugin>> };
const { views } = read('views') as {
  readonly views: Readonly<Record<string, { readonly columns: readonly string[] }>>;
};

const SCHEMA: JsonSchema = { properties: { spec: specSchema, status: statusSchema } };

/** Whether there is such a field, and of a condition whether it is one that a group has. */
function isField(path: string): boolean {
  const [, condition] = /\?\(@\.type=="(\w+)"\)/.exec(path) ?? [];
  if (condition !== undefined && !(condition in CONDITION_REASONS)) return false;
  let at: JsonSchema | undefined = SCHEMA;
  for (const name of path
    .replaceAll(/\[[^\]]*\]/g, '')
    .split('.')
    .slice(1)) {
    at = at?.properties?.[name];
    at = at?.items ?? at;
  }
  return at !== undefined;
}

describe('the columns', () => {
  it('are of LeaderGroups, and each has a field', () => {
    expect(Object.keys(views)).toEqual([`${API_GROUP}/${API_VERSION}/${PLURAL}`]);
    const paths = Object.values(views)
      .flatMap(({ columns }) => columns)
      .flatMap((column) => /:(\.[^|]+)/.exec(column)?.slice(1) ?? []);
    expect(paths.length).toBeGreaterThan(5);
    expect(paths.filter((path) => !isField(path))).toEqual([]);
  });
});

describe('the keys', () => {
  let dir = '';

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'leadergroup-k9s-'));
    writeFileSync(join(dir, 'kubectl'), '#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done >> "$0.said"\n');
    chmodSync(join(dir, 'kubectl'), 0o755);
  });

  afterAll(() => rmSync(dir, { recursive: true }));

  /** What kubectl is given. */
  function pressed(name: string): readonly string[] {
    const { command, args, scopes } = plugins[`leadergroup-${name}`] ?? { command: '', args: [], scopes: [] };
    expect(scopes).toEqual([PLURAL]);
    const values: Readonly<Record<string, string>> = { $CONTEXT: 'staging', $NAMESPACE: 'mail', $NAME: 'notifier' };
    const said = join(dir, 'kubectl.said');
    writeFileSync(said, '');
    const env = { PATH: `${dir}:${process.env['PATH'] ?? ''}` };
    execFileSync(
      command,
      args.map((arg) => values[arg] ?? arg),
      { env },
    );
    const words = readFileSync(said, 'utf8').trimEnd().split('\n');
    expect(words).toEqual(expect.arrayContaining(['--context', 'staging', '-n', 'mail', 'notifier']));
    return words;
  }

  it.each([
    ['pause', true],
    ['resume', false],
  ])('%s sets one field', (name, paused) => {
    const patch = JSON.parse(pressed(name).at(-1) ?? '') as { readonly spec: object };
    const problems: string[] = [];
    parseSpec({ selector: { matchLabels: { app: 'a' } }, ...patch.spec }, problems);
    expect([patch, problems]).toEqual([{ spec: { paused } }, []]);
  });

  it('switchover writes an annotation that the operator takes, of this moment', () => {
    const [key, ...value] = (pressed('switchover').at(-1) ?? '').split('=');
    const asked = parseSwitchover(value.join('='));
    expect([key, asked]).toMatchObject([SWITCHOVER_ANNOTATION, { kind: 'asked', to: null }]);
    if (asked?.kind === 'asked') expect(Math.abs(asked.atMs - Date.now())).toBeLessThan(60_000);
  });

  it('history reads fields that there are', () => {
    const template = pressed('history').at(-1) ?? '';
    const names = [...template.matchAll(/\{(\.\w+)\}/g)].map(([, name = '']) => `.status.recentTransitions${name}`);
    expect(names.length).toBeGreaterThan(3);
    expect(names.filter((name) => !isField(name))).toEqual([]);
  });

  it('members are those that the whole selector matches', () => {
    const text = plugins['leadergroup-leader']?.args.join(' ') ?? '';
    for (const part of ['matchLabels', 'matchExpressions', '"Exists"', '"DoesNotExist"', '"NotIn"'])
      expect(text).toContain(part);
  });
});
