import { describe, expect, it } from 'vitest';
import { assertKept, type CheckOptions, check, noLeaderMoved, sentence, writesBy } from '../../kit/checker/checker.ts';
import type { WatchedGroup } from '../../kit/checker/history.ts';
import { aStory, aWatchedGroup, aWatchedPod, type Story } from '../../kit/checker/history-builder.ts';
import { podUid } from '../../kit/fakes/ids.ts';

/** A leads with token 1, B stands by. */
function electedStory(group: Partial<WatchedGroup> = {}): Story {
  const story = aStory([aWatchedGroup(group)]);
  story.pod('a');
  story.pod('b');
  story.lock('a', 1);
  story.promote('a', 1);
  return story;
}

function handOver(story: Story, from: string, to: string, token: number): void {
  story.fence(from);
  story.lock(to, token);
  story.promote(to, token);
}

const sharedLock = aWatchedGroup({ lockKey: 'jobs/nightly/.lock', recordKey: 'leadergroup/test/nightly/.record' });

const exact: CheckOptions = { toleranceMs: 0, everyKeyState: true };
const promisesBroken = (story: Story, options: CheckOptions = exact): readonly string[] => [
  ...new Set(check(story.history(), options).breaches.map((breach) => breach.promise)),
];

const COST = 'controller.kubernetes.io/pod-deletion-cost';

