/** Of a controller that cannot be read one pod is written first: the trial. */
import type { PodUid } from '../api/ids.ts';
import type { Pod } from '../api/pod.ts';
import { type Action, type FollowUp, type Look, nextHolder, type Plan, type Transition } from './actions.ts';
import { labelled } from './candidates.ts';
import { refOf } from './fencing.ts';
import { labelWrites, withoutPods, writesOf } from './label-writes.ts';
import type { Observation, ObservedPod, TrialView } from './observation.ts';
import { unreadOwners } from './owners.ts';
import { idle, look, nothing, notReady, soonest, transition, withFirst } from './plans.ts';
import { tokenOf } from './token.ts';

/** After so long a controller that cannot be read must still have the pod that we wrote before more of its pods are written. */
export const TRIAL_MS = 2000;

/**
 * Before a plan writes a label the controllers of those pods have been asked for their selectors. Of one that may not be read a single pod
 * is written first; the rest waits until that pod has kept its controller.
 *
 * **Guarantees** What is left of a plan is a prefix of it, so its order still holds.
 */
export function withOwnersKnown(o: Observation, plan: Plan): Plan {
  const written = writesOf(o, plan);
  if (written.length === 0) return plan;
  const unread = written.flatMap(({ pod, owner }) => (owner.kind === 'unread' && pod.owner ? [pod.owner] : []));
  if (unread.length > 0) {
    const owners = [...new Map([...unread, ...unreadOwners(o)].map((owner) => [owner.uid, owner])).values()];
    return look([{ do: 'readOwners', owners, hurry: false }], 'reading the selectors of the controllers of the pods');
  }
  if (!written.some(({ owner }) => owner.kind === 'unreadable')) return plan;
  return onTrial(o, plan);
}

/**
 * The prefix of the plan that writes at most one pod of each controller that could not be read. A lock does not move, and no verification
 * is sent, for nothing but a promotion that must wait.
 */
function onTrial(o: Observation, plan: Plan): Plan {
  if (plan.kind === 'idle') return plan;
  const trial = beginTrial();
  const refused = (action: Action): ReadonlySet<PodUid> =>
    new Set(labelWrites(o, action, nextHolder(plan)).flatMap((each) => (trial.may(each) ? [] : [each.pod.uid])));
  const left = plan.kind === 'look' ? allowedLook(plan, refused) : allowedTransition(plan, refused);
  const due = trial.due(o);
  if (due.length > 0)
    return look(
      [{ do: 'readTrials', trials: due }],
      'reading whether the controllers have kept the pods that were written',
    );
  return left ?? awaitTrial(o, trial.waitMs());
}

/** Uids of the pods of an action that must wait. */
type Refused = (action: Action) => ReadonlySet<PodUid>;

/** null: nothing is left of it. */
function allowedLook(plan: Look, refused: Refused): Plan | null {
  const fence = allowed(plan.fence, refused);
  const preparations = allowed(plan.after, refused);
  const after = fence.whole ? preparations.left : [];
  return fence.left.length + after.length > 0 ? { ...plan, fence: fence.left, after } : null;
}

function allowedTransition(plan: Transition, refused: Refused): Plan | null {
  const { lock, cause, reason, verdict, againMs } = plan;
  const fence = allowed(plan.fence, refused);
  const followUps = allowed<FollowUp>(plan.after, refused);
  if (fence.whole && followUps.whole) return plan;
  if (fence.whole && lock.do === 'verify') {
    const any = fence.left.length + followUps.left.length > 0;
    return any ? transition(plan, { fence: fence.left, lock, after: followUps.left }) : null;
  }
  const said = { kind: 'idle', cause, reason, verdict, againMs } as const;
  return fence.left.length > 0 ? withFirst(fence.left, said) : null;
}

/** The actions up to the first of which a pod must wait, and of that one the other pods. */
function allowed<Some extends Action>(
  actions: readonly Some[],
  refused: Refused,
): { readonly left: readonly Some[]; readonly whole: boolean } {
  const waiting = actions.map(refused);
  const first = waiting.findIndex((uids) => uids.size > 0);
  const action = actions[first];
  if (action === undefined) return { left: actions, whole: true };
  const part = withoutPods(action, waiting[first] ?? new Set());
  return { left: [...actions.slice(0, first), ...part], whole: false };
}

/** Who leads goes on meanwhile, and the group says of itself what it said. */
function awaitTrial(o: Observation, waitMs: number): Plan {
  const led = o.pods.some((observed) => labelled(o.group, observed) && tokenOf(observed.pod, o.group.name) > 0);
  const what = waitMs > TRIAL_MS ? UNSEEN : ON_TRIAL;
  return led ? nothing(what, waitMs) : idle(notReady('Electing', what), waitMs);
}

const ON_TRIAL =
  'the controllers of the pods cannot be read; one pod has been patched, and the operator waits to see that it keeps its controller';
const UNSEEN =
  'the controllers of the pods cannot be read, and each pod that was patched went before the operator saw whether it kept its controller; ' +
  'it tries another one after a pause that grows. Let the operator read the controllers (deploy/10-rbac.yaml).';

/** Whoever is being deleted is replaced anyway. */
const needsNoTrial = ({ deleting }: Pod, trial: TrialView | null): boolean => deleting || trial?.kept === true;

function beginTrial() {
  const firsts = new Map<string, PodUid>();
  const dues = new Map<string, PodUid>();
  const waits: number[] = [];
  return {
    waitMs: () => soonest(waits) ?? TRIAL_MS,
    /** Pods by which a controller has been tried for long enough, and of which no read has shown yet that it kept them. */
    due: ({ pods }: Observation) =>
      [...dues].flatMap(([owner, uid]) =>
        pods.flatMap((observed) => (observed.pod.uid === uid ? [{ pod: refOf(observed), owner }] : [])),
      ),
    /** Of each controller that cannot be read one pod, and the others once that has kept it. */
    may: ({ pod, owner }: ObservedPod): boolean => {
      if (owner.kind !== 'unreadable' || pod.owner === null || needsNoTrial(pod, owner.trial)) return true;
      const { trial } = owner;
      const first = trial?.podUid ?? firsts.get(pod.owner.uid) ?? pod.uid;
      firsts.set(pod.owner.uid, first);
      if (first === pod.uid) return true;
      if (trial?.leftMs === 0) dues.set(pod.owner.uid, first);
      else waits.push(trial?.leftMs ?? TRIAL_MS);
      return false;
    },
  };
}
