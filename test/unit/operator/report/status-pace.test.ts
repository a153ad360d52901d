import { describe, expect, it } from 'vitest';
import type { LeaderGroupStatus } from '../../../../src/api/leadergroup.ts';
import type { Verdict } from '../../../../src/election/actions.ts';
import { notReady, ready } from '../../../../src/election/plans.ts';
import { buildStatus } from '../../../../src/election/status.ts';
import { noteWrite, paceMs } from '../../../../src/operator/report/status-pace.ts';
import { aGroup, aLeader, aPod } from '../../../kit/fakes/builders.ts';
import { anObservation, NOW_MS, observed } from '../../../kit/fakes/builders-election.ts';

const TIME = '2026-01-02T03:04:05Z';
const says = (verdict: Verdict, overrides: Parameters<typeof anObservation>[0] = {}): LeaderGroupStatus =>
  buildStatus(anObservation(overrides), verdict, [], TIME);

const unled = { pods: [observed(aPod({ name: 'a' })), observed(aPod({ name: 'b' }))] };
const led = says(ready('Led'));
const waits = says(notReady('NoCandidate', 'x'), unled);
/** Five writes, the last of them just now. */
const busy = [0, 1, 2, 3, 4].map((at) => NOW_MS - 4 + at);

describe('a status', () => {
  it('is written at once when there is none yet', () => {
    expect(paceMs(led, null, [], NOW_MS)).toBe(0);
  });

  it.each<[string, LeaderGroupStatus, LeaderGroupStatus]>([
    ['status of a condition', says(ready('ScaledToZero'), unled), waits],
    ['reason', says(notReady('Electing', 'x'), unled), waits],
    ['generation', says(notReady('NoCandidate', 'x'), { ...unled, group: aGroup({ generation: 2 }) }), waits],
  ])('with another %s is written at once', (_, next, written) => {
    expect(paceMs(next, written, [NOW_MS], NOW_MS)).toBe(0);
  });

  it('with other counters or messages only waits until five seconds after the last write', () => {
    const fewer = says(notReady('NoCandidate', 'y'), { pods: unled.pods.slice(1) });
    expect(paceMs(fewer, waits, [NOW_MS - 1000], NOW_MS)).toBe(4000);
    expect(paceMs(fewer, waits, [NOW_MS - 5000], NOW_MS)).toBe(0);
  });

  it('whose conditions go back and forth waits after five writes within ten seconds', () => {
    const electing = says(notReady('Electing', 'x'), unled);
    expect(paceMs(electing, waits, busy, NOW_MS)).toBe(9996);
    expect(paceMs(electing, waits, busy, NOW_MS + 9996)).toBe(0);
  });

  it('never waits with the loss of Ready, nor with another leader or token', () => {
    const kept = says(notReady('NoCandidate', 'x'));
    expect(paceMs(kept, led, busy, NOW_MS)).toBe(0);
    const raised = says(ready('Led'), { pods: [observed(aLeader(5, { name: 'a' }))] });
    expect(paceMs(raised, led, busy, NOW_MS)).toBe(0);
    expect(paceMs(led, waits, busy, NOW_MS)).toBe(0);
  });

  it('waits with Ready that comes back to the same leader', () => {
    expect(paceMs(led, says(notReady('NoCandidate', 'x')), busy, NOW_MS)).toBe(9996);
  });

  it('remembers no more writes than it needs', () => {
    expect(noteWrite(busy, NOW_MS + 1)).toEqual([...busy.slice(1), NOW_MS + 1]);
  });
});
