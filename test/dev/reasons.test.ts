/**
 * Whoever is on call finds each word that `kubectl describe`, the gate or a dashboard can show in a page, and each has a test that names it. A
 * new one in the code fails here until it has both.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CONDITION_REASONS } from '../../src/api/condition-reasons.ts';
import { CRITERIA } from '../../src/api/criteria.ts';
import { EVENT_REASONS } from '../../src/api/event-reasons.ts';
import type { Explained } from '../../src/api/explained.ts';
import { INELIGIBLE_REASONS } from '../../src/api/ineligible-reasons.ts';
import { TRANSITION_CAUSES } from '../../src/api/transition-causes.ts';
import { METRICS } from '../../src/http/metric-registry.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const filesOf = (...patterns: readonly string[]): readonly string[] =>
  globSync([...patterns], { cwd: ROOT }).toSorted();

const PAGES = ['docs/troubleshooting.md', 'docs/reference/conditions.md', 'docs/reference/events.md'];

/** Of which the reasons are made, wherever they are declared: adapters and configuration give none. */
const SOURCES = filesOf('src/{api,election,operator,http,ports}/**/*.ts');

/** Literals of the same look: types of conditions and events, policies, and words of the Kubernetes API and of errors. */
const NO_REASONS: ReadonlySet<string> = new Set(
  [
    'Ready Reconciling Stalled Paused True False Unknown Normal Warning Hold Demote Address Token Bearer',
    'LeaderGroup Pod Job ReplicaSet StatefulSet DaemonSet PodDisruptionBudget NetworkPolicy',
    'AtMostOnce AtLeastOnce Claimed Done',
    'PodScheduled PodReadyToStartContainers Initialized DisruptionTarget PodResizePending PodResizeInProgress',
    'Never WhenPreferred Keep Evict LeaderLast AnyOrder Retain NextCandidate Promote Running Succeeded Failed In NotIn Exists DoesNotExist',
    'FieldValueInvalid FieldValueRequired FieldValueForbidden ConsulError KubernetesError ForeignClusterError OtherApiServerError',
  ].flatMap((words) => words.split(' ')),
);

/** Literals that are one CamelCase word, as reasons and causes are. */
const wordsIn = (text: string): readonly string[] => [
  ...new Set([...text.matchAll(/'([A-Z][A-Za-z]*[a-z][A-Za-z]*)'/g)].map(([, word]) => word ?? '')),
];

const reasonsIn = (text: string): readonly string[] => wordsIn(text).filter((word) => !NO_REASONS.has(word));

const explains = (page: string, reason: string): boolean => page.includes(`\`${reason}\``);

/** In the first cell of a row. */
const headed = (page: string): readonly string[] =>
  [...page.matchAll(/^\| (?:\d{3} +\| )?`([A-Z][A-Za-z]+)`/gm)].map(([, word]) => word ?? '');

const CONDITION_TYPES: ReadonlySet<string> = new Set(Object.keys(CONDITION_REASONS));

const pages = PAGES.map(read).join('\n');
const reasons = [...new Set(SOURCES.flatMap((file) => reasonsIn(read(file))))].toSorted();

describe('a reason that the code can give', () => {
  it.each(reasons)('is explained to whoever is on call: %s', (reason) => {
    expect(explains(pages, reason)).toBe(true);
  });

  it('is found in a type, an argument and a field alike', () => {
    const code = `type New = 'NewReason' | 'LEFT'; stalled('OtherReason', 'A sentence.'); const x = { reason: 'Third', kind: 'Pod' };`;
    expect(reasonsIn(code)).toEqual(['NewReason', 'OtherReason', 'Third']);
  });

  it('is not explained by a page that does not have it as a word of its own', () => {
    expect(explains('`LedElsewhere`, Led, and `Ledger`', 'Led')).toBe(false);
  });
});

describe('a reason that a table explains', () => {
  const rows = new Set(headed(pages).filter((word) => !CONDITION_TYPES.has(word)));

  it.each([...rows])('can be given by the code: %s', (reason) => {
    expect(reasons).toContain(reason);
  });

  it('is found in the table of the gate as in the others', () => {
    expect([...rows]).toEqual(expect.arrayContaining(['NotKnown', 'Led', 'LeaderElected', 'GroupDeleted']));
  });
});

type Registry = { readonly words: readonly string[]; readonly seenBy: readonly string[] };

