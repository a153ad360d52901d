/**
 * Ask before you act: the gate of the LeaderGroup operator, for an application in TypeScript. No dependencies.
 *
 * ```ts
 * const gate = createGate();
 * await gate.runWhileLeader(async ({ token, signal }) => {
 *   while (!signal.aborted) await sendNext({ token, signal });
 * }, process.signal);
 * ```
 */

export type GateOptions = {
  /** Default: LEADERGROUP_GATE, else the operator's Service. */
  readonly url?: string;
  /** Of the LeaderGroup. Default: LEADERGROUP_NAME. */
  readonly group?: string;
  /** Default: POD_NAMESPACE, from the downward API. */
  readonly namespace?: string;
  /** Default: POD_NAME, from the downward API. */
  readonly pod?: string;
};

export type Leadership = {
  /** Rises with each leader: whatever is acted on should refuse a token lower than the highest it has seen. */
  readonly token: number;
  /** By performance.now(): what is not done by then must not be done. */
  readonly untilMs: number;
};

export type Gate = {
  /** null: this pod does not lead, or nobody can say so: do not act. */
  ask(signal?: AbortSignal): Promise<Leadership | null>;
  /**
   * Runs `fn` whenever this pod leads, until `signal` aborts or `fn` throws. The signal given to `fn` aborts as soon as the pod may
   * not act any more; `fn` has to end then, and is waited for before it is run again.
   */
  runWhileLeader(
    fn: (run: { readonly token: number; readonly signal: AbortSignal }) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;
};

const ANSWER_MS = 1000;
const AGAIN_MS = 500;
/** A yes is asked for anew when a third of it has passed, so that one lost answer does no harm. */
const SHARE = 3;

export function createGate(options: GateOptions = {}): Gate {
  const { env } = process;
  const base = options.url ?? env['LEADERGROUP_GATE'] ?? 'http://leadergroup.leadergroup-system.svc:8080';
  const part = (value: string | undefined, what: string): string => {
    if (value === undefined || value === '') throw new Error(`${what} is not set`);
    return encodeURIComponent(value);
  };
  const namespace = part(options.namespace ?? env['POD_NAMESPACE'], 'POD_NAMESPACE');
  const group = part(options.group ?? env['LEADERGROUP_NAME'], 'LEADERGROUP_NAME');
  const pod = part(options.pod ?? env['POD_NAME'], 'POD_NAME');
  const url = `${base}/v1/namespaces/${namespace}/leadergroups/${group}/members/${pod}`;

  async function ask(signal?: AbortSignal): Promise<Leadership | null> {
    const limit = AbortSignal.timeout(ANSWER_MS);
    // Before the question: the answer may have been on its way for as long as it took.
    const askedMs = performance.now();
    try {
      const response = await fetch(url, { signal: signal === undefined ? limit : AbortSignal.any([signal, limit]) });
      const { token, validForMilliseconds } = (await response.json()) as {
        token: number;
        validForMilliseconds: number;
      };
      return response.status === 200 ? { token, untilMs: askedMs + validForMilliseconds } : null;
    } catch {
      return null;
    }
  }

  async function runWhileLeader(
    fn: (run: { readonly token: number; readonly signal: AbortSignal }) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    while (!signal.aborted) {
      const leadership = await ask(signal);
      if (leadership === null) await pause(AGAIN_MS, signal);
      else await lead(leadership, fn, signal);
    }
  }

  /** One term of office: from the first yes to the end of the last one. */
  async function lead(
    first: Leadership,
    fn: (run: { readonly token: number; readonly signal: AbortSignal }) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const office = new AbortController();
    const both = AbortSignal.any([signal, office.signal]);
    const working = fn({ token: first.token, signal: both }).finally(() => office.abort());
    let { untilMs } = first;
    let timer = setTimeout(() => office.abort(), untilMs - performance.now());
    while (!both.aborted) {
      await pause((untilMs - performance.now()) / SHARE, both);
      const next = await ask(both);
      if (next === null) continue;
      if (next.token !== first.token) break;
      ({ untilMs } = next);
      clearTimeout(timer);
      timer = setTimeout(() => office.abort(), untilMs - performance.now());
    }
    clearTimeout(timer);
    office.abort();
    await working;
  }

  return { ask, runWhileLeader };
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, Math.max(10, ms));
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
  });
