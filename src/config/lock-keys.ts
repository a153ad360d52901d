/** Which namespaces may use which shared Consul keys. */
import type { LockKeyRule } from '../api/lockkey.ts';
import { bad, isDnsLabel, ok, type Read, type Reader, readKeyPath, show } from './values.ts';

const KEYS = ['namespaces', 'prefix'];

const isMapping = (raw: unknown): raw is Readonly<Record<string, unknown>> =>
  typeof raw === 'object' && raw !== null && !Array.isArray(raw);

function namespacesProblem(raw: unknown): string | null {
  if (!Array.isArray(raw) || raw.length === 0) {
    return `namespaces: ${show(raw)} is not a list of namespaces: write e.g. ["shop"] or ["*"]`;
  }
  const wrong = raw.find((namespace) => namespace !== '*' && !isDnsLabel(namespace));
  return wrong === undefined ? null : `namespaces: ${show(wrong)} is neither a namespace's name nor "*"`;
}

function readRule(raw: unknown): Read<LockKeyRule> {
  if (!isMapping(raw)) return bad(`${show(raw)} is not a mapping of namespaces and prefix`);
  const prefix = readKeyPath(raw['prefix']);
  const problems = [
    ...Object.keys(raw)
      .filter((key) => !KEYS.includes(key))
      .map((key) => `${key} is unknown: allowed are ${KEYS.join(', ')}`),
    namespacesProblem(raw['namespaces']),
    prefix.ok ? null : `prefix: ${prefix.problem}`,
  ].filter((problem) => problem !== null);
  if (problems.length > 0 || !prefix.ok) return bad(problems.join('; '));
  return ok({ namespaces: [...(raw['namespaces'] as string[])], prefix: `${prefix.value}/` });
}

function fromText(raw: unknown): unknown {
  if (typeof raw !== 'string') return raw;
  try {
    return JSON.parse(raw);
  } catch {
    return raw;
  }
}

/** A list from YAML, or the same as JSON in the environment. Every wrong rule is reported, with its position. */
export const readLockKeys: Reader<readonly LockKeyRule[]> = (raw) => {
  const list = fromText(raw);
  if (!Array.isArray(list)) {
    return bad(`${show(raw)} is not a list: write e.g. [{"namespaces": ["shop"], "prefix": "service/shop"}]`);
  }
  const rules = list.map(readRule);
  const problems = rules.flatMap((rule, position) => (rule.ok ? [] : [`[${position}] ${rule.problem}`]));
  return problems.length > 0 ? bad(problems.join('; ')) : ok(rules.flatMap((rule) => (rule.ok ? [rule.value] : [])));
};
