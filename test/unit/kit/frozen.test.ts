import { describe, expect, it } from 'vitest';
import { frozen } from '../../kit/rig/frozen.ts';

describe('a frozen value', () => {
  const value = frozen({ map: new Map([['a', { n: 1 }]]), set: new Set(['x']), list: [1] });

  it.each<[string, () => unknown]>([
    ['a property', () => Object.assign(value, { list: [] })],
    ['an element', () => value.list.push(2)],
    ['an entry of a map', () => value.map.set('b', { n: 2 })],
    ['a value in a map', () => Object.assign(value.map.get('a') ?? {}, { n: 2 })],
    ['a member of a set', () => value.set.clear()],
  ])('throws when %s is changed', (_, change) => {
    expect(change).toThrow(/read only|not extensible|was changed/);
  });

  it('can be copied and the copy changed', () => {
    expect(new Map(value.map).set('b', { n: 2 }).size).toBe(2);
  });
});
