/** I12 and I13 of the checker: histories of claims that must pass, and such as must be caught. */
import { describe, expect, it } from 'vitest';
import { assertKept, type CheckOptions, check } from '../../kit/checker/checker.ts';
import { aClaimingStory, type ClaimingStory } from '../../kit/checker/claims-builder.ts';

const exact: CheckOptions = { toleranceMs: 0, everyKeyState: true };

const found = (story: ClaimingStory, options: CheckOptions = exact): readonly string[] =>
  check(story.history(), options).breaches.map(({ promise, message }) => `${promise} ${message}`);

const AGAIN = { mode: 'AtLeastOnce' } as const;

describe('claims that pass', () => {
  it.each<[string, (story: ClaimingStory) => void]>([
    [
      'a tick for the leader, and none for the follower',
      (story) => {
        story.claims('a', 1);
        story.refused('b', 1, 'Passed');
      },
    ],
    [
      'a call that lost its answer and asks again',
      (story) => {
        const call = story.asked('a', 1);
        story.takes(call);
        story.given(call);
        story.given(call);
      },
    ],
    [
      'ticks that nobody asked for, and a series that goes on with the next leader',
      (story) => {
        story.claims('a', 1);
        story.handOver('b', 2);
        story.claims('b', 7);
      },
    ],
    [
      'a position that nobody has done, given out again when it is overdue, and done',
      (story) => {
        story.claims('a', 1, AGAIN);
        story.handOver('b', 2);
        const call = story.asked('b', 2, AGAIN);
        story.takes(call, { position: 1, attempt: 2, sinceMs: 400_000 });
        story.given(call, { position: 1, attempt: 2 });
        story.says(call, 'renew', 1);
        story.takes(call, { position: 1, attempt: 2, sinceMs: 500_000 });
        story.says(call, 'done', 1);
        story.takes(call, { position: 1, attempt: 2, sinceMs: 500_000, state: 'Done' });
        story.claims('b', 2, AGAIN);
      },
    ],
    [
      'a report of what is done, or given to another call, that is denied',
      (story) => {
        const first = story.claims('a', 1, AGAIN);
        const second = story.asked('a', 1, AGAIN);
        story.takes(second, { attempt: 2, sinceMs: 400_000 });
        story.given(second, { attempt: 2 });
        story.denied(first, 'done');
        story.says(second, 'done', 1);
        story.takes(second, { attempt: 2, sinceMs: 400_000, state: 'Done' });
        story.denied(second, 'renew');
      },
    ],
    [
      'a claim that nobody answered, and is made when its call has gone',
      (story) => {
        const call = story.call('a', 1);
        story.refuses(call, 'NotLeader');
        story.asks(call);
        story.takes(call);
      },
    ],
    [
      'a call that was told to ask later, and did, though nobody has answered that one for certain',
      (story) => {
        const call = story.call('a', 1);
        story.refuses(call, 'Pending');
        story.unknown(call);
        story.takes(call);
      },
    ],
    [
      'a call that was told to drop it, and whose request before that nobody could answer for',
      (story) => {
        const call = story.call('a', 1);
        story.unknown(call);
        story.refuses(call, 'NotLeader');
        story.takes(call);
      },
    ],
    [
      'a Consul that was wiped, and knows of nothing',
      (story) => {
        story.claims('a', 1);
        story.wipe();
        story.lock('a', 2);
        story.claims('a', 1);
      },
    ],
  ])('%s', (_, tell) => {
    const story = aClaimingStory();
    tell(story);
    expect(found(story)).toEqual([]);
  });

  it('are counted', () => {
    const story = aClaimingStory();
    story.claims('a', 1);
    story.refused('b', 1, 'Passed');
    expect(assertKept(story.history(), exact).claims).toEqual({
      requests: 3,
      given: 1,
      again: 0,
      refused: 1,
      marks: 1,
    });
  });
});

