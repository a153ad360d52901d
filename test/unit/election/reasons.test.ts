/** Every word that the status can show is shown by some group, and no other one. */
import { describe, expect, it } from 'vitest';
import { CONDITION_REASONS } from '../../../src/api/condition-reasons.ts';
import { INELIGIBLE_REASONS } from '../../../src/api/ineligible-reasons.ts';
import type { Condition } from '../../../src/api/leadergroup.ts';
import { TRANSITION_CAUSES } from '../../../src/api/transition-causes.ts';
import type { Observation } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import { buildStatus, statusOfInvalid } from '../../../src/election/status.ts';
import { aGroup } from '../../kit/fakes/builders.ts';
import { anObservation, steps } from '../../kit/fakes/builders-election.ts';
import { PREFERRED } from '../../kit/fakes/builders-preemption.ts';
import { CHANGING, INVALID, PROBED, ROUTED, SAYING, UNABLE, unable } from '../../kit/fakes/builders-reasons.ts';

const NOW = '2026-01-02T03:04:05Z';

function conditionsOf(given: Partial<Observation>): readonly Condition[] {
  const o = anObservation(given);
  return buildStatus(o, plan(o).verdict, [], NOW).conditions;
}

const words = ({ type, status, reason }: Condition): string => `${type} ${status} ${reason}`;

/** By reason of Ready. */
const shown = new Map<string, readonly Condition[]>([
  ...Object.entries(SAYING).map(([reason, given]) => [reason, conditionsOf(given)] as const),
  ['InvalidSpec', statusOfInvalid(INVALID, NOW).conditions],
]);

const paused = conditionsOf({ group: aGroup({ spec: { paused: true } }) });

/** `Ready True Led` and so on. */
const registered = Object.entries(CONDITION_REASONS).flatMap(([type, byStatus]) =>
  Object.entries(byStatus).flatMap(([status, reasons]) =>
    Object.keys(reasons).map((reason) => `${type} ${status} ${reason}`),
  ),
);

const probed = Object.values(PROBED).map(conditionsOf);

const preferred = Object.values(PREFERRED).map(conditionsOf);

const routed = Object.values(ROUTED).map(conditionsOf);

const seen = [...shown.values(), paused, ...probed, ...preferred, ...routed].flat().map(words);

describe('a reason of a condition', () => {
  it.each(registered)('is shown by a group: %s', (reason) => {
    expect(seen).toContain(reason);
  });

  it('is never another one', () => {
    expect([...new Set(seen)].toSorted()).toEqual(registered.toSorted());
  });

  it.each([...shown.keys()])('of Ready is the one that the world asks for: %s', (reason) => {
    expect(shown.get(reason)?.find(({ type }) => type === 'Ready')?.reason).toBe(reason);
  });

  it.each([...shown.keys()])('of Ready and the other conditions agree: %s', (reason) => {
    const of = (type: Condition['type']) => shown.get(reason)?.find((condition) => condition.type === type);
    const stalled = reason in CONDITION_REASONS.Stalled.True;
    const working = reason in CONDITION_REASONS.Reconciling.True;
    expect(of('Stalled')).toMatchObject(stalled ? { status: 'True', reason } : { status: 'False' });
    expect(of('Reconciling')).toMatchObject(working ? { status: 'True', reason } : { status: 'False' });
    expect(of('Ready')?.status).toBe(reason in CONDITION_REASONS.Ready.True ? 'True' : 'False');
  });
});

describe('a reason of Routed', () => {
  it.each(Object.entries(ROUTED))(
    'is the one that the world asks for, in a sentence with what to do: %s',
    (reason, given) => {
      const routed = conditionsOf(given).find(({ type }) => type === 'Routed');
      expect(routed?.reason).toBe(reason);
      expect(routed?.message === '').toBe(reason === 'LeaderShown');
    },
  );
});

describe('a reason of Preferred', () => {
  it.each(Object.entries(PREFERRED))(
    'is the one that the world asks for, and says who is preferred: %s',
    (reason, o) => {
      const preferred = conditionsOf(o).find(({ type }) => type === 'Preferred');
      expect(preferred?.reason).toBe(reason);
      expect(preferred?.message.startsWith('b is preferred')).toBe(!['LeaderPreferred', 'NotLed'].includes(reason));
    },
  );
});

describe('a cause of a change of leader', () => {
  it.each(Object.entries(CHANGING))('is given by the plan that changes it: %s', (cause, given) => {
    const planned = plan(anObservation(given));
    expect([planned.cause, steps(planned).length > 0]).toEqual([cause, true]);
  });

  it('is each of the registry; whoever is fenced in a deletion changes for no other', () => {
    expect([...Object.keys(CHANGING), 'GroupDeleted'].toSorted()).toEqual(Object.keys(TRANSITION_CAUSES).toSorted());
    expect(plan(anObservation({ group: aGroup({ deleting: true }) })).cause).toBeNull();
  });
});

describe('a reason for which a member cannot lead', () => {
  it.each(Object.entries(UNABLE))('is counted: %s', (reason, pod) => {
    const o = unable(pod);
    expect(buildStatus(o, plan(o).verdict, [], NOW).ineligible).toMatchObject([{ reason, count: 1 }]);
  });

  it('is each of the registry', () => {
    expect(Object.keys(UNABLE).toSorted()).toEqual(Object.keys(INELIGIBLE_REASONS).toSorted());
  });
});
