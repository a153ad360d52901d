import { describe, expect, it } from 'vitest';
import { createForeignLists } from '../../../../src/operator/execute/foreign-lists.ts';
import { type ForeignSlices, KubernetesError } from '../../../../src/ports/kubernetes.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';

function aServer() {
  const clock = createFakeClock();
  const sent: string[] = [];
  let answer: () => Promise<ForeignSlices> = () => Promise.resolve(new Map([['svc', ['x']]]));
  const lists = createForeignLists(
    {
      foreignSlices: (namespace) => {
        sent.push(namespace);
        return answer();
      },
    },
    clock,
    new AbortController().signal,
  );
  return {
    clock,
    sent,
    lists,
    answer: (next: () => Promise<ForeignSlices>) => {
      answer = next;
    },
  };
}

describe('lists of the slices of others', () => {
  it('are one for all groups of a namespace that ask within a quarter of a minute', async () => {
    const { clock, sent, lists } = aServer();
    const found = await Promise.all(['svc', 'other', 'svc'].map((service) => lists.of('default', service)));
    expect(found).toEqual([['x'], [], ['x']]);
    await lists.of('another', 'svc');
    await clock.advance(14_000);
    await lists.of('default', 'svc');
    expect(sent).toEqual(['default', 'another']);
    await clock.advance(1000);
    await lists.of('default', 'svc');
    expect(sent).toEqual(['default', 'another', 'default']);
  });

  it('that are out of date serve nobody who asks later, also while they are under way', async () => {
    const { sent, lists, answer } = aServer();
    const late = Promise.withResolvers<ForeignSlices>();
    answer(() => late.promise);
    const before = lists.of('default', 'svc');
    lists.forget('default');
    answer(() => Promise.resolve(new Map([['svc', ['y']]])));
    expect(await lists.of('default', 'svc')).toEqual(['y']);
    late.resolve(new Map());
    expect(await before).toEqual([]);
    expect(await lists.of('default', 'svc')).toEqual(['y']);
    expect(sent).toHaveLength(2);
  });

  it('that fail serve those who have asked, and the next one asks anew', async () => {
    const { sent, lists, answer } = aServer();
    answer(() => Promise.reject(new KubernetesError('unreachable', 'no answer')));
    await expect(lists.of('default', 'svc')).rejects.toThrow('no answer');
    answer(() => Promise.resolve(new Map()));
    expect(await lists.of('default', 'svc')).toEqual([]);
    expect(sent).toHaveLength(2);
  });

  it('leave nothing behind', async () => {
    const { clock, lists } = aServer();
    await lists.of('default', 'svc');
    lists.forget('default');
    await clock.advance(15_000);
    expect(clock.pending()).toBe(0);
  });
});
