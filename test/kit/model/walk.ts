/**
 * Histories made of small acts of everyone: pods and their kubelets, Consul, the network, operator replicas. Whatever
 * comes out of the acts, the promises must hold at each write and the world must come to rest afterwards.
 */
import * as fc from 'fast-check';
import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import { CANDIDATE_ANNOTATION } from '../../../src/api/names.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { groupKeys } from '../../../src/election/keys.ts';
import { aPod, type GroupOverrides } from '../fakes/builders.ts';
import { WEB_PORT } from '../fakes/builders-route.ts';
import { settle } from '../fakes/clock.ts';
import type { Fate, Request } from './link.ts';
import { aModel, type Model } from './model.ts';
import { type Replica, SPACE } from './replica.ts';
import type { Backup } from './world-consul.ts';

export type Act =
  | {
      readonly act: 'ready' | 'unready' | 'terminate' | 'remove' | 'recreate' | 'exclude' | 'sessionEnds';
      readonly pod: number;
    }
  /**
   * A pass of a replica; the request at `at` (from 0) meets `fate`, the others arrive. `deaf`: Consul has answered
   * nothing since a request of the pass before was lost.
   */
  | {
      readonly act: 'pass';
      readonly replica: number;
      readonly at: number;
      readonly fate: Fate;
      readonly deaf: boolean;
    }
  | { readonly act: 'see'; readonly replica: number; readonly pods: number; readonly locks: number }
  /** The bucket passes to this replica. */
  | { readonly act: 'own'; readonly replica: number; readonly unnoticed: boolean; readonly stale: boolean }
  | { readonly act: 'kill'; readonly replica: number }
  /** What becomes of the oldest request that is held. */
  | { readonly act: 'deliver' | 'giveUp' | 'drop' }
  | { readonly act: 'editTtl' }
  | { readonly act: 'backup' | 'restore' | 'wipe' }
  /** With a lockKey: `consul lock` of an external holder, and its end, which deletes the key. */
  | { readonly act: 'externalLocks' | 'externalLeaves' }
  | { readonly act: 'wait'; readonly ms: number }
  /** From now on no request of this replica reaches Consul, its renewals neither. */
  | { readonly act: 'deafen' | 'heal'; readonly replica: number };

const LOCK_DELAY_MS = 3000;
const PODS = ['a', 'b', 'c'] as const;

const pod = fc.nat({ max: PODS.length - 1 });
const replica = fc.nat({ max: 1 });

const podAct = fc.record({
  act: fc.constantFrom('ready', 'unready', 'unready', 'terminate', 'remove', 'recreate', 'exclude', 'sessionEnds'),
  pod,
});
const passAct = fc.record({
  act: fc.constant('pass' as const),
  replica,
  at: fc.nat({ max: 9 }),
  fate: fc.constantFrom<Fate>('arrives', 'arrives', 'lost', 'answerLost', 'held', 'held', 'answerHeld'),
  deaf: fc.constantFrom(false, false, true),
});
const seeAct = fc.record({
  act: fc.constant('see' as const),
  replica,
  pods: fc.nat({ max: 6 }),
  locks: fc.nat({ max: 4 }),
});
const ownAct = fc.record({
  act: fc.constant('own' as const),
  replica,
  unnoticed: fc.boolean(),
  stale: fc.boolean(),
});
const heldAct = fc.record({ act: fc.constantFrom('deliver', 'giveUp', 'drop') });
const rareAct = fc.oneof(
  fc.record({ act: fc.constant('kill' as const), replica }),
  fc.record({ act: fc.constant('editTtl' as const) }),
);
const disasterAct = fc.record({ act: fc.constantFrom('backup', 'restore', 'wipe') });
const externalAct = fc.record({ act: fc.constantFrom('externalLocks', 'externalLeaves') });

