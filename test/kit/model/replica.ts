/**
 * One operator replica of the model: the real store, locks, session sessionManager, observer, planner, executor, reconciler and
 * reporter, over a link. What is not real is who feeds them: a test says when a watch delivers and how much of it,
 * and what the replica believes of its bucket.
 */

import type { GateAnswer } from '../../../src/api/gate.ts';
import type { SessionId } from '../../../src/api/ids.ts';
import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import { MAX_GRANT_MS } from '../../../src/election/gate.ts';
import {
  bucketKey,
  bucketOf,
  groupsPrefix,
  type KeySpace,
  replicaSessionName,
  syntheticNode,
} from '../../../src/election/keys.ts';
import type { Ownership } from '../../../src/election/observation.ts';
import { createStore, groupKey, type Store } from '../../../src/operator/cache/store.ts';
import { createClaims } from '../../../src/operator/claims/claims.ts';
import { type ConsulContact, trackContact } from '../../../src/operator/connectivity/consul-connectivity.ts';
import { createForeignLists } from '../../../src/operator/execute/foreign-lists.ts';
import { createTurns, type Turns } from '../../../src/operator/execute/turns.ts';
import { createAsk } from '../../../src/operator/gate/gate.ts';
import { createGrants } from '../../../src/operator/gate/grants.ts';
import { createRelease } from '../../../src/operator/gate/release.ts';
import { createLocks, type Locks } from '../../../src/operator/locks/locks.ts';
import { createObserver } from '../../../src/operator/observe/observe.ts';
import { createOwners } from '../../../src/operator/observe/owners.ts';
import { createProber } from '../../../src/operator/probe/prober.ts';
import type { Next } from '../../../src/operator/reconcile/queue.ts';
import { createReconciler, type Reconciler } from '../../../src/operator/reconcile/reconciler.ts';
import { createAnnouncer } from '../../../src/operator/report/announce.ts';
import { createStatusWriter } from '../../../src/operator/report/status-writer.ts';
import { createSessionManager, type SessionManager } from '../../../src/operator/sessions/sessions.ts';
import type { Claims } from '../../../src/ports/claims.ts';
import type { Released } from '../../../src/ports/gate.ts';
import type { Metrics } from '../../../src/ports/metrics.ts';
import { createFakeRandom, type FakeClock } from '../fakes/clock.ts';
import { podUid } from '../fakes/ids.ts';
import { createLink, type Link, type PatchRequest } from './link.ts';
import { checkedEvents, noLog, noMetrics, noNews, quietProbing } from './sinks.ts';
import type { WorldApiServer } from './world-api-server.ts';
import { snapshotOf, type WorldConsul } from './world-consul.ts';
import type { WorldPods } from './world-pods.ts';

export const SPACE: KeySpace = { prefix: 'leadergroup', cluster: 'test' };
const GROUP = { namespace: 'default', name: 'notifier' };
const GROUP_KEY = 'default/notifier';
export const MARGIN_MS = 2000;

export type Replica = {
  readonly name: string;
  readonly link: Link;
  readonly sessionManager: SessionManager;
  readonly locks: Locks;
  readonly store: Store;
  readonly contact: ConsulContact;
  /** What the gate has counted, in order. */
  readonly counted: readonly string[];
  /** What its watches have delivered so far is all it knows; `all` catches up. */
  readonly see: {
    pods(events?: number): void;
    groups(): void;
    /** The watches of the locks go on by so many states, and deliver the last of them. */
    locks(states?: number): void;
    all(): void;
  };
  /** Consul answers something, as it does all the time to watches and renewals: it is not silent any more. */
  hear(): Promise<void>;
  /** Its own session in Consul, which ends only when a test ends it; null before `join`. */
  session(): SessionId | null;
  /** A session of its own, without a bucket. */
  join(): void;
  /** What it believes; Consul may know better. */
  believe(kind: Ownership['kind']): void;
  believes(): Ownership['kind'];
  /** Another replica has the bucket now, and it knows: its sessions are not its business any more. */
  giveUp(): void;
  /** Adopts the members' sessions, as an owner does once it has the bucket. */
  adopt(): Promise<void>;
  /** Starts a pass over a group, `default/notifier` unless named; nothing happens while one is under way. */
  pass(key?: string): void;
  busy(): boolean;
  /** The gate, asked by a pod about `default/notifier`; `secret`: of the term of its client. */
  ask(uid: string, secret?: string | null): GateAnswer;
  release(uid: string, secret: string, resign?: boolean): Released;
  readonly claims: Claims;
  /** Which group is preempted when. */
  readonly turns: Turns;
  glance: Reconciler['glance'];
  /** It has just got the bucket: whoever had it before may have said a grant until now. Without this nobody has. */
  gotBucket(): void;
  /** What the last pass that ended wants next. */
  next(): Next | null;
  /** A defect: what a pass threw. */
  failure(): unknown;
  /** Ends at once, as by kill -9: requests under way may still arrive, answers reach nobody. */
  kill(): void;
  alive(): boolean;
};

