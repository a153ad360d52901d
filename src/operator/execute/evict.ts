/** Asks for the eviction of whoever led before. Whatever comes of it the next one leads, so it holds nothing up. */
import type { Pod } from '../../api/pod.ts';
import type { Evict, FollowUp, Pass, Verify } from '../../election/actions.ts';
import { isFormer } from '../../election/eviction.ts';
import { KubernetesError } from '../../ports/kubernetes.ts';
import { OK, type Run, type Step } from './run.ts';

/** At the version in which its fencing patch has left it, or a later one that shows it fenced. */
export async function evict(run: Run, { pod: { uid, name } }: Evict): Promise<Step> {
  // Before it is sent: whatever becomes of it, it is not asked for again.
  run.memory.learn({ kind: 'evictionAsked', uid });
  const known = run.answers.get(uid) ?? run.memory.now.newerPods.get(uid) ?? run.podsByUid.get(uid)?.pod;
  const kept = known === undefined ? 'it is not known any more' : await ask(run, known);
  run.facts.push({ kind: 'evicted', pod: name, kept });
  return OK;
}

/** null: it was done, or there is nobody any more. */
async function ask(run: Run, pod: Pod, mayRead = true): Promise<string | null> {
  if (!isFormer(run.observation, pod)) return 'it is not as its fencing patch has left it';
  const outcome = await run.ports.routing.evict(pod, pod.resourceVersion, run.signal);
  switch (outcome.kind) {
    case 'done':
    case 'gone':
      return null;
    case 'conflict':
      return mayRead ? await askAgain(run, pod) : outcome.message;
    case 'refused':
    case 'unknown':
      return outcome.message;
  }
}

/** Its kubelet may have said something of it since. */
async function askAgain(run: Run, { namespace, name, uid }: Pod): Promise<string | null> {
  try {
    const found = await run.ports.kubernetes.getPod(namespace, name, run.signal);
    return found === null || found.uid !== uid || found.deleting ? null : await ask(run, found, false);
  } catch (error) {
    run.signal.throwIfAborted();
    if (error instanceof KubernetesError) return error.message;
    throw error;
  }
}

/** What is put off for longer than that is not done any more. */
const OWED_MS = 60_000;

/**
 * Before the lock moves: the promotion may meet a conflict, or have no answer, and is planned anew then without the former leader. Where the next one was refused
 * its label, or nobody knows yet whether it has got it, and another one leads in its place, that goes for whoever led before both.
 */
export function oweEvictions(run: Run, lock: Pass | Verify, after: readonly FollowUp[]): void {
  if (lock.do === 'verify') return;
  const { memory, observation, ports } = run;
  const next = lock.transaction.to.pod.uid;
  const untilMs = ports.clock.nowMs() + OWED_MS;
  const evicted = after.flatMap((action) => (action.do === 'evict' ? [{ uid: action.pod.uid, untilMs }] : []));
  const left = memory.now.owedEvictions;
  const from = observation.lock?.record?.holder.uid ?? null;
  const before = left !== null && [left.from, left.next].includes(from) ? left.formers : [];
  const earlier = before.filter(({ uid }) => uid !== next && !evicted.some((each) => each.uid === uid));
  const formers = [...earlier, ...evicted];
  memory.learn({ kind: 'evictionsOwed', evictions: formers.length === 0 ? null : { formers, from, next } });
}
