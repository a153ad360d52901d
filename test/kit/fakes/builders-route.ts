/** What a decision knows of a route: a Service whose owner consents, and an empty slice of the group. */
import type { Slice, SliceEndpoint } from '../../../src/api/route.ts';
import type { RouteReading, RouteView } from '../../../src/election/route-view.ts';
import { aService, aSlice } from './builders.ts';
import { NOW_MS } from './builders-election.ts';
import { uidOf } from './ids.ts';

/** As `aService()` names it, and `aSlice()` has it. */
export const WEB_PORT = { name: 'web', protocol: 'TCP', port: 8080 } as const;

/** Of a ready pod of this name, as `aPod` makes it, at an address. */
export const anEndpoint = (name: string, overrides: Partial<SliceEndpoint> = {}): SliceEndpoint => ({
  address: '10.0.0.1',
  pod: { name, uid: uidOf(name) },
  node: `node-of-${name}`,
  zone: null,
  ready: true,
  serving: true,
  terminating: false,
  ...overrides,
});

/** `slice`: what the one of IPv4 has. */
export const aReading = (overrides: Partial<RouteReading> = {}, slice: Partial<Slice> = {}): RouteReading => ({
  serviceName: 'notifier-leader',
  service: aService(),
  slices: { IPv4: aSlice(slice), IPv6: null },
  foreign: { slices: [], endpoints: false },
  againAtMs: NOW_MS + 60_000,
  ...overrides,
});

export const aRouteView = (overrides: Partial<RouteView> = {}): RouteView => ({
  reading: aReading(),
  problems: [],
  elder: null,
  olderReplicas: [],
  fenced: new Set(),
  written: new Map(),
  remade: new Map(),
  unwatched: null,
  ...overrides,
});
