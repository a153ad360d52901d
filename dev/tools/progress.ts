/**
 * One line of progress for something long: updated in place in a terminal, a plain line now and then elsewhere.
 */

/** The stream that progress goes to; standard error in production. */
export interface ProgressStream {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

export interface Progress {
  /** Ends the line with the words for how it went. */
  readonly done: (words: string) => void;
}

const TERMINAL_INTERVAL_MS = 500;
const PLAIN_INTERVAL_MS = 15_000;

/**
 * Starts to show `what`, how long it has taken and how long it usually takes, until `done` is called.
 *
 * @param expectedSeconds usual duration of this part
 * @param remainingSeconds usual duration of this part and all that follow it
 */
export function showProgress(
  what: string,
  { expectedSeconds, remainingSeconds }: { readonly expectedSeconds: number; readonly remainingSeconds: number },
  stream: ProgressStream = process.stderr,
): Progress {
  const begun = performance.now();
  const elapsed = () => Math.round((performance.now() - begun) / 1000);
  const line = () => progressLine(what, { elapsed: elapsed(), expectedSeconds, remainingSeconds });
  const show = () => stream.write(stream.isTTY === true ? `\r\u001b[2K${line()}` : `${line()}\n`);
  show();
  const timer = setInterval(show, stream.isTTY === true ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS);
  return {
    done(words) {
      clearInterval(timer);
      stream.write(`${stream.isTTY === true ? '\r\u001b[2K' : ''}${words} in ${duration(elapsed())}\n`);
    },
  };
}

/** Shows the progress of some work; `done` are the words for its success, else it says that it stopped. */
export async function withProgress<T>(
  doing: string,
  done: string,
  times: Parameters<typeof showProgress>[1],
  work: () => Promise<T>,
): Promise<T> {
  const progress = showProgress(doing, times);
  let words = `stopped ${doing}`;
  try {
    const result = await work();
    words = done;
    return result;
  } finally {
    progress.done(words);
  }
}

/** The line itself; all times in seconds. Pure. */
export function progressLine(
  what: string,
  times: { readonly elapsed: number; readonly expectedSeconds: number; readonly remainingSeconds: number },
): string {
  const { elapsed, expectedSeconds, remainingSeconds } = times;
  // Late by itself, a part delays the rest but does not make it longer.
  const left = Math.max(remainingSeconds - elapsed, remainingSeconds - expectedSeconds);
  const rest = left > 0 ? `, about ${duration(left)} left in all` : ', nearly there';
  return `${what}: ${duration(elapsed)} of usually ${duration(expectedSeconds)}${rest}`;
}

/** Seconds in words for a person: `45 s`, `3 min 30 s`. */
export function duration(seconds: number): string {
  const rounded = Math.round(seconds);
  if (rounded < 60) return `${rounded} s`;
  const minutes = Math.floor(rounded / 60);
  return rounded % 60 === 0 ? `${minutes} min` : `${minutes} min ${rounded % 60} s`;
}
