/** A lockKey: the Consul key, without the trailing /.lock, that a group shares with others. */

/** A rule of the operator's configuration: these namespaces may use lock keys below this prefix. */
export type LockKeyRule = {
  /** Names, or "*" for every namespace. */
  readonly namespaces: readonly string[];
  /** Whole path parts, with or without a trailing slash: `shared` allows `shared` and `shared/x`, not `sharedx`. Empty allows nothing. */
  readonly prefix: string;
};

/** The default prefix of the operator's own keys. The schema refuses it; whichever is configured, lockKeyAllowed does. */
const DEFAULT_PREFIX = 'leadergroup';
export const MAX_LOCK_KEY = 256;

/** What is wrong with a lock key whatever the configuration; each as the end of a sentence that begins with the field. */
export function lockKeyProblems(lockKey: string): readonly string[] {
  if (lockKey === '' || lockKey.length > MAX_LOCK_KEY) return [`must have 1 to ${MAX_LOCK_KEY} characters`];
  const parts = lockKey.split('/');
  const rules: readonly (readonly [boolean, string])[] = [
    [/^[A-Za-z0-9_./-]+$/.test(lockKey), "may only contain letters, digits, '_', '.', '-' and '/'"],
    [!parts.includes(''), "must not begin or end with '/' nor contain '//'"],
    [!parts.includes('.') && !parts.includes('..'), "must not have '.' or '..' as a part between slashes"],
    [parts.at(-1) !== '.lock', "must not end in '.lock'; leave that part out, the operator adds it"],
    [!isWithin(lockKey, DEFAULT_PREFIX), ownPrefixProblem(DEFAULT_PREFIX)],
  ];
  return rules.filter(([holds]) => !holds).map(([, problem]) => problem);
}

/**
 * Whether the operator's configuration lets groups of this namespace use this lock key: `true`, or a sentence for the
 * group's Stalled condition that says what to do. Assumes a lock key without lockKeyProblems.
 */
export function lockKeyAllowed(
  lockKey: string,
  namespace: string,
  rules: readonly LockKeyRule[],
  ownPrefix: string,
): true | string {
  if (isWithin(lockKey, ownPrefix)) return `spec.lockKey is "${lockKey}", but ${ownPrefixProblem(ownPrefix)}.`;
  const prefixes = rules.filter((rule) => appliesTo(rule, namespace)).map((rule) => rule.prefix);
  if (prefixes.some((prefix) => isWithin(lockKey, prefix))) return true;
  const usable = prefixes.length === 0 ? 'none at all' : prefixes.map((prefix) => `"${prefix}"`).join(', ');
  return (
    `spec.lockKey is "${lockKey}", but the operator's configuration does not allow namespace ${namespace} this Consul key ` +
    `(allowed prefixes: ${usable}): use an allowed prefix, or extend lockKeys in the configuration.`
  );
}

const appliesTo = (rule: LockKeyRule, namespace: string): boolean =>
  rule.namespaces.includes('*') || rule.namespaces.includes(namespace);

const ownPrefixProblem = (prefix: string): string =>
  `must not be below "${withoutSlash(prefix)}/", where the operator keeps its own keys; choose another prefix`;

/** Whether the key is the prefix or below it, by whole path parts. Nothing is within an empty prefix. */
function isWithin(key: string, prefix: string): boolean {
  const root = withoutSlash(prefix);
  return root !== '' && (key === root || key.startsWith(`${root}/`));
}

const withoutSlash = (prefix: string): string => prefix.replace(/\/+$/, '');
