import { describe, expect, it } from 'vitest';
import type { Pod } from '../../../../src/api/pod.ts';
import type { OwnerView } from '../../../../src/election/observation.ts';
import { labelWarnings } from '../../../../src/operator/report/label-warnings.ts';
import { aLeader, aPod } from '../../../kit/fakes/builders.ts';
import { anObservation, observed } from '../../../kit/fakes/builders-election.ts';

const LABELLED = { labels: { app: 'notifier', 'leadergroup.dev/role': 'leader' } };
const UNREADABLE: OwnerView = { kind: 'unreadable', workload: 'ReplicaSet web-1', trial: null };
const clear = (more: object): OwnerView => ({
  kind: 'clear',
  workload: 'Deployment web',
  template: false,
  placement: false,
  ...more,
});

const warned = (owner: OwnerView, pods: readonly Pod[] = [aPod(LABELLED), aPod({ name: 'b', ...LABELLED })]) =>
  labelWarnings(anObservation({ pods: pods.map((pod) => observed(pod, { owner })) })).map(({ reason }) => reason);

describe('warnings about the label key', () => {
  it('name a workload once, however many pods it has', () => {
    expect(warned(clear({ template: true }))).toEqual(['LabelInPodTemplate']);
    expect(warned(clear({ placement: true }))).toEqual(['LabelSelectedByOthers']);
    expect(warned(clear({}))).toEqual([]);
  });

  it('tell a template that may not be read by pods that had the label before this group wrote to them', () => {
    expect(warned(UNREADABLE)).toEqual(['LabelInPodTemplate']);
    expect(warned(UNREADABLE, [aLeader(1)])).toEqual([]);
    expect(warned(UNREADABLE, [aPod()])).toEqual([]);
  });

  it('name other objects that select pods by the key', () => {
    const [warning] = labelWarnings(anObservation({ labelReaders: ['NetworkPolicy web'] }));
    expect(warning).toMatchObject({ reason: 'LabelSelectedByOthers' });
    expect(warning?.message).toContain('NetworkPolicy web');
  });
});
