import { expect, it } from 'vitest';
import { createChanges } from '../../../src/operator/changes.ts';

it('whoever watches a group is woken by what is told of it, and by nothing else', async () => {
  const changes = createChanges();
  const woken: string[] = [];
  const watches = ['a', 'a', 'b'].map((key) => changes.watch(key).changed.then(() => woken.push(key)));
  changes.tell('a');
  await Promise.all(watches.slice(0, 2));
  expect(woken).toEqual(['a', 'a']);
  changes.tell('b');
  await Promise.all(watches);
});

it('what was told before the watch, or after its end, does not wake it', async () => {
  const changes = createChanges();
  changes.tell('a');
  const watch = changes.watch('a');
  let woken = false;
  void watch.changed.then(() => {
    woken = true;
  });
  watch[Symbol.dispose]();
  changes.tell('a');
  await new Promise(setImmediate);
  expect(woken).toBe(false);
});
