/** Asks for the eviction of whoever led before. Whatever comes of it the next one leads, so it holds nothing up. */
import type { Pod } from '../../api/pod.ts';
import type { Evict } from '../../election/actions.ts';
import { isFormer } from '../../election/eviction.ts';
import { KubernetesError } from '../../ports/kubernetes.ts';
import { OK, type Run, type Step } from './run.ts';

/** At the version in which its fencing patch has left it, or a later one that shows it fenced. */
export async function evict(run: Run, { pod: { uid, name } }: Evict): Promise<Step> {
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
