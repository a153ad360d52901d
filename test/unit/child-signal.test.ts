import { expect, it } from 'vitest';
import { childSignal } from '../../src/child-signal.ts';

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
