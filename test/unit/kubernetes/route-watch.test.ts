/** The watches of Services and slices: what is asked for, and of which objects something is told. */
import { describe, expect, it } from 'vitest';
import type { Resource } from '../../../src/kubernetes/objects/resources.ts';
import type { ListPage, ListWatch } from '../../../src/kubernetes/reflector/list-watch.ts';
import { ListWatchError } from '../../../src/kubernetes/reflector/list-watch.ts';
import type { Selection } from '../../../src/kubernetes/reflector/watch-transport.ts';
import { createRouteWatch } from '../../../src/kubernetes/route-watch.ts';
import type { RoutingKind } from '../../../src/ports/kubernetes.ts';
import { createFakeClock, createFakeRandom, settle } from '../../kit/fakes/clock.ts';
import { noLog } from '../../kit/model/sinks.ts';

type Raw = {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
};

let versions = 0;
function raw({ name, ...more }: Raw) {
  versions += 1;
  return { metadata: { namespace: 'default', name, uid: `uid-of-${name}`, resourceVersion: `${versions}`, ...more } };
}
const lent = (name: string) => raw({ name, annotations: { 'leadergroup.dev/route': 'g' } });
const ours = (name: string, service: string) =>
  raw({
    name,
    labels: {
      'kubernetes.io/service-name': service,
      'endpointslice.kubernetes.io/managed-by': 'leadergroup.dev',
    },
  });
const others = (name: string, service: string) => raw({ name, labels: { 'kubernetes.io/service-name': service } });

/** `listed`: what there is at first; then events, one by one. */
function aWatch(listed: Partial<Record<RoutingKind, readonly unknown[]>>, denied: readonly RoutingKind[] = []) {
  const asked: [string, Selection][] = [];
  const rings = new Map<string, (event: unknown) => void>();
  const source = ({ plural }: Resource, selection: Selection): ListWatch => {
    asked.push([plural, selection]);
    const kind = plural as RoutingKind;
    return {
      list: (): Promise<ListPage> =>
        denied.includes(kind)
          ? Promise.reject(new ListWatchError('denied', `${kind} is forbidden`))
          : Promise.resolve({ items: listed[kind] ?? [], resourceVersion: '1', next: null }),
      async *watch(_, signal) {
        const events: unknown[] = [];
        let ring: () => void = () => undefined;
        rings.set(plural, (event) => {
          events.push(event);
          ring();
        });
        signal.addEventListener('abort', () => ring());
        yield [];
        while (!signal.aborted) {
          const event = events.shift();
          if (event !== undefined) yield [event];
          else
            await new Promise<void>((resolve) => {
              ring = resolve;
            });
        }
        throw signal.reason;
      },
    };
  };
  const told: string[] = [];
  const clock = createFakeClock();
  const watch = createRouteWatch({ source, clock, random: createFakeRandom('route'), log: noLog });
  const stop = new AbortController();
  const ended = watch.run(
    {
      concerns: (_, service) => service === 'routed',
      changed: (kind, before, after) => {
        const what = before === null ? '+' : after === null ? '-' : '~';
        told.push(`${what}${kind} ${(after ?? before)?.name} of ${(after ?? before)?.service}`);
      },
      synced: (kind) => told.push(`${kind} listed`),
      problem: (kind, problem) =>
        told.push(
          `${kind} ${problem === null ? 'well' : `${problem.denied ? 'denied' : 'failed'}: ${problem.message}`}`,
        ),
    },
    stop.signal,
  );
  const tell = async (kind: RoutingKind, type: string, object: unknown): Promise<void> => {
    rings.get(kind)?.({ type, object });
    await settle();
  };
  return { asked, told, tell, stop, ended, clock };
}

describe('the watch of Services and slices', () => {
  it('asks for metadata only, and not for slices that Kubernetes makes by selectors', async () => {
    const { asked, stop, ended } = aWatch({});
    expect(asked).toEqual([
      ['services', { metadataOnly: true }],
      [
        'endpointslices',
        {
          metadataOnly: true,
          labelSelector: 'endpointslice.kubernetes.io/managed-by!=endpointslice-controller.k8s.io',
        },
      ],
    ]);
    stop.abort();
    await ended;
  });

  it('tells of Services that a group names or that lend themselves, of slices of ours, and of others of those Services', async () => {
    const { told, tell, stop, ended } = aWatch({
      services: [raw({ name: 'routed' }), lent('lent'), raw({ name: 'plain' })],
      endpointslices: [ours('svc-leadergroup-ipv4', 'svc'), others('x', 'routed'), others('y', 'plain')],
    });
    await settle();
    expect(told.toSorted()).toEqual([
      '+endpointslices svc-leadergroup-ipv4 of svc',
      '+endpointslices x of routed',
      '+services lent of lent',
      '+services routed of routed',
      'endpointslices listed',
      'services listed',
    ]);
    told.length = 0;
    await tell('services', 'MODIFIED', raw({ name: 'plain' }));
    await tell('services', 'MODIFIED', raw({ name: 'routed' }));
    await tell('services', 'DELETED', raw({ name: 'lent' }));
    await tell('services', 'DELETED', raw({ name: 'plain' }));
    expect(told).toEqual(['~services routed of routed', '-services lent of lent']);
    stop.abort();
    await ended;
  });

  it('tells of a slice of ours whose label somebody has changed: its name says which Service it was for', async () => {
    const { told, tell, stop, ended } = aWatch({ endpointslices: [ours('routed-leadergroup-ipv6', 'routed')] });
    await settle();
    told.length = 0;
    await tell('endpointslices', 'MODIFIED', ours('routed-leadergroup-ipv6', 'another'));
    expect(told).toEqual(['~endpointslices routed-leadergroup-ipv6 of routed']);
    stop.abort();
    await ended;
  });

  it('says what keeps it from its work, and whether a right is missing', async () => {
    const { told, stop, ended } = aWatch({}, ['services']);
    await settle();
    expect(told).toContain('services denied: services is forbidden');
    expect(told).toContain('endpointslices listed');
    stop.abort();
    await ended;
  });
});
