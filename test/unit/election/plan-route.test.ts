/** What each plan of the election means for the slices of a route. (Promise I11.) */
import { describe, expect, it } from 'vitest';
import type { Pod } from '../../../src/api/pod.ts';
import type { Slice } from '../../../src/api/route.ts';
import type { Observation, ObservedPod } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import type { Remade, RouteProblem, RouteReading, RouteView, SliceFound } from '../../../src/election/route-view.ts';
import { routedOf } from '../../../src/election/routed.ts';
import { AN_HTTP_PROBE, aGroup, aLeader, aPod, aService, aSlice } from '../../kit/fakes/builders.ts';
import {
  anObservation,
  aProbeView,
  aSession,
  freeAfter,
  heldBy,
  NOW_MS,
  observed,
  steps,
  theAction,
} from '../../kit/fakes/builders-election.ts';
import { anEndpoint, aReading, aRouteView, WEB_PORT } from '../../kit/fakes/builders-route.ts';
import { uidOf } from '../../kit/fakes/ids.ts';

const group = aGroup({ spec: { route: { serviceName: 'notifier-leader' } } });
const aTarget = { addresses: ['10.0.0.1'], namedPorts: [WEB_PORT] } as const;
const a = observed(aLeader(4, { name: 'a', ...aTarget }));
const going = observed(aLeader(4, { name: 'a', ...aTarget, deleting: true }));
const unready = observed(aLeader(4, { name: 'a', ...aTarget, ready: false }));
const b = observed(aPod({ name: 'b', addresses: ['10.0.0.2'], namedPorts: [WEB_PORT] }));

/** The slice shows a, which leads with token 4. */
const showsA = { token: 4, endpoint: anEndpoint('a') } as const;
const led = aRouteView({ reading: aReading({}, showsA) });
const given = (route: RouteView, overrides: Partial<Observation> = {}) =>
  plan(anObservation({ group, pods: [a, b], route, ...overrides }));

const problem = (overrides: Partial<RouteProblem> = {}): RouteProblem => ({
  of: 'IPv4',
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
    const route = aRouteView({ problems: [problem()] });
    expect([steps(given(route)), given(route).againMs]).toEqual([[], 500]);
    expect(steps(given(route, { pods: [going, b] }))).toEqual(['revoke a', 'fence a', 'handOver b', 'promote b']);
  });

  it('a pod that does not lead is shown no longer: the Service lets another group lead it', () => {
    const reading = aReading({ service: aService({ group: 'other' }) }, showsA);
    expect(steps(given(aRouteView({ reading })))).toEqual(['withdraw IPv4']);
  });

  it('a slice of a family that the Service does not have any more shows nobody', () => {
    const service = aService({ families: ['IPv6'] });
    const slices = { IPv4: aSlice(showsA), IPv6: aSlice({ family: 'IPv6', token: 4 }) };
    expect(steps(given(aRouteView({ reading: aReading({ service, slices }) })))).toEqual(['withdraw IPv4']);
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
    expect(steps(given(led, { group: paused }))).toEqual([]);
    expect(steps(given(led, { group: paused, pods: [unready, b] }))).toEqual(['verify a', 'show a']);
    expect(steps(given(led, { group: paused, pods: [b] }))).toEqual(['withdraw IPv4']);
  });
});

