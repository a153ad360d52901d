import { expect, it } from 'vitest';
import { createChanges } from '../../../../src/operator/reconcile/changes.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';

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

it('of very many watches some are woken at a time, all of them in the end, and none that has ended meanwhile', async () => {
  const clock = createFakeClock();
  const changes = createChanges(clock);
  let woken = 0;
  const watches = Array.from({ length: 1000 }, () => changes.watch('a'));
  for (const { changed } of watches) void changed.then(() => (woken += 1));
  changes.tell('a');
  await Promise.resolve();
  expect(woken).toBeLessThan(200);
  watches.at(-1)?.[Symbol.dispose]();
  await clock.advance(1000);
  expect(woken).toBe(999);
});
