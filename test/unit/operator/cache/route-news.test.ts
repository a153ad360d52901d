/** When Services and slices are watched, and what is remembered of what the watches tell. */
import { describe, expect, it } from 'vitest';
import type { LeaderGroup, ParsedLeaderGroup } from '../../../../src/api/leadergroup.ts';
import { createRouteWatching } from '../../../../src/operator/cache/route-news.ts';
import { createStore } from '../../../../src/operator/cache/store.ts';
import type { RouteListener, Sighting } from '../../../../src/ports/kubernetes.ts';
import { aGroup } from '../../../kit/fakes/builders.ts';
import { createFakeClock, settle } from '../../../kit/fakes/clock.ts';

const KEY = 'default/notifier';
const routed = aGroup({ spec: { route: { serviceName: 'svc' } } });
const valid = (group: LeaderGroup): ParsedLeaderGroup => ({ kind: 'valid', group });

const seen = (name: string, resourceVersion: string, more: Partial<Sighting> = {}): Sighting => ({
  namespace: 'default',
  service: 'svc',
  name,
  uid: `uid-of-${name}`,
  resourceVersion,
  ...more,
});

/** `listeners`: of each watch that was begun, until it is ended. */
function aWatching() {
  const clock = createFakeClock();
  const store = createStore(clock);
  const listeners = new Set<RouteListener>();
  let begun = 0;
  const woken: string[] = [];
  const relisted: string[] = [];
  const watching = createRouteWatching({
    watch: {
      run: async (listener, signal) => {
        begun += 1;
        listeners.add(listener);
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        listeners.delete(listener);
      },
    },
    store,
    clock,
    wake: (key) => woken.push(key),
    othersChanged: (namespace) => relisted.push(namespace),
  });
  const stop = new AbortController();
  const ended = watching.run(stop.signal);
  function change(before: LeaderGroup | null, after: LeaderGroup | null): void {
    const parsed = (group: LeaderGroup | null) => (group === null ? null : valid(group));
    store.groupChanged(parsed(before), parsed(after));
    watching.groupChanged(parsed(before), parsed(after));
  }
  const listener = (): RouteListener => [...listeners][0] ?? expect.fail('nothing is watched');
  return { clock, watching, change, listener, listeners, woken, relisted, stop, ended, begun: () => begun };
}

function aWholeOne() {
  const world = aWatching();
  world.change(null, routed);
  world.listener().synced('services');
  world.listener().synced('endpointslices');
  return world;
}

describe('the watch of routes', () => {
  it('begins with the first group that has a route, and ends with the last', async () => {
    const { change, listeners, begun } = aWatching();
    change(null, aGroup({ name: 'plain' }));
    expect(begun()).toBe(0);
    const other = aGroup({ name: 'other', spec: { route: { serviceName: 'svc' } } });
    change(null, routed);
    change(null, other);
    expect(begun()).toBe(1);
    change(routed, null);
    expect(listeners.size).toBe(1);
    change(other, null);
    await settle();
    expect(listeners.size).toBe(0);
    change(null, routed);
    expect(begun()).toBe(2);
  });

  it('ends with the operator', async () => {
    const { change, listeners, stop, ended } = aWatching();
    change(null, routed);
    stop.abort();
    await ended;
    expect(listeners.size).toBe(0);
  });

  it('of which the last group has gone tells nothing any more, and nothing of it is kept', () => {
    const { watching, change, listener, woken } = aWholeOne();
    const late = listener();
    late.changed('services', null, seen('svc', '5'));
    change(routed, null);
    expect(watching.of('default', 'svc')).toBeNull();
    change(null, routed);
    woken.length = 0;
    late.changed('services', null, seen('svc', '6'));
    late.problem('services', { denied: true, message: 'no' });
    expect([woken, watching.of('default', 'svc')?.service, watching.state().denied]).toEqual([[], null, null]);
  });

  it('stands once both kinds are listed, and does not while one of them is kept from its work', () => {
    const { clock, watching, change, listener } = aWatching();
    change(null, routed);
    listener().changed('services', null, seen('svc', '5'));
    listener().synced('services');
    expect(watching.state().sinceMark).toBeNull();
    listener().synced('endpointslices');
    const sinceMark = watching.mark();
    expect(watching.state()).toEqual({ sinceMark, lostMs: null, denied: null });
    listener().problem('services', { denied: false, message: 'no answer' });
    expect(watching.state()).toEqual({ sinceMark: null, lostMs: clock.nowMs(), denied: null });
    listener().problem('services', null);
    expect(watching.state()).toEqual({ sinceMark, lostMs: null, denied: null });
  });

  it('does not vouch for what was read before both were listed', () => {
    const { watching, change, listener } = aWatching();
    change(null, routed);
    const before = watching.mark();
    listener().synced('services');
    listener().synced('endpointslices');
    expect(watching.state().sinceMark).toBeGreaterThan(before);
  });

  it('makes out of date what was read of a Service that no group has named meanwhile', () => {
    const { watching, change } = aWholeOne();
    const before = watching.mark();
    change(routed, null);
    change(null, routed);
    expect(watching.of('default', 'svc')?.others).toBeGreaterThan(before);
  });

  it('that is denied says so to every group with a route', () => {
    const { watching, listener, woken } = aWholeOne();
    listener().problem('endpointslices', { denied: true, message: 'endpointslices is forbidden' });
    expect([watching.state().denied, woken]).toEqual(['endpointslices is forbidden', [KEY]]);
  });
});

describe('what it tells', () => {
  it('of a Service that no group names wakes nobody, and is not kept', () => {
    const { watching, listener, woken } = aWholeOne();
    listener().changed('services', null, seen('other', '5', { service: 'other' }));
    listener().changed('services', null, seen('svc', '5', { namespace: 'another' }));
    expect([woken, watching.of('default', 'other'), watching.of('another', 'svc')]).toEqual([[], null, null]);
  });

  it('of a Service and of slices of ours is their last version, later than what was read before', () => {
    const { watching, listener, woken } = aWholeOne();
    const before = watching.mark();
    listener().changed('services', null, seen('svc', '5'));
    listener().changed('services', seen('svc', '5'), seen('svc', '6'));
    listener().changed('endpointslices', seen('svc-leadergroup-ipv4', '4'), null);
    const news = watching.of('default', 'svc');
    expect(news?.service).toEqual({ mark: before + 2, uid: 'uid-of-svc', resourceVersion: '6' });
    expect([...(news?.slices ?? [])]).toEqual([
      ['svc-leadergroup-ipv4', { mark: before + 3, uid: 'uid-of-svc-leadergroup-ipv4', resourceVersion: null }],
    ]);
    expect(woken).toEqual([KEY, KEY, KEY]);
  });

  it('of slices of others is that one has come or gone, not that it has changed', () => {
    const { watching, listener, woken, relisted } = aWholeOne();
    const before = watching.mark();
    listener().changed('endpointslices', null, seen('x', '5'));
    listener().changed('endpointslices', seen('x', '5'), seen('x', '6'));
    expect([watching.of('default', 'svc')?.others, woken, relisted]).toEqual([before + 1, [KEY], ['default']]);
    listener().changed('endpointslices', seen('x', '6', { service: 'another' }), seen('x', '7'));
    listener().changed('endpointslices', seen('x', '7'), null);
    expect([watching.of('default', 'svc')?.others, relisted.length]).toEqual([before + 3, 3]);
  });
});
