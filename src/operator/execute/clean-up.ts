/** Takes the group's traces off its pods, when it is being deleted. */
import { fencedAnnotation, sinceAnnotation, tokenAnnotation } from '../../api/names.ts';
import type { PodVersion } from '../../election/actions.ts';
import { costOfDemotion } from '../../election/deletion-cost.ts';
import type { MetadataPatch } from '../../ports/kubernetes.ts';
import { inParallel } from '../common/in-parallel.ts';
import { AT_ONCE, latestVersion, patched, sendPatch } from './patches.ts';
import { progressOf, type Run, type Step, worst } from './run.ts';

/** For so long traces are taken off whatever fails. */
const CLEANING_MS = 5000;

/**
 * Takes this group's traces off its pods. A pod that is gone needs nothing. Where writes fail and time is over no other is begun: each may hang
 * for seconds, and of a pass that takes minutes little counts (see noteDeletion), so the group would stay for many of them.
 */
export async function cleanUp(
  run: Run,
  pods: readonly { readonly pod: PodVersion; readonly label: 'remove' | 'keep' }[],
): Promise<Step> {
  const { name, spec } = run.group;
  const ours = { [tokenAnnotation(name)]: null, [sinceAnnotation(name)]: null, [fencedAnnotation(name)]: null };
  const startedMs = run.ports.clock.nowMs();
  let failure: Step | null = null;
  const clean = async (pod: PodVersion, label: 'remove' | 'keep'): Promise<Step> => {
    if (failure !== null && run.ports.clock.nowMs() - startedMs >= CLEANING_MS) return failure;
    const labels = label === 'remove' ? { [spec.label.key]: null } : {};
    const read = run.answers.get(pod.uid) ?? run.podsByUid.get(pod.uid)?.pod;
    const annotations = { ...ours, ...(read === undefined ? {} : costOfDemotion(run.group, read)) };
    const step = await patchOrReread(run, pod, { labels, annotations });
    if (step.kind === 'failed') failure = step;
    return step;
  };
  return worst(await inParallel(pods, AT_ONCE, ({ pod, label }) => clean(pod, label), progressOf(run)));
}

async function patchOrReread(run: Run, pod: PodVersion, patch: MetadataPatch): Promise<Step> {
  const version = latestVersion(run, pod);
  return await patched(run, pod, await sendPatch(run, pod, version, patch));
}
