import { describe, expect, it } from 'vitest';
import {
  groupLabelKeyProblem,
  groupNameProblem,
  labelKeyProblem,
  labelValueProblem,
} from '../../../src/api/validate.ts';

const x = (count: number): string => 'x'.repeat(count);
const prefixOf253 = `${x(63)}.${x(63)}.${x(63)}.${x(61)}`;

describe('labelKeyProblem', () => {
  it.each(['app', 'A', 'a_b.c-d', 'a/b', 'example.com/Role', x(63), `${prefixOf253}/${x(63)}`])('takes %s', (key) => {
    expect(labelKeyProblem(key)).toBeNull();
  });

  it.each([
    '',
    '/',
    'a/',
    '/a',
    'a/b/c',
    'A.com/b',
    'a_b/c',
    'a..b/c',
    '-a',
    'a-',
    'a b',
    'a\n',
    'ä',
    x(64),
    `a/${x(64)}`,
    `${prefixOf253}x/a`,
    '__proto__',
  ])('refuses %j', (key) => {
    expect(labelKeyProblem(key)).toContain('must be a label key');
  });

  it('answers at once for a text that makes patterns slow', () => {
    const start = performance.now();
    expect(labelKeyProblem(`${'a.'.repeat(500_000)}/`)).not.toBeNull();
    expect(labelKeyProblem(`${'a.'.repeat(126)}!`)).not.toBeNull();
    expect(performance.now() - start).toBeLessThan(1000);
  });
});

describe('labelValueProblem', () => {
  it.each(['', 'a', 'A_b.c-9', x(63)])('takes %j', (value) => {
    expect(labelValueProblem(value)).toBeNull();
  });

  it.each([x(64), '-a', 'a-', 'a b', 'a/b', 'a\n', 'ä'])('refuses %j', (value) => {
    expect(labelValueProblem(value)).toContain('must be a label value');
  });
});

describe('groupLabelKeyProblem', () => {
  it.each(['leadergroup.dev/role', 'role', 'notkubernetes.io/x', 'k8s.io.example.com/x', 'x/k8s.io', 'kubernetes.io'])(
    'takes %s',
    (key) => {
      expect(groupLabelKeyProblem(key)).toBeNull();
    },
  );

  it.each([
    ['kubernetes.io/x', 'domains kubernetes.io or k8s.io'],
    ['k8s.io/x', 'domains kubernetes.io or k8s.io'],
    ['app.kubernetes.io/name', 'domains kubernetes.io or k8s.io'],
    ['a.b.k8s.io/x', 'domains kubernetes.io or k8s.io'],
    ['pod-template-hash', 'controllers put on pods'],
    ['controller-revision-hash', 'controllers put on pods'],
    ['a b', 'must be a label key'],
  ])('refuses %s and says why', (key, expected) => {
    expect(groupLabelKeyProblem(key)).toContain(expected);
  });
});

describe('groupNameProblem', () => {
  it.each(['a', 'a.b-c', x(63)])('takes %s', (name) => {
    expect(groupNameProblem(name)).toBeNull();
  });

  it.each([x(64), 'a/b', 'A', '..', 'a..b'])('refuses %s', (name) => {
    expect(groupNameProblem(name)).toContain('at most 63 characters');
  });
});