describe('a healthy history', () => {
  it('passes a deletion cost that is set where there was none, and taken off again', () => {
    const story = electedStory();
    story.write('a', { annotations: { [COST]: '1000', 'cost.leadergroup.dev/notifier': '1000' } });
    story.write('a', { annotations: { [COST]: null, 'cost.leadergroup.dev/notifier': null } });
    expect(promisesBroken(story)).toEqual([]);
  });

  it('passes no deletion cost of a group whose pods may go in any order', () => {
    const story = electedStory({ anyOrder: true });
    story.write('a', { annotations: { [COST]: '1000', 'cost.leadergroup.dev/notifier': '1000' } });
    expect(promisesBroken(story)).toEqual(['I6']);
  });

  it('passes an election', () => {
    expect(assertKept(electedStory().history(), exact)).toMatchObject({ elections: 1, handovers: 0, promotions: 1 });
  });

  it('passes a handover: fenced, lock moved, promoted', () => {
    const story = electedStory();
    handOver(story, 'a', 'b', 2);
    expect(assertKept(story.history(), exact)).toMatchObject({ elections: 2, handovers: 1, fencings: 1, passings: 1 });
  });

  it('passes a handover after the old leader was deleted', () => {
    const story = electedStory();
    story.remove('a');
    story.free();
    story.lock('b', 2);
    story.promote('b', 2);
    expect(assertKept(story.history(), exact)).toMatchObject({ handovers: 1, fencings: 0 });
  });

  it('passes an old leader of which no pod was ever seen', () => {
    const story = aStory();
    story.list(aWatchedPod({ name: 'b' }));
    story.lock('gone', 1);
    story.lock('b', 2);
    story.promote('b', 2);
    expect(promisesBroken(story)).toEqual([]);
  });

  it('passes an operator restart that keeps the leader and only moves the lock index', () => {
    const story = electedStory();
    story.lock('a', 1);
    story.lock('a', 1);
    expect(assertKept(story.history(), exact)).toMatchObject({ elections: 1, lockStates: 3 });
  });

  it('passes a leader that was there before the history begins', () => {
    const story = aStory();
    const labels = { app: 'notifier', 'leadergroup.dev/role': 'leader' };
    const annotations = { 'token.leadergroup.dev/notifier': '4' };
    story.list(aWatchedPod({ name: 'a', labels, annotations }), aWatchedPod({ name: 'b' }));
    story.lock('a', 4);
    handOver(story, 'a', 'b', 5);
    expect(assertKept(story.history(), exact)).toMatchObject({ elections: 1, passings: 1 });
  });

  it('passes a wiped Consul whose next token is higher', () => {
    const story = electedStory();
    story.wipe();
    story.fence('b');
    story.lock('a', 2);
    story.promote('a', 2);
    handOver(story, 'a', 'b', 3);
    expect(assertKept(story.history(), exact)).toMatchObject({ promotions: 3, groups: [{ lastToken: 3 }] });
  });

  it('passes a Consul restored to an earlier leader, who and whose successor are both fenced', () => {
    const story = electedStory();
    const [before] = story.states();
    handOver(story, 'a', 'b', 2);
    story.restore(before);
    story.fence('a');
    story.fence('b');
    story.lock('b', 3);
    story.promote('b', 3);
    expect(promisesBroken(story)).toEqual([]);
  });

  it('passes a pod recreated under the same name and elected with its own session', () => {
    const story = electedStory();
    story.remove('a');
    story.pod('a', { uid: podUid('uid-a2') });
    story.lock('uid-a2', 2);
    story.promote('uid-a2', 2);
    expect(assertKept(story.history(), exact)).toMatchObject({ elections: 2, handovers: 1 });
  });

  it('passes a shared lock that an external holder held in between', () => {
    const story = aStory([sharedLock]);
    story.pod('a');
    story.pod('b');
    story.lock('a', 1);
    story.promote('a', 1);
    story.fence('a');
    story.external();
    story.free();
    story.lock('b', 2);
    story.promote('b', 2);
    expect(promisesBroken(story)).toEqual([]);
  });

  it('passes two groups of one namespace with the same label key and pods of their own', () => {
    const [notifier, cron] = [aWatchedGroup(), aWatchedGroup({ name: 'cron' })];
    const story = aStory([notifier, cron]);
    story.pod('a');
    story.pod('c', { labels: { app: 'cron' } });
    story.lock('a', 1);
    story.promote('a', 1);
    story.lock('c', 1, cron);
    story.promote('c', 1, cron);
    expect(assertKept(story.history(), exact).groups.map((counts) => counts.elections)).toEqual([1, 1]);
  });

  it.each([
    ['goes on above the earlier ones', 8, []],
    ['begins anew', 1, ['I5']],
  ] as const)('of a group deleted and made again: its token %s', (_how, token, broken) => {
    const first = aWatchedGroup({ uid: 'first', goneAt: '5' });
    const second = aWatchedGroup({ uid: 'second', bornAt: '6' });
    const story = aStory([first, second]);
    story.pod('a');
    story.lock('a', 7, first);
    story.promote('a', 7);
    story.fence('a');
    const cleared = { 'token.leadergroup.dev/notifier': null, 'since.leadergroup.dev/notifier': null };
    story.write('a', { annotations: { ...cleared, 'fenced.leadergroup.dev/notifier': null } });
    story.pod('b');
    story.write('b', { labels: { note: 'resourceVersion 6' } }, { foreign: true });
    story.lock('a', token, second);
    story.promote('a', token, second);
    expect(promisesBroken(story)).toEqual(broken);
  });

  it("passes an external holder's label on a second pod when the test calls it foreign", () => {
    const story = electedStory();
    story.write('b', { labels: { 'leadergroup.dev/role': 'leader' } }, { foreign: true });
    expect(promisesBroken(story)).toEqual([]);
  });

  describe('where writes were refused', () => {
    const passedOver = (later: number): Story => {
      const story = aStory();
      for (const name of ['a', 'b']) story.pod(name);
      story.lock('a', 1);
      story.lock('b', 2);
      story.promote('b', 2);
      story.fence('b');
      if (later > 2) story.lock('a', later);
      story.promote('a', later);
      return story;
    };

    it('passes a holder that was passed over and is promoted by a later grant', () => {
      expect(promisesBroken(passedOver(3), { ...exact, refusals: true })).toEqual([]);
      expect(promisesBroken(passedOver(3))).toEqual(['I4']);
    });

    it('reports one whose promotion of before lands late', () => {
      expect(promisesBroken(passedOver(1), { ...exact, refusals: true })).toContain('I4');
    });
  });

  describe('where the lock passes from one that can lead no more, and was not fenced', () => {
    /** A has the lock, perhaps the label, and ends; then b gets both. */
    const after = (end: (story: Story) => void, promoted = false): Story => {
      const story = aStory();
      for (const name of ['a', 'b']) story.pod(name);
      story.lock('a', 1);
      if (promoted) story.promote('a', 1);
      end(story);
      story.lock('b', 2);
      story.promote('b', 2);
      return story;
    };

    it.each(['Succeeded', 'Failed'] as const)('passes one that was never promoted and has %s', (phase) => {
      expect(promisesBroken(after((story) => story.write('a', { phase })))).toEqual([]);
    });

    it('reports one that goes on, or that led until its end', () => {
      expect(promisesBroken(after((story) => story.write('a', { ready: false })))).toEqual(['I4']);
      expect(promisesBroken(after((story) => story.write('a', { phase: 'Failed' }), true))).toEqual(['I1', 'I4']);
    });

    it('reports one that ends only when the lock has passed', () => {
      const story = after(() => undefined);
      story.write('a', { phase: 'Succeeded' });
      expect(promisesBroken(story)).toEqual(['I4']);
    });

    it('passes one that was deleted before its group came, of which a cache may still tell', () => {
      const story = aStory([aWatchedGroup({ bornAt: '4' })]);
      for (const name of ['a', 'b']) story.pod(name);
      story.remove('a');
      story.write('b', { labels: { note: 'resourceVersion 4' } }, { foreign: true });
      story.lock('a', 1);
      story.lock('b', 2);
      story.promote('b', 2);
      expect(promisesBroken(story)).toEqual([]);
    });
  });

  it('passes a label that stays where a controller selects by it, and no other that stays', () => {
    const story = (labelsStay: boolean): Story => {
      const told = aStory([aWatchedGroup({ labelsStay })]);
      told.pod('a');
      told.lock('a', 1);
      told.promote('a', 1);
      told.write('a', { annotations: { 'fenced.leadergroup.dev/notifier': 'guard-of-a-group-that-goes' } });
      return told;
    };
    expect(promisesBroken(story(true))).toEqual([]);
    expect(promisesBroken(story(false))).toEqual(['I4']);
  });

  it('passes a label that another field manager wrote', () => {
    const story = electedStory();
    story.write('b', { labels: { 'leadergroup.dev/role': 'leader' } }, { writer: 'kubectl-label' });
    expect(promisesBroken(story)).toEqual([]);
  });

  it('passes a lock state that arrives a little later than the promotion it backs', () => {
    const story = aStory();
    story.pod('a');
    story.promote('a', 1);
    story.lock('a', 1);
    expect(promisesBroken(story, { toleranceMs: 100 })).toEqual([]);
  });

  it('passes a token that only an overwritten lock state can have had', () => {
    const story = electedStory();
    story.pod('c');
    story.fence('a');
    story.promote('c', 2);
    story.fence('c');
    story.unseen();
    story.lock('b', 3);
    story.promote('b', 3);
    expect(promisesBroken(story, { toleranceMs: 0 })).toEqual([]);
    expect(promisesBroken(story)).toEqual(['I2']);
  });

  it('passes the token of a first election whose lock state was overwritten before anybody saw it', () => {
    const story = aStory();
    for (const name of ['a', 'b']) story.pod(name);
    story.promote('a', 1);
    story.fence('a');
    story.unseen();
    story.unseen();
    story.lock('b', 2);
    story.promote('b', 2);
    expect(promisesBroken(story, { toleranceMs: 0 })).toEqual([]);
    expect(promisesBroken(story)).toEqual(['I2']);
  });

  it('passes a fencing patch that fell into a gap of the watch', () => {
    const story = electedStory();
    story.list(aWatchedPod({ name: 'a' }), aWatchedPod({ name: 'b' }));
    story.lock('b', 2);
    story.promote('b', 2);
    expect(promisesBroken(story)).toEqual([]);
  });
});

