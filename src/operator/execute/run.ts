/** What one execution of a plan knows: the plan's premises, and what its actions have brought so far. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid } from '../../api/ids.ts';
import type { LeaderGroup } from '../../api/leadergroup.ts';
import type { Pod, PodRef } from '../../api/pod.ts';
import type { Observation, ObservedPod } from '../../election/observation.ts';
import { believable, tokenOf } from '../../election/token.ts';
import type { Clock, Random } from '../../ports/clock.ts';
import type { Consul } from '../../ports/consul.ts';
import type { Kubernetes, Routing, WriteOutcome } from '../../ports/kubernetes.ts';
import type { StepName, TimedStep } from '../../ports/traces.ts';
import type { RouteWatching } from '../cache/route-news.ts';
import { groupKey } from '../cache/store.ts';
import type { Grants } from '../gate/grants.ts';
import type { Locks } from '../locks/locks.ts';
import type { Owners } from '../observe/owners.ts';
import type { Memory } from '../observe/remember.ts';
import type { Prober } from '../probe/prober.ts';
import type { SessionManager } from '../sessions/sessions.ts';
import type { ForeignLists } from './foreign-lists.ts';
import type { NamespaceLists } from './namespace-lists.ts';
import type { Turns } from './turns.ts';

export type ExecutorPorts = {
  readonly consul: Consul;
  readonly kubernetes: Kubernetes;
  readonly routing: Routing;
  readonly foreignLists: Pick<ForeignLists, 'of'>;
  readonly routeNews: Pick<RouteWatching, 'mark'>;
  readonly listPods: NamespaceLists;
  readonly clock: Clock;
  readonly random: Random;
  readonly sessionManager: SessionManager;
  readonly locks: Locks;
  /** The bucket may not be ours any more. */
  readonly invalidateOwnership: () => void;
  readonly syntheticNode: string;
  readonly grants: Pick<Grants, 'untilMs'>;
  /** The leader of this group is given no more grants, and is to hear of it. */
  readonly revoked: (group: string) => void;
  /** The leader of a group is given no more grants, for metrics. */
  readonly revoking: (outcome: 'begun') => void;
  readonly owners: Pick<Owners, 'read'>;
  readonly prober: Pick<Prober, 'search'> & { readonly promotions: Pick<Prober['promotions'], 'ask'> };
  readonly turns: Turns;
  /** A label was put right that somebody else had written, for metrics. */
  readonly repaired: () => void;
  /** A slice was written, or was not, for metrics. */
  readonly sliceWritten: (outcome: WriteOutcome<never>['kind']) => void;
  /** A pass over this group gets on: a large group may take minutes, and is not stuck. */
  readonly progress: (group: string) => void;
  /** Somebody collects traces: the steps of a change of leader are timed. Default: false. */
  readonly traced?: boolean;
};

/** A committed transaction of this run: the proof that a promotion needs (promise I2). */
export type Proof = { readonly pod: PodRef; readonly token: number };

/** What happened that people should hear of. */
export type Fact =
  | {
      readonly kind: 'promoted';
      readonly pod: Pod;
      readonly token: number;
      readonly atMs: MonotonicMs;
    }
  | {
      readonly kind: 'fenced';
      readonly pod: string;
      readonly uid: PodUid;
      readonly wasLeader: boolean;
      /** With which it led; 0 where it did not. */
      readonly token: number;
      readonly because: string;
    }
  /** Who led before was asked to go. `kept`: why it was not done; null: it was. */
  | { readonly kind: 'evicted'; readonly pod: string; readonly kept: string | null }
  /** The API server refused a write for good; in its own words. */
  | { readonly kind: 'refused'; readonly pod: string; readonly message: string };

export type Run = {
  readonly ports: ExecutorPorts;
  readonly group: LeaderGroup;
  readonly observation: Observation;
  /** Those of the observation: a plan may write them all, so none may be looked for. */
  readonly podsByUid: ReadonlyMap<PodUid, ObservedPod>;
  readonly memory: Memory;
  readonly signal: AbortSignal;
  readonly facts: Fact[];
  /** Pods as this run's own writes left them; read before any later transaction of the run. By uid. */
  readonly answers: Map<PodUid, Pod>;
  /** What became of slices that were written beside a label: it holds up nothing of the plan, and is planned anew after it. */
  readonly slices: Step[];
  /** What the steps of a change of leader took; empty where nobody collects traces. */
  readonly timings: TimedStep[];
};

export const beginRun = (premises: Pick<Run, 'ports' | 'observation' | 'memory' | 'signal'>): Run => ({
  ...premises,
  group: premises.observation.group,
  podsByUid: new Map(premises.observation.pods.map((observed) => [observed.pod.uid, observed])),
  facts: [],
  answers: new Map(),
  slices: [],
  timings: [],
});

/**
 * How an action ended. `again`: something was learnt, plan anew at once. `later`: a cache is behind, or somebody else
 * must move first. `failed`: tried again with growing delay.
 */
export type Step =
  | { readonly kind: 'ok' }
  | { readonly kind: 'again'; readonly reason: string }
  | { readonly kind: 'later'; readonly delayMs: number; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string };

export type NotOk = Exclude<Step, { readonly kind: 'ok' }>;

/** How a transaction that gives the lock to a pod ended. */
export type Locked = { readonly kind: 'ok'; readonly proof: Proof } | NotOk;

/** Notes how long this step of a change of leader takes, where somebody collects traces. */
export async function timed<Outcome extends { readonly kind: string }>(
  run: Run,
  name: StepName,
  step: () => Promise<Outcome>,
): Promise<Outcome> {
  const { clock, traced = false } = run.ports;
  if (!traced) return await step();
  const beginMs = clock.nowMs();
  let outcome = 'failed';
  try {
    const result = await step();
    outcome = result.kind;
    return result;
  } finally {
    run.timings.push({ name, beginMs, endMs: clock.nowMs(), outcome });
  }
}

export const OK: Step = { kind: 'ok' };
export const again = (reason: string): NotOk => ({ kind: 'again', reason });
export const later = (reason: string, delayMs = 200): NotOk => ({ kind: 'later', delayMs, reason });
export const failed = (reason: string): NotOk => ({ kind: 'failed', reason });

/** The first step that is not ok. */
export const worst = (steps: readonly Step[]): Step =>
  steps.find(({ kind }) => kind === 'failed') ?? steps.find(({ kind }) => kind !== 'ok') ?? OK;

/** The pass gets on, however much there is left: told of every item of an action, whatever became of it, and of every action. */
export const progressOf =
  ({ ports, group }: Run): (() => void) =>
  () =>
    ports.progress(groupKey(group));

export function notePod(run: Run, pod: Pod): void {
  run.answers.set(pod.uid, pod);
  run.memory.learn({ kind: 'podRead', pod });
}

/** As notePod, after a write of ours. */
export function noteWritten(run: Run, pod: Pod): void {
  run.answers.set(pod.uid, pod);
  run.memory.learn({ kind: 'podWritten', pod });
}

/** Highest token on any pod that this run's writes have shown. */
export const answeredToken = (run: Run): number =>
  Math.max(0, ...[...run.answers.values()].map((pod) => tokenOf(pod, run.group.name)).filter(believable));
