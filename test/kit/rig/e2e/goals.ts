/** What a fault may cost by docs/measurements.md, and what it costs with a Lease in the application (`npm run bench:others`). */
import type { Goal } from './handover.ts';

const PLANNED = { goal: '0.1 s beyond what the application takes to stop', lease: '1.2 s' };

export const GOALS: readonly Goal[] = [
  { kind: "leader's container killed with -9", goal: '1.1 s', lease: '15.4 s' },
  {
    kind: "leader's process hung, woken afterwards",
    goal: '2.5 s; 0.8 s with 250 ms and grants of 500 ms',
    lease: '15.3 s, then two leaders for 10 s',
  },
  { kind: "leader's node cut off", goal: '2.5 s (gate), 4.5 s (httpGet)', lease: 'about 15 s' },
  ...[
    "leader's pod deleted",
    "leader's pod evicted under a PodDisruptionBudget",
    'rolling update',
    "leader's node drained",
    'switched over by annotation',
    'leader resigned',
  ].map((kind) => ({ kind, ...PLANNED })),
];
