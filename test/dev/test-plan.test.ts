import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checks } from '../../dev/check.ts';
import { testPlan } from '../../dev/test-plan.ts';
import config from '../../vitest.config.ts';

const ROOT = join(import.meta.dirname, '../..');

const namesOf = (steps: readonly { readonly name: string }[]): readonly string[] => steps.map(({ name }) => name);

type Project = { readonly name?: string; readonly include?: readonly string[]; readonly exclude?: readonly string[] };

function projectOf(name: string): Project {
  const all = (config.test?.projects ?? []) as readonly { readonly test?: Project }[];
  return all.find(({ test }) => test?.name === name)?.test ?? expect.fail(`vitest.config.ts has no project ${name}`);
}

describe('npm test', () => {
  it('runs nothing on real nodes unless asked, and says what it leaves out and how to ask', () => {
    const { onComponents, leftOut } = testPlan({ quick: false, realNodes: false });
    expect(namesOf(onComponents)).toEqual(['integration tests', 'integration tests that run alone']);
    expect(leftOut.join(' ')).toMatch(/end-to-end tests.*LEADERGROUP_REQUIRE_REAL_NODES=1.*--real-nodes/);
  });

  it('leaves nothing out where real nodes are asked for', () => {
    const { onComponents, leftOut } = testPlan({ quick: false, realNodes: true });
    const commands = onComponents.flatMap(({ beside, ...step }) => [step, ...(beside === undefined ? [] : [beside])]);
    expect(commands.map(({ args }) => args.at(-1))).toEqual(['integration', 'e2e', 'integration-alone']);
    expect(leftOut).toEqual([]);
  });

  it('runs nothing beside what must run alone', () => {
    const { onComponents } = testPlan({ quick: false, realNodes: true });
    const alone = onComponents.filter(({ args }) => args.includes('integration-alone'));
    expect(alone.map(({ args, beside }) => [args, beside])).toEqual([
      [['run', '--project', 'integration-alone'], undefined],
    ]);
  });

  it('runs no file beside the end-to-end tests that needs the real nodes that those have', () => {
    const { include = [], exclude = [] } = projectOf('integration');
    const files = globSync([...include], { cwd: ROOT, exclude: [...exclude] });
    expect(files.length).toBeGreaterThan(20);
    const needing = files.filter((file) =>
      /describeOnRealNodes|realNodes:/.test(readFileSync(join(ROOT, file), 'utf8')),
    );
    expect(needing).toEqual([]);
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
