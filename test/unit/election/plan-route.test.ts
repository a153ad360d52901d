/** What each plan of the election means for the slices of a route. (Promise I11.) */
import { describe, expect, it } from 'vitest';
import type { Observation } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import type { RouteProblem, RouteView } from '../../../src/election/route.ts';
import { aGroup, aLeader, aPod, aService, aSlice } from '../../kit/fakes/builders.ts';
import {
  anObservation,
  aSession,
  freeAfter,
  NOW_MS,
  observed,
  steps,
  theAction,
} from '../../kit/fakes/builders-election.ts';
import { anEndpoint, aReading, aRouteView, WEB_PORT } from '../../kit/fakes/builders-route.ts';

const group = aGroup({ spec: { route: { serviceName: 'notifier-leader' } } });
const aTarget = { addresses: ['10.0.0.1'], namedPorts: [WEB_PORT] } as const;
const a = observed(aLeader(4, { name: 'a', ...aTarget }));
const going = observed(aLeader(4, { name: 'a', ...aTarget, deleting: true }));
const b = observed(aPod({ name: 'b', addresses: ['10.0.0.2'], namedPorts: [WEB_PORT] }));

/** The slice shows a, which leads with token 4. */
const showsA = { token: 4, endpoint: anEndpoint('a') } as const;
const led = aRouteView({ reading: aReading({}, showsA) });
const given = (route: RouteView, overrides: Partial<Observation> = {}) =>
  plan(anObservation({ group, pods: [a, b], route, ...overrides }));

const problem = (overrides: Partial<RouteProblem> = {}): RouteProblem => ({
  of: 'write',
  kind: 'silent',
  count: 1,
  message: 'no answer',
  retryAtMs: NOW_MS + 500,
  ...overrides,
});

describe('at rest', () => {
  it('nothing is done while the slice shows the leader, until it is to be read again', () => {
    const planned = given(led);
    expect([steps(planned), planned.againMs]).toEqual([[], 60_000]);
    expect(steps(given(aRouteView({ reading: aReading({ againAtMs: NOW_MS }, showsA) })))).toEqual(['readRoute']);
  });

  it.each([
    ['another address', { endpoint: anEndpoint('a', { address: '10.0.0.9' }) }],
    ['a lower token', { token: 3 }],
    ['other ports', { ports: [] }],
    ['the fence of a lead before', { fenced: 'x' }],
    ['what somebody else has written', { altered: true }],
    ['nobody', { endpoint: null }],
    ['another pod', { endpoint: anEndpoint('b') }],
  ])('the leader is shown after a verification where the slice has %s', (_, slice) => {
    expect(steps(given(aRouteView({ reading: aReading({}, { ...showsA, ...slice }) })))).toEqual([
      'verify a',
      'show a',
    ]);
  });

  it('a slice that is not there is made first, empty', () => {
    const planned = given(aRouteView({ reading: aReading({ slices: { IPv4: null, IPv6: null } }) }));
    expect(steps(planned)).toEqual(['makeSlices IPv4']);
  });

  it('none is made while a replica runs that knows no routes, and those that are there are kept right', () => {
    const olderReplicas = ['operator-b'];
    expect(
      steps(given(aRouteView({ olderReplicas, reading: aReading({ slices: { IPv4: null, IPv6: null } }) }))),
    ).toEqual([]);
    expect(steps(given(aRouteView({ olderReplicas })))).toEqual(['verify a', 'show a']);
  });

  it('nothing is tried before its time, and the label goes on', () => {
    const route = aRouteView({ problem: problem() });
    expect([steps(given(route)), given(route).againMs]).toEqual([[], 500]);
    expect(steps(given(route, { pods: [going, b] }))).toEqual(['revoke a', 'fence a', 'handOver b', 'promote b']);
  });

  it('a pod that does not lead is shown no longer: the Service lets another group lead it', () => {
    const reading = aReading({ service: aService({ group: 'other' }) }, showsA);
    expect(steps(given(aRouteView({ reading })))).toEqual(['withdraw IPv4']);
  });

  it('the slices of the younger group are removed, so that the older one can make its own', () => {
    expect(steps(given({ ...led, elder: 'older' }))).toEqual(['remove IPv4']);
  });

  it('a slice of a group that is gone is removed, and one of another group that is there is left alone', () => {
    const earlier = aSlice({ group: { name: 'notifier', uid: 'uid-of-an-earlier-one' } });
    expect(steps(given(aRouteView({ reading: aReading({ slices: { IPv4: earlier, IPv6: null } }) })))).toEqual([
      'remove IPv4',
    ]);
    expect(steps(given(aRouteView({ reading: aReading({ slices: { IPv4: 'rival', IPv6: null } }) })))).toEqual([]);
  });

  it('a paused group shows its leader as ready as it is, and not once it is gone', () => {
    const paused = aGroup({ spec: { ...group.spec, paused: true } });
    const unready = observed(aLeader(4, { name: 'a', ...aTarget, ready: false }));
    expect(steps(given(led, { group: paused }))).toEqual([]);
    expect(steps(given(led, { group: paused, pods: [unready, b] }))).toEqual(['verify a', 'show a']);
    expect(steps(given(led, { group: paused, pods: [b] }))).toEqual(['withdraw IPv4']);
  });
});

