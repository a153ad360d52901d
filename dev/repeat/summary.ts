/** What repeated runs of the tests have shown, for people. Pure. */
import type { Run } from './runs.ts';

const verdictOf = ({ code }: Run): string =>
  code === 0 ? 'passed' : `FAILED (${code === null ? 'ended by a signal' : `exit code ${code}`})`;

export const lineOf = (run: Run): string =>
  `${run.stage} ${run.time}: ${verdictOf(run)} in ${run.seconds.toFixed(0)} s${run.code === 0 ? '' : `; the last lines of ${run.log} say what`}`;

/** A line for each stage, then one for each run that failed. */
export function summaryOf(runs: readonly Run[]): readonly string[] {
  const stages = [...new Set(runs.map(({ stage }) => stage))];
  const counts = stages.map((stage) => {
    const own = runs.filter((run) => run.stage === stage);
    const seconds = own.map((run) => run.seconds);
    const passed = own.filter(({ code }) => code === 0).length;
    return `${stage}: ${passed} of ${own.length} runs passed, ${Math.min(...seconds).toFixed(0)} to ${Math.max(...seconds).toFixed(0)} s`;
  });
  return [...counts, ...runs.filter(({ code }) => code !== 0).map(lineOf)];
}
