/** A whole world for one group: API server, Consul, clock, the promises being watched, and replicas as a test wants them. */
import type { Pod } from '../../../src/api/pod.ts';
import { aGroup, type GroupOverrides } from '../fakes/builders.ts';
import { createFakeClock, type FakeClock, settle } from '../fakes/clock.ts';
import { watchAsked } from './asked.ts';
import { type Promises, watchPromises } from './promises.ts';
import { bucketsOf, createReplica, type Replica } from './replica.ts';
import { createWorldApiServer, type WorldApiServer } from './world-api-server.ts';
import { createWorldConsul, type WorldConsul } from './world-consul.ts';
import { createWorldPods, type WorldPods } from './world-pods.ts';

export type Model = {
  readonly clock: FakeClock;
  readonly api: WorldApiServer;
  readonly consul: WorldConsul;
  /** What they answer when they are asked. */
  readonly pods: WorldPods;
  readonly promises: Promises;
  readonly replicas: readonly Replica[];
  /** A replica that has joined Consul and owns nothing. */
  replica(name: string): Replica;
  /**
   * The bucket passes to this replica, which sees the locks, adopts the members' sessions and, unless `stale`, catches
   * up with the pods. Whoever had the bucket gives it up; `unnoticed`: goes on believing that it has it.
   */
  own(replica: Replica, options?: { readonly unnoticed?: boolean; readonly stale?: boolean }): Promise<void>;
  /** Its session ends, and with it its hold of the bucket. */
  expel(replica: Replica, options?: { readonly unnoticed?: boolean }): void;
  /** One pass, waited for. Fails when the pass is stuck: a request was held. */
  pass(replica: Replica, key?: string): Promise<void>;
  /**
   * Passes, seeing everything in between and letting time pass when a pass asks for it, until one sends no write.
   * Returns how many it took; fails after `limit`.
   */
  rest(replica: Replica, limit?: number): Promise<number>;
  /** Names of the pods that carry the label. */
  leaders(): readonly string[];
};

export function aModel(options: { readonly group?: GroupOverrides; readonly pods?: readonly Pod[] } = {}): Model {
  const clock = createFakeClock();
  const api = createWorldApiServer();
  const consul = createWorldConsul(clock);
  const group = api.foreign.addGroup(aGroup(options.group));
  for (const pod of options.pods ?? []) api.foreign.addPod(pod);
  const pods = createWorldPods(api, clock);
  const promises = watchPromises(api, consul, group, clock.nowMs);
  const asked = watchAsked({ api, consul, pods, group, nowMs: clock.nowMs, breach: promises.breach });
  const replicas: Replica[] = [];

  function replica(name: string): Replica {
    const made = createReplica(name, {
      clock,
      api,
      consul,
      pods,
      patchSent: (request) => {
        promises.patchSent(request);
        asked.patchSent(request);
      },
    });
    made.join();
    replicas.push(made);
    return made;
  }

  function take(bucket: string, taker: Replica): void {
    const holder = consul.entry(bucket)?.session ?? null;
    const session = taker.session();
    if (holder !== null) consul.foreign.unlock(bucket, holder);
    if (session === null || !consul.foreign.lock(bucket, session, taker.name)) {
      throw new Error(`${taker.name} could not take the bucket`);
    }
  }

  async function own(taker: Replica, { unnoticed = false, stale = false } = {}): Promise<void> {
    for (const other of replicas) if (other !== taker && !unnoticed) other.giveUp();
    for (const bucket of bucketsOf(api)) take(bucket, taker);
    taker.see.groups();
    taker.see.locks();
    if (!stale) taker.see.pods();
    await taker.adopt();
    asked.owned(taker.name);
    taker.believe('owned');
  }

  async function pass(working: Replica, key?: string): Promise<void> {
    working.pass(key);
    await settle();
    if (working.failure() !== null) throw working.failure();
    if (working.busy()) throw new Error(`the pass of ${working.name} waits for a request that is held`);
  }

  const written = (): number => api.writes() + api.routing.writes() + consul.writes();

  async function rest(working: Replica, limit = 12): Promise<number> {
    for (let passes = 1; passes <= limit; passes += 1) {
      const before = written();
      working.see.all();
      await working.hear();
      await pass(working);
      const next = working.next();
      if (next?.kind === 'after') await clock.advance(Math.min(next.delayMs, 5000));
      if (next?.kind !== 'retry' && written() === before) return passes;
    }
    throw new Error(`${working.name} does not come to rest within ${limit} passes`);
  }

  return {
    clock,
    api,
    consul,
    pods,
    promises,
    replicas,
    replica,
    own,
    expel: (leaving, { unnoticed = false } = {}) => {
      const session = leaving.session();
      if (session !== null) consul.foreign.endSession(session);
      if (!unnoticed) leaving.believe('lapsed');
    },
    pass,
    rest,
    leaders: promises.labelled,
  };
}
