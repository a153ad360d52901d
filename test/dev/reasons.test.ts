/** Whoever is on call finds each word that `kubectl describe` or the gate can give in a page. A new one in the code fails here. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

const PAGES = ['docs/troubleshooting.md', 'docs/conditions.md'];

/** Of which the reasons are made, wherever they are declared: adapters and configuration give none. */
const SOURCES = globSync('src/{api,election,operator,http,ports}/**/*.ts', { cwd: ROOT }).toSorted();

/** Literals of the same look: types of conditions and events, policies, and words of the Kubernetes API and of errors. */
const NO_REASONS: ReadonlySet<string> = new Set(
  [
    'Ready Reconciling Paused True False Unknown Normal Warning Hold Demote',
    'LeaderGroup Pod Job ReplicaSet PodDisruptionBudget NetworkPolicy',
    'Pending Running Succeeded Failed In NotIn Exists DoesNotExist',
    'FieldValueInvalid FieldValueRequired FieldValueForbidden ConsulError KubernetesError ForeignClusterError',
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
  [...page.matchAll(/^\| (?:(?:True|False) +\| )?`([A-Z][A-Za-z]+)`/gm)].map(([, word]) => word ?? '');

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
  it.each([...new Set(headed(pages))])('can be given by the code: %s', (reason) => {
    expect(reasons).toContain(reason);
  });
});
