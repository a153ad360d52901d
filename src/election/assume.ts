/** What an observation is after an action of a plan, where everything that is asked is answered and every write succeeds. Pure. */

import { sessionId } from '../api/ids.ts';
import { FINALIZER, fencedAnnotation } from '../api/names.ts';
import type { PodRef } from '../api/pod.ts';
import type { Fence, Look, Preparation } from './actions.ts';
import type { MemberSession, Observation, ObservedPod } from './observation.ts';

/** `assumed`: a sentence, where an answer of somebody else was taken for granted; null: nothing was. */
export type Assumed = { readonly o: Observation; readonly assumed: string | null };

/** null: nobody can know what it brings. */
export type Assumption = Assumed | null;

export function assumeAll(
  o: Observation,
  { fence, after }: Look,
): { o: Observation; assumed: readonly string[] } | null {
  const said: string[] = [];
  let now = o;
  for (const action of [...fence, ...after]) {
    const next = assume(now, action);
    if (next === null) return null;
    now = next.o;
    if (next.assumed !== null) said.push(next.assumed);
  }
  return { o: now, assumed: said };
}

const quietly = (o: Observation): Assumed => ({ o, assumed: null });

type Supposable = Fence | Preparation;

function assume(o: Observation, action: Supposable): Assumption {
  const brings = BRINGS[action.do] as ((o: Observation, action: Supposable) => Assumption) | undefined;
  return brings?.(o, action) ?? null;
}

/** What is not here can be known by nobody before it is done, or has no part in who leads. */
const BRINGS: {
  readonly [What in Supposable['do']]?: (o: Observation, action: Extract<Supposable, { do: What }>) => Assumption;
} = {
  readLock: (o) =>
    o.lock === null ? null : quietly({ ...o, untouched: o.untouched === 'unread' ? 'read' : o.untouched }),
  readGroup: (o) => quietly(groupRead(o)),
  listPods: (o) => quietly({ ...o, freshList: true }),
  readOwners: (o) => ({ o: ownersRead(o), assumed: 'no controller of its pods selects by the label' }),
  readTrials: (o) => ({ o: trialsRead(o), assumed: 'the controllers keep the pods whose label was written' }),
  readRival: (o) => quietly({ ...o, overlapConfirmed: true }),
  readContester: (o, { pod }) => quietly(contesterKnown(o, pod)),
  askCandidates: (o) => ({ o: withoutProbe(o), assumed: 'every candidate responds to the leader probe' }),
  askBeforePromotion: (o, { pods }) => ({
    o: allPass(o, pods),
    assumed: 'whoever is asked before its promotion passes',
  }),
  addFinalizer: (o) => quietly({ ...o, group: { ...o.group, finalizers: [...o.group.finalizers, FINALIZER] } }),
  awaitTurn: (o) => quietly({ ...o, preemption: { ...o.preemption, turnMs: o.nowMs, confirmed: true } }),
  openSessions: (o, { pods }) => quietly({ ...o, sessions: [...o.sessions, ...pods.map((pod) => opened(o, pod))] }),
  destroySessions: (o, { sessions }) =>
    quietly({ ...o, sessions: o.sessions.filter(({ id }) => !sessions.includes(id)) }),
  fence: (o, action) => quietly(fenced(o, action)),
};

const groupRead = (o: Observation): Observation => ({
  ...o,
  groupKnown: true,
  groupConfirmed: true,
  switchover: { ...o.switchover, confirmed: true },
  preemption: { ...o.preemption, confirmed: true },
});

const mapPods = (o: Observation, change: (observed: ObservedPod) => ObservedPod): Observation => ({
  ...o,
  pods: o.pods.map(change),
});

const ownersRead = (o: Observation): Observation =>
  mapPods(o, (observed) =>
    observed.owner.kind === 'unread'
      ? { ...observed, owner: { kind: 'clear', workload: '', template: false, placement: false } }
      : observed,
  );

const trialsRead = (o: Observation): Observation =>
  mapPods(o, (observed) =>
    observed.owner.kind === 'unreadable' && observed.owner.trial !== null
      ? { ...observed, owner: { ...observed.owner, trial: { ...observed.owner.trial, kept: true, leftMs: 0 } } }
      : observed,
  );

const contesterKnown = (o: Observation, { uid }: PodRef): Observation =>
  mapPods(o, (observed) =>
    observed.pod.uid === uid && observed.contest !== null
      ? { ...observed, contest: { ...observed.contest, by: observed.contest.by ?? 'somebody' } }
      : observed,
  );

const withoutProbe = (o: Observation): Observation => ({
  ...o,
  probe: null,
  group: { ...o.group, spec: { ...o.group.spec, leaderProbe: null } },
});

function allPass(o: Observation, pods: readonly PodRef[]): Observation {
  const { beforePromotion: view, nowMs } = o;
  if (view === null) return o;
  const passed = pods.map(({ uid }) => [uid, { kind: 'passed', askedMs: nowMs }] as const);
  return { ...o, beforePromotion: { ...view, answers: new Map([...view.answers, ...passed]) } };
}

const opened = ({ nowMs, group: { spec } }: Observation, { uid }: PodRef): MemberSession => ({
  id: sessionId(`assumed of ${uid}`),
  podUid: uid,
  ttlMs: spec.sessionTtlMs,
  lockDelayMs: spec.lockDelayMs,
  deadlineMs: nowMs + spec.sessionTtlMs,
  proven: true,
});

function fenced(o: Observation, { targets }: Fence): Observation {
  const { name, spec } = o.group;
  const labels = new Map(targets.map(({ pod, label }) => [pod.uid, label]));
  const uids = new Set([...labels.keys(), ...o.pods.map(({ pod }) => pod.uid).filter((uid) => o.fenced.has(uid))]);
  const after = mapPods(o, (observed) => {
    const label = labels.get(observed.pod.uid);
    if (label === undefined) return observed;
    const { [spec.label.key]: _, ...others } = observed.pod.labels;
    const kept = label === 'remove' ? others : observed.pod.labels;
    const { follower } = spec.label;
    const as = label === 'follower' && follower !== null ? { ...others, [spec.label.key]: follower } : kept;
    const annotations = { ...observed.pod.annotations, [fencedAnnotation(name)]: 'assumed' };
    return { ...observed, pod: { ...observed.pod, labels: as, annotations } };
  });
  return { ...after, fenced: uids };
}