describe('claims that are caught', () => {
  it.each<[string, string, (story: ClaimingStory) => void]>([
    [
      'one position for two calls of one pod',
      'I12 position 1 of daily-report was given to uid-a call-1 and to uid-a call-2',
      (story) => {
        story.claims('a', 1);
        story.given(story.call('a', 1));
      },
    ],
    [
      'a position that was given out, for the next leader',
      'I12 daily-report: given twice',
      (story) => {
        story.claims('a', 1);
        story.handOver('b', 2);
        story.takes(story.asked('b', 1), { attempt: 2 });
      },
    ],
    [
      'a lower position than the mark',
      'I12 daily-report: falls from position 2',
      (story) => {
        story.claims('a', 2);
        story.claims('a', 1);
      },
    ],
    [
      'an answer that Consul knows nothing of',
      'I12 .*position 2, and Consul had not taken that',
      (story) => {
        story.claims('a', 1);
        story.given(story.call('a', 2));
      },
    ],
    [
      'an answer before Consul has taken it',
      'I12 .*position 2, and Consul had not taken that',
      (story) => {
        story.claims('a', 1);
        const call = story.call('a', 2);
        story.given(call);
        story.takes(call);
      },
    ],
    [
      'a report that is denied to whoever has the position',
      'I13 .*was told that it is not its own \\(done\\)',
      (story) => story.denied(story.claims('a', 1, AGAIN), 'done'),
    ],
    [
      'another position than was asked for',
      'I12 who asked for position 3 \\(AtMostOnce\\) was given position 2',
      (story) => {
        const call = story.call('a', 3);
        story.asks(call);
        story.takes(call, { position: 2 });
        story.given(call, { position: 2 });
      },
    ],
    [
      'a claim for a pod that does not lead',
      'I12 position 1 of daily-report was given to uid-b, and uid-a has the lock',
      (story) => story.claims('b', 1),
    ],
    [
      'a claim for a pod that leads no more',
      'I12 position 1 of daily-report was given to uid-a, and uid-b has the lock',
      (story) => {
        story.handOver('b', 2);
        story.claims('a', 1);
      },
    ],
    [
      'a call that has it, and is told otherwise when it asks again',
      'I12 .*has position 1, and was told NotLeader',
      (story) => {
        const call = story.call('a', 1);
        story.asks(call);
        story.takes(call);
        story.refuses(call, 'NotLeader');
      },
    ],
    [
      'a call that is given what it was told not to get',
      'I12 .*was told NotLeader, and was given it later',
      (story) => {
        const call = story.call('a', 1);
        story.refuses(call, 'NotLeader');
        story.refuses(call, 'NotLeader');
        story.takes(call);
      },
    ],
    ['a claim of a call that never asked', 'I12 .*who has not asked', (story) => story.takes(story.call('a', 1))],
    [
      'a claim that becomes that of another call',
      'I12 daily-report: changed from uid-a call-1 to uid-a call-2',
      (story) => {
        story.claims('a', 1);
        story.takes(story.asked('a', 1));
      },
    ],
    [
      'a position that is given out again before it is overdue',
      'I12 daily-report: given again before it is overdue',
      (story) => {
        story.claims('a', 1, AGAIN);
        story.takes(story.asked('a', 1, AGAIN), { attempt: 2, sinceMs: 200_000 });
      },
    ],
    [
      'a position that is given out again after it was done',
      'I12 daily-report: given again though it is done',
      (story) => {
        const call = story.claims('a', 1, AGAIN);
        story.says(call, 'done', 1);
        story.takes(call, { state: 'Done' });
        story.takes(story.asked('a', 1, AGAIN), { attempt: 2, sinceMs: 400_000 });
      },
    ],
    [
      'a position that is passed over before anybody has done it',
      'I13 daily-report: passes over',
      (story) => {
        story.claims('a', 1, AGAIN);
        story.claims('a', 2, AGAIN);
      },
    ],
    [
      'a position that is done, and nobody has said so',
      'I13 daily-report: done, and uid-a call-1 has not said so',
      (story) => story.takes(story.claims('a', 1, AGAIN), { state: 'Done' }),
    ],
    [
      'a position that was renewed, and nobody has said so',
      'I13 daily-report: renew, and uid-a call-1 has not said so',
      (story) => story.takes(story.claims('a', 1, AGAIN), { sinceMs: 200_000 }),
    ],
    [
      'a position that is not done any more',
      'I12 daily-report: not done any more',
      (story) => {
        const call = story.claims('a', 1, AGAIN);
        story.says(call, 'done', 1);
        story.takes(call, { state: 'Done' });
        story.takes(call);
      },
    ],
    [
      'a position that is said to have passed, and nobody has it',
      'I13 .*told that it has passed, and nobody has it',
      (story) => {
        story.claims('a', 1);
        story.refused('a', 2, 'Passed');
      },
    ],
  ])('%s', (_, words, tell) => {
    const story = aClaimingStory();
    tell(story);
    const [first, ...others] = found(story);
    expect(first).toMatch(new RegExp(`^${words}`));
    expect(others.filter((other) => !/^I1[23] /.test(other))).toEqual([]);
  });

  it('any claim under a lock that others share', () => {
    const story = aClaimingStory({ lockKey: 'jobs/nightly/.lock', recordKey: 'leadergroup/test/nightly/.record' });
    story.claims('a', 1);
    expect(found(story)).toEqual([expect.stringMatching(/^I12 .*given to uid-a, and nobody has the lock/)]);
  });

  it('positions that were given out, where Consul knows of none', () => {
    const story = aClaimingStory();
    story.given(story.call('a', 1));
    expect(found(story)).toEqual([expect.stringMatching(/^I12 calls were given positions, and Consul knows of none/)]);
  });
});

describe('where states may be missing', () => {
  it('what lies between two seen marks is not guessed at', () => {
    const story = aClaimingStory();
    story.claims('a', 1, AGAIN);
    story.unseen(() => story.claims('a', 2, AGAIN));
    story.claims('a', 3, AGAIN);
    expect(found(story, {})).toEqual([]);
  });

  it('two calls with one position are caught all the same', () => {
    const story = aClaimingStory();
    story.unseen(() => {
      story.given(story.call('a', 2));
      story.given(story.call('a', 2));
    });
    story.claims('a', 3);
    expect(found(story, {})).toEqual([expect.stringMatching(/^I12 position 2 of daily-report was given to/)]);
  });
});
