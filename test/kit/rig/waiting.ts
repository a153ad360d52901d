/** Waits for something to have happened, asking again at each event: no polling, always with a limit. */

export type Limit = {
  readonly timeoutMs: number;
  /** What is waited for, for the message: "not seen within 5 s: ..." */
  readonly what: string;
};

export type Waiting = {
  /** Something happened: all that wait ask again. The last lines are shown when one of them gives up. */
  readonly note: (line: string) => void;
  /** The predicate is asked at once and after each note; false, undefined and null mean not yet. A throw rejects. */
  readonly until: <T>(predicate: () => T | false | undefined | null, limit: Limit) => Promise<T>;
  /** Everyone who waits gives up with this error, now and later: what was watched has ended. */
  readonly fail: (error: Error) => void;
};

const SHOWN_LINES = 25;

export function waiting(): Waiting {
  const lines: string[] = [];
  const listeners = new Set<() => void>();
  let failure: Error | undefined;
  const wake = (): void => {
    listeners.forEach((listener) => listener());
  };
  return {
    note: (line) => {
      const text = line.trimEnd();
      // The same trouble again and again would push out what matters.
      if (lines.at(-1)?.endsWith(text) !== true) lines.push(`${performance.now().toFixed(0)} ms ${text}`);
      if (lines.length > SHOWN_LINES) lines.shift();
      wake();
    },
    fail: (error) => {
      failure = error;
      wake();
    },
    until: async <T>(predicate: () => T | false | undefined | null, { timeoutMs, what }: Limit): Promise<T> => {
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      const ask = (): void => {
        try {
          const found = predicate();
          if (found !== false && found !== undefined && found !== null) resolve(found);
          else if (failure !== undefined) reject(failure);
        } catch (error) {
          reject(error);
        }
      };
      const giveUp = (): void =>
        reject(new Error(`not seen within ${timeoutMs} ms: ${what}. Seen last:\n  ${lines.join('\n  ') || 'nothing'}`));
      const timer = setTimeout(giveUp, timeoutMs);
      listeners.add(ask);
      try {
        ask();
        return await promise;
      } finally {
        listeners.delete(ask);
        clearTimeout(timer);
      }
    },
  };
}
