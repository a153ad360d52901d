import { describe, expect, it } from 'vitest';
import { checks } from '../../dev/check.ts';
import { testPlan } from '../../dev/test-plan.ts';

const namesOf = (steps: readonly { readonly name: string }[]): readonly string[] => steps.map(({ name }) => name);

describe('npm test', () => {
  it('runs nothing on real nodes unless asked, and says what it leaves out and how to ask', () => {
    const { onComponents, leftOut } = testPlan({ quick: false, realNodes: false });
    expect(namesOf(onComponents)).toEqual(['integration tests']);
    expect(leftOut.join(' ')).toMatch(/end-to-end test.*LEADERGROUP_REQUIRE_REAL_NODES=1.*--real-nodes/);
  });

  it('leaves nothing out where real nodes are asked for', () => {
    const { onComponents, leftOut } = testPlan({ quick: false, realNodes: true });
    expect(namesOf(onComponents)).toEqual(['integration tests', 'end-to-end test']);
    expect(leftOut).toEqual([]);
  });

  it('runs all checks, quick or not', () => {
    for (const quick of [true, false])
      expect(namesOf(testPlan({ quick, realNodes: true }).fast)).toEqual(expect.arrayContaining([...namesOf(checks)]));
  });

  it('quick needs no component, and says what it leaves out', () => {
    const { onComponents, leftOut } = testPlan({ quick: true, realNodes: true });
    expect(onComponents).toEqual([]);
    expect(leftOut.join(' ')).toContain('npm run test:unit');
  });
});
