/**
 * The history checker: reads what really happened to pods and locks, and names each breach of a promise. It knows the
 * promises and the table of names, and nothing of the operator's code. A history in which nothing happened is an error,
 * so that no test passes for having looked away.
 */
import { type Breach, type CheckOptions, sentence } from './breach.ts';
import { claimsKept } from './claims.ts';
import { type Counts, groupCounts, total } from './counts.ts';
import { groupKey, type History } from './history.ts';
import { onlyOwnKeys } from './keys.ts';
import { locksOf } from './locks.ts';
import { backedByLock, fencedFirst, oneLabel } from './promises.ts';
import { askedBefore } from './promotions.ts';
import { sliceStepsOf } from './slice-steps.ts';
import { oneEndpoint } from './slices.ts';
import { stepsOf } from './steps.ts';
import { switchoversOnce } from './switchovers.ts';
import { tokensOutliveGroups, tokensRise } from './tokens.ts';
import { traceOf } from './trace.ts';

export { type Breach, type CheckOptions, DEFAULT_TOLERANCE_MS, sentence } from './breach.ts';
export { type Counts, type GroupCounts, type Write, writesBy } from './counts.ts';
export * from './history.ts';
export { noLeaderMoved } from './no-failover.ts';
export { checkWire, type Wire } from './wire.ts';

export type Report = { readonly breaches: readonly Breach[]; readonly counts: Counts };

/** Checks I1, I2, I4, I5, I6, I14, I16 and, where routes and claims were watched, I11, I12 and I13. Throws when the history is empty, out of order, or shows a group that never had a leader. */
export function check(history: History, options: CheckOptions = {}): Report {
  if (history.groups.length === 0) throw new Error('the history has no groups');
  if (history.pods.length === 0) throw new Error('the history has no pods');
  if (history.keys.length === 0) throw new Error('the history has no lock states');
  const steps = stepsOf(history);
  const first = steps.find((step) => step.kind === 'first');
  const gaps = steps.filter((step) => step.kind === 'gap');
  const cases = history.groups.map((group) => ({
    trace: traceOf(group, steps, history.groups),
    locks: locksOf(history, group),
    gaps,
    options,
  }));
  const led = new Set(cases.filter(({ trace }) => trace.led).map(({ trace }) => groupKey(trace.group)));
  for (const { trace, locks } of cases) {
    const name = groupKey(trace.group);
    // Of several groups of one name, one after the other, one may have been too short for an election.
    if (!trace.led && led.has(name)) continue;
    if (options.leaderless?.includes(name) === true) continue;
    if (!trace.led) throw new Error(`the history never shows a leader of ${name}: nothing was checked`);
    if (locks.length === 0) throw new Error(`the history has no state of ${trace.group.lockKey}, the lock of ${name}`);
  }
  const routed = { pods: steps, slices: sliceStepsOf(history), ...routesOf(history) };
  const breaches = cases.flatMap((checked) => [
    ...oneLabel(checked),
    ...backedByLock(checked),
    ...fencedFirst(checked),
    ...tokensRise(checked, first),
    ...oneEndpoint(checked, routed),
  ]);
  const counts = total(
    history,
    cases.map(({ trace, locks }) => groupCounts(trace, locks)),
  );
  const ofAll = [
    ...tokensOutliveGroups(cases),
    ...onlyOwnKeys(steps, history.groups),
    ...claimsKept(history, options),
    ...switchoversOnce(history, options),
    ...askedBefore(history),
  ];
  return { breaches: [...breaches, ...ofAll], counts };
}

const routesOf = ({ routes = [] }: History) => ({ routes });

/** Throws a readable list of all breaches, else returns the counts: assert with them that the history holds what was meant. */
export function assertKept(history: History, options: CheckOptions = {}): Counts {
  const { breaches, counts } = check(history, options);
  if (breaches.length > 0) throw new Error(`${breaches.length} promises broken:\n${breaches.map(sentence).join('\n')}`);
  return counts;
}
