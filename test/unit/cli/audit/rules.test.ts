/** The rules of `audit`, by histories with one breach planted in each, and beside the checker of the test kit over histories made at random. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAudit } from '../../../../src/cli/audit/audit.ts';
import type { AuditGroup } from '../../../../src/cli/audit/events.ts';
import { check, type WatchedGroup } from '../../../kit/checker/checker.ts';
import { aStory, aWatchedGroup, aWatchedPod, type Story } from '../../../kit/checker/history-builder.ts';
import { trying } from '../../../kit/model/seed.ts';

const LEADER = 'leadergroup.dev/role';
const TOKEN = 'token.leadergroup.dev/notifier';

const watched = ({ namespace, name, uid, selector, labelKey, leaderValue }: WatchedGroup): AuditGroup => ({
  namespace,
  name,
  uid,
  selector,
  labelKey,
  leaderValue,
  candidateCondition: 'Ready',
});

function audited(story: Story, groups: readonly WatchedGroup[] = [story.group]) {
  const audit = createAudit();
  for (const group of groups) audit.setGroup(watched(group), '0');
  for (const event of story.history().pods) audit.take(event);
  return audit;
}

const resultOf = (story: Story) => audited(story).result();
const rules = (story: Story): readonly string[] => resultOf(story).breaches.map(({ rule }) => rule);

/** Two pods from the beginning, of which a leads with token 4. */
function led(): Story {
  const story = aStory();
  story.list(aWatchedPod({ name: 'a' }), aWatchedPod({ name: 'b' }));
  story.promote('a', 4);
  return story;
}

