/** What a change of a pod costs that changes nothing for its group: most of what a cluster does. And what a plan costs. */
import { setTimeout as delay } from 'node:timers/promises';
import { plan } from '../../src/election/plan.ts';
import { aLeader, aPod } from '../../test/kit/fakes/builders.ts';
import { anObservation, aSession, heldBy, observed } from '../../test/kit/fakes/builders-election.ts';
import { MERGE_PATCH } from '../../test/kit/rig/rest.ts';
import { costsOf, cpuMsOf } from './cost.ts';
import { each, type Group } from './population.ts';
import { type Lengths, QUIET_MS, type Replicas, type Row, row, untilQuiet } from './row.ts';
import type { Stage } from './stage.ts';

const EVENTS = 1000;
const PLANS = 2000;
const MARK = 'example.com/bench-event';

/** An annotation of a pod changes, of one group after the other: what the operator takes for it, above what it takes while nothing happens. */
export async function oneEvent(
  { world, population }: Stage,
  { limitMs }: Lengths,
  replicas: Replicas,
): Promise<readonly Row[]> {
  await untilQuiet(replicas, limitMs);
  const { groups } = population;
  const some = Array.from({ length: EVENTS }, (_, at) => groups[at % groups.length] as Group);
  const cpuMs = async (): Promise<number> => cpuMsOf(await costsOf(replicas));
  const during = async (work: () => Promise<unknown>): Promise<{ readonly ms: number; readonly cpuMs: number }> => {
    const [startedMs, before] = [performance.now(), await cpuMs()];
    await work();
    await delay(QUIET_MS);
    return { ms: performance.now() - startedMs, cpuMs: (await cpuMs()) - before };
  };
  const resting = await during(() => delay(QUIET_MS));
  const changing = await during(() =>
    each(some, ({ namespace, name }, at) => {
      const path = `/api/v1/namespaces/${namespace}/pods/${name}-1?fieldManager=bench`;
      return world.rest.must('PATCH', path, { metadata: { annotations: { [MARK]: `${at}` } } }, MERGE_PATCH);
    }),
  );
  const above = changing.cpuMs - (resting.cpuMs / resting.ms) * changing.ms;
  return [
    row('one change of a pod that changes nothing else: watch, queue, pass, plan', above / EVENTS, 'ms of a core'),
    planning(population.size.members),
  ];
}

/** Of a group at rest, in this process. */
function planning(members: number): Row {
  const names = Array.from({ length: members }, (_, at) => `notifier-${at}`);
  const [leader = '', ...others] = names;
  const o = anObservation({
    pods: [aLeader(4, { name: leader }), ...others.map((name) => aPod({ name }))].map((pod) => observed(pod)),
    sessions: names.slice(0, 3).map((name) => aSession(name)),
    lock: heldBy(leader),
  });
  for (let at = 0; at < PLANS; at += 1) plan(o);
  const startedMs = performance.now();
  for (let at = 0; at < PLANS; at += 1) plan(o);
  return row('one plan() of a group at rest', ((performance.now() - startedMs) / PLANS) * 1000, 'µs');
}