describe('a slice that somebody else changes again and again', () => {
  const contest = { notBeforeMs: NOW_MS + 4000, overAtMs: NOW_MS + 60_000 };
  const ours = (overrides: Partial<Slice> = {}): RouteView['written'] =>
    new Map([['IPv4', { content: aSlice({ ...showsA, ...overrides }), mangled: false, contest }]]);
  const edited = (written: RouteView['written'], slice: Partial<Slice> = {}) =>
    aRouteView({ written, reading: aReading({}, { ...showsA, altered: true, ...slice }) });

  it('is put right after a pause', () => {
    const planned = given(edited(ours()));
    expect([steps(planned), planned.againMs]).toEqual([[], 4000]);
    expect(steps(given(edited(ours()), { nowMs: NOW_MS + 4000 }))).toEqual(['verify a', 'show a']);
  });

  it('is looked at again when nobody changes it any more, so that nobody is told of it for longer', () => {
    const right = aRouteView({ written: ours(), reading: { ...aReading({}, showsA), againAtMs: NOW_MS + 600_000 } });
    expect(given(right, { nowMs: NOW_MS + 5000 }).againMs).toBe(55_000);
  });

  it('is written at once where the leader is not as it was by now', () => {
    expect(steps(given(edited(ours({ endpoint: anEndpoint('a', { address: '10.0.0.9' }) }))))).toEqual([
      'verify a',
      'show a',
    ]);
  });

  it('is emptied after a pause where nobody leads, and at once where somebody did', () => {
    const free = { lock: freeAfter('a'), pods: [b], sessions: [aSession('b')], lockDelayedUntilMs: NOW_MS + 9000 };
    expect(steps(given(edited(ours({ endpoint: null })), free))).toEqual([]);
    expect(steps(given(edited(ours()), free))).toEqual(['withdraw IPv4']);
    const stray = { endpoint: anEndpoint('b', { address: '10.0.0.2' }) };
    expect(steps(given(edited(ours({ endpoint: null }), stray), free))).toEqual([]);
  });

  it('shows the next leader at once', () => {
    expect(theAction(given(edited(ours()), { pods: [going, b] }), 'promote').show?.slices).toHaveLength(1);
  });
});

