/** Work that begins at an even pace, whether what began before has ended or not. */
import { setTimeout as delay } from 'node:timers/promises';

export type Pace = {
  readonly perSecond: number;
  /** Between two looks at what is due: the longer, the less this process does beside. */
  readonly lookMs: number;
  readonly over: () => boolean;
};

/** Resolves when it is over and all has ended; rejects with the first error. */
export async function paced({ perSecond, lookMs, over }: Pace, one: () => Promise<void>): Promise<void> {
  const underWay = new Set<Promise<void>>();
  const begunMs = performance.now();
  for (let begun = 0; !over(); await delay(lookMs)) {
    const due = ((performance.now() - begunMs) / 1000) * perSecond;
    for (; begun < due; begun += 1) {
      const ending = one().finally(() => underWay.delete(ending));
      underWay.add(ending);
    }
  }
  await Promise.all(underWay);
}
