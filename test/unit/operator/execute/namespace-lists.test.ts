import { describe, expect, it } from 'vitest';
import type { Pod } from '../../../../src/api/pod.ts';
import { createNamespaceLists } from '../../../../src/operator/execute/namespace-lists.ts';
import { aPod } from '../../../kit/fakes/builders.ts';
import { settle } from '../../../kit/fakes/clock.ts';

type Sent = {
  readonly namespace: string;
  readonly signal: AbortSignal;
  readonly answer: (pods: readonly Pod[]) => void;
  readonly fail: (error: Error) => void;
};

/** An API server that answers when a test says so. */
function aServer() {
  const sent: Sent[] = [];
  const begun: string[] = [];
  const stopping = new AbortController();
  const list = createNamespaceLists(
    {
      listPods: (namespace, signal) => {
        const { promise, resolve, reject } = Promise.withResolvers<readonly Pod[]>();
        sent.push({ namespace, signal, answer: resolve, fail: reject });
        return promise;
      },
    },
    stopping.signal,
  );
  const asked = (namespace = 'default', signal = new AbortController().signal): Promise<readonly Pod[]> =>
    list(namespace, signal, () => begun.push(namespace));
  return { sent, begun, asked, stopping };
}

const named = (name: string): readonly Pod[] => [aPod({ name })];

describe('lists of a namespace', () => {
  it('are sent at once where none is under way', () => {
    const { sent, asked } = aServer();
    void asked();
    expect(sent.map(({ namespace }) => namespace)).toEqual(['default']);
  });

  it('that are asked for while one is under way are one, sent when that has ended', async () => {
    const { sent, asked } = aServer();
    const first = asked();
    const [second, third] = [asked(), asked()];
    await settle();
    expect(sent).toHaveLength(1);
    sent[0]?.answer(named('old'));
    await settle();
    expect(sent).toHaveLength(2);
    sent[1]?.answer(named('new'));
    expect([await first, await second, await third].map(([pod]) => pod?.name)).toEqual(['old', 'new', 'new']);
  });

  it('serve nobody who asked after their first request was sent: who has read a lock since may know of more', async () => {
    const { sent, asked } = aServer();
    void asked();
    void asked();
    sent[0]?.answer([]);
    await settle();
    const late = asked();
    sent[1]?.answer(named('too early'));
    await settle();
    sent[2]?.answer(named('late'));
    expect((await late)[0]?.name).toBe('late');
  });

  it('of other namespaces wait for none', () => {
    const { sent, asked } = aServer();
    void asked('a');
    void asked('b');
    expect(sent.map(({ namespace }) => namespace)).toEqual(['a', 'b']);
  });

  it('that fail fail for those who wait for them, and the next is sent all the same', async () => {
    const { sent, asked } = aServer();
    const first = asked();
    const second = asked();
    sent[0]?.fail(new Error('503'));
    await expect(first).rejects.toThrow('503');
    sent[1]?.answer(named('a'));
    expect((await second)[0]?.name).toBe('a');
  });

  it('go on for the others when one gives up', async () => {
    const { sent, asked } = aServer();
    const giving = new AbortController();
    void asked();
    const [gone, stays] = [asked('default', giving.signal), asked()];
    giving.abort(new Error('given up'));
    await expect(gone).rejects.toThrow('given up');
    sent[0]?.answer([]);
    await settle();
    expect(sent[1]?.signal.aborted).toBe(false);
    sent[1]?.answer(named('a'));
    expect((await stays)[0]?.name).toBe('a');
  });

  it('tell who waits for another one to end when its own is sent: it gets on, and is not stuck', async () => {
    const { sent, begun, asked } = aServer();
    void asked();
    void asked();
    await settle();
    expect(begun).toHaveLength(1);
    sent[0]?.answer([]);
    await settle();
    expect(begun).toHaveLength(2);
  });

  it('of a thousand groups at the same moment are two', async () => {
    const { sent, asked } = aServer();
    const all = Array.from({ length: 1000 }, () => asked());
    for (let at = 0; at < 2; at += 1) {
      sent[at]?.answer([]);
      await settle();
    }
    await Promise.all(all);
    expect(sent).toHaveLength(2);
  });
});
