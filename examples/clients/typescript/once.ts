/** Once per tick: each position of a series is given to one call, whoever leads. Part of index.ts, whose `createGate` has it as `once`; copy both. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

export type OnceOptions = {
  /**
   * AtMostOnce (default): a position that was given out is never given out again, also if it was not done. AtLeastOnce: it is, until somebody has
   * said that it is done; then `fn` may be run for one position twice.
   */
  readonly mode?: 'AtMostOnce' | 'AtLeastOnce';
  /** Of AtLeastOnce: given out again when it was neither done nor renewed for so long. Default: 300. */
  readonly retryAfterSeconds?: number;
  /**
   * So long a pod that does not lead waits for the position to be claimed by the leader, or to lead itself; and with AtLeastOnce whoever leads for
   * an earlier one to be done. 0: it drops it at once. Default: 30,000, for all replicas call `once`, and with AtLeastOnce retryAfterSeconds
   * beyond that: what a dead leader was at holds up all later ones for so long. In a term 0.
   */
  readonly waitMs?: number;
  /** So long, beyond `waitMs`, it is asked again where nobody can say. Default: 2000. */
  readonly patienceMs?: number;
  /** Ends the asking, and `signal` of the claim (on SIGTERM). If the position may have been given to it by then, it asks once more, and does it. */
  readonly signal?: AbortSignal | undefined;
};

/** What `fn` is to do. */
export type Claim = {
  readonly series: string;
  /** With AtLeastOnce it may be an earlier one than `once` was called for, which nobody has done: that one is done first. */
  readonly position: number;
  /** Of the leader: whatever is acted on should refuse a token lower than the highest it has seen. */
  readonly token: number;
  /** How often the position was given out. */
  readonly attempt: number;
  /**
   * Aborts when `options.signal` does, when the term is over (`term.once`), and when the position was given to somebody else. If `fn` gives up for
   * that, it has to throw: what returns counts as done.
   */
  readonly signal: AbortSignal;
};

/** Who has a position, and since when (RFC 3339). */
export type By = { readonly pod: string; readonly uid: string; readonly token: number; readonly time: string };

export type Outcome =
  /** `fn` was run for the position, and did not throw. `reported`: the gate has noted it; false with AtLeastOnce: it may be done once more. */
  | {
      readonly kind: 'done';
      readonly position: number;
      readonly token: number;
      readonly attempt: number;
      readonly reported: boolean;
    }
  /**
   * `fn` was not run for the position. Passed: it was given out, or a later one was, `by` says to whom. Pending: it or an earlier one was given out,
   * and is neither done nor overdue. NotLeader: the leader asks for itself. TermOver: the position may be this term's, which was over before `fn` began.
   */
  | {
      readonly kind: 'dropped';
      readonly reason: 'Passed' | 'Pending' | 'NotLeader' | 'TermOver';
      readonly by: By | null;
    }
  /** Nobody could say, or nobody has claimed it in all the time; `fn` was not run for the position, here, and perhaps nowhere. */
  | { readonly kind: 'unknown'; readonly message: string };

/**
 * Runs `fn` if the position of the series is given to this very call. The position rises with each tick: its scheduled time in milliseconds, a
 * sequence number, an offset; not the time of the call, which differs from replica to replica. Rejects with what `fn` throws, and nothing is
 * reported then; with ClaimError where the call is wrong.
 */
export type Once = (
  series: string,
  position: number,
  fn: (claim: Claim) => Promise<void> | void,
  options?: OnceOptions,
) => Promise<Outcome>;

/** How far a series has come: its last position that was given out, to whichever call; null: none was, yet. */
export type Standing = { readonly position: number | null };