type Bad = readonly [rule: string, promise: string, tell: (story: Story) => void];

function told(table: readonly Bad[]): void {
  it.each(table)('%s breaks %s', (_rule, promise, tell) => {
    const story = electedStory();
    tell(story);
    const { breaches } = check(story.history(), exact);
    expect(breaches.map((breach) => breach.promise)).toContain(promise);
    for (const breach of breaches) expect(sentence(breach)).toMatch(/^I\d default\/notifier \[.+\]: .{20,}/);
  });
}

describe('a history that must fail', () => {
  told([
    [
      'two labels at one resourceVersion',
      'I1',
      (story) => {
        story.lock('b', 2);
        story.promote('b', 2);
      },
    ],
    [
      'a label on a pod that left the group while the next leader is promoted',
      'I1',
      (story) => {
        story.write('a', { labels: { app: 'other' } }, { foreign: true });
        story.lock('b', 2);
        story.promote('b', 2);
      },
    ],
    [
      'two labels found by a list after a gap',
      'I1',
      (story) => {
        const labels = { app: 'notifier', 'leadergroup.dev/role': 'leader' };
        story.list(aWatchedPod({ name: 'a', labels }), aWatchedPod({ name: 'b', labels }));
      },
    ],
    [
      'a promotion without any lock',
      'I2',
      (story) => {
        story.fence('a');
        story.promote('b', 2);
      },
    ],
    [
      'a promotion before its lock',
      'I2',
      (story) => {
        story.fence('a');
        story.promote('b', 2);
        story.lock('b', 2);
      },
    ],
    [
      'a token for which there is no room between two records',
      'I2',
      (story) => {
        story.pod('c');
        handOver(story, 'a', 'b', 3);
        story.fence('b');
        story.promote('c', 2);
      },
    ],
    [
      "a promotion with another member's token",
      'I2',
      (story) => {
        story.fence('a');
        story.promote('b', 1);
      },
    ],
    [
      'a promotion without a token',
      'I2',
      (story) => {
        story.fence('a');
        story.lock('b', 2);
        story.promote('b', null);
      },
    ],
    [
      'a token that is no number of the record',
      'I2',
      (story) => {
        story.lock('a', 2);
        story.promote('a', 3);
      },
    ],
    [
      'a lock that moves before the old leader is fenced',
      'I4',
      (story) => {
        story.lock('b', 2);
        story.fence('a');
        story.promote('b', 2);
      },
    ],
    [
      'an old leader fenced only after the new promotion',
      'I4',
      (story) => {
        story.lock('b', 2);
        story.promote('b', 2);
        story.fence('a');
      },
    ],
    [
      'an unlabelled holder that is not fenced',
      'I4',
      (story) => {
        story.fence('a');
        story.lock('b', 2);
        story.lock('a', 3);
        story.promote('a', 3);
      },
    ],
    [
      'a fencing patch from before the holder got the lock',
      'I4',
      (story) => {
        story.fence('b');
        story.fence('a');
        story.lock('b', 2);
        story.lock('a', 3);
        story.promote('a', 3);
      },
    ],
    [
      'a demotion without a fenced value',
      'I4',
      (story) => story.write('a', { labels: { 'leadergroup.dev/role': null } }),
    ],
    [
      'a fenced value used twice',
      'I4',
      (story) => {
        story.fence('b', story.group, 'same');
        story.fence('a', story.group, 'same');
      },
    ],
    [
      'a fenced value on a pod that keeps the label',
      'I4',
      (story) => story.write('a', { annotations: { 'fenced.leadergroup.dev/notifier': 'x' } }),
    ],
    [
      'a promotion with a lower token',
      'I5',
      (story) => {
        story.lock('a', 5);
        story.promote('a', 5);
        handOver(story, 'a', 'b', 4);
      },
    ],
    ['one token for two members', 'I5', (story) => handOver(story, 'a', 'b', 1)],
    [
      "a record's token that goes down",
      'I5',
      (story) => {
        story.lock('a', 3);
        story.lock('a', 2);
      },
    ],
    [
      'a token that goes down in a wiped Consul',
      'I5',
      (story) => {
        handOver(story, 'a', 'b', 2);
        story.wipe();
        handOver(story, 'b', 'a', 1);
      },
    ],
    ['a token that is no integer', 'I5', (story) => story.promote('a', '1e3')],
    [
      'a label outside the table',
      'I6',
      (story) => story.write('a', { labels: { tier: 'x' } }, { writer: 'leadergroup' }),
    ],
    [
      "an annotation that is another's, in one patch with our own",
      'I6',
      (story) =>
        story.write('a', {
          annotations: { 'fenced.leadergroup.dev/notifier': null, note: 'x', 'since.leadergroup.dev/notifier': 'y' },
        }),
    ],
    [
      "a deletion cost over another's",
      'I6',
      (story) => {
        story.write('a', { annotations: { [COST]: '5' } }, { writer: 'kubectl' });
        story.write('a', { annotations: { [COST]: '1000', 'cost.leadergroup.dev/notifier': '1000' } });
      },
    ],
    [
      'a deletion cost without a mark',
      'I6',
      (story) => story.write('a', { annotations: { [COST]: '1000' } }, { writer: 'leadergroup' }),
    ],
    [
      'a deletion cost of others taken off',
      'I6',
      (story) => {
        story.write('a', { annotations: { [COST]: '1000', 'cost.leadergroup.dev/notifier': '1000' } });
        story.write('a', { annotations: { [COST]: '5' } }, { writer: 'kubectl' });
        story.write('a', { annotations: { [COST]: null, 'cost.leadergroup.dev/notifier': null } });
      },
    ],
    [
      'a label value nobody asked for',
      'I6',
      (story) => story.write('b', { labels: { 'leadergroup.dev/role': 'boss' } }),
    ],
    [
      'a label on a pod that no group selects',
      'I6',
      (story) => {
        story.pod('z', { labels: { app: 'zebra' } });
        story.write('z', { labels: { 'leadergroup.dev/role': 'leader' } });
      },
    ],
    [
      'a patch that hits a pod recreated under the same name',
      'I6',
      (story) => {
        story.remove('a');
        story.pod('a', { uid: podUid('uid-a2') });
        story.promote('uid-a2', 1);
      },
    ],
    [
      'a pod born with our annotations',
      'I6',
      (story) => story.pod('c', { annotations: { 'token.leadergroup.dev/notifier': '1' } }),
    ],
    ['a field the operator owns and may not', 'I6', (story) => story.pod('c', { operatorOwns: ['spec.containers'] })],
  ]);
});

