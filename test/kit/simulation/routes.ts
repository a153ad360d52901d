/** What others do to the Services of routes and to the operator's slices, and what Kubernetes makes of both. */
import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import type { Service, Slice } from '../../../src/api/route.ts';
import { podUid } from '../fakes/ids.ts';
import type { WorldApiServer } from '../model/world-api-server.ts';
import type { Act, GroupPlan, RoutePlan, ServiceChange, Spoiling } from './acts.ts';
import type { Faults } from './faults.ts';
import type { Loop } from './loop.ts';
import type { Stream } from './random.ts';

export type RouteAct = Extract<Act, { act: 'service' | 'spoil' | 'intrude' | 'deny' }>;

export type Routes = {
  /** The Service that the group routes to, unless another group has brought it. */
  open(plan: GroupPlan): void;
  do(act: RouteAct, plan: GroupPlan): void;
};

/** The garbage collector takes its time. */
const COLLECTED_MS = 4000;
const FAR = 1000;
/** So often whoever deletes a slice looks for it. */
const LOOK_MS = 50;

export function createRoutes(api: WorldApiServer, loop: Loop, { during, later }: Faults, random: Stream): Routes {
  const { foreign } = api.routing;
  /** Of each Service whoever brought it: another group that names it changes nothing of how it was meant. */
  const owners = new Map<string, GroupPlan>();
  let made = 0;

  const uidOf = (name: string): string => `uid-${(made += 1)}-of-${name}`;
  const present = (name: string): Service | undefined => api.routing.services().find((each) => each.name === name);

  api.onChange(({ before, after }, kind) => {
    if (kind === 'leadergroups' && before !== null && after === null)
      loop.after(random.between(10, COLLECTED_MS), () => collect(before as LeaderGroup));
  });

  /** Slices whose owner is gone go too. */
  function collect({ uid }: LeaderGroup): void {
    for (const { name, group } of api.routing.slices()) if (group.uid === uid) foreign.removeSlice(name);
  }

  const whole = ({ service, families }: RoutePlan, uid: string): Service => ({
    namespace: 'default',
    name: service,
    uid,
    resourceVersion: '',
    group: owners.get(service)?.name ?? null,
    hasSelector: false,
    headless: false,
    publishNotReadyAddresses: false,
    families: owners.get(service)?.route?.families ?? families,
    ports: [{ name: 'http', protocol: 'TCP', appProtocol: null, target: 8080 }],
  });

  function restore(route: RoutePlan): void {
    foreign.removeSlice(ofController(route));
    foreign.putService(whole(route, present(route.service)?.uid ?? uidOf(route.service)));
  }

  function change(route: RoutePlan, how: ServiceChange): void {
    const now = whole(route, present(route.service)?.uid ?? uidOf(route.service));
    const put = (changes: Partial<Service>): void => foreign.putService({ ...now, ...changes });
    switch (how) {
      case 'removed':
        return foreign.removeService(route.service);
      case 'remade':
        foreign.removeService(route.service);
        return put({ uid: uidOf(route.service) });
      case 'selecting':
      case 'both':
        foreign.addSlice(ofController(route), route.service, true);
        return put({ hasSelector: true, ...(how === 'both' ? {} : { group: null }) });
      case 'unannotated':
        return put({ group: null });
      case 'anothers':
        return put({ group: 'of-nobody' });
      case 'families':
        return put({ families: now.families.length > 1 ? ['IPv6'] : ['IPv4', 'IPv6'] });
      case 'ports':
        return put({ ports: [{ name: 'http', protocol: 'TCP', appProtocol: 'http', target: 9090 }] });
      case 'named':
        return put({ ports: [{ name: 'http', protocol: 'TCP', appProtocol: null, target: 'web' }] });
      case 'unready':
        return put({ publishNotReadyAddresses: true });
    }
  }

  /** Whoever takes a webhook away has what it has altered written again. */
  function unmangled(): void {
    foreign.mangle(null);
    for (const { name, altered } of api.routing.slices()) if (altered) foreign.editSlice(name, () => ({}));
  }

  function removeAgainAndAgain(slice: string, forMs: number): void {
    let over = false;
    const look = (): void => {
      if (over) return;
      foreign.removeSlice(slice);
      loop.after(LOOK_MS, look);
    };
    look();
    later(forMs, () => {
      over = true;
    });
  }

  function keep(slice: string, forMs: number): void {
    during(
      `finalizer ${slice}`,
      forMs,
      () => foreign.keepSlice(slice, true),
      () => foreign.keepSlice(slice, false),
    );
  }

  function spoil(name: string, how: Spoiling): void {
    if (how === 'remove') return foreign.removeSlice(name);
    foreign.editSlice(name, (slice) => spoiled(slice, how));
  }

  return {
    open: (plan) => {
      const { route } = plan;
      if (route === undefined || owners.has(route.service)) return;
      owners.set(route.service, plan);
      foreign.putService(whole(route, uidOf(route.service)));
    },
    do: (act, { route }) => {
      if (act.act === 'deny')
        return during(
          'deny',
          act.forMs,
          () => api.routing.forbid(true, act.reads),
          () => api.routing.forbid(false),
        );
      if (route === undefined) return;
      const { service } = route;
      switch (act.act) {
        case 'service':
          return during(
            `service ${service}`,
            act.forMs,
            () => change(route, act.how),
            () => restore(route),
          );
        case 'spoil':
          return spoil(sliceOf(service, act.family), act.how);
        case 'intrude': {
          if (act.what === 'webhook') return during('webhook', act.forMs, () => foreign.mangle(() => ({})), unmangled);
          if (act.what === 'racer')
            return during(
              'racer',
              act.forMs,
              () => foreign.race(true),
              () => foreign.race(false),
            );
          if (act.what === 'finalizer') return keep(sliceOf(service, 'IPv4'), act.forMs);
          if (act.what === 'remover') return removeAgainAndAgain(sliceOf(service, 'IPv4'), act.forMs);
          if (act.what === 'earlier') {
            const last = sliceOf(service, route.families.at(-1) ?? 'IPv4');
            keep(last, act.forMs);
            return foreign.editSlice(last, (slice) => spoiled(slice, 'group'));
          }
          if (act.what === 'endpoints')
            return during(
              `endpoints ${service}`,
              act.forMs,
              () => foreign.addEndpoints(service),
              () => foreign.removeEndpoints(service),
            );
          const name = act.what === 'name' ? sliceOf(service, 'IPv4') : `${service}-of-others`;
          return during(
            `intrude ${name}`,
            act.forMs,
            () => api.routing.slice(name) === null && foreign.addSlice(name, service),
            () => api.routing.others().some((other) => other.name === name) && foreign.removeSlice(name),
          );
        }
      }
    },
  };
}

const sliceOf = (service: string, family: string): string => `${service}-leadergroup-${family.toLowerCase()}`;
const ofController = ({ service }: RoutePlan): string => `${service}-by-selector`;

function spoiled(slice: Slice, how: Exclude<Spoiling, 'remove'>): Partial<Slice> {
  const { endpoint, group, token } = slice;
  switch (how) {
    case 'double':
      return { altered: true };
    case 'empty':
      return { altered: endpoint !== null, endpoint: null };
    case 'another':
      return { endpoint: endpoint === null ? null : { ...endpoint, pod: { name: 'x', uid: podUid('uid-of-nobody') } } };
    case 'token':
      return { altered: false, token: token + FAR };
    case 'lower':
      return { altered: false, token: Math.max(0, token - 1) };
    case 'fence':
      return { altered: false, fenced: endpoint === null ? '' : 'of-somebody' };
    case 'group':
      return { altered: false, group: { ...group, uid: 'uid-of-nobody' } };
  }
}
