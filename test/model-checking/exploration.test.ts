/**
 * Exhaustive in the small: two members, two replicas, every interleaving of the real planner and executor up to a depth, with
 * replies lost, requests that arrive late, stale watches, frozen and crashed replicas, expired sessions, pods that blink and come
 * back under their name.
 */
import { describe, expect, it } from 'vitest';
import type { ClaimMode } from '../../src/api/claim.ts';
import { type ClaimBudget, openClaimWorld } from '../kit/model/checking/claim-world.ts';
import { type Bounds, explore } from '../kit/model/checking/explore.ts';
import { type GateBudget, type GateStart, openGateWorld } from '../kit/model/checking/gate-world.ts';
import { type Budget, openWorld, type Start } from '../kit/model/checking/world.ts';

const BUDGET: Budget = {
  blink: 2,
  ask: 1,
  recreate: 1,
  expire: 1,
  takeOver: 2,
  lostReply: 1,
  late: 1,
  crash: 1,
  inAll: 2,
};
const GATE: GateBudget = {
  ask: 2,
  wait: 2,
  release: 1,
  copy: 1,
  restart: 1,
  change: 1,
  takeOver: 1,
  hold: 1,
  late: 1,
  crash: 1,
  expire: 1,
  inAll: 2,
};
const CLAIMS: ClaimBudget = {
  claim: 2,
  repeat: 2,
  done: 0,
  overdue: 0,
  fate: 1,
  late: 1,
  change: 1,
  takeOver: 1,
  crash: 1,
  expire: 1,
  inAll: 2,
};
const DEPTH = Number(process.env['EXPLORATION_DEPTH'] ?? 7);

const KEPT: ClaimBudget = { ...CLAIMS, repeat: 1, done: 1, overdue: 1 };

const from = (start: Start, depth = DEPTH, budget = BUDGET): Bounds => ({
  open: () => openWorld(budget, start),
  depth,
  settleEvery: 25,
});
/** Its steps are longer: a whole handover is four of them, and three from where the leader has been told to stop. */
const GATE_DEPTH = Math.ceil((DEPTH + 1) / 2);
const ofGrants = (start: GateStart, depth = GATE_DEPTH): Bounds => ({
  open: () => openGateWorld(GATE, start),
  depth,
  settleEvery: 25,
});
/** Its steps are the longest: a claim that is lost, another owner and its pass, and the claim again are four. */
const ofClaims = (mode: ClaimMode, depth = Math.max(4, Math.floor(DEPTH / 2))): Bounds => ({
  open: () => openClaimWorld(mode === 'AtMostOnce' ? CLAIMS : KEPT, mode),
  depth,
  settleEvery: 25,
});
const OF_GRANTS = ['grants', 'releases', 'resignations', 'takeOvers'];

describe('every interleaving', () => {
  it.each([
    { start: 'a new group', bounds: from('fresh'), wanted: ['elections', 'takeOvers'] },
    { start: 'a group that is led', bounds: from('led'), wanted: ['elections', 'takeOvers', 'switchovers'] },
    { start: 'a preferred candidate', bounds: from('preferred', DEPTH - 1), wanted: ['takeOvers', 'preemptions'] },
    { start: 'a grant', bounds: ofGrants('granted', GATE_DEPTH - 1), wanted: OF_GRANTS },
    {
      start: 'a leader that is told to stop',
      bounds: ofGrants('revoked'),
      wanted: [...OF_GRANTS, 'handovers', 'nextGrants'],
    },
    { start: 'a series', bounds: ofClaims('AtMostOnce'), wanted: ['given', 'repeats', 'takeOvers', 'lateWrites'] },
    {
      start: 'a series that is kept until it is done',
      bounds: ofClaims('AtLeastOnce'),
      wanted: ['given', 'repeats', 'takeOvers', 'lateWrites', 'again', 'laterOnes'],
    },
  ])(
    'from $start on, to depth $bounds.depth, keeps the promises',
    { timeout: 3_600_000 },
    async ({ start, bounds, wanted }) => {
      const { broken, met, ...counts } = await explore(bounds);
      console.log(`explored from ${start} on: ${JSON.stringify({ ...counts, met })}`);
      if (broken !== null) expect.fail(`${broken.breaches.join('; ')}\nafter:\n  ${broken.path.join('\n  ')}`);
      expect(counts.deepest).toBe(bounds.depth);
      expect(counts.settled).toBeGreaterThan(0);
      expect(wanted.filter((what) => !met[what])).toEqual([]);
    },
  );

  it('covers handovers as well as elections and take-overs', async () => {
    const { met } = await explore(from('led', 6, { ...BUDGET, inAll: 1 }));
    // What is asked for, or preferred, takes more steps: other starts cover it.
    expect(['elections', 'handovers', 'demotions', 'takeOvers'].filter((what) => !met[what])).toEqual([]);
  });

  it.each([
    ['a group that is led', from('led', 4)],
    ['a leader that is told to stop', ofGrants('revoked', 2)],
    ['a series', ofClaims('AtMostOnce', 2)],
    ['a series that is kept until it is done', ofClaims('AtLeastOnce', 3)],
  ])(
    'that leaves states out because they were met before reaches the same states as one that does not: %s',
    async (_, small) => {
      const [pruned, whole] = [await explore(small), await explore({ ...small, prune: false })];
      expect(pruned.states).toBe(whole.states);
      expect(pruned.transitions).toBeLessThan(whole.transitions);
    },
  );
});
