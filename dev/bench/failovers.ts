/** How soon the next leader is there: of one group, and of a thousand at once. */
import { openFloor } from '../../test/kit/rig/baseline.ts';
import { consulRest } from '../../test/kit/rig/rest.ts';
import { each, type Group } from './population.ts';
import { type Lengths, quantile, type Replicas, type Row, row, timed, untilQuiet } from './row.ts';
import type { Stage } from './stage.ts';

/** Of pods for each failover: ours that makes the leader not ready, the fencing patch, the promotion. */
const PATCHES = 3;

/** One leader after the other is made not ready; and the three requests that no failover can do without, in between. */
export async function singleFailovers(stage: Stage, { failovers, limitMs }: Lengths): Promise<readonly Row[]> {
  const { world, leads, population, consulAddress } = stage;
  await using consul = consulRest({ address: consulAddress });
  const floor = await openFloor(world, consul, 'bench-0');
  const [took, least]: [number[], number[]] = [[], []];
  for (let at = 0; at < failovers; at += 1) {
    const group = population.groups[at % population.groups.length] as Group;
    const before = leads.of(group) ?? '';
    took.push(
      await timed(async () => {
        await world.setReady(group.namespace, before, false);
        await leads.until(() => ![before, null].includes(leads.of(group)), limitMs, `a next leader of ${group.name}`);
      }),
    );
    await world.setReady(group.namespace, before, true);
    least.push(await floor.handOver());
  }
  const base = quantile(least, 0.5);
  return [
    row('failover of one leader, median', quantile(took, 0.5), 'ms'),
    row('failover of one leader, p99', quantile(took, 0.99), 'ms'),
    row('baseline: fencing patch, transaction, promoting patch, median', base, 'ms'),
    row('failover, median in baselines', quantile(took, 0.5) / base, ''),
    row('failover, p99 in baselines', quantile(took, 0.99) / base, ''),
  ];
}

/** `perSecond`: patches that the API server took from the same client. */
export async function manyLost(
  { world, leads, population }: Stage,
  { lostAtOnce, limitMs }: Lengths,
  { perSecond, replicas }: { readonly perSecond: number; readonly replicas: Replicas },
): Promise<readonly Row[]> {
  await untilQuiet(replicas, limitMs);
  const some = population.groups.slice(0, lostAtOnce).map((group) => ({ group, leader: leads.of(group) ?? '' }));
  const ms = await timed(async () => {
    const losing = each(some, ({ group, leader }) => world.setReady(group.namespace, leader, false));
    const moved = (): boolean => some.every(({ group, leader }) => ![leader, null].includes(leads.of(group)));
    await leads.until(moved, limitMs, 'the next leaders');
    await losing;
  });
  await each(some, ({ group, leader }) => world.setReady(group.namespace, leader, true));
  return [
    row(`${some.length} leaders lost at once: all led again`, ms / 1000, 's'),
    row('leaders lost at once', (some.length / ms) * 1000, 'groups/s'),
    row(
      'leaders lost at once: patches (one of ours, two of the operator)',
      (PATCHES * some.length * 1e5) / ms / perSecond,
      '% of what the API server takes',
    ),
  ];
}
