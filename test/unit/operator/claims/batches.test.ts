import { describe, expect, it } from 'vitest';
import { createBatches } from '../../../../src/operator/claims/batches.ts';
import { settle } from '../../../kit/fakes/clock.ts';

/** Each batch waits until the test says what became of it. An item's lane is what stands before its colon. */
function someLanes({ most = 3, atOnce = 1 } = {}) {
  const sent: { readonly items: readonly string[]; readonly done: (...results: readonly string[]) => Promise<void> }[] =
    [];
  const batches = createBatches<string, string>({
    atOnce,
    laneOf: (item) => item.split(':')[0] ?? '',
    room: () => {
      let taken = 0;
      return () => (taken += 1) <= most;
    },
    run: (items) => {
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
  });
  const add = (...items: readonly string[]): void => items.forEach((item) => void batches.add(item));
  const doneAll = async (): Promise<void> => {
    for (let at = 0; at < sent.length; at += 1) await sent[at]?.done(...(sent[at]?.items ?? []));
  };
  return { batches, sent, add, doneAll, items: () => sent.map(({ items }) => items.join(' ')) };
}

describe('what goes together', () => {
  it('is what has come while the first was under way, the urgent before the others, as many as fit', async () => {
    const { batches, sent, items } = someLanes();
    const all = ['a', 'b', 'c', 'd'].map((item) => batches.add(item));
    all.push(batches.add('urgent', true));
    await sent[0]?.done('A');
    await sent[1]?.done('U', 'B', 'C');
    await sent[2]?.done('D');
    expect(items()).toEqual(['a', 'urgent b c', 'd']);
    expect(await Promise.all(all)).toEqual(['A', 'B', 'C', 'D', 'U']);
  });

  it('goes at once while fewer than so many batches are under way', async () => {
    const { sent, items, add } = someLanes({ atOnce: 2 });
    add('a', 'b', 'c', 'd');
    expect(items()).toEqual(['a', 'b']);
    await sent[1]?.done('B');
    expect(items()).toEqual(['a', 'b', 'c d']);
  });

  it('goes again without newcomers, so that one that fails each time holds nobody up', async () => {
    const { batches, sent, items, add } = someLanes({ most: 4 });
    add('first');
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
    const { batches, sent, add } = someLanes();
    add('first');
    const all = ['a', 'b'].map((item) => batches.add(item));
    await sent[0]?.done('done');
    void sent[1]?.done(...results);
    for (const { status } of await Promise.allSettled(all)) expect(status).toBe('rejected');
  });

  it('fails together, and what comes later does not', async () => {
    let runs = 0;
    const batches = createBatches<string, string>({
      atOnce: 1,
      laneOf: () => '',
      room: () => () => true,
      run: (items) => {
        runs += 1;
        return runs === 1 ? Promise.reject(new Error('cut')) : Promise.resolve([...items]);
      },
    });
    await expect(batches.add('a')).rejects.toThrow('cut');
    expect(await batches.add('b')).toBe('b');
  });
});

describe('whoever has a lane of its own', () => {
  it('goes with the others, where there is room', async () => {
    const { add, items, doneAll } = someLanes({ most: 4 });
    add('a:1', 'a:2', 'b:1', 'c:1', 'b:2', 'a:3');
    await doneAll();
    expect(items()).toEqual(['a:1', 'a:2 a:3 b:1 b:2', 'c:1']);
  });

  it('has its turn before one that has had it already, however much that one has waiting', async () => {
    const { add, items, doneAll } = someLanes();
    add('a:1', 'a:2', 'a:3', 'a:4', 'a:5', 'a:6', 'b:1', 'c:1');
    await doneAll();
    expect(items()).toEqual(['a:1', 'a:2 a:3 a:4', 'b:1 c:1 a:5', 'a:6']);
  });
});
