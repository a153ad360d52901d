/**
 * Exhaustive in the small: two members, two replicas, every interleaving of the real planner and executor up to a depth, with
 * replies lost, requests that arrive late, stale watches, frozen and crashed replicas, expired sessions, pods that blink and come
 * back under their name.
 */
import { describe, expect, it } from 'vitest';
import { type Bounds, explore } from '../kit/model/checking/explore.ts';

const BUDGET = { blink: 2, recreate: 1, expire: 1, takeOver: 2, lostReply: 1, late: 1, crash: 1, inAll: 2 };
const DEPTH = Number(process.env['EXPLORATION_DEPTH'] ?? 7);

const LED: Bounds = { start: 'led', depth: DEPTH, budget: BUDGET, settleEvery: 25 };
const FRESH: Bounds = { start: 'fresh', depth: DEPTH, budget: BUDGET, settleEvery: 25 };

describe('every interleaving', () => {
  it.each([FRESH, LED])(
    'from $start on, to depth $depth, keeps the promises',
    { timeout: 3_600_000 },
    async (bounds) => {
      const { broken, met, ...counts } = await explore(bounds);
      console.log(`explored from ${bounds.start} on: ${JSON.stringify({ ...counts, met })}`);
      if (broken !== null) expect.fail(`${broken.breaches.join('; ')}\nafter:\n  ${broken.path.join('\n  ')}`);
      expect(counts.deepest).toBe(bounds.depth);
      expect(counts.settled).toBeGreaterThan(0);
      expect([met.elections, met.takeOvers].every((count) => count > 0)).toBe(true);
    },
  );

  it('covers handovers as well as elections and take-overs', async () => {
    const { met } = await explore({ ...LED, depth: 6, budget: { ...BUDGET, inAll: 1 } });
    expect(Object.values(met).every((count) => count > 0)).toBe(true);
  });

  it('that leaves states out because they were met before reaches the same states as one that does not', async () => {
    const small: Bounds = { ...LED, depth: 4 };
    const [pruned, whole] = [await explore(small), await explore({ ...small, prune: false })];
    expect(pruned.states).toBe(whole.states);
    expect(pruned.transitions).toBeLessThan(whole.transitions);
  });
});
