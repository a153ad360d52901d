/** What the checker takes for a breach of I16. */
import { describe, expect, it } from 'vitest';
import { check } from '../../kit/checker/checker.ts';
import type { PromotionAnswered } from '../../kit/checker/history.ts';
import { aStory, aWatchedGroup, type Story } from '../../kit/checker/history-builder.ts';

function led(asksFirst: 'NextCandidate' | 'Promote' = 'NextCandidate'): Story {
  const story = aStory([aWatchedGroup({ asksFirst })]);
  for (const name of ['a', 'b']) story.pod(name);
  story.lock('a', 1);
  story.promote('a', 1);
  return story;
}

const said = (name: string, passes = true, more: Partial<PromotionAnswered> = {}): PromotionAnswered => ({
  podUid: `uid-${name}`,
  restarts: 0,
  atMs: 0,
  passes,
  ...more,
});

const broken = (story: Story, promotionAnswers: readonly PromotionAnswered[]): readonly string[] =>
  check(story.history({ promotionAnswers }), { toleranceMs: 0 }).breaches.flatMap(({ promise, message }) =>
    promise === 'I16' ? [message] : [],
  );

describe('the checker of promotions', () => {
  it('takes one that passed', () => {
    expect(broken(led(), [said('a')])).toEqual([]);
  });

  it.each([
    ['that was not asked', []],
    ['that failed', [said('a', false)]],
    ['of which another passed', [said('b')]],
    ['that passes later', [said('a', true, { atMs: 1e9 })]],
    ['that passed long ago', [said('a', true, { atMs: -120_000 })]],
  ])('does not take one %s', (_, answers) => {
    expect(broken(led(), answers)).toEqual([expect.stringContaining('did not pass')]);
  });

  it('does not take one that nobody asked with Promote, and takes one that failed', () => {
    expect(broken(led('Promote'), [said('a', false)])).toEqual([]);
    expect(broken(led('Promote'), [])).toEqual([expect.stringContaining('was not asked')]);
  });

  it('takes a leader that gets its label back', () => {
    const story = led();
    story.fence('a');
    story.promote('a', 2);
    expect(broken(story, [said('a')])).toEqual([]);
  });

  it('does not take one that gets it back in another life than that in which it led', () => {
    const story = led();
    story.fence('a');
    story.write('a', { restarts: 1 });
    story.promote('a', 2);
    expect(broken(story, [said('a')])).toEqual([expect.stringContaining('in its present life')]);
    expect(broken(story, [said('a'), said('a', true, { restarts: 1 })])).toEqual([]);
  });

  it('takes one that has lost it by somebody else, also in another life', () => {
    const story = led();
    story.write('a', { labels: { 'leadergroup.dev/role': null } }, { foreign: true });
    story.write('a', { restarts: 1 });
    story.promote('a', 2);
    expect(broken(story, [said('a')])).toEqual([]);
  });

  it('takes one that was started anew while it led', () => {
    const story = led();
    story.write('a', { restarts: 1 });
    story.fence('a');
    story.promote('a', 2);
    expect(broken(story, [said('a')])).toEqual([]);
  });
});
