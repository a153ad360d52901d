/** No field of the spec is left out of the simulated world: each has several values there, at the start or by an act. */
import { describe, expect, it } from 'vitest';
import { A_GATE_PROBE } from '../kit/fakes/builders.ts';
import { scenarioOf } from '../kit/simulation/acts.ts';
import { specified } from '../kit/simulation/stage.ts';

const SEEDS = Array.from({ length: 150 }, (_, seed) => seed);

const scenarios = SEEDS.map(scenarioOf);
const specs = scenarios.flatMap(({ groups, probed }) =>
  groups.map((plan) => specified(plan, probed.includes(plan.name) ? A_GATE_PROBE : null).spec),
);

/** By field, which values it has. */
const values = new Map<string, Set<string>>();
for (const spec of specs)
  for (const [field, value] of Object.entries(spec)) {
    const found = values.get(field) ?? new Set();
    values.set(field, found.add(JSON.stringify(value)));
  }

/** Of those that are the same all through a history's beginning, the act that changes them. */
const BY_ACT: Readonly<Record<string, string>> = { paused: 'pause' };

describe('each field of the spec', () => {
  it.each([...values.keys()])('has several values in the simulated world: %s', (field) => {
    const act = BY_ACT[field];
    if (act === undefined) expect(values.get(field)?.size).toBeGreaterThan(1);
    else expect(scenarios.some(({ acts }) => acts.some((each) => each.act === act))).toBe(true);
  });
});
