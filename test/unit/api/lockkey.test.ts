import { describe, expect, it } from 'vitest';
import { type LockKeyRule, lockKeyAllowed, lockKeyProblems } from '../../../src/api/lockkey.ts';

describe('lockKeyProblems', () => {
  it.each(['jobs/nightly', 'x', 'A-Z_0.9/b', '.hidden', 'a/.lock/b', 'a/x.lock', 'leadergroups/x', 'x/leadergroup'])(
    'takes %s',
    (lockKey) => {
      expect(lockKeyProblems(lockKey)).toEqual([]);
    },
  );

  it.each([
    ['', '1 to 256 characters'],
    ['x'.repeat(257), '1 to 256 characters'],
    ['a b', 'only contain letters'],
    ['jobs/ä', 'only contain letters'],
    ['jobs%2f', 'only contain letters'],
    ['jobs/x\n', 'only contain letters'],
    ['/jobs', "begin or end with '/'"],
    ['jobs/', "begin or end with '/'"],
    ['jobs//x', "nor contain '//'"],
    ['./jobs', "'.' or '..'"],
    ['jobs/../x', "'.' or '..'"],
    ['jobs/..', "'.' or '..'"],
    ['jobs/x/.lock', "must not end in '.lock'"],
    ['.lock', "must not end in '.lock'"],
    ['leadergroup', 'must not be below "leadergroup/"'],
    ['leadergroup/x', 'must not be below "leadergroup/"'],
  ])('refuses %j and says that it %s', (lockKey, expected) => {
    expect(lockKeyProblems(lockKey).join()).toContain(expected);
  });

  it('names every problem at once', () => {
    expect(lockKeyProblems('/a b/../.lock')).toHaveLength(4);
  });
});

describe('lockKeyAllowed', () => {
  const rules: readonly LockKeyRule[] = [
    { namespaces: ['*'], prefix: 'shared/' },
    { namespaces: ['team-a', 'team-b'], prefix: 'jobs' },
    { namespaces: ['team-c'], prefix: 'deep/er/' },
    { namespaces: ['*'], prefix: '' },
    { namespaces: ['*'], prefix: 'own/keys' },
  ];

  it.each([
    ['shared/x', 'anyone'],
    ['shared/x/y', 'anyone'],
    ['shared', 'anyone'],
    ['jobs/x', 'team-a'],
    ['jobs/x', 'team-b'],
    ['jobs', 'team-a'],
    ['deep/er/x', 'team-c'],
  ])('allows %s to namespace %s', (lockKey, namespace) => {
    expect(lockKeyAllowed(lockKey, namespace, rules, 'own/keys')).toBe(true);
  });

  it.each([
    ['sharedx', 'anyone', 'a prefix is whole path parts'],
    ['jobsx/y', 'team-a', 'a prefix is whole path parts'],
    ['Jobs/x', 'team-a', 'case counts'],
    ['jobs/x', 'team-c', 'a rule is for its namespaces'],
    ['jobs/x', 'team', 'a namespace is named in full'],
    ['deep/x', 'team-c', 'the whole prefix counts'],
    ['other/x', 'team-a', 'an empty prefix allows nothing'],
    ['/other', 'team-a', 'an empty prefix allows nothing, not even what no schema lets pass'],
  ])('does not allow %s to namespace %s: %s', (lockKey, namespace) => {
    const answer = lockKeyAllowed(lockKey, namespace, rules, 'own/keys');
    expect(answer).toContain(`spec.lockKey is "${lockKey}"`);
    expect(answer).toContain(`does not allow namespace ${namespace}`);
  });

  it.each(['own/keys', 'own/keys/x', 'own/keys/groups/00/a/b/0'])('never allows %s below its own prefix', (lockKey) => {
    for (const ownPrefix of ['own/keys', 'own/keys/']) {
      expect(lockKeyAllowed(lockKey, 'anyone', rules, ownPrefix)).toContain('must not be below "own/keys/"');
    }
  });

  it('allows a neighbour of its own prefix', () => {
    expect(lockKeyAllowed('own/x', 'a', [{ namespaces: ['a'], prefix: 'own' }], 'own/keys')).toBe(true);
  });

  it('names the prefixes that the namespace may use', () => {
    expect(lockKeyAllowed('x', 'team-a', rules, 'own/keys')).toContain('allowed prefixes: "shared/", "jobs"');
    expect(lockKeyAllowed('x', 'team-a', [], 'own/keys')).toContain('allowed prefixes: none at all');
  });
});
