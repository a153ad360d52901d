/** What ends with time alone wakes the group, whatever the plan that rests is about. */
import { describe, expect, it } from 'vitest';
import type { Observation } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import { aGroup, aLeader, aPod, type GroupOverrides } from '../../kit/fakes/builders.ts';
import { aLock, anObservation, freeAfter, NOW_MS, observed, readyFor } from '../../kit/fakes/builders-election.ts';

const leader = observed(aLeader(4, { name: 'a' }));
const newcomer = observed(aPod({ name: 'b' }), readyFor(1000));

const maturing = (overrides: Partial<Observation> = {}, { spec, ...group }: GroupOverrides = {}): Observation =>
  anObservation({
    group: aGroup({ ...group, spec: { minReadyMs: 60_000, ...spec } }),
    pods: [leader, newcomer],
    ...overrides,
  });

describe('a member that has been ready for minReadySeconds', () => {
  it.each<[string, Observation]>([
    ['is led', maturing()],
    ['has no candidate', maturing({ pods: [newcomer], lock: freeAfter('gone'), sessions: [] })],
    [
      'keeps a leader that is not ready',
      maturing({ pods: [observed(aLeader(4, { name: 'a', ready: false })), newcomer] }),
    ],
    ['is paused', maturing({}, { spec: { paused: true } })],
    ['is stalled', maturing({ overlapsWith: 'older', pods: [newcomer], lock: freeAfter('a') })],
    ['is led elsewhere', elsewhere()],
    ['knows nothing of Consul since the deadline', maturing({ consulUnreachable: true, lockDeadlineMs: NOW_MS })],
  ])('wakes a group that %s', (_, o) => {
    const planned = plan(o);
    expect(planned.kind).toBe('idle');
    expect(planned.againMs).toBe(59_000);
  });

  it('does not wake a group that another replica owns', () => {
    expect(plan(maturing({ ownership: { kind: 'notOwned' } })).againMs).toBeNull();
  });
});

function elsewhere(): Observation {
  const holderSession = { kind: 'external', name: 'cron', node: 'vm-1' } as const;
  return maturing({ pods: [newcomer], lock: aLock({ session: 'theirs' }), holderSession });
}

describe('a group that is led', () => {
  it('wakes when a refused member may be tried again', () => {
    const pods = [
      leader,
      observed(aPod({ name: 'b' }), { promotionRefused: { message: 'no', retryAtMs: NOW_MS + 5000 } }),
    ];
    expect(plan(anObservation({ pods })).againMs).toBe(5000);
  });

  it('wakes when followers may be labelled again', () => {
    const label = { key: 'leadergroup.dev/role', leader: 'leader', follower: 'follower' };
    const planned = plan(
      anObservation({
        group: aGroup({ spec: { label } }),
        followersRefused: { message: 'no', retryAtMs: NOW_MS + 5000 },
      }),
    );
    expect([planned.kind, planned.againMs]).toEqual(['idle', 5000]);
  });

  it('wakes at the first of several moments', () => {
    const pods = [
      leader,
      newcomer,
      observed(aPod({ name: 'c' }), { promotionRefused: { message: 'no', retryAtMs: NOW_MS + 5000 } }),
    ];
    expect(plan(maturing({ pods })).againMs).toBe(5000);
  });

  it('sleeps while nothing ends with time', () => {
    expect(plan(anObservation()).againMs).toBeNull();
  });
});
