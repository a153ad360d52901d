/** Of a controller that cannot be read one pod is written first: the trial. */
import type { Action, Plan } from './actions.ts';
import { labelled } from './candidates.ts';
import { labelWrites, withoutPods } from './label-writes.ts';
import type { Observation, ObservedPod } from './observation.ts';
import { unreadOwners } from './owners.ts';
import { look, nothing, notReady, rest } from './plans.ts';
import { tokenOf } from './token.ts';

/** A controller that cannot be read must have kept a pod for so long after our write before more of its pods are written. */
export const TRIAL_MS = 2000;

/**
 * Before a plan writes a label the controllers of those pods have been asked for their selectors. Of one that may not be read a single pod
 * is written first; the rest waits until that pod has kept its controller.
 *
 * **Guarantees** What is left of a plan is a prefix of it, so its order still holds.
 */
export function withOwnersKnown(o: Observation, plan: Plan): Plan {
  const written = plan.actions.flatMap((action) => labelWrites(o, action));
  if (written.length === 0) return plan;
  const unread = written.flatMap(({ pod, owner }) => (owner.kind === 'unread' && pod.owner ? [pod.owner] : []));
  if (unread.length > 0) {
    const owners = [...new Map([...unread, ...unreadOwners(o)].map((owner) => [owner.uid, owner])).values()];
    return look([{ do: 'readOwners', owners }], 'reading the selectors of the controllers of the pods');
  }
  if (!written.some(({ owner }) => owner.kind === 'unreadable')) return plan;
  return onTrial(o, plan);
}

/**
 * The prefix of the plan that writes at most one pod of each controller that could not be read. A lock does not move, and no verification
 * is sent, for nothing but a promotion that must wait.
 */
function onTrial(o: Observation, plan: Plan): Plan {
  const trial = beginTrial();
  const refused = plan.actions.map((action) => labelWrites(o, action).filter((observed) => !trial.may(observed)));
  const first = refused.findIndex((pods) => pods.length > 0);
  const action = plan.actions[first];
  if (action === undefined) return plan;
  const part = withoutPods(action, new Set(refused[first]?.map(({ pod }) => pod.uid)));
  const before = plan.actions.slice(0, first);
  const kept = action.do === 'promote' ? before.filter(({ do: what }) => !MOVES.has(what)) : before;
  const actions = [...kept, ...part];
  return actions.some(({ do: what }) => what !== 'verify') ? { ...plan, actions } : awaitTrial(o, trial.waitMs());
}

/** They come right before the promotion that they are for. */
const MOVES: ReadonlySet<Action['do']> = new Set(['take', 'handOver']);

/** Who leads goes on meanwhile, and the group says of itself what it said. */
function awaitTrial(o: Observation, waitMs: number): Plan {
  const led = o.pods.some((observed) => labelled(o.group, observed) && tokenOf(observed.pod, o.group.name) > 0);
  return led ? nothing(ON_TRIAL, waitMs) : rest(notReady('Electing', ON_TRIAL), waitMs);
}

const ON_TRIAL =
  'the controllers of the pods cannot be read; one pod has been patched, and the operator waits to see that it keeps its controller';

function beginTrial() {
  const firsts = new Map<string, string>();
  let waitMs = 0;
  return {
    waitMs: () => waitMs,
    /** Of each controller that cannot be read one pod, and the others once that has kept it. */
    may: ({ pod, owner }: ObservedPod): boolean => {
      if (owner.kind !== 'unreadable' || pod.owner === null) return true;
      if (owner.trial !== null && owner.trial.leftMs <= 0) return true;
      const first = owner.trial?.podUid ?? firsts.get(pod.owner.uid) ?? pod.uid;
      firsts.set(pod.owner.uid, first);
      if (first !== pod.uid) waitMs = Math.max(waitMs, owner.trial?.leftMs ?? TRIAL_MS);
      return first === pod.uid;
    },
  };
}
