import { describe, expect, it } from 'vitest';
import type { LeaderGroup, LeaderGroupStatus, TransitionStatus } from '../../../../src/api/leadergroup.ts';
import { createGroupFigures, type FiguresOf } from '../../../../src/operator/report/group-figures.ts';
import { aGroup } from '../../../kit/fakes/builders.ts';
import { statusIn } from '../../../kit/fakes/situations.ts';

const LED = statusIn('led');
const change = (token: number, reason = 'LeaderNotReady'): TransitionStatus => ({
  time: `2023-11-14T22:13:${String(token).padStart(2, '0')}Z`,
  from: 'a',
  fromUID: 'uid-a',
  to: 'b',
  reason,
  chosenBy: '',
  token,
  durationMilliseconds: 38,
});

/** The caches of a replica that owns some of these groups. */
function aReplica(limit: number, groups: readonly LeaderGroup[]) {
  const known = new Map(groups.map((group) => [`default/${group.name}`, group]));
  const figuresOf: FiguresOf = createGroupFigures(limit, {
    group: (key) => {
      const group = known.get(key);
      return group === undefined ? null : { kind: 'valid', group };
    },
    groupKeys: () => [...known.keys()],
  });
  return {
    told: (owned: readonly string[] = [...known.keys()], leaderlessMs = 0) => figuresOf(owned, () => leaderlessMs),
    set: (group: LeaderGroup): void => void known.set(`default/${group.name}`, group),
  };
}

const withStatus = (
  status: Partial<LeaderGroupStatus>,
  more: { readonly name?: string; readonly uid?: string } = {},
): LeaderGroup => aGroup({ ...more, status: { ...LED, ...status } });

describe('the figures of a group', () => {
  it('are its leader, its token, and when the lead last passed and how long that took', () => {
    expect(aReplica(5, [withStatus({})]).told()).toEqual([
      {
        group: 'default/notifier',
        leader: { pod: 'a', node: 'node-of-a', token: 4 },
        leaderlessSeconds: 0,
        transitions: new Map(),
        lastHandover: { atSeconds: Date.parse('2023-11-14T22:13:20Z') / 1000, seconds: 0.038 },
      },
    ]);
  });

  it('are that nobody leads, and for how long, and of a loss no time of a handover', () => {
    const lost = { ...change(5), to: '' };
    const [figures] = aReplica(5, [withStatus({ leaders: [], recentTransitions: [lost] })]).told(undefined, 7000);
    expect(figures).toMatchObject({ leader: null, leaderlessSeconds: 7, lastHandover: null });
  });

  it('are none of a group without a status but that it has no leader', () => {
    const [figures] = aReplica(5, [aGroup({ status: null })]).told();
    expect(figures).toMatchObject({ leader: null, lastHandover: null });
  });
});

describe('the changes of a group', () => {
  it('are counted once each, by reason, from when the replica got the group on', () => {
    const replica = aReplica(5, [withStatus({ recentTransitions: [change(3), change(2)] })]);
    expect(replica.told()[0]?.transitions).toEqual(new Map());
    replica.set(withStatus({ recentTransitions: [change(5), change(4, 'LeaderGone'), change(3), change(2)] }));
    for (let times = 0; times < 2; times += 1)
      expect(replica.told()[0]?.transitions).toEqual(
        new Map([
          ['LeaderNotReady', 1],
          ['LeaderGone', 1],
        ]),
      );
    replica.set(withStatus({ recentTransitions: [change(6), change(5)] }));
    expect(replica.told()[0]?.transitions).toEqual(
      new Map([
        ['LeaderNotReady', 2],
        ['LeaderGone', 1],
      ]),
    );
  });

  it('begin anew when the replica gets the group back, and with a group that is made again', () => {
    const replica = aReplica(5, [withStatus({ recentTransitions: [change(3)] })]);
    replica.told();
    replica.set(withStatus({ recentTransitions: [change(4), change(3)] }));
    expect(replica.told()[0]?.transitions.size).toBe(1);
    replica.told([]);
    expect(replica.told()[0]?.transitions.size).toBe(0);
    replica.set(withStatus({ recentTransitions: [change(9), change(4)] }, { uid: 'second' }));
    expect(replica.told()[0]?.transitions.size).toBe(0);
  });
});

describe('which groups are told', () => {
  const many = Array.from({ length: 50 }, (_, at) => withStatus({}, { name: `g${at}`, uid: `g${at}` }));
  const names = (told: readonly { readonly group: string }[]): readonly string[] => told.map(({ group }) => group);
  const all = many.map(({ name }) => `default/${name}`);

  it('are none where nobody asks for them', () => {
    expect(aReplica(0, many).told()).toEqual([]);
  });

  it('are those that the replica owns, and no more than the bound over all replicas, each by one', () => {
    const [one, other] = [all.filter((_, at) => at % 2 === 0), all.filter((_, at) => at % 2 === 1)];
    const told = [...names(aReplica(20, many).told(one)), ...names(aReplica(20, many).told(other))];
    expect(new Set(told).size).toBe(20);
    expect(told).toHaveLength(20);
    expect(names(aReplica(20, many.toReversed()).told()).toSorted()).toEqual(told.toSorted());
  });

  it('change by one at most when a group comes', () => {
    const before = names(aReplica(20, many).told());
    const after = names(aReplica(20, [...many, withStatus({}, { name: 'new', uid: 'new' })]).told());
    expect(before.filter((name) => !after.includes(name)).length).toBeLessThanOrEqual(1);
  });
});
