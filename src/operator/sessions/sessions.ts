/**
 * The sessions of members: one Consul session per member that has been a candidate, renewed until its pod is gone, its group
 * is, or the bucket is another replica's.
 */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid, SessionId } from '../../api/ids.ts';
import type { LeaderGroup } from '../../api/leadergroup.ts';
import type { PodRef } from '../../api/pod.ts';
import { parseSessionName, sessionName } from '../../election/keys.ts';
import type { MemberSession } from '../../election/observation.ts';
import { ConsulError, type ConsulSession } from '../../ports/consul.ts';
import type { Kubernetes } from '../../ports/kubernetes.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { groupKey } from '../cache/store.ts';
import { createEndedSessions, type EndedSession } from './ended-sessions.ts';
import { keepRenewed, type Renewal, type RenewalEvents, type RenewalPorts, type RenewedSession } from './renewal.ts';
import { createRenewalTurns } from './renewal-turns.ts';
import { createUnconfirmedOpenings } from './unconfirmed-openings.ts';

export type SessionManager = {
  /** This session, if it is one of the group's. */
  session(key: string, id: SessionId): MemberSession | null;
  /** Sessions of one group's members, oldest first. */
  of(key: string): readonly MemberSession[];
  /** Until when those could be believed that Consul has ended, and that no other of the pod has followed. */
  ended(key: string): ReadonlyMap<PodUid, EndedSession>;
  /** Opens a session for a member. Throws ConsulError; after an unknown outcome a session may be left that expires by itself. */
  open(group: LeaderGroup, pod: PodRef, signal: AbortSignal): Promise<void>;
  /**
   * Takes over a session of ours from a previous incarnation, after a first renewal of our own: nobody else's tells us until
   * when it may be believed. False: it is not one of a group's member, or Consul says it is gone. Throws ConsulError. `spare`: it is known to hold
   * no lock.
   */
  adopt(session: ConsulSession, signal: AbortSignal, how?: { readonly spare: boolean }): Promise<boolean>;
  /** A committed transaction named the session. */
  prove(id: SessionId): void;
  /** The lock of the group is held by this session, or by none of ours. */
  holds(key: string, id: SessionId | null): void;
  /** Consul refused to lock with it: it does not exist any more. */
  lost(id: SessionId): void;
  /** Nobody needs it any more: no more renewals; destroyed at once if its pod is known to be gone, else it expires. */
  retire(id: SessionId, signal: AbortSignal): Promise<void>;
  /** No more renewals for a group that is gone. */
  drop(key: string): void;
  /**
   * The group is another replica's now: its sessions are not shown any more, but kept alive for LINGER_MS. The other one may not
   * have heard yet that the group is its own, and a session that nobody renews takes a healthy leader with it.
   */
  leave(key: string): void;
  /** No more renewals at all. */
  end(): void;
  /** How many are kept. */
  count(): number;
  /** Keys of the groups that have any, of which one is being opened or adopted, or of which one is remembered that has ended. */
  keys(): readonly string[];
  /** Monotonic milliseconds of the nearest deadline; null without a session. */
  nearestDeadlineMs(): MonotonicMs | null;
};

type Kept = {
  readonly renewal: Renewal;
  readonly group: string;
  readonly podUid: PodUid;
  /** null for an adopted one: a session's name holds the uid only. */
  readonly pod: PodRef | null;
  readonly lockDelayMs: number;
  /** Consul's createIndex, or above every known one for those opened here. */
  readonly order: number;
};

/** Longer than a replica takes to find out that a watch of its buckets hears nothing any more. */
const LINGER_MS = 20_000;

export type SessionManagerOptions = Omit<RenewalPorts, 'turns'> & {
  readonly kubernetes: Pick<Kubernetes, 'getPod'>;
  readonly metrics: Metrics;
  readonly node: string;
  /** Something about a group's sessions changed that its next pass should see. */
  readonly wake: (key: string) => void;
};

