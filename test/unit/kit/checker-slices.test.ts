/** I11 of the checker: histories of slices that must pass, and such as must be caught. */
import { describe, expect, it } from 'vitest';
import { assertKept, type CheckOptions, check, type History } from '../../kit/checker/checker.ts';
import { anAddress, aStory, aWatchedGroup, aWatchedSlice, type Story } from '../../kit/checker/history-builder.ts';

const exact: CheckOptions = { toleranceMs: 0, everyKeyState: true };

/** A leads with token 1 and is shown; B stands by. */
function routedStory(): Story {
  const story = aStory();
  story.pod('a');
  story.pod('b');
  story.slice();
  story.lock('a', 1);
  story.promote('a', 1);
  story.show('a', 1);
  return story;
}

/** As far as the lock: the slice is the test's. */
function pass(story: Story, from: string, to: string, token: number): void {
  story.fence(from);
  story.lock(to, token);
  story.promote(to, token);
}

const found = (story: Story, options: CheckOptions = exact, overrides: Partial<History> = {}): readonly string[] =>
  check(story.history(overrides), options).breaches.map(({ promise, message }) => `${promise} ${message}`);

/** Nothing but I11 is broken, once, with these words. */
function caught(story: Story, words: string, options: CheckOptions = exact): void {
  expect(found(story, options)).toEqual([expect.stringMatching(new RegExp(`^I11 .*${words}`))]);
}

/** The operator gives the lock up, with the record written as it does. */
function unlock(story: Story, token: number): void {
  const value = JSON.stringify({ v: 1, groupUid: story.group.uid, holder: { uid: 'uid-a' }, token, writes: 99 });
  story.lock('a', token, story.group, { session: null, value });
}

describe('slices that pass', () => {
  it.each<[string, (story: Story) => void]>([
    [
      'a handover in one write',
      (story) => {
        pass(story, 'a', 'b', 2);
        story.show('b', 2);
      },
    ],
    [
      'conditions written by themselves, and the address of the same leader',
      (story) => {
        story.show('a', 1);
        story.show('a', 1, { endpoints: [{ ...anAddress('a'), address: 'another' }] });
      },
    ],
    [
      'emptied before the lock is given up, and the next leader after it',
      (story) => {
        story.fence('a');
        story.empty();
        unlock(story, 1);
        story.lock('b', 2);
        story.promote('b', 2);
        story.show('b', 2);
      },
    ],
    [
      'emptied for a leader that is not ready, though the next one takes the lock from it',
      (story) => {
        story.ready('a', false);
        story.empty();
        pass(story, 'a', 'b', 2);
        story.show('b', 2);
      },
    ],
    [
      'emptied for a leader that is gone',
      (story) => {
        story.remove('a');
        story.empty();
        story.lock('b', 2);
        story.promote('b', 2);
        story.show('b', 2);
      },
    ],
    [
      'nobody shown while the next one was not ready either',
      (story) => {
        story.ready('b', false);
        story.empty();
        story.ready('b', true);
        pass(story, 'a', 'b', 2);
        story.ready('b', false);
        story.show('b', 2);
      },
    ],
    [
      'emptied since somebody changed the Service',
      (story) => {
        story.service();
        story.empty();
        pass(story, 'a', 'b', 2);
        story.show('b', 2);
      },
    ],
    [
      'emptied by somebody else, and deleted by somebody else',
      (story) => {
        story.editSlice({ endpoints: [] });
        pass(story, 'a', 'b', 2);
        story.show('b', 2);
        story.removeSlice(true);
        story.slice();
        story.show('b', 2);
      },
    ],
    [
      'what somebody else adds or makes of it, until it is written again',
      (story) => {
        story.editSlice({ endpoints: [anAddress('a'), anAddress('b')], token: 77 });
        story.show('a', 1);
      },
    ],
    [
      'a late write of the old leader after its session ended, before the slice was emptied',
      (story) => {
        story.empty();
        story.free();
        story.show('a', 1);
        story.empty();
      },
    ],
    [
      'emptied with the token that somebody else has lowered it to',
      (story) => {
        story.editSlice({ token: 0 });
        story.fence('a');
        story.empty();
      },
    ],
    [
      'a second family that has only the second one',
      (story) => {
        const six = { name: 'web-leadergroup-ipv6', family: 'IPv6', uid: 'uid-of-six' };
        story.slice(six);
        pass(story, 'a', 'b', 2);
        story.show('b', 2);
        story.show('b', 2, six);
      },
    ],
    [
      'a slice that a list found, and an edit that a gap hides',
      (story) => {
        story.listSlices(aWatchedSlice({ token: 1, endpoints: [] }));
        pass(story, 'a', 'b', 2);
        story.show('b', 2);
      },
    ],
  ])('%s', (_what, tell) => {
    const story = routedStory();
    tell(story);
    expect(found(story)).toEqual([]);
  });

  it('says how many writes there were, and how many put one pod in the place of another', () => {
    const story = routedStory();
    pass(story, 'a', 'b', 2);
    story.show('b', 2);
    story.editSlice({ endpoints: [] });
    expect(assertKept(story.history(), exact).slices).toEqual({ writes: 3, switches: 1 });
  });

  it('of a group that may be demoted, or that was refused, may show nobody in between', () => {
    const gap = (story: Story): Story => {
      story.empty();
      pass(story, 'a', 'b', 2);
      story.show('b', 2);
      return story;
    };
    const groups = [{ ...aWatchedGroup(), mayDemote: true }];
    expect(found(gap(routedStory()), exact, { groups })).toEqual([]);
    expect(found(gap(routedStory()), { ...exact, sliceRefusals: true })).toEqual([]);
  });

  it('may still show whom the operator has unlocked where the API server was hard to reach', () => {
    const story = routedStory();
    story.fence('a');
    unlock(story, 1);
    story.empty();
    expect(found(story, { ...exact, sliceSilence: true })).toEqual([]);
  });
});

