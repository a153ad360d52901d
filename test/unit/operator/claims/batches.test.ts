import { describe, expect, it } from 'vitest';
import { createBatches } from '../../../../src/operator/claims/batches.ts';
import { settle } from '../../../kit/fakes/clock.ts';

/** Each batch waits until the test says what became of it. */
function aLane(most = 3) {
  const sent: { readonly items: readonly string[]; readonly done: (...results: readonly string[]) => Promise<void> }[] =
    [];
  const batches = createBatches<string, string>(
    (items) => items.length < most,
    (items) => {
      const { promise, resolve } = Promise.withResolvers<readonly string[]>();
      sent.push({
        items,
        done: async (...results) => {
          resolve(results);
          await settle();
        },
      });
      return promise;
    },
  );
  return { batches, sent, items: () => sent.map(({ items }) => items.join(' ')) };
}

describe('what goes together', () => {
  it('is what has come while the first was under way, the urgent before the others, as many as fit', async () => {
    const { batches, sent, items } = aLane();
    const all = ['a', 'b', 'c', 'd'].map((item) => batches.add(item));
    all.push(batches.add('urgent', true));
    await sent[0]?.done('A');
    await sent[1]?.done('U', 'B', 'C');
    await sent[2]?.done('D');
    expect(items()).toEqual(['a', 'urgent b c', 'd']);
    expect(await Promise.all(all)).toEqual(['A', 'B', 'C', 'D', 'U']);
  });

  it('goes again without newcomers, so that one that fails each time holds nobody up', async () => {
    const { batches, sent, items } = aLane(4);
    void batches.add('first');
    const all = ['a', 'b', 'c'].map((item) => batches.add(item));
    await sent[0]?.done('done');
    void batches.add('newcomer', true);
    await sent[1]?.done('again', 'B failed', 'again');
    await sent[2]?.done('A', 'C');
    expect(items()).toEqual(['first', 'a b c', 'a c', 'newcomer']);
    expect(await Promise.all(all)).toEqual(['A', 'B failed', 'C']);
  });

  it.each<[string, readonly string[]]>([
    ['nobody is to blame for a failure', ['again', 'again']],
    ['a result is missing', []],
  ])('ends where %s', async (_, results) => {
    const { batches, sent } = aLane();
    void batches.add('first');
    const all = ['a', 'b'].map((item) => batches.add(item));
    await sent[0]?.done('done');
    void sent[1]?.done(...results);
    for (const { status } of await Promise.allSettled(all)) expect(status).toBe('rejected');
  });

  it('fails together, and what comes later does not', async () => {
    let runs = 0;
    const batches = createBatches<string, string>(
      () => true,
      (items) => {
        runs += 1;
        return runs === 1 ? Promise.reject(new Error('cut')) : Promise.resolve([...items]);
      },
    );
    await expect(batches.add('a')).rejects.toThrow('cut');
    expect(await batches.add('b')).toBe('b');
  });
});
