import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { specSchema, statusSchema } from '../../dev/generate/crd.ts';
import type { JsonSchema } from '../../dev/generate/json-schema.ts';
import { linked } from '../../dev/generate/links.ts';
import { reference } from '../../dev/generate/reference.ts';
import { outOfDate, products } from '../../dev/generate.ts';
import { CONDITION_REASONS } from '../../src/api/condition-reasons.ts';
import { EVENT_REASONS } from '../../src/api/event-reasons.ts';
import { INELIGIBLE_REASONS } from '../../src/api/ineligible-reasons.ts';
import { TRANSITION_CAUSES } from '../../src/api/transition-causes.ts';
import { METRICS } from '../../src/http/metric-registry.ts';

const root = join(import.meta.dirname, '../..');
const CRD = 'crds/leadergroups.yaml';
const REFERENCE = 'docs/reference/leadergroup.md';

async function copy(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'leadergroup-generate-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const path of Object.keys(products)) await cp(join(root, path), join(folder, path));
  return folder;
}

describe('what is made from the sources', () => {
  it('is committed as it is made now', async () => {
    expect(await outOfDate(root)).toEqual([]);
  });

  it('is out of date once a file is changed by hand or is gone', async () => {
    const folder = await copy();
    expect(await outOfDate(folder)).toEqual([]);
    await writeFile(join(folder, CRD), '# changed\n', { flag: 'a' });
    expect(await outOfDate(folder)).toEqual([CRD]);
    await rm(join(folder, REFERENCE));
    expect(await outOfDate(folder)).toEqual([CRD, REFERENCE]);
  });
});

/** Every schema within another, itself first. */
function within(schema: JsonSchema): readonly JsonSchema[] {
  const parts = [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties];
  return [schema, ...parts.filter((part) => part !== undefined).flatMap(within)];
}

describe('the schema of the API server', () => {
  it('describes every field', () => {
    const fields = [...within(specSchema), ...within(statusSchema)].flatMap(({ properties = {} }) =>
      Object.entries(properties),
    );
    expect(fields.length).toBeGreaterThan(40);
    expect(fields.filter(([, { description = '' }]) => !/\w+ .+\.$/s.test(description))).toEqual([]);
  });

  it('has no default in status: what the operator reads in place of a bad value is written by nobody', () => {
    expect(within(statusSchema).filter((schema) => 'default' in schema)).toEqual([]);
  });

  it('is structural: each part has one type and no alternatives', () => {
    for (const schema of [...within(specSchema), ...within(statusSchema)]) {
      expect(schema.type).toMatch(/^(object|array|string|integer|boolean)$/);
      for (const name of ['anyOf', 'allOf', 'oneOf', 'not', '$ref', 'nullable'])
        expect(schema).not.toHaveProperty(name);
    }
  });
});

describe('a page of words', () => {
  const rowsOf = (page: string): readonly (readonly string[])[] =>
    (products[page]?.() ?? '')
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));

  it.each([
    ['docs/reference/conditions.md', CONDITION_REASONS.Ready.False],
    ['docs/reference/conditions.md', INELIGIBLE_REASONS],
    ['docs/reference/events.md', EVENT_REASONS],
    ['docs/reference/events.md', TRANSITION_CAUSES],
    ['docs/reference/metrics.md', METRICS],
  ])('has a row for each of them: %s', (page, words) => {
    const named = rowsOf(page).map(([, name]) => name);
    for (const word of Object.keys(words)) expect(named).toContain(`\`${word}\``);
  });

  it('tells type, meaning and what to do of an event', () => {
    expect(rowsOf('docs/reference/events.md').find(([, name]) => name === '`LeaderLost`')).toEqual([
      '',
      '`LeaderLost`',
      'Warning',
      EVENT_REASONS.LeaderLost.meaning,
      EVENT_REASONS.LeaderLost.action,
      '',
    ]);
  });

  it('tells the values of a label, the unit, and what to do', () => {
    const rows = rowsOf('docs/reference/metrics.md').map((row) => row.join(' | '));
    expect(rows.filter((row) => row.includes('`leadergroup_session_renewals_total'))).toEqual([
      expect.stringMatching(
        /counter \| requests \| .*`outcome`: `renewed`, `lost`, `failed` \| .*Consul ends sessions/,
      ),
    ]);
  });

  it('names other pages by a link from where it lies', () => {
    expect(linked('See docs/labels.md#a and docs/reference/events.md, not `docs/labels.md`.')).toBe(
      'See [labels.md](../labels.md#a) and [events.md](events.md), not `docs/labels.md`.',
    );
  });
});

describe('docs/reference/leadergroup.md', () => {
  const rows = reference()
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));
  const row = (field: string) => rows.find(([, name]) => name === `\`${field}\``)?.slice(2, -1);

  it('tells type, default, limits and meaning of a field of spec', () => {
    expect(row('lockDelaySeconds')).toEqual([
      'integer',
      '`0`',
      '0 to 60',
      expect.stringMatching(/^Consul's lock-delay/),
    ]);
    expect(row('selector')?.slice(0, 2)).toEqual(['object', 'required']);
    expect(row('selector.matchExpressions[].operator')?.[0]).toBe('`In` or `NotIn` or `Exists` or `DoesNotExist`');
    expect(row('paused')?.slice(0, 2)).toEqual(['boolean', '`false`']);
  });

  it('tells type, limits and meaning of a field of status', () => {
    expect(row('leaders[].token')).toEqual(['integer', 'at least 0', expect.stringMatching(/^The fencing token/)]);
    expect(row('recentTransitions')?.slice(0, 2)).toEqual(['list of objects', 'at most 10 elements']);
  });

  it('has every field, and as many cells in each row as in the header', () => {
    const fields = [...within(specSchema), ...within(statusSchema)].flatMap(({ properties = {} }) =>
      Object.keys(properties),
    );
    const named = rows.map(([, name = '']) => name);
    for (const field of fields) expect(named.some((name) => name.endsWith(`${field}\``))).toBe(true);
    for (const cells of rows) expect([4, 6, 7]).toContain(cells.length);
  });

  it('tells the rules that the API server checks, at the field that they are about', () => {
    expect(rows).toContainEqual([
      '',
      '`spec.label.follower`',
      expect.stringContaining('must differ from label.leader'),
      '',
    ]);
  });
});
