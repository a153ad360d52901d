import { describe, expect, it } from 'vitest';
import { costOfDemotion, costOfPromotion } from '../../../src/election/deletion-cost.ts';
import { aGroup, aPod, aReplicaSet, type GroupOverrides, type PodOverrides } from '../../kit/fakes/builders.ts';

const COST = 'controller.kubernetes.io/pod-deletion-cost';
const MARK = 'cost.leadergroup.dev/notifier';
const BOTH = { [COST]: '1000', [MARK]: '1000' };

const promoting = (
  pod: PodOverrides = {},
  { costIsAnothers = false, ...group }: GroupOverrides & { costIsAnothers?: boolean } = {},
) => costOfPromotion(aGroup(group), { pod: aPod(pod), costIsAnothers });

describe('a promotion', () => {
  it('sets the deletion cost, and a mark that says that it did', () => {
    expect(promoting()).toEqual(BOTH);
  });

  it.each<[why: string, ...Parameters<typeof promoting>]>([
    ['there is one', { annotations: { [COST]: '-5' } }],
    ['there is one that is empty', { annotations: { [COST]: '' } }],
    ['it is there, from the promotion before', { annotations: BOTH }],
    ['somebody has taken it off since', { annotations: { [MARK]: '1000' } }],
    ['pods may go in any order', {}, { spec: { scaleDown: 'AnyOrder' } }],
    ['an older group keeps its leader last among these pods', {}, { costIsAnothers: true }],
    ['a StatefulSet removes pods by their number', { owner: aReplicaSet({ kind: 'StatefulSet' }) }],
    ['nobody scales the pod down', { owner: null }],
  ])('leaves the deletion cost alone where %s', (_why, ...given) => {
    expect(promoting(...given)).toEqual({});
  });
});

describe('the end of a lead', () => {
  const ending = (annotations: PodOverrides['annotations'] = {}) => costOfDemotion(aGroup(), aPod({ annotations }));

  it('takes off what the promotion has set', () => {
    expect(ending(BOTH)).toEqual({ [COST]: null, [MARK]: null });
  });

  it('takes off the mark alone where somebody has set another cost since, or none', () => {
    expect(ending({ ...BOTH, [COST]: '5' })).toEqual({ [MARK]: null });
    expect(ending({ [MARK]: '1000' })).toEqual({ [MARK]: null });
  });

  it('touches no cost that it has not set, be it the same, nor that of another group', () => {
    expect(ending({ [COST]: '1000' })).toEqual({});
    expect(ending({ [COST]: '1000', 'cost.leadergroup.dev/another': '1000' })).toEqual({});
  });
});