describe('a handover', () => {
  it('shows the next one together with its label, at the version that was read, and empties nothing before', () => {
    const planned = given(led, { pods: [going, b] });
    expect(steps(planned)).toEqual(['revoke a', 'fence a', 'handOver b', 'promote b']);
    const { show } = theAction(planned, 'promote');
    expect(show?.slices).toMatchObject([
      { slice: { resourceVersion: '100' }, content: { endpoint: { address: '10.0.0.2', pod: { name: 'b' } } } },
    ]);
  });

  it('reads the slices first where this replica has never read them, or does not know what became of a write', () => {
    expect(steps(given(aRouteView({ reading: null }), { pods: [going, b] }))).toEqual(['readRoute']);
  });

  it('makes the slices first', () => {
    const reading = aReading({ slices: { IPv4: null, IPv6: null } });
    expect(steps(given(aRouteView({ reading }), { pods: [going, b] }))).toEqual(['makeSlices IPv4']);
  });

  it('to a pod that cannot be reached empties the slice in its one write', () => {
    const planned = given(led, { pods: [going, observed(aPod({ name: 'b' }))] });
    expect(theAction(planned, 'promote').show?.slices).toMatchObject([{ content: { endpoint: null } }]);
  });

  it('waits for the conditions of a leader that stays: nobody else can lead, and it is deleted', () => {
    const planned = given(led, { pods: [going] });
    expect(steps(planned)).toEqual(['verify a', 'show a']);
    expect(theAction(planned, 'show').slices).toMatchObject([
      { content: { endpoint: { ready: false, serving: true, terminating: true } } },
    ]);
  });
});

describe('where nobody leads', () => {
  const nobody = { pods: [], sessions: [aSession('a')] } as const;

  it('the slice is emptied before the lock is given up, also one that is empty', () => {
    expect(steps(given(led, nobody))).toEqual(['fence a', 'withdraw IPv4', 'unlock']);
    expect(steps(given(aRouteView(), nobody))).toEqual(['fence a', 'withdraw IPv4', 'unlock']);
  });

  it('it is so once for each version of the lock', () => {
    expect(steps(given(aRouteView({ fenced: new Set(['IPv4'] as const) }), nobody))).toEqual(['fence a', 'unlock']);
  });

  it('a write that nobody answers is tried three times before the lock is given up without it', () => {
    const silent = (count: number) => given(aRouteView({ reading: null, problem: problem({ count }) }), nobody);
    expect([steps(silent(2)), silent(2).againMs]).toEqual([[], 500]);
    expect(steps(silent(3))).toEqual(['fence a', 'unlock']);
  });

  it('one that is refused is not waited for', () => {
    expect(steps(given(aRouteView({ problem: problem({ kind: 'refused' }) }), nobody))).toEqual(['fence a', 'unlock']);
  });

  it('a slice that shows a later lead than the lock does is left alone until the lock has been read again', () => {
    const later = aRouteView({ reading: aReading({}, { token: 5, endpoint: anEndpoint('b') }) });
    const free = { lock: freeAfter('a'), pods: [], sessions: [] };
    expect(steps(given(later, { ...free, highestObserved: 4 }))).toEqual(['readLock', 'listPods']);
    expect(steps(given(later, { ...free, highestObserved: 4, freshList: true }))).toEqual(['withdraw IPv4']);
  });

  it('of a lock that is free a labelled pod is shown no longer than it is ready', () => {
    const free = { lock: freeAfter('a') };
    const unready = observed(aLeader(4, { name: 'a', ...aTarget, ready: false }));
    expect(steps(given(led, { ...free, pods: [unready] }))).toEqual(['withdraw IPv4']);
  });
});