export function createSessionManager(options: SessionManagerOptions): SessionManager {
  const { consul, clock, node, wake } = options;
  const kept = new Map<string, Kept>();
  const ports: RenewalPorts = { ...options, turns: createRenewalTurns(clock) };
  const events: RenewalEvents = {
    lost: forget,
    deadline: wakeGroupOf,
    recovered: wakeGroupOf,
    attempted: options.metrics.renewal,
  };
  const byGroup = new Map<string, Set<string>>();
  const ended = createEndedSessions();
  const opening = createOpenings();
  const unconfirmed = createUnconfirmedOpenings({ sessions: (signal) => consul.listSessions(node, signal), adopt });
  /** Renewals that go on for a while for whoever has the group now. */
  const lingering = new Set<() => void>();
  let opened = 0;

  function keep(session: Omit<Kept, 'renewal'>, known: RenewedSession, acknowledgedMs: number): void {
    const { id } = known;
    const renewal = keepRenewed(ports, known, acknowledgedMs, events);
    kept.set(id, { ...session, renewal });
    byGroup.set(session.group, (byGroup.get(session.group) ?? new Set()).add(id));
    ended.followed(session.group, session.podUid);
  }

  function prove(id: SessionId): void {
    const session = kept.get(id);
    if (session === undefined) return;
    session.renewal.prove();
    ended.followed(session.group, session.podUid);
  }

  function wakeGroupOf(id: SessionId): void {
    const session = kept.get(id);
    if (session !== undefined) wake(session.group);
  }

  function forget(id: SessionId): void {
    const session = letGo(kept, byGroup, id);
    if (session === undefined) return;
    ended.note(session.group, session.podUid, { id, deadlineMs: session.renewal.deadlineMs() });
    wake(session.group);
  }

  const keys = (): readonly string[] => [...new Set([...byGroup.keys(), ...opening.keys(), ...ended.keys()])];

  const shown = ({ renewal, podUid, lockDelayMs }: Kept): MemberSession => ({
    id: renewal.id,
    podUid,
    ttlMs: renewal.ttlMs,
    lockDelayMs,
    deadlineMs: renewal.deadlineMs(),
    proven: renewal.proven(),
  });

  const sessionsOf = (key: string): readonly Kept[] =>
    [...(byGroup.get(key) ?? [])].flatMap((id) => kept.get(id) ?? []).toSorted((a, b) => a.order - b.order);

  async function open(group: LeaderGroup, pod: PodRef, signal: AbortSignal): Promise<void> {
    const { sessionTtlMs: ttlMs, lockDelayMs } = group.spec;
    const name = sessionName(group.namespace, group.name, pod.uid);
    const key = groupKey(group);
    if (unconfirmed.isUnconfirmed(key, pod.uid)) {
      await unconfirmed.confirmed(key, pod.uid, signal);
      if (has(key, pod, group)) return;
    }
    const sentMs = clock.nowMs();
    using attempt = opening.begin(key);
    const id = await consul.createSession({ node, name, ttlMs, lockDelayMs }, signal).catch((error: unknown) => {
      const unknown = error instanceof ConsulError && error.kind === 'unknown';
      if (unknown && attempt.wanted()) unconfirmed.note(key, pod.uid, { ttlMs, lockDelayMs });
      throw error;
    });
    if (!attempt.wanted() || kept.has(id)) return;
    opened += 1;
    const order = Number.MAX_SAFE_INTEGER / 2 + opened;
    keep({ group: key, podUid: pod.uid, pod, lockDelayMs, order }, { id, ttlMs, spare: true }, sentMs);
  }

  const has = (key: string, { uid }: PodRef, { spec }: LeaderGroup): boolean =>
    sessionsOf(key).some(
      ({ podUid, renewal, lockDelayMs }) =>
        podUid === uid && renewal.ttlMs === spec.sessionTtlMs && lockDelayMs === spec.lockDelayMs,
    );

  async function adopt(session: ConsulSession, signal: AbortSignal, { spare } = { spare: false }): Promise<boolean> {
    const named = parseSessionName(session.name);
    if (named === null || session.node !== node || session.ttlMs <= 0) return false;
    if (kept.has(session.id)) return true;
    const group = groupKey({ namespace: named.namespace, name: named.group });
    const sentMs = clock.nowMs();
    using attempt = opening.begin(group);
    if ((await consul.renewSession(session.id, signal)) === 'lost') return false;
    const { lockDelayMs, createIndex: order, ttlMs } = session;
    if (attempt.wanted() && !kept.has(session.id))
      keep({ group, podUid: named.podUid, pod: null, lockDelayMs, order }, { id: session.id, ttlMs, spare }, sentMs);
    return true;
  }

  /** They are nobody's of ours any more, nor is what is being opened just now. */
  function release(key: string): readonly Renewal[] {
    opening.drop(key);
    unconfirmed.drop(key);
    const renewals = sessionsOf(key).map(({ renewal }) => renewal);
    for (const { id } of renewals) kept.delete(id);
    byGroup.delete(key);
    ended.drop(key);
    return renewals;
  }

  function linger(renewal: Renewal): void {
    const stop = (): void => {
      cancel();
      lingering.delete(stop);
      renewal.stop();
    };
    const cancel = clock.after(LINGER_MS, stop);
    lingering.add(stop);
  }

  async function retire(id: SessionId, signal: AbortSignal): Promise<void> {
    const session = letGo(kept, byGroup, id);
    if (session === undefined || session.pod === null) return;
    const { namespace, name, uid } = session.pod;
    const now = await options.kubernetes.getPod(namespace, name, signal);
    if (now === null || now.uid !== uid) await consul.destroySession(id, signal);
  }

  return {
    of: (key) => sessionsOf(key).map(shown),
    session: (key, id) => {
      const session = kept.get(id);
      return session?.group === key ? shown(session) : null;
    },
    ended: ended.of,
    open,
    adopt,
    prove,
    holds: (key, id) => {
      for (const each of byGroup.get(key) ?? []) kept.get(each)?.renewal.hold(each === id);
    },
    lost: forget,
    retire,
    drop: (key) => release(key).forEach((renewal) => renewal.stop()),
    leave: (key) => release(key).forEach(linger),
    end: () => {
      for (const key of keys()) for (const renewal of release(key)) renewal.stop();
      for (const stop of lingering) stop();
    },
    count: () => kept.size,
    keys,
    nearestDeadlineMs: () => {
      let nearest: MonotonicMs | null = null;
      for (const { renewal } of kept.values()) nearest = Math.min(nearest ?? Infinity, renewal.deadlineMs());
      return nearest;
    },
  };
}

/** By group, what is being opened or adopted: where the group is dropped meanwhile it is not this replica's. */
function createOpenings() {
  const opening = new Map<string, Set<symbol>>();
  return {
    begin: (key: string): Disposable & { wanted(): boolean } => {
      const attempt = Symbol(key);
      const attempts = opening.get(key) ?? new Set<symbol>();
      opening.set(key, attempts.add(attempt));
      return {
        wanted: () => opening.get(key)?.has(attempt) === true,
        [Symbol.dispose]: () => {
          if (attempts.delete(attempt) && attempts.size === 0 && opening.get(key) === attempts) opening.delete(key);
        },
      };
    },
    drop: (key: string): void => void opening.delete(key),
    keys: () => opening.keys(),
  };
}

/** It is renewed no more; undefined: it was not. */
function letGo(kept: Map<string, Kept>, byGroup: Map<string, Set<string>>, id: SessionId): Kept | undefined {
  const session = kept.get(id);
  if (session === undefined) return undefined;
  session.renewal.stop();
  kept.delete(id);
  byGroup.get(session.group)?.delete(id);
  if (byGroup.get(session.group)?.size === 0) byGroup.delete(session.group);
  return session;
}