describe('a schedule of the attack list', () => {
  told([
    [
      '1, a promotion that uses the resourceVersion of a fencing patch,',
      'I1',
      (story) => {
        handOver(story, 'a', 'b', 2);
        story.promote('a', 1);
      },
    ],
    [
      '2, a late promotion that a no-op fencing patch did not keep off,',
      'I1',
      (story) => {
        story.fence('a');
        story.lock('b', 2);
        story.promote('b', 2);
        story.promote('a', 1);
      },
    ],
    [
      '3, a fencing patch skipped because the cache shows no label,',
      'I4',
      (story) => {
        story.fence('a');
        story.lock('a', 2);
        story.free();
        story.lock('b', 3);
        story.promote('b', 3);
      },
    ],
    [
      '5, a late transaction that moves the lock from a promoted leader,',
      'I4',
      (story) => {
        story.fence('a');
        story.lock('a', 1);
        story.promote('a', 1);
        story.lock('b', 2);
      },
    ],
    [
      '6, the same when a bucket went away and came back,',
      'I1',
      (story) => {
        story.fence('a');
        story.lock('a', 1);
        story.promote('a', 1);
        story.lock('b', 2);
        story.promote('b', 2);
      },
    ],
    [
      '7, an old token promoted by a plan that outlived two handovers,',
      'I5',
      (story) => {
        handOver(story, 'a', 'b', 2);
        handOver(story, 'b', 'a', 3);
        story.promote('a', 1);
      },
    ],
    [
      '10, a restored Consul whose old record is believed,',
      'I5',
      (story) => {
        const [before] = story.states();
        handOver(story, 'a', 'b', 2);
        story.restore(before);
        story.promote('a', 1);
      },
    ],
    [
      '10, a second leader beside the one that led before the restoration,',
      'I1',
      (story) => {
        const [before] = story.states();
        handOver(story, 'a', 'b', 2);
        story.restore(before);
        story.lock('a', 3);
        story.promote('a', 3);
      },
    ],
    [
      '11, a used token locked again after the key was deleted,',
      'I5',
      (story) => {
        handOver(story, 'a', 'b', 2);
        handOver(story, 'b', 'a', 3);
        story.lock('b', 2);
      },
    ],
  ]);

  it('4, an external holder between two members of which the first was never fenced, breaks I4 and I1', () => {
    const story = aStory([sharedLock]);
    story.pod('a');
    story.pod('b');
    story.lock('a', 1);
    story.promote('a', 1);
    story.external();
    story.free();
    story.lock('b', 2);
    story.promote('b', 2);
    expect(promisesBroken(story)).toEqual(['I1', 'I4']);
  });

  it.each([
    '8, a second fencing patch that lands on the healthy leader',
    '9, 15, 16, 18, 19, 20, a demotion for nothing',
  ])('%s, breaks I8', () => {
    const story = electedStory();
    const fromMs = story.now();
    story.fence('a');
    expect(noLeaderMoved(story.history(), { fromMs, toMs: story.now() })).toMatchObject([{ promise: 'I8' }]);
  });

  it('14, two groups that demote each other, shows in the count of writes', () => {
    const story = electedStory();
    const fromMs = story.now();
    for (const token of [2, 3, 4]) {
      story.fence('a');
      story.lock('a', token);
      story.promote('a', token);
    }
    expect(writesBy(story.history(), { fromMs, toMs: story.now() })).toHaveLength(6);
  });
});