/** The gate does not take such a claim (400, 401, 403, too many series): the program or its manifest is wrong, or the group. */
export class ClaimError extends Error {
  /** Not sooner does the gate want to hear of it again; 0: it has not said. */
  readonly retryAfterMs: number;
  constructor(message: string, retryAfterMs = 0) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** The last reply to a question about claims; status 0: there was none. */
export type Told = { readonly status: number; readonly text: string };

export type Ask = (
  what: {
    readonly method: 'GET' | 'POST' | 'PUT';
    readonly path: '' | '/done' | '/renew';
    readonly body?: string;
    /** Of GET. */
    readonly series?: string;
    /** So long it may take, of one replica alone. */
    readonly waitMs?: number;
  },
  signal: AbortSignal | undefined,
) => Promise<Told>;

/** Whether the next replica need not be asked. */
export const isClaimReply = (status: number): boolean => [200, 201, 400, 409, 429].includes(status);

type Tick = { readonly series: string; readonly position: number } & Required<Omit<OnceOptions, 'signal'>> &
  Pick<OnceOptions, 'signal'>;

/** `sinceMs`: given no earlier than this, by performance.now(). The answer may be a late one, of which earlier ones got lost. */
type Given = Omit<Claim, 'signal'> & { readonly sinceMs: number };
type Dropped = Extract<Outcome, { readonly kind: 'dropped' }>;
type Answer =
  | { readonly kind: 'given'; readonly given: Given }
  | { readonly kind: 'refused'; readonly message: string; readonly isFinal: boolean; readonly restMs: number }
  | Dropped
  | Extract<Outcome, { readonly kind: 'unknown' }>;
/** What one reply says. */
type Judged =
  | Exclude<Answer, { readonly kind: 'unknown' }>
  /** Nothing; not sooner than in so many milliseconds may it be asked for again. */
  | { readonly kind: 'again'; readonly restMs: number }
  /** Whoever waits may hear otherwise. */
  | { readonly kind: 'perhaps'; readonly otherwise: Dropped };

const DEFAULTS = { mode: 'AtMostOnce', retryAfterSeconds: 300, patienceMs: 2000 } as const;
const DEFAULT_WAIT_MS = 30_000;
/** One question waits no longer: the replica that it waits at may have died with the leader. */
const WAIT_MS = 2000;
/** Less is not worth a question. */
const LEAST_WAIT_MS = 50;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1000;
/** What took so long needs no pause. */
const QUICK_MS = 300;
/** No answer of the gate asks for more patience. */
const MAX_REST_MS = 60_000;

/** Asks until somebody says, with pauses. null: told to stop. Rejects with ClaimError where the question is refused. */
export async function standingOf(ask: Ask, series: string, signal?: AbortSignal): Promise<Standing | null> {
  const begunMs = performance.now();
  for (let times = 1; ; times += 1) {
    if (signal?.aborted === true) return null;
    const told = await ask({ method: 'GET', path: '', series }, signal);
    const said = standingIn(told);
    if (said !== null) return said;
    // A replica may not know the address of a new pod yet.
    const isNew = performance.now() - begunMs < DEFAULTS.patienceMs;
    const restMs = restIn(objectIn(told.text));
    if (told.status === 400 || ([401, 403].includes(told.status) && !isNew))
      throw new ClaimError(messageOf(told), restMs);
    await pause(Math.max(restMs, backoffMs(times)), signal);
  }
}

/** null: the reply does not say. */
function standingIn({ status, text }: Told): Standing | null {
  const { position } = objectIn(text);
  return status === 200 && (position === null || isWhole(position)) ? { position } : null;
}

/** `begins`: whether `fn` may still be begun, for what is given under this token; null: for anything. */
export type OnceIn = (
  tick: { readonly series: string; readonly position: number },
  fn: (claim: Claim) => Promise<void> | void,
  options: OnceOptions,
  begins: (token: number | null) => boolean,
) => Promise<Outcome>;

type Begins = Parameters<OnceIn>[3];

/** `warn` is told of what was done and could not be reported. */
export function createOnce(ask: Ask, warn: (message: string) => void): OnceIn {
  const line = createLine();

  /** Under an id that its retries keep, and no other call has. */
  async function claim(tick: Tick, id: string, waitUntilMs: number, begins: Begins): Promise<Answer> {
    const begunMs = performance.now();
    const asked = { method: 'POST', path: '', body: bodyOf(tick, id) } as const;
    let turn = AT_ONCE;
    for (;;) {
      const askedMs = performance.now();
      const leftMs = waitUntilMs - askedMs;
      const waitMs = turn.waits && leftMs > LEAST_WAIT_MS ? Math.min(leftMs, WAIT_MS) : 0;
      // One that does not wait is heard to its end: the position may have been given to it.
      const told = waitMs === 0 ? await ask(asked, undefined) : await ask({ ...asked, waitMs }, tick.signal);
      const said = judge(told, tick, begunMs);
      // For the same reason one that was cut off is put once more.
      if (waitMs > 0 && isCutOff(said, tick) && begins(null)) {
        turn = AT_ONCE;
        continue;
      }
      const nowMs = performance.now();
      const answer = answerIn(said, tick, { leftMs, sinceMs: nowMs - begunMs });
      if (answer !== null) return answer;
      turn = nextTurn(turn, said, { tookMs: nowMs - askedMs, isOver: told.status === 503 && leftMs > LEAST_WAIT_MS });
      if (turn.pauseMs === 0) continue;
      if (nowMs + turn.pauseMs >= waitUntilMs + tick.patienceMs) return givenUp(said, told);
      await pause(turn.pauseMs, tick.signal);
    }
  }

  /** Whether it was noted; false: somebody else has the position by now. null: nobody knows. */
  async function report(
    path: '/done' | '/renew',
    { series, position }: Given,
    id: string,
    stop?: AbortSignal,
  ): Promise<boolean | null> {
    const sent = { method: 'PUT', path, body: JSON.stringify({ series, position, id }) } as const;
    const { status, text } = await ask(sent, stop);
    if (status !== 200 && status !== 409) return null;
    // A later one is given out only when this one is done: it was noted before, and the answer got lost.
    const isPast = isWhole(objectIn(text)['position'], Number.MAX_SAFE_INTEGER, position + 1);
    return status === 200 || (path === '/done' && isPast);
  }

  /** While it is being done, also by a call that takes long, it is not given out again. */
  async function renew(given: Given, id: string, tick: Tick, lost: AbortController): Promise<void> {
    const thirdMs = (tick.retryAfterSeconds * 1000) / 3;
    for (let heard: boolean | null = true, fromMs = given.sinceMs; ; fromMs = performance.now()) {
      const dueMs = fromMs + thirdMs - performance.now();
      await pause(heard === null ? Math.min(dueMs, MAX_PAUSE_MS) : dueMs, lost.signal);
      if (lost.signal.aborted) return;
      heard = await report('/renew', given, id, lost.signal);
      if (heard === false) lost.abort();
    }
  }

  /** At least for as long as nobody else is given it. */
  async function done(given: Given, id: string, tick: Tick): Promise<boolean> {
    const begunMs = performance.now();
    const limitMs = (): number =>
      tick.signal?.aborted === true ? tick.patienceMs : Math.max(tick.patienceMs, (tick.retryAfterSeconds * 1000) / 3);
    for (let times = 1; ; times += 1) {
      const heard = await report('/done', given, id);
      if (heard !== null || performance.now() - begunMs >= limitMs()) {
        if (heard !== true) warn(`${given.series} ${given.position} is done, but the gate has not noted it`);
        return heard === true;
      }
      await pause(backoffMs(times));
    }
  }

  async function run(given: Given, id: string, tick: Tick, fn: (claim: Claim) => Promise<void> | void) {
    const over = new AbortController();
    const lost = new AbortController();
    const untie = [tick.signal, lost.signal].map((signal) => onAbort(signal, () => over.abort()));
    const renewing = tick.mode === 'AtLeastOnce' ? renew(given, id, tick, lost) : null;
    const { sinceMs: _, ...claimed } = given;
    try {
      await fn({ ...claimed, signal: over.signal });
    } finally {
      for (const free of untie) free();
      lost.abort();
      await renewing;
    }
    return tick.mode === 'AtLeastOnce' ? await done(given, id, tick) : true;
  }

  async function inTurn(
    tick: Tick,
    fn: (claim: Claim) => Promise<void> | void,
    { begins, leave, ...first }: { readonly begins: Begins; readonly waitUntilMs: number; leave(): void },
  ): Promise<Outcome> {
    for (let { waitUntilMs } = first; ; waitUntilMs = performance.now() + tick.waitMs) {
      // What nobody has asked for is nobody's loss.
      if (tick.signal?.aborted === true) return STOPPED;
      const id = randomBytes(16).toString('hex');
      const said = await claim(tick, id, waitUntilMs, begins);
      if (said.kind === 'refused') throw new ClaimError(said.message, said.restMs);
      if (said.kind !== 'given') return said;
      const { given } = said;
      if (given.position === tick.position) leave();
      if (!begins(given.token)) return { kind: 'dropped', reason: 'TermOver', by: null };
      const reported = await run(given, id, tick, fn);
      const { position, token, attempt } = given;
      if (position === tick.position) return { kind: 'done', position, token, attempt, reported };
      // It was an earlier one. What it was called for needs a claim of its own.
    }
  }

  return async (at, fn, options, begins) => {
    const tick = tickOf(at, options);
    const waitUntilMs = performance.now() + tick.waitMs;
    const turn = line.join(tick.series);
    try {
      const came = await turn.come(waitUntilMs + tick.patienceMs, tick.signal);
      if (!came && tick.signal?.aborted !== true)
        return { kind: 'unknown', message: `an earlier call for ${tick.series} was not answered in time` };
      return await inTurn(tick, fn, { begins, waitUntilMs, leave: turn.leave });
    } finally {
      turn.leave();
    }
  };
}

/** What is given as undefined has its default as well. */
function tickOf(at: Pick<Tick, 'series' | 'position'>, options: OnceOptions): Tick {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as OnceOptions;
  const known = { ...DEFAULTS, ...given, ...at };
  const pendingMs = known.mode === 'AtLeastOnce' ? known.retryAfterSeconds * 1000 : 0;
  return { waitMs: pendingMs + DEFAULT_WAIT_MS, ...known };
}

type InLine = {
  /** False: not by then, or told to stop. */
  come(untilMs: number, signal: AbortSignal | undefined): Promise<boolean>;
  /** Whoever was first has the next one come. */
  leave(): void;
};

/** The calls for a series, one after the other: a later position that is given lets the earlier ones pass, also one that is still asked for. */
function createLine(): { join(series: string): InLine } {
  const lines = new Map<string, (() => void)[]>();

  function leave(series: string, own: () => void): void {
    const left = lines.get(series)?.filter((each) => each !== own) ?? [];
    left[0]?.();
    if (left.length > 0) lines.set(series, left);
    else lines.delete(series);
  }

  return {
    join: (series) => {
      const first = Promise.withResolvers<boolean>();
      const own = (): void => first.resolve(true);
      const line = lines.get(series) ?? [];
      line.push(own);
      lines.set(series, line);
      line[0]?.();
      return {
        leave: () => leave(series, own),
        come: async (untilMs, signal) => {
          const over = new AbortController();
          const free = onAbort(signal, () => over.abort());
          const late = pause(untilMs - performance.now(), over.signal).then(() => false);
          const came = await Promise.race([first.promise, late]);
          over.abort();
          free();
          return came;
        },
      };
    },
  };
}

/** `waits`: the next question does. `quick`: how many in a row brought nothing, and did not take long. */
type Turn = { readonly waits: boolean; readonly quick: number; readonly pauseMs: number };

const AT_ONCE: Turn = { waits: false, quick: 0, pauseMs: 0 };
const STOPPED = { kind: 'unknown', message: 'it was told to stop before the gate said' } as const;

/** `isOver`: it was told 503, as where nobody leads, or at the end of the time of a question that waits; and there is time left to wait. */
function nextTurn(
  { waits, quick }: Turn,
  said: Judged,
  { tookMs, isOver }: { readonly tookMs: number; readonly isOver: boolean },
): Turn {
  const slow = tookMs >= QUICK_MS;
  const wakes = said.kind === 'perhaps' || (isOver && (slow || !waits));
  if (wakes && (!waits || slow)) return { waits: true, quick: 0, pauseMs: 0 };
  const restMs = said.kind === 'again' ? said.restMs : 0;
  return { waits: wakes, quick: quick + 1, pauseMs: restMs > 0 ? restMs : backoffMs(quick + 1) };
}

const isCutOff = (said: Judged, { signal }: Tick): boolean => said.kind === 'again' && signal?.aborted === true;

const givenUp = (said: Judged, told: Told): Answer =>
  said.kind === 'refused' ? said : { kind: 'unknown', message: messageOf(told) };

/** null: it is worth asking again. */
function answerIn(
  said: Judged,
  tick: Tick,
  { leftMs, sinceMs }: Readonly<Record<'leftMs' | 'sinceMs', number>>,
): Answer | null {
  if (said.kind === 'given' || said.kind === 'dropped') return said;
  if (said.kind === 'refused' && (said.isFinal || sinceMs >= tick.patienceMs)) return said;
  if (tick.signal?.aborted === true) return STOPPED;
  return said.kind === 'perhaps' && leftMs <= LEAST_WAIT_MS ? inVain(said.otherwise, tick) : null;
}

function bodyOf({ series, position, mode, retryAfterSeconds }: Tick, id: string): string {
  const claim = { series, position, id, mode };
  return JSON.stringify(mode === 'AtLeastOnce' ? { ...claim, retryAfterSeconds } : claim);
}

/** Whoever has waited has seen nobody claim it. */
const inVain = (otherwise: Dropped, { waitMs, series }: Tick): Answer =>
  otherwise.reason === 'NotLeader' && waitMs > 0
    ? { kind: 'unknown', message: `nobody has claimed this position of ${series} within ${waitMs} ms` }
    : otherwise;

function judge(told: Told, tick: Tick, sinceMs: number): Judged {
  const body = objectIn(told.text);
  const again = { kind: 'again', restMs: 0 } as const;
  switch (told.status) {
    case 201: {
      const given = givenIn(body, tick);
      return given === null ? again : { kind: 'given', given: { ...given, sinceMs } };
    }
    case 409:
      return notGivenIn(body) ?? again;
    case 429:
      // Its ticks should be positions of one series.
      if (body['reason'] === 'TooManySeries') return refusedBy(told, true);
      return { kind: 'again', restMs: restIn(body) };
    case 400:
      return refusedBy(told, true);
    case 401:
    case 403:
      // A replica may not know the address of a new pod yet.
      return refusedBy(told, false);
    default:
      return again;
  }
}

/** `isFinal`: it would be by any replica. */
const refusedBy = (told: Told, isFinal: boolean): Extract<Judged, { readonly kind: 'refused' }> => ({
  kind: 'refused',
  message: messageOf(told),
  isFinal,
  restMs: restIn(objectIn(told.text)),
});

/** null: it gives nothing that was asked for. */
function givenIn(body: Readonly<Record<string, unknown>>, tick: Tick): Omit<Given, 'sinceMs'> | null {
  const { claimed, series, position, token, attempt } = body;
  const lowest = tick.mode === 'AtLeastOnce' ? 0 : tick.position;
  if (claimed !== true || series !== tick.series || !isWhole(position, tick.position, lowest)) return null;
  if (!isWhole(token) || !isWhole(attempt)) return null;
  return { series: tick.series, position, token, attempt };
}

function notGivenIn({ claimed, reason, by = null }: Readonly<Record<string, unknown>>): Judged | null {
  if (claimed !== false) return null;
  switch (reason) {
    case 'Passed':
      return { kind: 'dropped', reason, by: by as By | null };
    case 'Pending':
    case 'NotLeader':
      return { kind: 'perhaps', otherwise: { kind: 'dropped', reason, by: by as By | null } };
    default:
      return null;
  }
}

const messageOf = ({ status, text }: Told): string =>
  status === 0 ? 'the gate has not answered' : `the gate said ${status} ${text.trim()}`;

function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text)) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

export const isWhole = (value: unknown, max = Number.MAX_SAFE_INTEGER, min = 1): value is number =>
  Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;

/** In how many milliseconds it may be asked again; 0: when one likes. */
export const restIn = ({ retryAfterMilliseconds: ms }: Readonly<Record<string, unknown>>): number =>
  isWhole(ms, MAX_REST_MS) ? ms : 0;

/** Half of it by chance: many may pause at the same moment. */
export const backoffMs = (times: number): number =>
  Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(times, 10)) * (0.5 + Math.random() / 2);

/** Resolves as well when `signal` aborts. */
export const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
  delay(Math.max(10, ms), undefined, signal === undefined ? {} : { signal }).catch(() => undefined);

/** Calls `then` when `signal` aborts, at once if it has. Returns how to take that back. */
export function onAbort(signal: AbortSignal | undefined, then: () => void): () => void {
  signal?.addEventListener('abort', then, { once: true });
  if (signal?.aborted === true) then();
  return () => signal?.removeEventListener('abort', then);
}
