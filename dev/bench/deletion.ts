/** How soon the groups are gone that somebody deletes. */
import { setTimeout as delay } from 'node:timers/promises';
import { each } from './population.ts';
import { type Lengths, type Row, row, timed } from './row.ts';
import type { Stage } from './stage.ts';

export async function deletion({ world, population }: Stage, { limitMs }: Lengths): Promise<readonly Row[]> {
  const untilMs = performance.now() + limitMs;
  const count = population.groups.length;
  const ms = await timed(async () => {
    await each(population.groups, ({ namespace, name }) => world.deleteGroup(namespace, name));
    const list = '/apis/leadergroup.dev/v1alpha1/leadergroups?limit=1';
    for (;;) {
      const { items } = await world.rest.must<{ readonly items: readonly unknown[] }>('GET', list);
      if (items.length === 0) return;
      if (performance.now() > untilMs) throw new Error(`groups are left ${limitMs} ms after their deletion`);
      await delay(100);
    }
  });
  return [row('all groups deleted', ms / 1000, 's'), row('deletion', (count / ms) * 1000, 'groups/s')];
}
