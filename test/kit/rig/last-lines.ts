/** A reporter of vitest whose lines are the last ones: which rules failed, when, what was broken, and where to read on. */
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node';
import { FAILURES_FILE } from '../../../dev/steps.ts';
import { briefly, type Failure, lastLines } from './failures.ts';
import './keep.ts';

const reporter: Reporter = {
  onTestRunEnd: (modules, unhandled) => {
    const failures = [
      ...modules.flatMap(failuresOf),
      ...unhandled.map(({ message }) => ({
        where: 'outside of any test',
        startedAtMs: undefined,
        ms: 0,
        messages: [message],
      })),
    ];
    const kept = modules.flatMap((module) => module.meta().kept ?? []);
    for (const line of lastLines(failures, kept)) console.error(line);
    const file = process.env[FAILURES_FILE];
    // Also where nothing failed: a run within a test of this run may have written its own.
    if (file !== undefined) writeFileSync(file, briefly(failures).join('\n'));
  },
};
export default reporter;

function failuresOf(module: TestModule): readonly Failure[] {
  const all = [module, ...module.children.allSuites()].map((suite) => failureOf(module, suite, undefined));
  const tests = [...module.children.allTests()].map((test) => failureOf(module, test, test));
  return [...all, ...tests].filter((failure) => failure !== null);
}

/** Null: nothing failed in it, or only within its parts. */
function failureOf(
  module: TestModule,
  part: TestModule | TestSuite | TestCase,
  test: TestCase | undefined,
): Failure | null {
  const messages = (test?.result().errors ?? (part.type === 'test' ? [] : part.errors())).map(({ message }) => message);
  if (messages.length === 0) return null;
  const { startTime, duration = 0 } = test?.diagnostic() ?? {};
  const name = part.type === 'module' ? '' : ` > ${part.fullName}`;
  return { where: `${module.relativeModuleId}${name}`, startedAtMs: startTime, ms: duration, messages };
}
