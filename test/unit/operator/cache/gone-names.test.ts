import { describe, expect, it } from 'vitest';
import { createGoneNames } from '../../../../src/operator/cache/gone-names.ts';
import { createStore } from '../../../../src/operator/cache/store.ts';
import { aGroup } from '../../../kit/fakes/builders.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';

const KEY = 'default/notifier';
const valid = (uid: string) => ({ kind: 'valid', group: aGroup({ uid }) }) as const;

describe('whether another group has had the name', () => {
  it('is known of one that is gone, or was replaced, and not of one that was edited', () => {
    const store = createStore(createFakeClock());
    store.groupChanged(null, valid('first'));
    store.groupChanged(valid('first'), valid('first'));
    expect(store.hadAnother(KEY)).toBe(false);
    store.groupChanged(valid('first'), valid('second'));
    expect(store.hadAnother(KEY)).toBe(true);
    const next = createStore(createFakeClock());
    next.groupChanged(null, valid('first'));
    next.groupChanged(valid('first'), null);
    expect([next.hadAnother(KEY), next.hadAnother('default/other')]).toEqual([true, false]);
  });

  it('is said of every name once one could not be remembered', () => {
    const names = createGoneNames(2);
    for (const name of ['a', 'b', 'b']) names.note(name);
    expect([names.has('b'), names.has('c')]).toEqual([true, false]);
    names.note('c');
    expect([names.has('c'), names.has('d')]).toEqual([true, true]);
  });
});
