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

const MOST_TOLD = 8;
const MOST_NAMED = 20;
const FIRST_LINES = 3;
const MOST_COLUMNS = 300;

/** As `lastLines`, for where little is kept of what was printed: fewer lines, whatever has failed. */
export function briefly(failures: readonly Failure[]): readonly string[] {
  const more = failures.length - MOST_TOLD - MOST_NAMED;
  return [
    ...(failures.length === 0 ? [] : [`${failures.length} failed:`]),
    ...failures.slice(0, MOST_TOLD).flatMap(({ where, messages }) => [`  ${where}`, ...firstLinesOf(messages)]),
    ...failures.slice(MOST_TOLD, MOST_TOLD + MOST_NAMED).map(({ where }) => `  ${where}`),
    ...(more > 0 ? [`  and ${more} more, above`] : []),
  ];
}

const firstLinesOf = (messages: readonly string[]): readonly string[] =>
  messages
    .flatMap((message) => message.split('\n'))
    .filter((line) => line.trim() !== '')
    .slice(0, FIRST_LINES)
    .map((line) => `    ${line.slice(0, MOST_COLUMNS)}`);

function linesOf({ where, startedAtMs, ms, messages }: Failure): readonly string[] {
  const when = startedAtMs === undefined ? '' : ` (failed at ${new Date(startedAtMs + ms).toISOString()})`;
  const lines = messages.flatMap((message) => message.split('\n'));
  const more = lines.length - MOST_LINES;
  const cut = more > 0 ? [...lines.slice(0, MOST_LINES), `and ${more} lines more, above`] : lines;
  return [`  ${where}${when}`, ...cut.map((line) => `    ${line}`)];
}