describe('noLeaderMoved', () => {
  it('takes no notice of a leader that was not ready, was deleted, or lost the label to somebody else', () => {
    const unready = electedStory();
    const fromMs = unready.now();
    unready.ready('a', false);
    handOver(unready, 'a', 'b', 2);
    const deleted = electedStory();
    deleted.remove('a');
    const taken = electedStory();
    taken.write('a', { labels: { 'leadergroup.dev/role': null } }, { foreign: true });
    for (const story of [unready, deleted, taken]) {
      expect(noLeaderMoved(story.history(), { fromMs, toMs: story.now() })).toEqual([]);
    }
  });

  it.each([
    ['reports', 'passes all the while', { probed: true, podUid: 'uid-b', fromMs: 0, untilMs: 5, moved: ['I8'] }],
    ['reports', 'passes again since before', { probed: true, podUid: 'uid-a', fromMs: -9, untilMs: -1, moved: ['I8'] }],
    ['takes no notice of', 'did not pass', { probed: true, podUid: 'uid-a', fromMs: -1, untilMs: 1, moved: [] }],
    ['takes no notice of', 'fell silent then', { probed: true, podUid: 'uid-a', fromMs: 1, untilMs: 99, moved: [] }],
    [
      'reports',
      'is silent where nobody asks',
      { probed: false, podUid: 'uid-a', fromMs: 1, untilMs: 99, moved: ['I8'] },
    ],
  ])('%s a leader that is ready and %s', (_, _how, { probed, podUid: uid, fromMs, untilMs, moved }) => {
    // Another group's leader is well all the while, so that there is something to see.
    const other = aWatchedGroup({ name: 'other' });
    const story = aStory([aWatchedGroup({ probed }), other]);
    for (const name of ['a', 'b']) story.pod(name);
    story.pod('o', { labels: { app: 'other' } });
    story.promote('a', 1);
    story.promote('o', 1, other);
    const sinceMs = story.now();
    handOver(story, 'a', 'b', 2);
    const silences = [{ podUid: uid, fromMs: sinceMs + fromMs, toMs: sinceMs + untilMs }];
    const found = noLeaderMoved(story.history({ silences }), { fromMs: sinceMs, toMs: story.now() });
    expect(found.map(({ promise }) => promise)).toEqual(moved);
  });

  it('reports a leader that a gap hides the demotion of', () => {
    const story = electedStory();
    const fromMs = story.now();
    story.list(aWatchedPod({ name: 'a' }), aWatchedPod({ name: 'b' }));
    expect(noLeaderMoved(story.history(), { fromMs, toMs: story.now() })).toHaveLength(1);
  });

  it('ignores what happens outside the interval', () => {
    const story = electedStory();
    const interval = { fromMs: story.now(), toMs: story.now() };
    handOver(story, 'a', 'b', 2);
    expect(noLeaderMoved(story.history(), interval)).toEqual([]);
  });

  it('refuses an interval that begins without a leader', () => {
    const story = electedStory();
    expect(() => noLeaderMoved(story.history(), { fromMs: 0, toMs: story.now() })).toThrow(
      /no group had a healthy leader/,
    );
  });
});

