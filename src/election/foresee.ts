/**
 * What would become of a group: the planner is asked again and again, each time with what its last plan brings where everything is answered and every write
 * succeeds, until a lock moves or there is nothing to do. Pure, and nothing is performed: these plans are thrown away.
 */
import type { Foreseen } from '../api/diagnostics.ts';
import type { TransitionCause } from '../api/transition-causes.ts';
import { type Idle, nextHolder, type Plan, type Transition } from './actions.ts';
import { assumeAll } from './assume.ts';
import { labelledPods } from './fencing.ts';
import type { Observation } from './observation.ts';
import { plan } from './plan.ts';
import type { Supposed } from './suppose.ts';

/** As a pass of the reconciler: more than so many plans are a loop. */
const PLANS = 16;

export function foresee({ o: supposed, afterMs }: Supposed): Foreseen {
  let o = withoutRoute(supposed);
  const before = leaderOf(o);
  const assumed: string[] = [];
  let cause: TransitionCause | null = null;
  for (let plans = 0; plans < PLANS; plans += 1) {
    const planned = plan(o);
    cause = planned.cause ?? cause;
    if (planned.kind === 'transition') return { ...moved(o, planned, before), inMs: afterMs, assumed };
    if (planned.kind === 'idle') return { ...rested(o, planned, { before, cause, afterMs }), assumed };
    const next = assumeAll(o, planned);
    if (next === null) return { ...unknown(planned.reason), assumed };
    assumed.push(...next.assumed.filter((sentence) => !assumed.includes(sentence)));
    o = next.o;
  }
  return { ...unknown(`the group does not settle within ${PLANS} plans`), assumed };
}

/** Slices are shown beside the label and hold nothing up: who leads does not depend on them. */
const withoutRoute = (o: Observation): Observation => ({
  ...o,
  route: null,
  group: { ...o.group, spec: { ...o.group.spec, route: null } },
});

const leaderOf = (o: Observation): string | null => labelledPods(o)[0]?.pod.name ?? null;

const readyOf = ({ verdict }: Plan): string | null =>
  verdict === null
    ? null
    : `${verdict.ready.status} (${verdict.ready.reason})${verdict.detail === '' ? '' : `: ${verdict.detail}`}`;

type Outcome = Omit<Foreseen, 'assumed' | 'inMs'>;

function moved(o: Observation, planned: Transition, before: string | null): Outcome {
  const uid = nextHolder(planned);
  const next = o.pods.find(({ pod }) => pod.uid === uid)?.pod.name ?? null;
  const outcome = next === null ? 'demoted' : next === before ? 'stays' : 'moves';
  const { cause, reason } = planned;
  return { outcome, next, cause: outcome === 'stays' ? null : cause, reason, ready: readyOf(planned) };
}

type Way = { readonly before: string | null; readonly cause: TransitionCause | null; readonly afterMs: number };

/** A plan that says nothing of the group waits for what is not known yet. */
function rested(o: Observation, planned: Idle, { before, cause, afterMs }: Way): Omit<Foreseen, 'assumed'> {
  const { reason, verdict, againMs } = planned;
  if (verdict === null) return { ...unknown(reason), inMs: againMs === null ? null : afterMs + againMs };
  const next = leaderOf(o);
  const told = { next, reason, ready: readyOf(planned), inMs: afterMs };
  if (next !== null) return { ...told, outcome: next === before ? 'stays' : 'moves', cause: null };
  return before === null ? { ...told, outcome: 'waits', cause: null } : { ...told, outcome: 'demoted', cause };
}

const unknown = (reason: string): Omit<Foreseen, 'assumed'> => ({
  outcome: 'unknown',
  next: null,
  cause: null,
  reason,
  ready: null,
  inMs: null,
});
