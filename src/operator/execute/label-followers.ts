/** Followers' labels: a convenience, written after a verification. */
import type { LabelFollowers, PodVersion } from '../../election/actions.ts';
import type { MetadataPatch } from '../../ports/kubernetes.ts';
import { inParallel } from '../common/in-parallel.ts';
import { type Refused, writeRefusal } from '../observe/refusals.ts';
import { AT_ONCE, latestVersion, noteRefused, patched, sendPatch } from './patches.ts';
import { OK, progressOf, type Run, type Step, worst } from './run.ts';

export async function labelFollowers(run: Run, { follower, pods }: LabelFollowers): Promise<Step> {
  const patch: MetadataPatch = { labels: { [run.group.spec.label.key]: follower }, annotations: {} };
  const refusals: { readonly pod: string; readonly outcome: Refused }[] = [];
  const refuse = (pod: PodVersion, outcome: Refused): void => void refusals.push({ pod: pod.name, outcome });
  const steps = await inParallel(pods, AT_ONCE, (pod) => labelFollower(run, pod, patch, refuse), progressOf(run));
  refuseFollowers(run, refusals);
  return worst(steps);
}

/** One for all: a policy that refuses a thousand pods is reported once. */
function refuseFollowers(run: Run, refusals: readonly { readonly pod: string; readonly outcome: Refused }[]): void {
  const { memory, ports, group } = run;
  const first = refusals[0];
  if (first === undefined) {
    memory.learn({ kind: 'followersLabelled', refusal: null });
    return;
  }
  const { pod, outcome } = first;
  const others = refusals.length > 1 ? ` and ${refusals.length - 1} more` : '';
  const what = `labelling follower ${pod}${others}`;
  const about = { what, pod: null, generation: group.generation };
  const refusal = writeRefusal(ports.clock, memory.now.followersRefused, outcome, about);
  memory.learn({ kind: 'followersLabelled', refusal });
  noteRefused(run, pod, what, outcome);
}

/** Followers' labels are a convenience: that they are refused must not unsettle a group that is led. */
async function labelFollower(
  run: Run,
  pod: PodVersion,
  patch: MetadataPatch,
  refuse: (pod: PodVersion, outcome: Refused) => void,
): Promise<Step> {
  const version = latestVersion(run, pod);
  const outcome = await sendPatch(run, pod, version, patch);
  if (outcome.kind === 'refused') {
    refuse(pod, outcome);
    return OK;
  }
  if (outcome.kind === 'done') noteRepair(run, pod);
  return await patched(run, pod, outcome);
}

/** The first one within a minute is no repair: it is a follower from now on. */
function noteRepair({ memory, ports }: Run, { uid }: PodVersion): void {
  memory.learn({ kind: 'podRepaired', uid, atMs: ports.clock.nowMs(), atWallMs: ports.clock.wallMs() });
  if ((memory.now.repairs.get(uid)?.count ?? 0) > 1) ports.repaired();
}