describe('a history that shows nothing is refused', () => {
  const history = electedStory().history();

  it.each([
    ['no groups', { ...history, groups: [] }],
    ['no pods', { ...history, pods: [] }],
    ['no lock states', { ...history, keys: [] }],
    ['never shows a leader', { ...history, pods: history.pods.slice(0, 2) }],
    ['no state of leadergroup/test', { ...history, keys: history.keys.map((state) => ({ ...state, key: 'other' })) }],
    ['out of order', { ...history, pods: [...history.pods, ...history.pods.slice(-1)] }],
    ['modified event for pod a', { ...history, pods: history.pods.slice(1) }],
  ])('%s', (message, empty) => {
    expect(() => check(empty)).toThrow(message);
  });

  it('unless the group is declared leaderless', () => {
    const leaderless = { ...history, pods: history.pods.slice(0, 2) };
    expect(check(leaderless, { leaderless: ['default/notifier'] }).breaches).toEqual([]);
  });
});

describe('writesBy', () => {
  it("counts the operator's writes to pods and other objects, and nobody else's", () => {
    const story = electedStory();
    story.write('a', { labels: { note: 'x' } }, { writer: 'kubectl' });
    const event = {
      resource: 'leadergroups',
      namespace: 'default',
      name: 'notifier',
      uid: 'u',
      resourceVersion: '90',
      atMs: 95,
    };
    const others = [
      { ...event, kind: 'modified' as const, writers: ['leadergroup'] },
      { ...event, kind: 'modified' as const, writers: ['kubectl'] },
      { ...event, kind: 'listed' as const, writers: ['leadergroup'] },
    ];
    expect(writesBy(story.history({ others })).map((write) => write.resource)).toEqual(['pods', 'leadergroups']);
  });
});