const timeAct = fc.oneof(
  fc.record({ act: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
  fc.record({ act: fc.constantFrom('deafen', 'heal'), replica }),
);

const usual = [
  { arbitrary: podAct, weight: 5 },
  { arbitrary: passAct, weight: 7 },
  { arbitrary: seeAct, weight: 4 },
  { arbitrary: heldAct, weight: 4 },
  { arbitrary: ownAct, weight: 2 },
  { arbitrary: rareAct, weight: 1 },
];

/** Nothing but what happens to operators; and to members that do not lead. */
export const operatorActs: fc.Arbitrary<readonly Act[]> = fc.array(
  fc.oneof(
    { arbitrary: passAct, weight: 6 },
    { arbitrary: seeAct, weight: 3 },
    { arbitrary: heldAct, weight: 4 },
    { arbitrary: ownAct, weight: 3 },
    { arbitrary: fc.record({ act: fc.constant('kill' as const), replica }), weight: 2 },
    {
      arbitrary: fc.record({
        act: fc.constantFrom('ready', 'unready', 'terminate', 'remove', 'recreate'),
        pod: fc.integer({ min: 1, max: PODS.length - 1 }),
      }),
      weight: 2,
    },
  ) as fc.Arbitrary<Act>,
  { minLength: 4, maxLength: 30, size: 'max' },
);

export type Terrain = 'own lock' | 'disasters' | 'shared lock' | 'outages' | 'outages of a shared lock';

export function actsOn(terrain: Terrain): fc.Arbitrary<readonly Act[]> {
  const more = {
    'own lock': [],
    disasters: [{ arbitrary: disasterAct, weight: 2 }],
    'shared lock': [{ arbitrary: externalAct, weight: 3 }],
    outages: [{ arbitrary: timeAct, weight: 5 }],
    'outages of a shared lock': [
      { arbitrary: timeAct, weight: 5 },
      { arbitrary: externalAct, weight: 2 },
    ],
  }[terrain];
  return fc.array(fc.oneof(...usual, ...more) as fc.Arbitrary<Act>, { minLength: 4, maxLength: 30, size: 'max' });
}

export const groupOn = (terrain: Terrain): fc.Arbitrary<GroupOverrides> =>
  fc.record({
    spec: fc.record({
      lockKey: fc.constant(terrain.includes('shared lock') ? 'shared/cron' : null),
      onConsulLoss: fc.constantFrom('Hold' as const, 'Demote' as const),
      lockDelayMs: fc.constantFrom(0, 0, LOCK_DELAY_MS),
      label: fc.record({
        key: fc.constant('leadergroup.dev/role'),
        leader: fc.constant('leader'),
        follower: fc.constantFrom(null, 'follower'),
      }),
    }),
  });

/** Its address is used again by the next pod of its name. */
const aWalkingPod = (name: string, life = 1): Pod =>
  aPod({
    name,
    ...(life === 1 ? {} : { uid: `uid-of-${name}-${life}` }),
    addresses: [`10.0.0.${name.charCodeAt(0)}`],
    namedPorts: [WEB_PORT],
  });

export type Walk = { readonly model: Model; readonly story: readonly string[] };

/** Runs the acts in a world whose group already has a leader. Acts that make no sense where they stand do nothing. */
export async function walk(
  group: GroupOverrides,
  acts: readonly Act[],
  prepare: (model: Model) => void = () => undefined,
): Promise<Walk> {
  const model = aModel({ group, pods: PODS.map((name) => aWalkingPod(name)) });
  prepare(model);
  const walker = createWalker(model);
  await model.own(walker.replica(0));
  await model.rest(walker.replica(0));
  const story: string[] = [];
  for (const act of acts) {
    await walker.take(act);
    await settle();
    story.push(`${JSON.stringify(act)} -> ${model.leaders().join(',')}`);
    if (model.promises.breaches.length > 0) break;
  }
  return { model, story };
}

/** Every request is over, one replica is left that sees everything: by then all must come right by itself. */
export async function calm({ model }: Walk): Promise<Replica> {
  for (const { link } of model.replicas) for (const request of link.held()) request.deliver();
  await settle();
  for (const other of model.replicas) other.kill();
  await settle();
  const last = model.replica('last');
  await model.own(last);
  await model.rest(last, 20);
  await model.clock.advance(LOCK_DELAY_MS);
  await model.rest(last, 20);
  return last;
}

type Walker = { replica(at: number): Replica; take(act: Act): Promise<void> };

function createWalker(model: Model): Walker {
  const { api, consul } = model;
  const seats: Replica[] = [];
  const deaf = new Set<Replica>();
  const lives = new Map<string, number>();
  let backup: Backup | null = null;
  let external: string | null = null;
  let started = 0;

  function seat(at: number): Replica {
    const sitting = seats[at];
    if (sitting?.alive() === true) return sitting;
    started += 1;
    const fresh = model.replica(`o${started}`);
    seats[at] = fresh;
    return fresh;
  }

  const heldRequests = () => model.replicas.flatMap(({ link }) => link.held());

  /** Tokens are not promised to rise when Consul loses its data while a promotion is under way: until the status tells. */
  const told = (): boolean =>
    (api.group()?.status?.leaders[0]?.token ?? 0) >=
    Math.max(0, ...model.promises.promotions.map(({ token }) => token));

  /** What comes back with a backup may be older than a promotion under way, which nothing then tells of. */
  const quiet = (): boolean => heldRequests().length === 0 && model.replicas.every((other) => !other.busy());

  function rebuild(from: Backup | null, wiped: boolean): void {
    if (!told()) return;
    if (wiped) consul.foreign.wipe();
    else if (from === null || !quiet()) return;
    else {
      consul.foreign.restore(from);
      model.promises.restored();
    }
    for (const other of model.replicas) other.giveUp();
    for (const other of model.replicas) if (other.alive()) other.join();
  }

  function changePod(act: string, name: string): void {
    switch (act) {
      case 'ready':
      case 'unready':
        return api.foreign.changePod(name, ({ deleting }) => ({ ready: act === 'ready' && !deleting }));
      case 'terminate':
        return api.foreign.changePod(name, () => ({ deleting: true, ready: false }));
      case 'remove':
        return api.foreign.removePod(name);
      case 'recreate':
        return recreate(name);
      case 'exclude':
        return api.foreign.changePod(name, toggledExclusion);
    }
  }

  function recreate(name: string): void {
    api.foreign.removePod(name);
    const life = (lives.get(name) ?? 1) + 1;
    lives.set(name, life);
    api.foreign.addPod(aWalkingPod(name, life));
  }

  function endSession(name: string): void {
    const holder = consul.sessions().find((session) => session.name.endsWith(`/${api.pod(name)?.uid ?? ''}`));
    if (holder !== undefined) consul.foreign.endSession(holder.id);
  }

  const reachable =
    (working: Replica) =>
    ({ to }: Request): Fate =>
      to === 'consul' && deaf.has(working) ? 'lost' : 'arrives';

  async function startPass(
    working: Replica,
    { at, fate, deaf: unheard }: Extract<Act, { act: 'pass' }>,
  ): Promise<void> {
    if (working.busy()) return;
    working.link.decide(reachable(working));
    if (!unheard) await working.hear();
    let sent = 0;
    working.link.decide((request) => {
      if (request.operation === 'renewSession') return reachable(working)(request);
      sent += 1;
      return sent - 1 === at ? fate : reachable(working)(request);
    });
    working.pass();
  }

  const lockOf = (group: LeaderGroup): string => groupKeys(SPACE, group, group.spec.lockKey).lock;

  function externalActs(leaves: boolean): void {
    const group = api.group();
    if (group === null) return;
    if (leaves) {
      if (external !== null && consul.entry(lockOf(group))?.session === external) consul.foreign.remove(lockOf(group));
      if (external !== null) consul.foreign.endSession(external);
      external = null;
      return;
    }
    external ??= consul.foreign.openSession({ node: 'elsewhere', name: 'consul lock', ttlMs: 0, lockDelayMs: 0 });
    consul.foreign.lock(lockOf(group), external, null);
  }

  async function take(act: Act): Promise<void> {
    switch (act.act) {
      case 'pass':
        return await startPass(seat(act.replica), act);
      case 'see':
        seat(act.replica).see.groups();
        seat(act.replica).see.pods(act.pods);
        return seat(act.replica).see.locks(act.locks);
      case 'own':
        deaf.delete(seat(act.replica));
        seat(act.replica).link.decide(() => 'arrives');
        return await model.own(seat(act.replica), act);
      case 'kill':
        return seats[act.replica]?.kill();
      case 'deliver':
      case 'giveUp':
      case 'drop':
        return heldRequests()[0]?.[act.act]();
      case 'editTtl':
        return api.foreign.changeGroup('notifier', ({ spec }) => ({
          spec: { ...spec, sessionTtlMs: spec.sessionTtlMs + 1000 },
        }));
      case 'backup':
        backup = consul.foreign.backup();
        return;
      case 'restore':
      case 'wipe':
        return rebuild(act.act === 'restore' ? backup : null, act.act === 'wipe');
      case 'externalLocks':
      case 'externalLeaves':
        return externalActs(act.act === 'externalLeaves');
      case 'wait':
        return await model.clock.advance(act.ms);
      case 'deafen':
      case 'heal':
        if (act.act === 'deafen') deaf.add(seat(act.replica));
        else deaf.delete(seat(act.replica));
        return seat(act.replica).link.decide(reachable(seat(act.replica)));
      case 'sessionEnds':
        return endSession(PODS[act.pod] ?? 'a');
      case 'ready':
      case 'unready':
      case 'terminate':
      case 'remove':
      case 'recreate':
      case 'exclude':
        return changePod(act.act, PODS[act.pod] ?? 'a');
    }
  }

  return { replica: seat, take };
}

function toggledExclusion({ annotations }: Pod): Partial<Pod> {
  const { [CANDIDATE_ANNOTATION]: excluded, ...others } = annotations;
  return { annotations: excluded === undefined ? { ...others, [CANDIDATE_ANNOTATION]: 'false' } : others };
}