describe('a history as it should be', () => {
  it('is proved: an election and two handovers with rising tokens', () => {
    const story = led();
    story.fence('a');
    story.promote('b', 5);
    story.remove('b');
    story.promote('a', 6);
    expect(resultOf(story)).toMatchObject({
      verdict: 'Proved',
      from: '1',
      groups: [{ group: 'default/notifier', changes: 3, leader: expect.stringMatching(/^a\(/) as string }],
    });
  });

  it('is proved where the label of a leader is put back, though it is not ready by then', () => {
    const story = led();
    story.ready('a', false);
    story.write('a', { labels: { [LEADER]: null } });
    story.write('a', { labels: { [LEADER]: 'leader' } });
    expect(resultOf(story).verdict).toBe('Proved');
  });

  it('is proved of two groups with one label, whose leaders lead at once', () => {
    const [one, other] = [aWatchedGroup(), aWatchedGroup({ name: 'cart' })];
    const story = aStory([one, other]);
    story.list(aWatchedPod({ name: 'a' }), aWatchedPod({ name: 'c', labels: { app: 'cart' } }));
    story.promote('a', 1);
    story.promote('c', 1, other);
    expect(audited(story, [one, other]).result()).toMatchObject({ verdict: 'Proved' });
  });

  it('is not proved of no history at all', () => {
    expect(createAudit().result().verdict).toBe('NotProved');
  });
});

describe('a planted breach is found', () => {
  const planted: readonly (readonly [string, string, (story: Story) => void])[] = [
    ['two leaders at one resourceVersion', 'TwoLeaders', (story) => story.promote('b', 5)],
    ['a falling token', 'TokenFell', (story) => (story.fence('a'), story.promote('b', 3))],
    ['a token that another uid had', 'TokenShared', (story) => (story.fence('a'), story.promote('b', 4))],
    ['a label without a token', 'TokenMissing', (story) => (story.fence('a'), story.promote('b', null))],
    ['a token that is none', 'TokenMissing', (story) => (story.fence('a'), story.promote('b', '7.5'))],
    [
      'a token that is taken off a leader',
      'TokenMissing',
      (story) => story.write('a', { annotations: { [TOKEN]: null } }),
    ],
    [
      'a token that falls while its pod leads on',
      'TokenFell',
      (story) => story.write('a', { annotations: { [TOKEN]: '2' } }),
    ],
    [
      'the old leader under its name, label and token, as a pod of another uid',
      'LabelAtCreation',
      (story) => {
        story.remove('a');
        const labels = { app: 'notifier', [LEADER]: 'leader' };
        story.pod('a', { uid: aWatchedPod({ name: 'another' }).uid, labels, annotations: { [TOKEN]: '5' } });
      },
    ],
    [
      'a leader that is not ready',
      'UnfitLeader',
      (story) => (story.fence('a'), story.ready('b', false), story.promote('b', 5)),
    ],
  ];

  it.each(planted)('%s: %s', (_, rule, plant) => {
    const story = led();
    plant(story);
    expect(resultOf(story).verdict).toBe('Breached');
    expect(new Set(rules(story))).toEqual(new Set([rule]));
  });

  it('by the condition that the group goes by in place of Ready', () => {
    const promotedWith = (isTrue: boolean) => {
      const audit = createAudit();
      audit.setGroup({ ...watched(aWatchedGroup()), candidateCondition: 'example.com/synced' }, '0');
      const conditions = [{ type: 'example.com/synced', isTrue, transitionMs: null }];
      const pod = { ...aWatchedPod({ name: 'a', ready: false }), conditions };
      audit.take({ kind: 'list', resourceVersion: '1', pods: [pod] });
      const labels = { ...pod.labels, [LEADER]: 'leader' };
      audit.take({ kind: 'modified', resourceVersion: '2', pod: { ...pod, labels, annotations: { [TOKEN]: '1' } } });
      return audit.result().breaches.map(({ rule }) => rule);
    };
    expect([promotedWith(true), promotedWith(false)]).toEqual([[], ['UnfitLeader']]);
  });

  it('also where the history begins with it', () => {
    const labels = { app: 'notifier', [LEADER]: 'leader' };
    const story = aStory();
    story.list(
      aWatchedPod({ name: 'a', labels, annotations: { [TOKEN]: '4' } }),
      aWatchedPod({ name: 'b', labels, annotations: { [TOKEN]: '5' } }),
    );
    expect(rules(story)).toEqual(['TwoLeaders']);
  });

  it('and whoever else wrote the label is named', () => {
    const audit = createAudit();
    audit.setGroup(watched(aWatchedGroup()), '0');
    const pods = [aWatchedPod({ name: 'a' })];
    audit.take({ kind: 'list', resourceVersion: '1', pods });
    const labels = { app: 'notifier', [LEADER]: 'leader' };
    const pod = { ...aWatchedPod({ name: 'a', labels }), labelsBy: { [LEADER]: 'kubectl-label' } };
    audit.take({ kind: 'modified', resourceVersion: '2', pod });
    expect(audit.result().breaches[0]?.message).toContain('(kubectl-label, not the operator, wrote the label of a)');
  });
});

describe('what was not seen is not proved', () => {
  it('between the version before a second list and that list', () => {
    const story = led();
    story.list();
    expect(resultOf(story)).toMatchObject({ verdict: 'NotProved', unproved: [{ group: null, from: '2', to: '3' }] });
  });

  it('and a token that fell meanwhile is a breach all the same', () => {
    const story = led();
    const labels = { app: 'notifier', [LEADER]: 'leader' };
    story.list(aWatchedPod({ name: 'b', labels, annotations: { [TOKEN]: '3' } }));
    expect([resultOf(story).verdict, rules(story)]).toEqual(['Breached', ['TokenFell']]);
  });

  it('where resourceVersions go back', () => {
    const audit = audited(led());
    audit.take({ kind: 'modified', resourceVersion: '1', pod: aWatchedPod({ name: 'b' }) });
    expect(audit.result()).toMatchObject({ verdict: 'NotProved', unproved: [{ from: '2', to: '1' }] });
  });

  it('where the selector of a group was changed, though tokens are remembered', () => {
    const story = led();
    const audit = audited(story);
    const { selector } = aWatchedGroup({ name: 'other' });
    audit.setGroup({ ...watched(story.group), selector }, '2');
    expect(audit.result()).toMatchObject({ verdict: 'NotProved', unproved: [{ group: 'default/notifier' }] });
    audit.take({
      kind: 'added',
      resourceVersion: '3',
      pod: aWatchedPod({ name: 'c', labels: { app: 'other', [LEADER]: 'leader' }, annotations: { [TOKEN]: '2' } }),
    });
    expect(audit.result().breaches.map(({ rule }) => rule)).toContain('TokenFell');
  });
});

describe('the leader that the status names', () => {
  const named = (token: number, pod = 'b') => [{ pod, uid: aWatchedPod({ name: pod }).uid, token }];

  it('is right when its promotion was seen, whichever is heard of first', () => {
    const story = led();
    story.list();
    const audit = audited(led());
    audit.statusNames(watched(story.group), named(5), '4');
    audit.take({ kind: 'modified', resourceVersion: '3', pod: aWatchedPod({ name: 'a' }) });
    const labels = { app: 'notifier', [LEADER]: 'leader' };
    const pod = aWatchedPod({ name: 'b', labels, annotations: { [TOKEN]: '5' } });
    audit.take({ kind: 'modified', resourceVersion: '4', pod });
    expect(audit.result().verdict).toBe('Proved');
  });

  it('is a breach when its token is newer than that of whoever led, and it never had the label with it', () => {
    const story = aStory();
    const labels = { app: 'notifier', [LEADER]: 'leader' };
    story.list(aWatchedPod({ name: 'a', labels, annotations: { [TOKEN]: '4' } }), aWatchedPod({ name: 'b' }));
    const audit = audited(story);
    audit.statusNames(watched(story.group), named(5), '2');
    expect(audit.result().breaches).toEqual([]);
    audit.take({ kind: 'passed', resourceVersion: '2' });
    expect(audit.result().breaches.map(({ rule }) => rule)).toEqual(['StatusNamesAnother']);
  });

  it('is not proved when it may have led before the history begins', () => {
    const story = aStory();
    story.list(aWatchedPod({ name: 'a' }), aWatchedPod({ name: 'b' }));
    const audit = audited(story);
    audit.statusNames(watched(story.group), named(5), '1');
    expect(audit.result()).toMatchObject({ verdict: 'NotProved', breaches: [] });
  });
});

describe('beside the checker of the test kit', () => {
  type Op =
    | { readonly op: 'promote'; readonly pod: string; readonly token: number }
    | { readonly op: 'fence' | 'remove' | 'flip' | 'bare'; readonly pod: string };
  const pod = fc.constantFrom('a', 'b', 'c');
  const op: fc.Arbitrary<Op> = fc.oneof(
    fc.record({ op: fc.constant('promote' as const), pod, token: fc.integer({ min: 1, max: 9 }) }),
    fc.record({ op: fc.constantFrom('fence' as const, 'remove' as const, 'flip' as const, 'bare' as const), pod }),
  );

  function tell(ops: readonly Op[]): Story {
    const story = led();
    story.pod('c');
    story.lock('a', 4);
    const gone = new Set<string>();
    for (const each of ops.filter(({ pod: name }) => !gone.has(name))) {
      if (gone.has(each.pod)) continue;
      if (each.op === 'promote') story.promote(each.pod, each.token);
      else if (each.op === 'fence') story.fence(each.pod);
      else if (each.op === 'bare') story.write(each.pod, { labels: { [LEADER]: null } });
      else if (each.op === 'flip') story.ready(each.pod, true);
      else {
        story.remove(each.pod);
        gone.add(each.pod);
      }
    }
    return story;
  }

  it('finds two leaders and bad tokens at the same resourceVersions', () => {
    let broken = 0;
    fc.assert(
      fc.property(fc.array(op, { maxLength: 20 }), (ops) => {
        const story = tell(ops);
        const { breaches } = check(story.history(), { toleranceMs: 0 });
        const by = (promise: string) =>
          breaches
            .filter((one) => one.promise === promise && one.resourceVersion !== null)
            .map(({ resourceVersion }) => resourceVersion);
        const found = resultOf(story).breaches;
        const at = (...names: readonly string[]) =>
          found.filter(({ rule }) => names.includes(rule)).map(({ resourceVersion }) => resourceVersion);
        expect(at('TwoLeaders')).toEqual(by('I1'));
        expect(at('TokenFell', 'TokenShared')).toEqual(by('I5'));
        broken += found.length;
      }),
      trying(500),
    );
    expect(broken).toBeGreaterThan(100);
  });
});