describe('a slice that somebody else deletes, or makes another group’s, again and again', () => {
  const contest = { notBeforeMs: NOW_MS + 4000, overAtMs: NOW_MS + 60_000 };
  const stripped = aSlice({ ...showsA, group: { name: 'notifier', uid: '' } });
  const remade = (found: SliceFound, what: Partial<Remade>): RouteView =>
    aRouteView({
      remade: new Map([['IPv4', { made: null, removed: null, ...what }]]),
      reading: aReading({ slices: { IPv4: found, IPv6: null } }),
    });

  it.each([
    ['made', remade(null, { made: contest }), 'makeSlices IPv4'],
    ['deleted', remade(stripped, { removed: contest }), 'remove IPv4'],
    ['deleted, of the younger group', { ...remade(aSlice(), { removed: contest }), elder: 'older' }, 'remove IPv4'],
  ])('is %s after a pause', (_, route, step) => {
    const planned = given(route);
    expect([steps(planned), planned.againMs]).toEqual([[], 4000]);
    expect(steps(given(route, { nowMs: NOW_MS + 4000 }))).toEqual([step]);
  });

  it('is made, or deleted, at once for the next leader, before that is shown', () => {
    const next = { pods: [going, b] };
    expect(steps(given(remade(null, { made: contest }), next))).toEqual(['makeSlices IPv4']);
    expect(steps(given(remade(stripped, { removed: contest }), next))).toEqual(['remove IPv4']);
    expect(steps(given(remade(null, { made: contest }), { pods: [a, b], lock: freeAfter('a') }))).toContain(
      'makeSlices IPv4',
    );
  });

  it('is deleted at once where it shows somebody who does not lead', () => {
    const shows = (name: string) => remade({ ...stripped, endpoint: anEndpoint(name) }, { removed: contest });
    expect([steps(given(shows('b'))), steps(given(shows('a')))]).toEqual([['remove IPv4'], []]);
  });

  it('is filled at once', () => {
    expect(steps(given(remade(aSlice(), { made: contest })))).toEqual(['verify a', 'show a']);
  });

  it('is named until nobody does so any more, and looked at then', () => {
    const said = (what: Partial<Remade>) =>
      routedOf(anObservation({ group, pods: [a, b], route: remade(aSlice(showsA), what), lock: heldBy('a') }));
    expect(said({ made: contest })).toMatchObject({
      said: { reason: 'SliceAltered' },
      message: expect.stringContaining('keeps deleting'),
    });
    expect(said({ removed: contest })).toMatchObject({
      said: { reason: 'SliceAltered' },
      message: expect.stringContaining('bringing back'),
    });
    const rests = given(remade(aSlice(showsA), { made: { ...contest, overAtMs: NOW_MS + 5000 } }), {
      nowMs: NOW_MS + 4500,
    });
    expect([steps(rests), rests.againMs]).toEqual([[], 500]);
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
    expect(steps(given(aRouteView({ reading: null }), { pods: [going, b] }))).toEqual(['hurry, readRoute']);
  });

  it('makes the slices first', () => {
    const reading = aReading({ slices: { IPv4: null, IPv6: null } });
    expect(steps(given(aRouteView({ reading }), { pods: [going, b] }))).toEqual(['makeSlices IPv4']);
  });

  it('from a leader that is not alive takes its label off before anything is asked of slices', () => {
    const reading = aReading({ slices: { IPv4: null, IPv6: null } });
    expect(steps(given(aRouteView({ reading }), { pods: [unready, b] }))).toEqual(['fence a', 'makeSlices IPv4']);
    expect(steps(given(aRouteView({ reading: null }), { pods: [unready, b] }))).toEqual([
      'fence a',
      'hurry, readRoute',
    ]);
  });

  it('to a pod that cannot be reached empties the slice in its one write', () => {
    const planned = given(led, { pods: [going, observed(aPod({ name: 'b' }))] });
    expect(theAction(planned, 'promote').show?.slices).toMatchObject([{ content: { endpoint: null } }]);
  });

  it('to a pod that cannot be reached writes a slice that is empty too: what is late finds it changed', () => {
    const planned = given(aRouteView(), { pods: [going, observed(aPod({ name: 'b' }))] });
    expect(steps(planned)).toEqual(['revoke a', 'fence a', 'handOver b', 'promote b']);
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

describe('a leader that cannot be reached', () => {
  const unreachable = observed(aLeader(4, { name: 'a' }));
  const unlabelled = observed(aPod({ name: 'a' }));
  const empty = (token: number) => aRouteView({ reading: aReading({}, { token }) });
  const shownAt = (token: number) => theAction(given(empty(token), { pods: [unlabelled, b] }), 'promote').show?.slices;

  it('has written each slice once, be it that the handover could not', () => {
    expect(steps(given(empty(3), { pods: [unreachable, b] }))).toEqual(['verify a', 'show nobody']);
    expect(steps(given(empty(4), { pods: [unreachable, b] }))).toEqual([]);
  });

  it('is labelled again without a write of what it has written', () => {
    expect(shownAt(3)).toHaveLength(1);
    expect(shownAt(4)).toBeUndefined();
  });
});

describe('what else leads traffic of the Service', () => {
  const withoutList = aRouteView({ reading: aReading({ foreign: null }, showsA) });

  it('is read when the leader is labelled and shown, and said to be unknown until then', () => {
    expect(steps(given(withoutList))).toEqual(['readOthers']);
    expect(steps(given(aRouteView({ reading: null })))).toEqual(['hurry, readRoute']);
    const wrong = aRouteView({ reading: aReading({ foreign: null }, { ...showsA, token: 3 }) });
    expect(steps(given(wrong))).toEqual(['verify a', 'show a']);
    const o = anObservation({ group, pods: [a, b], route: withoutList });
    expect(routedOf(o)?.said).toEqual({ status: 'Unknown', reason: 'NotChecked' });
  });

  it('is not read while nobody leads: whoever is to be may be known at any moment', () => {
    const free = { lock: freeAfter('a'), pods: [b], sessions: [aSession('b')], lockDelayedUntilMs: NOW_MS + 9000 };
    const fenced = new Set(['IPv4'] as const);
    expect(steps(given(aRouteView({ fenced, reading: null }), free))).toEqual(['hurry, readRoute']);
    expect(steps(given(aRouteView({ fenced, reading: aReading({ foreign: null }) }), free))).toEqual([]);
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

  it('a write that nobody answers is tried three times before the lock is given up without it; no label waits for that', () => {
    const silent = (count: number, fenced: Partial<Observation> = {}) =>
      given({ ...led, problems: [problem({ count })] }, { ...nobody, ...fenced });
    expect(steps(silent(2))).toEqual(['fence a']);
    const fenced = { fenced: new Set([uidOf('a')]) };
    expect([steps(silent(2, fenced)), silent(2, fenced).againMs]).toEqual([[], 500]);
    expect(steps(silent(3))).toEqual(['fence a', 'unlock']);
  });

  it('so is a read, while nothing is known of the slices', () => {
    const unread = (count: number) =>
      steps(given(aRouteView({ reading: null, problems: [problem({ of: 'read', count })] }), nobody));
    expect([unread(2), unread(3)]).toEqual([['fence a'], ['fence a', 'unlock']]);
  });

  it('one that is refused is not waited for', () => {
    expect(steps(given(aRouteView({ problems: [problem({ kind: 'refused' })] }), nobody))).toEqual([
      'fence a',
      'unlock',
    ]);
  });

  it('a slice that shows a later lead than the lock does is left alone until the lock has been read again', () => {
    const later = aRouteView({ reading: aReading({}, { token: 5, endpoint: anEndpoint('b') }) });
    const free = { lock: freeAfter('a'), pods: [], sessions: [] };
    expect(steps(given(later, { ...free, highestObserved: 4 }))).toEqual(['readLock', 'listPods']);
    expect(steps(given(later, { ...free, highestObserved: 4, freshList: true }))).toEqual(['withdraw IPv4']);
  });

  it('a slice that was empty is fenced once the lock has become free by itself, once', () => {
    const free = { lock: freeAfter('a'), pods: [], sessions: [] };
    expect(steps(given(aRouteView(), free))).toEqual(['withdraw IPv4']);
    expect(steps(given(aRouteView({ fenced: new Set(['IPv4'] as const) }), free))).toEqual([]);
  });

  it('of a lock that is free a labelled pod is shown as ready no longer than it is', () => {
    const free = { lock: freeAfter('a') };
    expect(steps(given(led, { ...free, pods: [unready] }))).toEqual(['refresh a']);
  });
});

describe('where the slice of one family cannot be written', () => {
  const FAMILIES = ['IPv4', 'IPv6'] as const;
  const dual = (pod: Pod): ObservedPod => observed({ ...pod, addresses: ['10.0.0.1', 'fd00::1'] });
  const pods = [dual(a.pod), dual(b.pod)];
  const endpointOf = (family: (typeof FAMILIES)[number]) =>
    anEndpoint('a', { address: family === 'IPv4' ? '10.0.0.1' : 'fd00::1' });
  const sliceOf = (family: (typeof FAMILIES)[number], more: Partial<Slice> = {}) =>
    aSlice({ name: `notifier-leader-leadergroup-${family.toLowerCase()}`, family, ...more });
  const earlier = sliceOf('IPv6', { group: { name: 'notifier', uid: 'uid-of-an-earlier-one' } });
  const heldUp = (slices: RouteReading['slices'], more: Partial<RouteProblem> = {}): RouteView =>
    aRouteView({
      reading: aReading({ service: aService({ families: FAMILIES }), slices }),
      problems: [problem({ of: 'IPv6', kind: 'refused', retryAtMs: NOW_MS + 5000, ...more })],
    });
  const both = (more: (family: (typeof FAMILIES)[number]) => Partial<Slice>) => ({
    IPv4: sliceOf('IPv4', more('IPv4')),
    IPv6: sliceOf('IPv6', more('IPv6')),
  });
  const showing = both((family) => ({ token: 4, endpoint: endpointOf(family) }));

  it('that of the other one is made, shows the leader, and is right: the first is what an earlier group has left', () => {
    expect(steps(given(heldUp({ IPv4: null, IPv6: earlier }), { pods }))).toEqual(['makeSlices IPv4']);
    const planned = given(heldUp({ IPv4: sliceOf('IPv4'), IPv6: earlier }), { pods });
    expect(steps(planned)).toEqual(['verify a', 'show a']);
    expect(theAction(planned, 'show').slices.map(({ slice }) => slice.family)).toEqual(['IPv4']);
    const rests = given(heldUp({ IPv4: showing.IPv4, IPv6: earlier }), { pods });
    expect([steps(rests), rests.againMs]).toEqual([[], 5000]);
  });

  it('that of the other one shows the next leader', () => {
    const planned = given(heldUp(showing), { pods: [dual(going.pod), dual(b.pod)] });
    expect(theAction(planned, 'promote').show?.slices.map(({ slice }) => slice.family)).toEqual(['IPv4']);
  });

  it('that of the other one is emptied before the lock is given up, and where nobody leads', () => {
    const nobody = { pods: [], sessions: [aSession('a')] };
    expect(steps(given(heldUp(showing), nobody))).toEqual(['fence a', 'withdraw IPv4', 'unlock']);
    expect(steps(given(heldUp(showing), { lock: freeAfter('a'), pods: [] }))).toEqual(['withdraw IPv4']);
  });

  it('that of the other one follows the readiness of the leader', () => {
    const silent = { consulUnreachable: true, ownership: { kind: 'lapsed' } } as const;
    expect(theAction(given(heldUp(showing), { ...silent, pods: [dual(unready.pod)] }), 'refresh').slices).toHaveLength(
      1,
    );
  });

  it('that of the other one is removed when the group is deleted, or younger than another that names the Service', () => {
    const deleted = { group: { ...group, deleting: true }, pods };
    expect(steps(given(heldUp(showing), deleted))).toContain('remove IPv4');
    expect(steps(given({ ...heldUp(showing), elder: 'older' }, { pods }))).toEqual(['remove IPv4']);
  });

  it('it is read again at once where nobody knows what became of a write, for the other one', () => {
    expect(steps(given({ ...heldUp(showing, { kind: 'silent' }), reading: null }, { pods }))).toEqual([
      'hurry, readRoute',
    ]);
  });

  it('a lock is not given up before what nobody answered was tried three times', () => {
    const nobody = { pods: [], sessions: [aSession('a')] };
    expect(steps(given(heldUp(showing, { kind: 'silent', count: 2 }), nobody))).toEqual(['fence a']);
    expect(steps(given(heldUp(showing, { kind: 'silent', count: 3 }), nobody))).toContain('unlock');
  });

  it('the condition says why, and shows the slice', () => {
    const route = heldUp({ IPv4: showing.IPv4, IPv6: earlier }, { message: 'it is kept' });
    expect(routedOf(anObservation({ group, pods, route, lock: heldBy('a') }))).toMatchObject({
      said: { status: 'False', reason: 'WriteRefused' },
      message: 'it is kept',
    });
  });
});

describe('a slice that is another one each time it is to be written', () => {
  it('is not waited for: the lock is given up, and somebody is told', () => {
    const route = { ...led, problems: [problem({ kind: 'contested' })] };
    expect(steps(given(route, { pods: [], sessions: [aSession('a')] }))).toEqual(['fence a', 'unlock']);
    expect(routedOf(anObservation({ group, pods: [b], route, lock: freeAfter('a') }))?.said.reason).toBe(
      'SliceAltered',
    );
  });
});

describe('whoever stays shown where nothing is verified', () => {
  /** Has the lock, and got no label, while the slice took the same promotion. */
  const holder = (pod: Partial<Pod>, more: Partial<ObservedPod> = {}) =>
    observed(aPod({ name: 'a', ...aTarget, ...pod }), more);
  const refusal = { message: 'no', retryAtMs: NOW_MS + 5000 };
  const paused = aGroup({ spec: { ...group.spec, paused: true } });

  it.each<[string, Partial<Observation>]>([
    ['Consul denies a right', { pods: [unready, b], consulDenied: refusal }],
    ['something else stands under the lock', { pods: [unready, b], lock: { ...heldBy('a'), foreignEntry: true } }],
    ['the group is paused, and its lock is free', { group: paused, pods: [unready, b], lock: freeAfter('a') }],
    ['Consul is silent, before the deadline', { pods: [unready, b], consulUnreachable: true }],
    [
      'Consul is silent, past the deadline',
      { pods: [unready, b], consulUnreachable: true, lockDeadlineMs: NOW_MS - 1 },
    ],
  ])('is shown as ready as it is: %s', (_, overrides) => {
    const planned = given(led, overrides);
    expect(steps(planned)).toEqual(['refresh a']);
    expect(theAction(planned, 'refresh').slices).toMatchObject([
      { content: { endpoint: { ready: false, serving: false, terminating: false } } },
    ]);
  });

  it.each([
    ['is not ready', holder({ ready: false }), aService()],
    [
      'is not ready, and the Service would have it',
      holder({ ready: false }),
      aService({ publishNotReadyAddresses: true }),
    ],
    ['ends', holder({ deleting: true }), aService()],
    ['was refused it', holder({}, { promotionRefused: refusal }), aService()],
  ])('is taken out where it has the lock and is not to have the label: it %s', (_, a, service) => {
    const reading = aReading({ service }, showsA);
    expect(steps(given(aRouteView({ reading }), { pods: [a] }))).toEqual(['withdraw IPv4']);
  });

  it('is not shown any more once it has ended, whatever the Service would have: its address may be another’s', () => {
    const reading = aReading({ service: aService({ publishNotReadyAddresses: true }) }, showsA);
    const ended = observed(aLeader(4, { name: 'a', ...aTarget, phase: 'Failed', ready: false }));
    expect(steps(given(aRouteView({ reading }), { pods: [ended], group: paused }))).toEqual([
      'verify a',
      'show nobody',
    ]);
  });

  it('is traffic’s again when it is ready again, without a lock to go by: the pod is read first', () => {
    const off = aRouteView({ reading: aReading({}, { token: 4, endpoint: anEndpoint('a', { ready: false }) }) });
    const silent = { consulUnreachable: true, ownership: { kind: 'lapsed' }, lockDeadlineMs: NOW_MS - 1 } as const;
    expect(steps(given(off, silent))).toEqual(['confirm, refresh a']);
  });

  it('gets traffic while it is not ready where the Service says so', () => {
    const reading = aReading({ service: aService({ publishNotReadyAddresses: true }) }, showsA);
    const planned = given(aRouteView({ reading }), { pods: [unready, b], consulUnreachable: true });
    expect(theAction(planned, 'refresh').slices).toMatchObject([
      { content: { endpoint: { ready: true, serving: false } } },
    ]);
  });

  it('is not written while the next one is about to be known', () => {
    const probed = aGroup({ spec: { ...group.spec, leaderProbe: AN_HTTP_PROBE } });
    expect(steps(given(led, { group: probed, pods: [unready, b], probe: aProbeView() }))).not.toContain('refresh a');
  });
});

describe('where Consul is silent past the deadline', () => {
  const silent = { consulUnreachable: true, lockDeadlineMs: NOW_MS - 1 } as const;
  const lapsed = { ...silent, ownership: { kind: 'lapsed' } } as const;
  const demoting = aGroup({ spec: { ...group.spec, onConsulLoss: 'Demote' } });

  it.each(['neverKnown', 'notOwned'] as const)('who is gone is shown by nobody’s leave, read once more: %s', (kind) => {
    expect(steps(given(led, { ...silent, ownership: { kind }, lock: null, pods: [b] }))).toEqual([
      'confirm, withdraw IPv4',
    ]);
  });

  it.each(['neverKnown', 'notOwned'] as const)(
    'an owner that there may be goes first with who is not ready: %s',
    (kind) => {
      const after = (notReadyForMs: number) =>
        given(led, { ...silent, ownership: { kind }, lock: null, pods: [{ ...unready, notReadyForMs }, b] });
      expect([steps(after(4000)), after(4000).againMs]).toEqual([[], 6000]);
      expect(steps(after(10_000))).toEqual(['confirm, refresh a']);
    },
  );

  it('before the deadline nobody but the owner writes', () => {
    const early = { consulUnreachable: true, ownership: { kind: 'notOwned' }, lock: null, pods: [b] } as const;
    expect(steps(given(led, early))).toEqual([]);
  });

  it('a replica that never had the bucket leaves a pod without the label to whoever has it, unless the group demotes', () => {
    const stranger = { ...silent, ownership: { kind: 'notOwned' }, lock: null } as const;
    const fenced = observed(aPod({ name: 'a', ...aTarget, annotations: { 'token.leadergroup.dev/notifier': '4' } }));
    expect(steps(given(led, { ...stranger, pods: [fenced] }))).toEqual([]);
    const fencedUnready = { ...fenced, ...observed({ ...fenced.pod, ready: false }) };
    expect(steps(given(led, { ...stranger, pods: [fencedUnready] }))).toEqual([]);
    expect(steps(given(led, { ...stranger, pods: [fenced], group: demoting }))).toEqual(['confirm, withdraw IPv4']);
  });

  it('an owner that has lapsed leaves a later lead than it knows of alone', () => {
    const later = aRouteView({
      reading: aReading({}, { token: 5, endpoint: anEndpoint('b', { address: '10.0.0.2' }) }),
    });
    expect(steps(given(later, lapsed))).toEqual([]);
    const known = aRouteView({
      reading: aReading({}, { token: 4, endpoint: anEndpoint('b', { address: '10.0.0.2' }) }),
    });
    expect(steps(given(known, lapsed))).toEqual(['confirm, withdraw IPv4']);
  });

  it.each(['neverKnown', 'notOwned', 'lapsed'] as const)(
    'what others have made of a slice is left to an owner, and how the pod is by now is not: %s',
    (kind) => {
      const nobodys = { ...silent, ownership: { kind }, lock: null } as const;
      const made: readonly Partial<Slice>[] = [{ altered: true }, { ports: [] }, { fenced: 'x' }, { headless: true }];
      for (const change of made) {
        const of = (more: Partial<ObservedPod>) =>
          steps(
            given(aRouteView({ reading: aReading({}, { ...showsA, ...change }) }), {
              ...nobodys,
              pods: [{ ...a, ...more }],
            }),
          );
        expect([of({}), of({ pod: unready.pod, notReadyForMs: 10_000 })]).toEqual([[], ['confirm, refresh a']]);
      }
    },
  );

  it('a leader that was demoted is shown no longer, also beside a pod whose template has the label', () => {
    const demoted = observed(aPod({ name: 'a', ...aTarget }));
    const labels = { app: 'notifier', 'leadergroup.dev/role': 'leader' };
    const unread = { kind: 'unreadable', workload: 'ReplicaSet x', trial: null } as const;
    const c = observed(aPod({ name: 'c', labels }), { owner: unread });
    expect(steps(given(led, { ...silent, group: demoting, pods: [demoted, b, c] }))).toEqual(['withdraw IPv4']);
  });
});

it('a group that is deleted tries its slices once more where they were refused long ago, and goes on without them where they are refused now', () => {
  const deleted = { group: { ...group, deleting: true } };
  const refused = (retryAtMs: number) => ({ ...led, problems: [problem({ kind: 'denied', retryAtMs })] });
  expect(steps(given(refused(NOW_MS - 1), deleted))).toContain('remove IPv4');
  expect(steps(given(refused(NOW_MS + 1), deleted))).not.toContain('remove IPv4');
});

describe('while a slice is refused to be written', () => {
  const stale = (retryAtMs: number, slice: Partial<Slice> = showsA) =>
    aRouteView({
      problems: [problem({ kind: 'refused', retryAtMs })],
      reading: { ...aReading({}, slice), againAtMs: NOW_MS },
    });

  it('the Service is read when that is due, and not before', () => {
    expect(steps(given(stale(NOW_MS + 5000)))).toEqual(['readRoute']);
    const fresh = { ...stale(NOW_MS + 5000), reading: { ...aReading({}, showsA), againAtMs: NOW_MS + 1000 } };
    const planned = given(fresh);
    expect([steps(planned), planned.againMs]).toEqual([[], 1000]);
  });

  it('the Service is read before the write is tried again: its owner may have taken the consent back', () => {
    expect(steps(given(stale(NOW_MS - 1, { ...showsA, altered: true })))).toEqual(['hurry, readRoute']);
  });
});

describe('where nobody leads and a slice shows somebody', () => {
  const said = (route: RouteView) => routedOf(anObservation({ group, pods: [b], route, lock: freeAfter('a') }));

  it('the condition says what keeps it from being emptied', () => {
    expect(said({ ...led, problems: [problem({ kind: 'denied', message: 'may not' })] })).toMatchObject({
      said: { status: 'False', reason: 'PermissionDenied' },
      message: 'may not',
    });
  });

  it('the condition names who is shown still', () => {
    const found = said(led);
    expect([found?.said.reason, found?.message]).toEqual(['NoLeader', expect.stringContaining('still shows pod a')]);
  });
});