describe('slices that are caught', () => {
  it.each<[string, string, (story: Story) => void]>([
    [
      'emptied first in a handover',
      'shows nobody between two members that are Ready',
      (story) => {
        story.fence('a');
        story.empty();
        story.lock('b', 2);
        story.promote('b', 2);
        story.show('b', 2);
      },
    ],
    [
      'deleted and made again in a handover',
      'shows nobody between two members that are Ready',
      (story) => {
        pass(story, 'a', 'b', 2);
        story.removeSlice();
        story.slice();
        story.show('b', 2);
      },
    ],
    [
      'two addresses',
      'more than one address',
      (story) => story.slice({ endpoints: [anAddress('a'), { ...anAddress('a'), address: 'another' }] }),
    ],
    [
      'two pods in two slices of a group',
      'stands in another slice of the group at once',
      (story) => {
        pass(story, 'a', 'b', 2);
        const other = { name: 'api-leadergroup-ipv4', uid: 'uid-of-other', service: 'api' };
        story.slice(other);
        story.show('b', 2, other);
      },
    ],
    [
      'made with an endpoint',
      'was made with an endpoint',
      (story) => {
        story.removeSlice(true);
        story.show('a', 1);
      },
    ],
    [
      'a token that falls',
      'token 1 after token 2',
      (story) => {
        pass(story, 'a', 'b', 2);
        story.show('b', 2);
        story.removeSlice(true);
        story.slice();
        story.show('a', 1);
      },
    ],
    ['a token that falls in an empty slice', 'its token fell from 1 to 0', (story) => story.empty('f', { token: 0 })],
    [
      'a pod whose session never held the lock with this token',
      'its session never held the lock',
      (story) => story.show('b', 1, { token: 3 }),
    ],
    [
      'emptied without a new fenced value',
      'which is not new',
      (story) => {
        story.empty('f');
        story.show('a', 1);
        story.empty('f');
      },
    ],
    [
      'shown again after it was unlocked',
      'after it was unlocked',
      (story) => {
        story.empty();
        story.fence('a');
        unlock(story, 1);
        story.show('a', 1);
      },
    ],
    [
      'still shown when it was unlocked',
      'was unlocked while it was shown',
      (story) => {
        story.fence('a');
        unlock(story, 1);
        story.empty();
      },
    ],
    [
      'taken over from a group of another uid',
      'was taken over, not made anew',
      (story) => {
        story.editSlice({ groupUid: 'uid-of-an-earlier-one', endpoints: [] });
        story.show('a', 1, { groupUid: 'uid-of-notifier' });
      },
    ],
  ])('%s', (_what, words, tell) => {
    const story = routedStory();
    tell(story);
    caught(story, words);
  });

  it('shown before the session held the lock', () => {
    const story = aStory();
    story.pod('a');
    story.slice();
    story.show('a', 1);
    story.lock('a', 1);
    story.promote('a', 1);
    caught(story, 'before its session held the lock');
  });

  it('a token that two pods share', () => {
    const story = routedStory();
    story.lock('b', 1);
    story.show('b', 1);
    expect(found(story)).toContainEqual(expect.stringMatching(/^I11 .*token 1 was shown for a\(uid-a\) before/));
  });

  it('events that are no history', () => {
    const story = routedStory();
    const [first, ...others] = story.history().slices ?? [];
    expect(() => check(story.history({ slices: [...others, ...(first === undefined ? [] : [first])] }))).toThrow(
      'slice',
    );
  });
});