const ELECTION = [
  'test/unit/election/reasons.test.ts',
  'test/kit/fakes/builders-reasons.ts',
  'test/kit/fakes/builders-preemption.ts',
];

/** Every registry, and where the test is that sees each of its words. */
const REGISTRIES: Readonly<Record<string, Registry>> = {
  'condition reason': {
    words: Object.values(CONDITION_REASONS).flatMap((byStatus) => Object.values(byStatus).flatMap(Object.keys)),
    seenBy: [...ELECTION, 'test/unit/election/status.test.ts'],
  },
  'reason of a pod that cannot lead': { words: Object.keys(INELIGIBLE_REASONS), seenBy: ELECTION },
  cause: { words: Object.keys(TRANSITION_CAUSES), seenBy: [...ELECTION, 'test/unit/operator/report/announce.test.ts'] },
  criterion: { words: Object.keys(CRITERIA), seenBy: ['test/unit/election/ranking.test.ts'] },
  event: { words: Object.keys(EVENT_REASONS), seenBy: ['test/unit/operator/report/announce.test.ts'] },
  metric: { words: Object.keys(METRICS), seenBy: ['test/unit/http/metrics.test.ts'] },
};

/** Those that no file names. */
const unnamed = (words: readonly string[], text: string): readonly string[] =>
  words.filter((word) => !new RegExp(`\\b${word}\\b`).test(text));

describe('the registry', () => {
  it.each(Object.entries(REGISTRIES))('has no %s without a test that names it', (_, { words, seenBy }) => {
    expect(words.length).toBeGreaterThan(5);
    expect(unnamed(words, seenBy.map(read).join('\n'))).toEqual([]);
  });

  it('says which word has no test', () => {
    expect(unnamed(['Led', 'LedElsewhere'], "['LedElsewhere']")).toEqual(['Led']);
  });

  it('says of each word what it means in a sentence, and what to do where somebody must act', () => {
    const { Ready, ...others } = CONDITION_REASONS;
    const all: readonly (readonly [string, Explained])[] = [
      ...Object.values({ Ready, ...others }).flatMap((byStatus) => Object.values(byStatus).flatMap(Object.entries)),
      ...[INELIGIBLE_REASONS, TRANSITION_CAUSES, CRITERIA, EVENT_REASONS].flatMap(Object.entries),
    ];
    expect(all.filter(([, { meaning }]) => !/^\S+ .+\.$/.test(meaning))).toEqual([]);
    const toAct = [Ready.False, Ready.True, INELIGIBLE_REASONS, EVENT_REASONS].flatMap(Object.entries);
    expect(toAct.filter(([, { action = '' }]: readonly [string, Explained]) => action === '')).toEqual([]);
  });
});

/** Names of the operator's own metrics; a histogram also has the series `_bucket`, `_sum` and `_count`. */
const metricsIn = (text: string): readonly string[] => [
  ...new Set([...text.matchAll(/\bleadergroup_[a-z_]+/g)].map(([name]) => name)),
];

function isMetric(name: string): boolean {
  const [, base = ''] = /^(\w+)_(?:bucket|sum|count)$/.exec(name) ?? [];
  const found = (METRICS as Readonly<Record<string, { readonly type: string } | undefined>>)[base];
  return name in METRICS || found?.type === 'histogram';
}

/** Where people and programs name metrics: pages, manifests with alert rules or dashboards, and what reads them. */
const NAMING = filesOf('README.md', 'docs/**/*.md', '{deploy,examples}/**/*.{yaml,yml,json}', 'dev/**/*.ts').filter(
  (file) => metricsIn(read(file)).length > 0,
);

describe('a metric that a page, a manifest or a program names', () => {
  it.each(NAMING)('is there: %s', (file) => {
    expect(metricsIn(read(file)).filter((name) => !isMetric(name))).toEqual([]);
  });

  it('is looked for where metrics are named', () => {
    expect(NAMING).toEqual(
      expect.arrayContaining(['docs/install.md', 'docs/reference/metrics.md', 'dev/bench-gate.ts']),
    );
  });

  it('is missed when it is not there, or has no such series', () => {
    const rule =
      'rate(leadergroup_failover_duration_seconds_sum[5m]) > 1 or leadergroup_gone_total or leadergroup_groups_sum > 0';
    expect(metricsIn(rule).filter((name) => !isMetric(name))).toEqual([
      'leadergroup_gone_total',
      'leadergroup_groups_sum',
    ]);
  });
});
