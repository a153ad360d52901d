/** What a slice must show to be as it should be. */
import { expect, it } from 'vitest';
import type { Slice } from '../../../src/api/route.ts';
import { differing, showingOf } from '../../../src/election/route.ts';
import { aGroup, aPod } from '../../kit/fakes/builders.ts';
import { anObservation, observed } from '../../kit/fakes/builders-election.ts';
import { anEndpoint, aReading, aRouteView, WEB_PORT } from '../../kit/fakes/builders-route.ts';

const LEADER = observed(aPod({ name: 'a', addresses: ['10.0.0.1'], node: 'node-of-a', namedPorts: [WEB_PORT] }));
const PORT = { name: 'http', protocol: 'TCP', appProtocol: null, port: 8080 } as const;
const WHOLE = { token: 3, ports: [PORT], endpoint: anEndpoint('a') };

/** Whether a slice that has these differs from what the lead with token 3 should show. */
function differs(slice: Partial<Slice>): boolean {
  const group = aGroup({ spec: { route: { serviceName: 'notifier-leader' } } });
  const route = aRouteView({ reading: aReading({}, { ...WHOLE, ...slice }) });
  const o = anObservation({ group, pods: [LEADER], route });
  return differing(showingOf(o, LEADER), 3).length > 0;
}

it('a slice that shows the leader as it is is left alone', () => {
  expect(differs({})).toBe(false);
});

it('the zone of the leader is that of its node, and one that is not known is no other one', () => {
  const group = aGroup({ spec: { route: { serviceName: 'notifier-leader' } } });
  const zoneFrom = (known: string | null, shown: string | null) => {
    const route = aRouteView({ reading: aReading({}, { ...WHOLE, endpoint: anEndpoint('a', { zone: shown }) }) });
    const leader = { ...LEADER, zone: known };
    const o = anObservation({ group, pods: [leader], route });
    return differing(showingOf(o, leader), 3).map(({ content }) => content.endpoint?.zone);
  };
  expect([zoneFrom('z1', null), zoneFrom('z1', 'z2'), zoneFrom('z1', 'z1'), zoneFrom(null, 'z1')]).toEqual([
    ['z1'],
    ['z1'],
    [],
    [],
  ]);
});

it.each<[string, Partial<Slice>]>([
  ['somebody else has put more into it', { altered: true }],
  ['it has the token of another lead', { token: 2 }],
  ['its ports are not those of the Service', { ports: [{ ...PORT, port: 9090 }] }],
  ['it has a port too few', { ports: [] }],
  ['it shows another address', { endpoint: anEndpoint('a', { address: '10.0.0.2' }) }],
])('a slice is written again where %s', (_why, slice) => {
  expect(differs(slice)).toBe(true);
});

it('a slice that is to show nobody is written once in each lead, so that a late write of the lead before finds it changed', () => {
  const group = aGroup({ spec: { route: { serviceName: 'notifier-leader' } } });
  const unreachable = { ...LEADER, pod: { ...LEADER.pod, addresses: [] } };
  const differsAt = (slice: Partial<Slice>) => {
    const o = anObservation({ group, pods: [unreachable], route: aRouteView({ reading: aReading({}, slice) }) });
    return differing(showingOf(o, unreachable), 3).length > 0;
  };
  expect([differsAt({ token: 2 }), differsAt({ token: 3 }), differsAt({ token: 3, fenced: 'x' })]).toEqual([
    true,
    false,
    false,
  ]);
  expect(differsAt({ token: 3, endpoint: anEndpoint('a') })).toBe(true);
});
