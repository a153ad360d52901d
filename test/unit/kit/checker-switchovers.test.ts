/** What the checker takes for a breach of I14. */
import { describe, expect, it } from 'vitest';
import { check, type SwitchoverRequest } from '../../kit/checker/checker.ts';
import { aStory, type Story } from '../../kit/checker/history-builder.ts';

const exact = { toleranceMs: 0, everyKeyState: true };
const ask = (atMs: number, to: string | null, writtenMs = 0): SwitchoverRequest => ({
  namespace: 'default',
  group: 'notifier',
  to,
  atMs,
  writtenMs,
});

function broken(story: Story, switchovers?: readonly SwitchoverRequest[]): readonly string[] {
  const history = story.history(switchovers === undefined ? {} : { switchovers });
  return check(history, exact).breaches.flatMap(({ promise, message }) => (promise === 'I14' ? [message] : []));
}

/** The lock as `uid` has it, with what its record says of switchovers. */
function locks(story: Story, uid: string, token: number, switchover: { atMs: number; to: string | null } | null): void {
  const holder = { uid: `uid-${uid}`, pod: uid };
  const record = { v: 1, groupUid: story.group.uid, holder, token, writes: token };
  const value = JSON.stringify(switchover === null ? record : { ...record, switchover });
  story.lock(uid, token, story.group, { value });
}

function ledByA(): Story {
  const story = aStory();
  for (const name of ['a', 'b', 'c']) story.pod(name);
  locks(story, 'a', 1, { atMs: 0, to: null });
  story.promote('a', 1);
  return story;
}

function moves(story: Story, from: string, to: string, token: number, atMs: number, named = to): void {
  story.fence(from);
  locks(story, to, token, { atMs, to: named });
  story.promote(to, token);
}

describe('the checker', () => {
  it('takes a switchover that was asked for, and whatever carries it on', () => {
    const story = ledByA();
    moves(story, 'a', 'b', 2, 100);
    locks(story, 'b', 2, { atMs: 100, to: 'b' });
    moves(story, 'b', 'c', 3, 200);
    expect(broken(story, [ask(100, 'b'), ask(200, null)])).toEqual([]);
  });

  it.each([
    ['the same time twice', 100],
    ['an earlier time', 50],
  ])('does not take %s', (_, atMs) => {
    const story = ledByA();
    moves(story, 'a', 'b', 2, 100);
    story.fence('b');
    locks(story, 'a', 3, { atMs: 160_000, to: null });
    story.promote('a', 3);
    moves(story, 'a', 'c', 4, atMs);
    expect(broken(story)).toEqual([expect.stringContaining('a second time')]);
  });

  it('does not take one that nobody asked for, of another pod, or before it was written', () => {
    const story = ledByA();
    moves(story, 'a', 'b', 2, 100);
    for (const requests of [[], [ask(100, 'c')], [ask(99, 'b')], [ask(100, 'b', 1e9)]])
      expect(broken(story, requests)).toEqual([expect.stringContaining('nobody had asked')]);
  });

  it('does not take one that gives the lock to another pod than it says', () => {
    const story = ledByA();
    moves(story, 'a', 'b', 2, 100, 'c');
    expect(broken(story)).toEqual([expect.stringContaining('gave the lock to b')]);
  });

  it('does not take one that moves nobody', () => {
    const story = ledByA();
    locks(story, 'a', 2, { atMs: 100, to: 'a' });
    expect(broken(story)).toEqual([expect.stringContaining('moved nobody')]);
  });

  it('does not take one to a pod that was not ready', () => {
    const story = aStory();
    story.pod('a');
    story.pod('b', { ready: false });
    locks(story, 'a', 1, null);
    story.promote('a', 1);
    moves(story, 'a', 'b', 2, 100);
    expect(broken(story)).toEqual([expect.stringContaining('no candidate')]);
  });

  it('takes what comes back with a restored Consul for no move', () => {
    const story = ledByA();
    moves(story, 'a', 'b', 2, 100);
    const before = story.states().at(-1);
    moves(story, 'b', 'c', 3, 200);
    story.restore(before);
    expect(broken(story)).toEqual([]);
  });
});
