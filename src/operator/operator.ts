/**
 * One replica: watches and timers only put keys into the queue; a worker takes a key, and the reconciler does the rest. Nothing
 * here decides anything.
 */
import type { ParsedLeaderGroup } from '../api/leadergroup.ts';
import type { Pod } from '../api/pod.ts';
import type { Diagnostics } from '../ports/diagnostics.ts';
import type { Gate } from '../ports/gate.ts';
import type { Watch, WatchHandler } from '../ports/kubernetes.ts';
import { assemble } from './assemble.ts';
import type { OperatorOptions } from './options.ts';
import { createGauges } from './report/gauges.ts';
import type { ReplicasOverview } from './sharding/ownership.ts';

export type Operator = {
  /** Runs until `signal` aborts, then gives its buckets up and resolves. Rejects with ForeignClusterError only. */
  run(signal: AbortSignal): Promise<void>;
  /** Kinds whose first list has not arrived; empty when all have. */
  unsynced(): readonly string[];
  /** Why Consul has not let this replica in; null when it has. */
  consulProblem(): string | null;
  /** What keeps the watches from their work; empty when nothing does. */
  watchProblems(): readonly string[];
  /** Why only a restart helps; null while this replica works. It has given its buckets up then. */
  stuck(): string | null;
  readonly gate: Gate;
  readonly diagnostics: Diagnostics;
  /** Which replicas there are and who has which buckets, as this one last saw it. */
  replicas(): ReplicasOverview;
};

const SAMPLE_MS = 5000;
const SHUTDOWN_GRACE_MS = 1000;

export function createOperator(options: OperatorOptions): Operator {
  const { clock } = options;
  const unsynced = new Set(['pods', 'leadergroups', 'nodes']);
  const allSynced = Promise.withResolvers<void>();
  const stopping = new AbortController();
  const parts = assemble(options, stopping.signal, () => unsynced.size === 0);
  const { store, ownership, queue, peers, heard, reach, watchHealth, routeWatching, sessionManager } = parts;

  function runWatch<T>(
    kind: string,
    watch: Watch<T>,
    changed: (before: T | null, after: T | null) => readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const handler: WatchHandler<T> = {
      changed: (before, after) => {
        for (const key of changed(before, after)) queue.add(key);
      },
      synced: () => {
        unsynced.delete(kind);
        if (unsynced.size > 0) return;
        for (const key of store.groupKeys()) queue.add(key);
        allSynced.resolve();
      },
      listed: (namespace) => {
        if (kind === 'leadergroups') wakeNamespace(namespace);
      },
    };
    const onProblem = (problem: string | null): void => {
      watchHealth.problem(kind, problem);
      if (kind === 'nodes') store.keysNeedingNodes().forEach((key) => queue.add(key));
    };
    return watch.run(handler, onProblem, signal);
  }

  /** Also groups that turn out to be gone: their sessions are dropped. */
  function wakeNamespace(namespace: string): void {
    for (const key of [...store.groupKeys(), ...sessionManager.keys()])
      if (key.startsWith(`${namespace}/`)) queue.add(key);
  }

  function podChanged(before: Pod | null, after: Pod | null): readonly string[] {
    const keys = store.podChanged(before, after);
    peers.podChanged(after);
    if (before !== null) for (const key of keys) if (isGone(key, before, after)) heard.gone(key, before.uid);
    return keys;
  }

  function groupChanged(before: ParsedLeaderGroup | null, after: ParsedLeaderGroup | null): readonly string[] {
    const keys = store.groupChanged(before, after);
    routeWatching.groupChanged(before, after);
    return keys;
  }

  const isGone = (key: string, before: Pod, after: Pod | null): boolean =>
    before.uid !== after?.uid || !store.concerns(key, before.name);

  function startWatches(signal: AbortSignal): readonly Promise<void>[] {
    const { pods, groups, nodes } = options.watch;
    return [
      runWatch('pods', pods, podChanged, signal),
      runWatch('leadergroups', groups, groupChanged, signal),
      runWatch('nodes', nodes, store.nodeChanged, signal),
    ];
  }

  /** Consul is joined once the caches are full: an owner that sees half of the pods decides wrongly. */
  async function own(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([allSynced.promise, aborted]);
    if (!signal.aborted) await ownership.run(signal);
  }

  async function sample(signal: AbortSignal): Promise<void> {
    const gauges = createGauges(options, parts);
    while (!signal.aborted) {
      gauges.record();
      await clock.sleep(SAMPLE_MS, signal).catch(() => undefined);
    }
  }

  async function shutDown(running: readonly Promise<void>[]): Promise<void> {
    const grace = new AbortController();
    await Promise.race([queue.stop(), clock.sleep(SHUTDOWN_GRACE_MS, grace.signal).catch(() => undefined)]);
    grace.abort();
    stopping.abort(new Error('the operator is stopping'));
    await ownership.release();
    parts.sessionManager.end();
    await Promise.allSettled(running);
  }

  return {
    run: async (signal) => {
      const failed = new AbortController();
      const either = AbortSignal.any([signal, failed.signal]);
      const owning = own(either).finally(() => failed.abort());
      const running = [
        ...startWatches(either),
        routeWatching.run(either),
        sample(either),
        reach.run(either),
        parts.sweep(either),
      ];
      await owning.catch(() => undefined);
      await shutDown(running);
      await owning;
    },
    unsynced: () => [...unsynced],
    consulProblem: ownership.problem,
    watchProblems: watchHealth.problems,
    stuck: parts.stuck,
    gate: parts.gate,
    diagnostics: parts.diagnosticsOf(() => [...unsynced]),
    replicas: ownership.overview,
  };
}
