/** What the histories of a run came to, for people. */
import { describeAct } from './acts.ts';
import type { Outcome } from './run.ts';
import { shrink } from './shrink.ts';

export type Sum = {
  histories: number;
  steps: number;
  fewestSteps: number;
  virtualMs: number;
  acts: number;
  broken: number;
  readonly counts: Record<string, number>;
  /** In how many histories each was met (coverage.ts). */
  readonly met: Record<string, number>;
};

export const noHistories = (): Sum => ({
  histories: 0,
  steps: 0,
  fewestSteps: Number.MAX_SAFE_INTEGER,
  virtualMs: 0,
  acts: 0,
  broken: 0,
  counts: {},
  met: {},
});

export function add(sum: Sum, outcome: Outcome): void {
  sum.histories += 1;
  sum.steps += outcome.steps;
  sum.fewestSteps = Math.min(sum.fewestSteps, outcome.steps);
  sum.virtualMs += outcome.virtualMs;
  sum.acts += outcome.acts;
  if (outcome.breaches.length > 0) sum.broken += 1;
  for (const [name, count] of Object.entries(outcome.counts)) sum.counts[name] = (sum.counts[name] ?? 0) + count;
  for (const name of outcome.met) sum.met[name] = (sum.met[name] ?? 0) + 1;
}

export function sentence(sum: Sum): string {
  const hours = (sum.virtualMs / 3_600_000).toFixed(1);
  const steps = `${sum.steps} steps (${sum.fewestSteps} at least)`;
  const counts = Object.entries(sum.counts).map(([name, count]) => `${name} ${count}`);
  return `${sum.histories} histories, ${sum.broken} broken; ${steps}, ${sum.acts} acts, ${hours} virtual hours; ${counts.join(', ')}`;
}

/** A failed history: what was broken, the shortest schedule that still breaks something, and how to see it again. */
export async function explain({ seed, breaches }: Pick<Outcome, 'seed' | 'breaches'>): Promise<string> {
  const acts = await shrink(seed);
  return [
    `history ${seed} broke a promise:`,
    ...breaches.slice(0, 5).map((breach) => `  ${breach}`),
    'the shortest schedule that still breaks one:',
    ...acts.map((act) => `  ${describeAct(act)}`),
    `again: npm run test:simulation -- --histories 1 --seed ${seed}`,
  ].join('\n');
}
