/** One execution of a plan that a test has written by hand, over Consul and an API server in memory. */
import type { Pod } from '../../../src/api/pod.ts';
import type { Fence, Look, Moves, Plan, Preparation, Take } from '../../../src/election/actions.ts';
import { groupKeys, syntheticNode } from '../../../src/election/keys.ts';
import { look, quietly, transition } from '../../../src/election/plans.ts';
import { transaction } from '../../../src/election/transactions.ts';
import { execute } from '../../../src/operator/execute/execute.ts';
import { beginRun, type Step } from '../../../src/operator/execute/run.ts';
import { createLocks } from '../../../src/operator/locks/locks.ts';
import { createMemory } from '../../../src/operator/observe/remember.ts';
import { createSessionManager } from '../../../src/operator/sessions/sessions.ts';
import type { KvEntry } from '../../../src/ports/consul.ts';
import { aGroup, aPod } from '../fakes/builders.ts';
import { aFreeLock, anObservation, FENCE, observed } from '../fakes/builders-election.ts';
import { createFakeClock, createFakeRandom } from '../fakes/clock.ts';
import { createLink } from './link.ts';
import { SPACE } from './replica.ts';
import { noMetrics, noNews } from './sinks.ts';
import { createWorldApiServer } from './world-api-server.ts';
import { createWorldConsul } from './world-consul.ts';

export const NODE = syntheticNode(SPACE);
export const KEYS = groupKeys(SPACE, { namespace: 'default', name: 'notifier' }, null);

/** A group with these pods, observed as they are; a's session, the bucket and the lock (never written) are there. */
export async function aStage(...pods: readonly Pod[]) {
  const clock = createFakeClock();
  const api = createWorldApiServer();
  const consul = createWorldConsul(clock);
  const group = api.foreign.addGroup(aGroup());
  const stored = pods.map((pod) => api.foreign.addPod(pod));
  consul.requests.registerNode(NODE);
  const link = createLink('executor', api, consul, () => undefined);
  const random = createFakeRandom('guard');
  const ports = { consul: link.consul, clock, random, marginMs: 2000, metrics: noMetrics };
  const sessionManager = createSessionManager({
    ...ports,
    kubernetes: link.kubernetes,
    node: NODE,
    wake: () => undefined,
  });
  const locks = createLocks(link.consul, SPACE);
  const signal = new AbortController().signal;
  for (const pod of stored) await sessionManager.open(group, pod, signal);
  const session = consul.foreign.openSession({ node: NODE, name: 'replica/r1', ttlMs: 0, lockDelayMs: 0 });
  consul.foreign.lock(FENCE.key, session, null);
  const guard = { key: FENCE.key, session };
  await locks.read(group, signal);
  const invalidated: string[] = [];
  const progress: string[] = [];
  const grantUntilMs = 0;
  const run = beginRun({
    ports: {
      consul: link.consul,
      kubernetes: link.kubernetes,
      routing: link.routing,
      foreignLists: { of: () => Promise.resolve([]) },
      routeNews: noNews,
      listPods: link.kubernetes.listPods,
      clock,
      random,
      sessionManager,
      locks,
      invalidateOwnership: () => invalidated.push('bucket'),
      syntheticNode: NODE,
      owners: { read: () => Promise.resolve() },
      prober: { search: () => true, promotions: { ask: () => true } },
      turns: { take: () => 0 },
      repaired: () => undefined,
      sliceWritten: () => undefined,
      progress: (key) => progress.push(key),
      grants: { untilMs: () => grantUntilMs },
      revoked: () => undefined,
      revoking: () => undefined,
    },
    observation: anObservation({
      group,
      keys: KEYS,
      pods: stored.map((pod) => observed(pod)),
      sessions: sessionManager.of('default/notifier'),
      lock: locks.view(group),
    }),
    memory: createMemory(),
    signal,
  });
  const act = (plan: Plan): Promise<Step> => execute(plan, run);

  /** Takes the free lock for a pod. */
  function take(pod: Pod): Take {
    const view = locks.view(group) ?? fail('the lock has not been read yet');
    const held =
      sessionManager.of('default/notifier').find(({ podUid }) => podUid === pod.uid) ??
      fail(`pod ${pod.name} has no session`);
    return transaction.take(run.observation, aFreeLock(view, guard), held, pod);
  }

  const lock = (): KvEntry | null => consul.entry(KEYS.lock);
  const taking = (pod: Pod, ...fence: readonly Fence[]): Plan => moving({ fence, lock: take(pod), after: [] });

  /** Takes the free lock for a pod and promotes it. */
  const elect = (pod: Pod, ...fence: readonly Fence[]): Plan =>
    moving({ fence, lock: take(pod), after: [{ do: 'promote', resourceVersion: pod.resourceVersion }] });

  const [a = aPod(), b = aPod()] = stored;
  return {
    clock,
    api,
    consul,
    link,
    sessionManager,
    locks,
    run,
    act,
    take,
    taking,
    elect,
    lock,
    invalidated,
    progress,
    a,
    b,
    session,
  };
}

const moving = (moves: Moves): Plan => transition(quietly(''), moves);

export const looking = (...after: readonly Preparation[]): Look => look(after, '');

function fail(message: string): never {
  throw new Error(message);
}
