import { expect, it } from 'vitest';
import { childSignal } from '../../../src/common/child-signal.ts';

it('a child aborts with its parent, for its reason, and also when the parent has been aborted before', () => {
  const parent = new AbortController();
  using child = childSignal(parent.signal);
  const reason = new Error('over');
  parent.abort(reason);
  using late = childSignal(parent.signal);
  expect([child.signal.reason, late.signal.reason]).toEqual([reason, reason]);
});

it('a child that aborts leaves its parent alone, and one that was disposed of does not hear of it any more', () => {
  const parent = new AbortController();
  using child = childSignal(parent.signal);
  child.abort(new Error('by itself'));
  expect(parent.signal.aborted).toBe(false);
  const other = childSignal(parent.signal);
  other[Symbol.dispose]();
  parent.abort();
  expect(other.signal.aborted).toBe(false);
});

it('a parent of thousands is listened to once, and tells all that are left', () => {
  const parent = new AbortController();
  let listeners = 0;
  const add = parent.signal.addEventListener.bind(parent.signal);
  parent.signal.addEventListener = (...event: Parameters<typeof add>): void => {
    listeners += 1;
    add(...event);
  };
  const children = Array.from({ length: 1000 }, () => childSignal(parent.signal));
  for (const child of children.slice(500)) child[Symbol.dispose]();
  parent.abort();
  expect([listeners, children.filter(({ signal }) => signal.aborted).length]).toEqual([1, 500]);
});