export type WorldParts = {
  readonly clock: FakeClock;
  readonly api: WorldApiServer;
  readonly consul: WorldConsul;
  readonly pods: WorldPods;
  readonly patchSent: (request: PatchRequest) => void;
};

/** Bucket locks of all groups that there are. */
export const bucketsOf = (api: WorldApiServer): readonly string[] => [
  ...new Set(api.groups().map(({ namespace, name }) => bucketKey(SPACE, bucketOf(namespace, name)))),
];

export function createReplica(name: string, { clock, api, consul, pods, patchSent }: WorldParts): Replica {
  const marginMs = MARGIN_MS;
  const link = createLink(name, api, consul, patchSent);
  const dying = new AbortController();
  const random = createFakeRandom(name);
  const store = createStore(clock);
  const contact = trackContact(link.consul, clock, () => undefined, { quietMs: 0 });
  const ports = { consul: contact.consul, clock, random, marginMs };
  const node = syntheticNode(SPACE);
  const sessionManager = createSessionManager({
    ...ports,
    kubernetes: link.kubernetes,
    metrics: noMetrics,
    node,
    wake: () => undefined,
  });
  const locks = createLocks(contact.consul, SPACE);
  let belief: Ownership['kind'] = 'neverKnown';
  let aloneSinceMs = clock.nowMs();
  let lapsedMs: number | null = null;
  let session: SessionId | null = null;
  let running: Promise<void> | null = null;
  let next: Next | null = null;
  let failure: unknown = null;
  const cursors = { pods: 0, groups: 0, locks: 0 };
  const highest = new Map<string, number>();
  const counted: string[] = [];
  const metrics: Metrics = {
    ...noMetrics,
    gateRevocation: (outcome) => counted.push(`revocation ${outcome}`),
    gateRelease: (outcome, savedMs) => counted.push(`release ${outcome} ${savedMs}`),
    gateResignation: (outcome) => counted.push(`resignation ${outcome}`),
  };

  const ownership = ({ namespace, name: group }: LeaderGroup): Ownership =>
    belief === 'owned' && session !== null
      ? {
          kind: 'owned',
          guard: { key: bucketKey(SPACE, bucketOf(namespace, group)), session },
          untilMs: Number.MAX_SAFE_INTEGER,
        }
      : { kind: belief === 'owned' ? 'notOwned' : belief };

  function invalidateOwnership(): void {
    if (bucketsOf(api).some((bucket) => consul.entry(bucket)?.session !== session)) belief = 'notOwned';
  }

  let gotBucketMs: number | null = null;
  const owners = createOwners(link.kubernetes, clock);
  const grants = createGrants(clock, () => gotBucketMs);
  const prober = createProber({ ...quietProbing(clock), http: link.asking(pods) });
  const turns = createTurns(clock);
  const reconciler = createReconciler({
    synced: () => true,
    known: () => true,
    observed: prober.seen,
    began: () => undefined,
    ended: () => undefined,
    store,
    observe: createObserver({
      clock,
      store,
      locks,
      sessionManager,
      marginMs,
      ownership,
      contact,
      nodesReadable: () => true,
      lockKeyProblem: () => null,
      aloneSinceMs: () => aloneSinceMs,
      heldSinceMs: () => null,
      unproven: () => (lapsedMs === null ? null : { sinceMs: lapsedMs, noticedMs: lapsedMs }),
      owners,
      prober,
      olderReplicas: () => [],
      routeNews: noNews,
    }),
    executor: {
      consul: contact.consul,
      kubernetes: link.kubernetes,
      routing: link.routing,
      foreignLists: createForeignLists(link.routing, clock, dying.signal),
      routeNews: noNews,
      listPods: link.kubernetes.listPods,
      clock,
      random,
      sessionManager,
      locks,
      invalidateOwnership,
      syntheticNode: node,
      grants,
      revoked: () => undefined,
      revoking: metrics.gateRevocation,
      owners,
      prober,
      turns,
      repaired: () => undefined,
      sliceWritten: () => undefined,
      progress: () => undefined,
    },
    wake: () => undefined,
    announcer: createAnnouncer({ clock, events: checkedEvents, metrics: noMetrics, log: noLog }),
    writeStatus: createStatusWriter(
      { clock, kubernetes: link.kubernetes, log: noLog, replica: { id: name } },
      { answers: () => true, owe: () => undefined },
    ),
    writeInvalid: () => Promise.resolve(true),
    ownership: () => belief,
    consulUnreachable: () => contact.outageSinceMs() !== null,
    clock,
    metrics,
    log: noLog,
    dropped: (key) => {
      sessionManager.drop(key);
      locks.dropped(key);
      grants.dropped(key);
      prober.drop(key);
    },
    signal: dying.signal,
  });

  const ask = createAsk(reconciler, grants, MAX_GRANT_MS);
  const release = createRelease(reconciler, grants, { wake: () => undefined, metrics });
  const claims = createClaims({
    reconciler,
    consul: contact.consul,
    clock,
    space: SPACE,
    metrics,
    heldSinceMs: () => gotBucketMs,
    invalidateOwnership,
    signal: dying.signal,
  });

  async function reconcile(key: string): Promise<void> {
    try {
      next = await reconciler.reconcile(key, { sinceMs: clock.nowMs(), othersWait: () => false });
    } catch (error) {
      if (!dying.signal.aborted) failure = error;
    } finally {
      running = null;
    }
  }

  function seePods(events = api.podLog.length): void {
    for (const { before, after } of api.podLog.slice(cursors.pods, cursors.pods + events)) {
      store.podChanged(before, after);
      cursors.pods += 1;
    }
  }

  /** A watch begins with a list: of what was gone by then it shows nothing. */
  function seeGroups(): void {
    const events = cursors.groups === 0 ? listed(api.groupLog) : api.groupLog.slice(cursors.groups);
    cursors.groups = api.groupLog.length;
    for (const { before, after } of events) {
      const parsed = (group: typeof before) => (group === null ? null : ({ kind: 'valid', group } as const));
      store.groupChanged(parsed(before), parsed(after));
    }
  }

  function seeLocks(states = consul.log.length): void {
    const state = consul.log[Math.min(cursors.locks + states, consul.log.length) - 1];
    cursors.locks = Math.min(cursors.locks + states, consul.log.length);
    if (state === undefined) return;
    for (const prefix of watchedPrefixes()) {
      const snapshot = snapshotOf(state, prefix);
      locks.snapshot(prefix, snapshot, snapshot.index < (highest.get(prefix) ?? 0));
      highest.set(prefix, snapshot.index);
    }
  }

  function watchedPrefixes(): readonly string[] {
    const groups = api.groups();
    const buckets = groups.map(({ namespace, name: group }) => groupsPrefix(SPACE, bucketOf(namespace, group)));
    const shared = groups.flatMap(({ spec }) => (spec.lockKey === null ? [] : [`${spec.lockKey}/`]));
    return [...new Set([...buckets, ...shared])];
  }

  return {
    name,
    link,
    sessionManager,
    locks,
    store,
    contact,
    counted,
    see: {
      pods: seePods,
      groups: seeGroups,
      locks: seeLocks,
      all: () => {
        seePods();
        seeGroups();
        seeLocks();
      },
    },
    hear: async () => {
      await contact.consul.readKeys([], dying.signal).catch(() => undefined);
    },
    session: () => session,
    join: () => {
      consul.requests.registerNode(node);
      session = consul.requests.createSession({
        node,
        name: replicaSessionName(name),
        ttlMs: 0,
        lockDelayMs: 0,
      });
    },
    believe: (kind) => {
      if (kind === 'owned' && belief !== 'owned' && belief !== 'lapsed') aloneSinceMs = clock.nowMs();
      lapsedMs = kind === 'lapsed' ? (lapsedMs ?? clock.nowMs()) : null;
      belief = kind;
    },
    believes: () => belief,
    giveUp: () => {
      belief = belief === 'neverKnown' ? 'neverKnown' : 'notOwned';
      for (const key of sessionManager.keys()) sessionManager.drop(key);
      for (const key of store.groupKeys()) {
        reconciler.forget(key);
        prober.drop(key);
      }
      for (const prefix of watchedPrefixes()) locks.forget(prefix);
    },
    adopt: async () => {
      for (const found of await contact.consul.listSessions(node, dying.signal)) {
        await sessionManager.adopt(found, dying.signal);
      }
    },
    pass: (key = GROUP_KEY) => {
      if (running === null && !dying.signal.aborted) running = reconcile(key);
    },
    claims,
    glance: reconciler.glance,
    turns,
    ask: (uid, secret = null) => ask(GROUP, podUid(uid), secret),
    release: (uid, secret, resign = false) => release(GROUP, podUid(uid), { secret, resign }),
    gotBucket: () => {
      gotBucketMs = clock.nowMs();
    },
    busy: () => running !== null,
    next: () => next,
    failure: () => failure,
    kill: () => {
      dying.abort(new Error('killed'));
      for (const request of link.held()) request.giveUp();
      for (const key of sessionManager.keys()) sessionManager.drop(key);
    },
    alive: () => !dying.signal.aborted,
  };
}

function listed(log: WorldApiServer['groupLog']): WorldApiServer['groupLog'] {
  const last = new Map(log.map((change) => [groupKey((change.after ?? change.before) as LeaderGroup), change]));
  return [...last.values()].flatMap((change) => (change.after === null ? [] : [{ ...change, before: null }]));
}
