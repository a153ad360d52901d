/** Promotion: the label goes on, under the proof of a transaction of the same run. */
import { fencedAnnotation, sinceAnnotation, tokenAnnotation } from '../../api/names.ts';
import type { PodVersion, Promote } from '../../election/actions.ts';
import { askedFirst } from '../../election/before-promotion.ts';
import { finished } from '../../election/candidates.ts';
import { costOfPromotion } from '../../election/deletion-cost.ts';
import type { MetadataPatch } from '../../ports/kubernetes.ts';
import { type Refused, writeRefusal } from '../observe/refusals.ts';
import { isUndone, latestVersion, noteRefused, repaired, reread, sendPatch } from './patches.ts';
import { again, failed, noteWritten, OK, type Proof, type Run, type Step, timed } from './run.ts';
import { show } from './write-slices.ts';

/**
 * Sets the label of the pod that this run's own transaction has proven to hold the lock, with its token (promise I2). The resourceVersion
 * is the one read before that transaction: by the observation, or by this run's fencing patch of the same pod.
 */
export async function promote(run: Run, proof: Proof, { resourceVersion, show: shown }: Promote): Promise<Step> {
  if (isTooLate(run, proof)) return again(`what pod ${proof.pod.name} answered before its promotion is too old by now`);
  if (hasFinished(run, proof)) return again(`pod ${proof.pod.name} has finished`);
  const label = timed(run, 'promotion', () => setLabel(run, proof, resourceVersion));
  if (shown === undefined) return await label;
  // Together, so that neither waits for the other. The label is the promotion: whatever becomes of the slices, what follows it is done, and once.
  const [labelled, slices] = await Promise.all([label, timed(run, 'route', () => show(run, proof, shown))]);
  run.slices.push(slices);
  return labelled;
}

/** This process has stood still since the plan was made, say: whoever has got the lock is asked anew. (Promise I16.) */
function isTooLate({ observation, podsByUid, ports }: Run, { pod: { uid } }: Proof): boolean {
  const observed = podsByUid.get(uid);
  return observed !== undefined && askedFirst({ ...observation, nowMs: ports.clock.nowMs() }, [observed]) !== null;
}

/**
 * So that no promotion names a version of a pod that shows its end: then that end makes void whatever was under way, and where the record is lost one that
 * has finished needs no fencing.
 */
function hasFinished({ answers }: Run, { pod: { uid } }: Proof): boolean {
  const answered = answers.get(uid);
  return answered !== undefined && finished(answered);
}

async function setLabel(run: Run, proof: Proof, resourceVersion: string): Promise<Step> {
  const { memory, ports } = run;
  const pod: PodVersion = { ...proof.pod, resourceVersion };
  const version = latestVersion(run, pod);
  const before = memory.now.perhapsPromoted.has(pod.uid);
  memory.learn({ kind: 'promotionSent', uid: pod.uid });
  const outcome = await sendPatch(run, pod, version, promotionPatch(run, proof));
  switch (outcome.kind) {
    case 'done':
      noteWritten(run, outcome.object);
      if (isUndone(run, pod)) repaired(run, outcome.object);
      memory.learn({ kind: 'promoted', uid: pod.uid, token: proof.token });
      run.facts.push({
        kind: 'promoted',
        pod: outcome.object,
        token: proof.token,
        atMs: ports.clock.nowMs(),
      });
      return OK;
    case 'gone':
      memory.learn({ kind: 'podGone', uid: pod.uid });
      return again(`pod ${pod.name} is gone`);
    case 'conflict':
      return reread(run, pod);
    case 'refused':
      refusePromotion(run, pod, outcome, !before);
      return again(outcome.message);
    case 'unknown':
      return failed(`promoting pod ${pod.name}: ${outcome.message}`);
  }
}

/** `first`: no other promotion of the pod was sent before. */
function refusePromotion(run: Run, { name, uid }: PodVersion, outcome: Refused, first: boolean): void {
  const { memory, ports } = run;
  const { newerPods, promotionRefusals } = memory.now;
  const pod = newerPods.get(uid) ?? run.podsByUid.get(uid)?.pod ?? null;
  const what = `labelling pod ${name}`;
  const about = { what, pod, generation: run.group.generation };
  const refusal = writeRefusal(ports.clock, promotionRefusals.get(uid), outcome, about);
  memory.learn({ kind: 'promotionRefused', uid, refusal, first });
  noteRefused(run, name, what, outcome);
}

function promotionPatch(run: Run, { pod: { uid }, token }: Proof): MetadataPatch {
  const { name, spec } = run.group;
  const observed = run.podsByUid.get(uid);
  const pod = run.answers.get(uid) ?? observed?.pod;
  const cost = observed === undefined || pod === undefined ? {} : costOfPromotion(run.group, { ...observed, pod });
  return {
    labels: { [spec.label.key]: spec.label.leader },
    annotations: {
      [tokenAnnotation(name)]: String(token),
      [sinceAnnotation(name)]: new Date(run.ports.clock.wallMs()).toISOString(),
      [fencedAnnotation(name)]: null,
      ...cost,
    },
  };
}
