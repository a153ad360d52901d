/** The last lines of a run of tests. Pure. */

export type Failure = {
  /** File and rule. */
  readonly where: string;
  /** Undefined where no test had begun. */
  readonly startedAtMs: number | undefined;
  readonly ms: number;
  readonly messages: readonly string[];
};

const MOST_LINES = 8;

/** `kept`: folders that explain. Nothing where nothing failed and nothing was kept. */
export function lastLines(failures: readonly Failure[], kept: readonly string[]): readonly string[] {
  return [
    ...(failures.length === 0 ? [] : [`${failures.length} failed:`]),
    ...failures.flatMap(linesOf),
    ...kept.map((dir) => `Logs of operators, components and pods, and the observed history: ${dir}`),
  ];
}

function linesOf({ where, startedAtMs, ms, messages }: Failure): readonly string[] {
  const when = startedAtMs === undefined ? '' : ` (failed at ${new Date(startedAtMs + ms).toISOString()})`;
  const lines = messages.flatMap((message) => message.split('\n'));
  const more = lines.length - MOST_LINES;
  const cut = more > 0 ? [...lines.slice(0, MOST_LINES), `and ${more} lines more, above`] : lines;
  return [`  ${where}${when}`, ...cut.map((line) => `    ${line}`)];
}
