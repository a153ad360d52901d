/** When what was read of a route is read again. */
import { expect, it } from 'vitest';
import type { RouteNews, RouteWatchState, Told } from '../../../../src/operator/cache/route-news.ts';
import { createLocks } from '../../../../src/operator/locks/locks.ts';
import {
  freshMemory,
  type GroupMemory,
  type RememberedRoute,
  type SliceWrite,
} from '../../../../src/operator/observe/memory.ts';
import { routeView } from '../../../../src/operator/observe/observe-route.ts';
import type { ObserverOptions } from '../../../../src/operator/observe/view.ts';
import { aGroup, aService, aSlice } from '../../../kit/fakes/builders.ts';
import { NOW_MS } from '../../../kit/fakes/builders-election.ts';
import { aReading } from '../../../kit/fakes/builders-route.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';
import { wallMs } from '../../../kit/fakes/ids.ts';
import { createLink } from '../../../kit/model/link.ts';
import { SPACE } from '../../../kit/model/replica.ts';
import { createWorldApiServer } from '../../../kit/model/world-api-server.ts';
import { createWorldConsul } from '../../../kit/model/world-consul.ts';

const MINUTE_MS = 60_000;
const IPV4 = 'notifier-leader-leadergroup-ipv4';
const group = aGroup({ spec: { route: { serviceName: 'notifier-leader' } } });
const { consul } = createLink('x', createWorldApiServer(), createWorldConsul(createFakeClock()), () => undefined);
const locks = createLocks(consul, SPACE);
const STANDS: RouteWatchState = { sinceMark: 3, lostMs: null, denied: null };
const NEVER: RouteWatchState = { sinceMark: null, lostMs: null, denied: null };

/** In so many milliseconds it is read again. */
function inMs(
  known: Partial<RememberedRoute>,
  state: RouteWatchState,
  news: Partial<RouteNews> | null = null,
  more: { readonly olderReplicas?: readonly string[]; readonly memory?: Partial<GroupMemory> } = {},
): number {
  const options = {
    store: { groupsRouting: () => [group] },
    locks,
    olderReplicas: () => more.olderReplicas ?? [],
    routeNews: {
      of: () => (news === null ? null : { service: null, slices: new Map(), others: 0, ...news }),
      state: () => state,
    },
  } as unknown as ObserverOptions;
  const route = { ...aReading(), mark: 4, calm: true, ...known };
  const view = routeView(options, { nowMs: NOW_MS, group, lock: null }, { ...freshMemory(), ...more.memory, route });
  return (view?.reading?.againAtMs ?? Number.NaN) - NOW_MS;
}

const refusedUntil = (retryAtMs: number): Partial<GroupMemory> => ({
  routeProblems: new Map([['IPv4', { of: 'IPv4', kind: 'refused', message: '', count: 1, retryAtMs }]]),
});

const undoneBy = (write: Partial<SliceWrite>): Partial<GroupMemory> => ({
  slicesWritten: new Map([['IPv4', { slice: aSlice(), content: aSlice(), repairs: null, ...write }]]),
});

const told = (more: Partial<Told>): Told => ({ mark: 5, uid: 'uid', resourceVersion: '1', ...more });
const ofService = (more: Partial<Told>): Partial<RouteNews> => ({ service: told({ uid: aService().uid, ...more }) });
const ofSlice = (more: Partial<Told>): Partial<RouteNews> => ({
  slices: new Map([[IPV4, told({ uid: aSlice().uid, ...more })]]),
});
const later = ({ resourceVersion }: { readonly resourceVersion: string }): string => `${Number(resourceVersion) + 1}`;

it.each([
  ['a later version of the Service', ofService({ resourceVersion: later(aService()) })],
  ['the end of the Service', ofService({ resourceVersion: null })],
  ['another Service of its name', ofService({ uid: 'another' })],
  ['a later version of a slice of ours', ofSlice({ resourceVersion: later(aSlice()) })],
  ['the end of a slice of ours', ofSlice({ resourceVersion: null })],
  ['another slice of its name', ofSlice({ uid: 'another' })],
  ['a slice of others', { others: 5 }],
])('at once, when the watch has told of %s', (_, news) => {
  expect(inMs({}, STANDS, news)).toBe(0);
});

it.each(['foreign', 'rival'] as const)(
  'at once, when what stood under the name of a slice of ours has gone: %s',
  (found) => {
    expect(inMs({ slices: { IPv4: found, IPv6: null } }, STANDS, ofSlice({ resourceVersion: null }))).toBe(0);
  },
);

it.each([
  ['the Service as it was read', ofService({ resourceVersion: aService().resourceVersion })],
  ['a slice as our own write has left it', ofSlice({ resourceVersion: aSlice().resourceVersion })],
  ['the end of a slice that another has followed', ofSlice({ uid: 'earlier', resourceVersion: null })],
  ['what was told before the reading began', { others: 4, ...ofService({ mark: 4, resourceVersion: null }) }],
])('not before its time, when the watch has told of %s', (_, news) => {
  expect(inMs({}, STANDS, news)).toBe(10 * MINUTE_MS);
});

it('within a minute where nobody watches, or something is there that nobody would tell of', () => {
  expect(inMs({}, NEVER)).toBe(MINUTE_MS);
  expect(inMs({ calm: false }, STANDS)).toBe(MINUTE_MS);
});

it('within a minute while a replica is there that knows no routes: nobody tells of its end', () => {
  expect(inMs({}, STANDS, null, { olderReplicas: ['operator-b'] })).toBe(MINUTE_MS);
});

it.each([
  ['a write is refused', refusedUntil(NOW_MS)],
  [
    'another client undoes what is written',
    undoneBy({ repairs: { count: 9, lastMs: NOW_MS, sinceWallMs: wallMs(0), by: null } }),
  ],
  [
    'another client deletes what is made',
    { slicesMade: new Map([['IPv4' as const, { count: 9, lastMs: NOW_MS, sinceWallMs: wallMs(0), by: null }]]) },
  ],
  ['a webhook changes what is written', undoneBy({ slice: { ...aSlice(), altered: true } })],
] as const)('within a minute while %s: nobody tells that it is over', (_, memory) => {
  expect(inMs({}, STANDS, null, { memory })).toBe(MINUTE_MS);
});

it('as seldom as before a minute after a write could have been tried again: whatever it was for need not be written any more', () => {
  expect(inMs({}, STANDS, null, { memory: refusedUntil(NOW_MS - MINUTE_MS) })).toBe(inMs({}, STANDS));
});

it('within a minute where the watch began after it: what changed in between nobody has told', () => {
  expect(inMs({ mark: 2 }, STANDS)).toBe(MINUTE_MS);
});

it('within a minute after the watch was lost, and not at once', () => {
  const lost = { ...NEVER, lostMs: NOW_MS - 1000 };
  const due = inMs({ againAtMs: 100 }, lost);
  expect(due).toBeGreaterThanOrEqual(-1000);
  expect(due).toBeLessThan(MINUTE_MS);
  expect(inMs({ againAtMs: NOW_MS + 2000 }, lost)).toBeGreaterThanOrEqual(2000);
});
