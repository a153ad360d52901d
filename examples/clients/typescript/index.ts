/**
 * Ask before you act: the gate of the LeaderGroup operator, for an application in TypeScript. No dependencies. Copy once.ts along.
 *
 * ```ts
 * const stop = new AbortController();
 * await createGate().runWhileLeader(async (term) => {
 *   while (term.holds()) await sendNext(term); // which looks at holds() once more, right before what cannot be undone
 * }, stop.signal);
 * ```
 */
import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import {
  type Ask,
  backoffMs,
  createOnce,
  isClaimReply,
  isWhole,
  type Once,
  type OnceOptions,
  onAbort,
  pause,
  restIn,
  type Standing,
  standingOf,
  type Told,
} from './once.ts';

export { type Claim, ClaimError, type Once, type OnceOptions, type Outcome, type Standing } from './once.ts';

export type GateOptions = {
  /**
   * Where the replicas of the operator are: URLs with commas between them. Each address behind the name of an http URL is a replica. Default:
   * LEADERGROUP_GATE, else the headless Service of the operator.
   */
  readonly url?: string;
  /** Of the LeaderGroup. Default: LEADERGROUP_NAME. */
  readonly group?: string;
  /** Default: POD_NAMESPACE, from the downward API. */
  readonly namespace?: string;
  /** Default: POD_NAME, from the downward API. */
  readonly pod?: string;
  /** A pod that is made again has the name of the old one, which may still run. Default: POD_UID, from the downward API. */
  readonly uid?: string;
  /** Of a ServiceAccount token of audience leadergroup, for an operator that asks for one. Default: LEADERGROUP_TOKEN_FILE; empty: none is sent. */
  readonly tokenFile?: string;
  /** Told what people should hear: once each, if the gate does not know that it is this pod that asks, or refuses what only the pod itself may do. Default: console.warn. */
  readonly warn?: (message: string) => void;
  /** The addresses behind a name. Default: those that the system knows. */
  readonly lookup?: (name: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;
};

export type Leadership = {
  /** Rises with each leader: whatever is acted on should refuse a token lower than the highest it has seen. */
  readonly token: number;
  /**
   * Whether the pod may still act, by the clock. To be looked at right before each step that cannot be undone: a process that was
   * frozen goes on where it stood, before any timer or signal has told it that its time is over. Once false, false for good.
   */
  holds(): boolean;
  /** By performance.now(): what is not done by then must not be done. In a term it moves on with each answer. */
  untilMs(): number;
};

/** From the first grant to the end of the last one. */
export type Term = Leadership & {
  /** Aborts when the term is over: to end what waits, not to decide whether to act. */
  readonly signal: AbortSignal;
  /** Has another pod lead, if one can, once `fn` has returned; it should do so now. */
  resign(): void;
  /** As `once` of the gate, in this term: it does not wait to lead, and begins nothing once the term is over. */
  readonly once: Once;
};

export type Gate = {
  /** null: this pod does not lead, or nobody can say so: do not act. */
  ask(signal?: AbortSignal): Promise<Leadership | null>;
  /**
   * Runs `fn` whenever this pod leads, until `signal` aborts (on SIGTERM) or `fn` throws, which rejects. `fn` has to end when its term does,
   * and is waited for before it is run again; it is also run again, half a second later, if it ends while the pod leads. The term is
   * released once `fn` has ended, before this resolves. Nothing is asked while `fn` goes on after its term, and `warn` is told every ten seconds.
   */
  runWhileLeader(fn: (term: Term) => Promise<void>, signal: AbortSignal): Promise<void>;
  /** Does something once per tick: for schedulers that run in every replica. Each of them calls it at each tick, whoever leads. */
  readonly once: Once;
  /**
   * How far a series has come. A process that begins anew begins after it: its first claim would let the ticks pass that nobody has claimed meanwhile.
   * Asks until somebody says, or `signal` aborts: null. Rejects with ClaimError where the gate refuses the question.
   */
  standing(series: string, signal?: AbortSignal): Promise<Standing | null>;
};

/** What a question brought. */
type Said =
  | { readonly kind: 'grant'; readonly leadership: Leadership }
  /** `token`: of the pod that leads; 0: none does. */
  | { readonly kind: 'no'; readonly token: number }
  /** This pod leads, but gets no more grants. */
  | { readonly kind: 'revoking' }
  /** The secret is that of a term which was released. */
  | { readonly kind: 'released' }
  | { readonly kind: 'unknown' };

type Sent = {
  readonly method?: 'GET' | 'POST' | 'PUT';
  /** From the origin on, with its query. */
  readonly path: string;
  /** JSON. */
  readonly body?: string;
  /** Of the term; null: for a grant that is not to be released. */
  readonly secret: string | null;
  /** The gate may take its time for it, so long: it is asked of one replica alone. */
  readonly waitMs?: number;
};

/** `askedMs`: before the question, for the answer may have been on its way for as long as it took. */
type Reply = { readonly status: number; readonly text: string; readonly askedMs: number };

const ANSWER_MS = 1000;
/** After so long without an answer another replica is asked as well. */
const SECOND_MS = 150;
const AGAIN_MS = 500;
/** So long a pod that does not lead waits for news. Not longer: the replica that it waits for may have died with the leader. */
const WAIT_MS = 2000;
/** Who is answered within this time without a grant pauses before it asks again, twice as long each time. */
const QUICK_MS = 300;
/** So often the gate is asked at the start whether it knows this pod, once a second: the address of a new pod is known after a while. */
const SELF_TIMES = 10;
/** The gate promises no more at a time; an answer that does is none of its. */
const MAX_VALID_MS = 2000;
/** A grant is asked for again when a third of it has passed, so that one lost answer does no harm. */
const SHARE = 3;
/** Of work that goes on after its term people are told so often. */
const OVERRUN_MS = 10_000;

export function createGate(options: GateOptions = {}): Gate {
  const { path, memberPath, query, selfPath, uid, ...at } = target(options);
  const hear = createHearing({ ...at, find: options.lookup ?? ((name) => lookup(name, { all: true })) });
  const say = options.warn ?? console.warn;
  const warn = onceEach(say);
  /** With a leader probe the pod must be heard so often, whatever it is told. */
  let withinMs = Number.POSITIVE_INFINITY;
  let askedMs = 0;
  /** The gate has said that asking again sooner brings nothing. */
  let restUntilMs = 0;
  /** The terms that have ended. */
  let releasing: Promise<unknown> = Promise.resolve();
  /** In how long the next question is due at the latest. */
  const dueMs = (): number => askedMs + withinMs - performance.now();
  /** In how long to ask again: so long, or when the gate has said; but when the pod must be heard all the same. */
  const againMs = (ms: number): number => Math.min(Math.max(ms, restUntilMs - performance.now()), dueMs());

  /** null: the next replica may know better. */
  function read(reply: Reply): Said | null {
    if (reply.status === 401 || reply.status === 403) warn('the gate refuses', reply);
    const body = [200, 409, 429].includes(reply.status) ? bodyOf(reply.text) : null;
    if (body === null) return null;
    restUntilMs = performance.now() + restIn(body);
    if (reply.status === 429) return null;
    withinMs = withinIn(body);
    if (reply.status === 200) return leadershipIn(body, uid, reply.askedMs);
    if (body['reason'] === 'Revoking') return { kind: 'revoking' };
    if (body['reason'] === 'Released') return { kind: 'released' };
    return { kind: 'no', token: isWhole(body['token']) ? body['token'] : 0 };
  }

  async function question(secret: string | null, stop?: AbortSignal): Promise<Said> {
    askedMs = performance.now();
    return (await hear({ path, secret }, read, stop)) ?? { kind: 'unknown' };
  }

  async function ask(stop?: AbortSignal): Promise<Leadership | null> {
    const said = await question(null, stop);
    return said.kind === 'grant' ? said.leadership : null;
  }

  /** Resolves when there may be news for whoever knows this token, or something went wrong. */
  async function news(known: number, secret: string, stop: AbortSignal): Promise<void> {
    for (let token = known; !stop.aborted; ) {
      askedMs = performance.now();
      const waitMs = Math.min(WAIT_MS, withinMs);
      // The answer has to come before the pod must be heard again.
      const sent = { path: `${path}&wait=${Math.ceil(waitMs * 0.8)}ms&token=${token}`, secret, waitMs };
      // A grant that was waited for is over when it comes: it says that it is worth asking.
      const said = await hear(sent, (reply) => read({ ...reply, askedMs: performance.now() }), stop);
      if (said?.kind !== 'no' || performance.now() - askedMs < QUICK_MS) return;
      token = said.token;
    }
  }

  /** Nobody needs to wait for the grants of this term any more. If nobody hears it, they run out. */
  async function release(secret: string, resigns: boolean): Promise<void> {
    const sent = {
      method: 'POST',
      path: `${memberPath}/release${query}${resigns ? '&resign=true' : ''}`,
      secret,
    } as const;
    const heard = (reply: Reply): true | null => {
      if (reply.status === 403) warn('the gate takes no release of this pod', reply);
      // 404 and 405: of an older replica, which does not know releases.
      return reply.status < 500 && reply.status !== 404 && reply.status !== 405 ? true : null;
    };
    if ((await hear(sent, heard)) === null) await hear(sent, heard);
  }

  const askClaims = askingClaims(hear, memberPath, query);
  const onceIn = createOnce(askClaims, say);
  const once: Once = (series, position, fn, given = {}) => onceIn({ series, position }, fn, given, () => true);

  /** Whether the gate knows this pod, of which people should hear: what counts only from the pod itself would not count. */
  async function introduce(stop: AbortSignal): Promise<void> {
    let last = null as Reply | null;
    const known = (reply: Reply): true | null => {
      last = reply;
      return reply.status === 200 ? true : null;
    };
    for (let times = 0; times < SELF_TIMES && !stop.aborted; times += 1) {
      last = null;
      if ((await hear({ path: selfPath, secret: null }, known, stop)) !== null) return;
      await pause(1000, stop);
    }
    if (last !== null && !stop.aborted) warn('the gate does not know that it is this pod that asks', last);
  }

  async function runWhileLeader(fn: (term: Term) => Promise<void>, stop: AbortSignal): Promise<void> {
    void introduce(stop);
    let secret = newSecret();
    let quick = 0;
    try {
      while (!stop.aborted) {
        const begunMs = performance.now();
        const said = await question(secret, stop);
        if (said.kind === 'grant') await lead({ first: said.leadership, secret }, fn, stop);
        if (said.kind === 'no') await news(said.token, secret, stop);
        if (said.kind === 'grant' || said.kind === 'released') secret = newSecret();
        const learned = said.kind === 'no' && performance.now() - begunMs >= QUICK_MS;
        quick = learned || said.kind === 'grant' ? 0 : quick + 1;
        const pauseMs = said.kind === 'grant' ? AGAIN_MS : backoffMs(quick);
        if (!learned) await pause(againMs(pauseMs), stop);
      }
    } finally {
      await releasing;
    }
  }

  /** The term is released when `fn` has ended, not before. */
  async function lead(
    { first, secret }: { readonly first: Leadership; readonly secret: string },
    fn: (term: Term) => Promise<void>,
    stop: AbortSignal,
  ): Promise<void> {
    const office = new AbortController();
    const { signal } = office;
    const end = (): void => office.abort();
    const { token } = first;
    let resigns = false;
    let untilMs = first.untilMs();
    const leftMs = (): number => untilMs - performance.now();
    const holds = (): boolean => !signal.aborted && leftMs() > 0;
    const resign = (): void => {
      resigns = true;
    };

    const onceInTerm: Once = async (series, position, run, given: OnceOptions = {}) => {
      if (!holds()) return { kind: 'dropped', reason: 'TermOver', by: null };
      const stopped = given.signal === undefined ? signal : AbortSignal.any([given.signal, signal]);
      const begins = (claimed: number | null): boolean => (claimed === null || claimed === token) && holds();
      return await onceIn({ series, position }, run, { waitMs: 0, ...given, signal: stopped }, begins);
    };

    async function work(): Promise<void> {
      if (holds()) await fn({ token, signal, holds, untilMs: () => untilMs, resign, once: onceInTerm });
    }
    async function renew(): Promise<void> {
      while (holds()) {
        await pause(againMs(Math.min(leftMs() / SHARE, AGAIN_MS)), signal);
        const next = await question(secret, signal);
        if (next.kind === 'unknown' || next.kind === 'no') continue;
        // An answer that comes when the time is over begins a new term, not this one once more.
        if (next.kind !== 'grant' || next.leadership.token !== token || !holds()) break;
        // A shorter grant takes nothing back of the one before it.
        untilMs = Math.max(untilMs, next.leadership.untilMs());
      }
      end();
    }
    async function expire(): Promise<void> {
      while (holds()) await pause(leftMs(), signal);
      end();
    }

    const untie = onAbort(stop, end);
    let overrun: NodeJS.Timeout | undefined;
    onAbort(signal, () => {
      overrun = setInterval(() => say(`the work of token ${token} goes on although its term is over`), OVERRUN_MS);
    });
    try {
      await Promise.all([work().finally(end), renew(), expire()]);
    } finally {
      clearInterval(overrun);
      untie();
      // Not waited for here: while nobody answers it, the pod must be heard all the same, or it would be taken for one that hangs.
      releasing = Promise.all([releasing, release(secret, resigns)]);
    }
  }

  return { ask, runWhileLeader, once, standing: (series, stop) => standingOf(askClaims, series, stop) };
}

const askingClaims =
  (hear: ReturnType<typeof createHearing>, memberPath: string, query: string): Ask =>
  async ({ method, path, body, waitMs, series }, stop) => {
    let last: Told = { status: 0, text: '' };
    const about = series === undefined ? '' : `&series=${encodeURIComponent(series)}`;
    const url = `${memberPath}/claims${path}${query}${about}`;
    // The answer has to come before its time is over.
    const sent = waitMs === undefined ? { path: url } : { path: `${url}&wait=${Math.ceil(waitMs * 0.8)}ms`, waitMs };
    const heard = (reply: Reply): Reply | null => {
      last = reply;
      return isClaimReply(reply.status) ? reply : null;
    };
    return (
      (await hear({ ...sent, method, ...(body === undefined ? {} : { body }), secret: null }, heard, stop)) ?? last
    );
  };

type Asked = { readonly bases: readonly URL[]; readonly find: Lookup; readonly tokenFile: string };

function createHearing({ bases, find, tokenFile }: Asked) {
  const replicas = createReplicas(bases, find);

  /** To one replica. null: no answer. */
  async function exchange(base: string, sent: Sent, over: AbortSignal, limitMs: number): Promise<Reply | null> {
    const end = new AbortController();
    const { signal } = end;
    const untie = onAbort(over, () => end.abort());
    let limit: NodeJS.Timeout | undefined;
    try {
      const secret = sent.secret === null ? {} : { 'leadergroup-client': sent.secret };
      const type = sent.body === undefined ? {} : { 'content-type': 'application/json' };
      const headers = { ...(await authorizationIn(tokenFile)), ...secret, ...type };
      signal.throwIfAborted();
      const askedMs = performance.now();
      const { method = 'GET', path, body = null } = sent;
      const asked = fetch(base + path, { method, headers, body, signal, redirect: 'manual' });
      // From here: the first fetch of a process takes a while to begin.
      limit = setTimeout(() => end.abort(), limitMs);
      const response = await asked;
      return { status: response.status, text: await response.text(), askedMs };
    } catch {
      return null;
    } finally {
      clearTimeout(limit);
      untie();
    }
  }

  /**
   * The first good answer, `read` says which is one; null: there was none. A replica has 150 ms, then another one is asked at the same time; after a
   * bad answer the next one is, too. None is asked twice at once: where only one address is known its question is given up before it is put again,
   * by a new connection, for behind the address of a Service another replica may answer.
   */
  return async <T>(sent: Sent, read: (reply: Reply) => T | null, stop?: AbortSignal): Promise<T | null> => {
    // Not AbortSignal.any: a signal that lives long would collect one for each question.
    const over = new AbortController();
    const end = (): void => over.abort();
    const untie = onAbort(stop, end);
    const limitMs = sent.waitMs ?? ANSWER_MS;
    const limit = setTimeout(end, limitMs);
    try {
      const order = await replicas.inOrder(over.signal);
      const alone = order.length === 1 && sent.waitMs === undefined;
      const left = alone ? [...order, ...order] : [...order];
      const line = async (): Promise<T> => {
        for (let base = left.shift(); base !== undefined && !over.signal.aborted; base = left.shift()) {
          const reply = await exchange(base, sent, over.signal, alone && left.length > 0 ? SECOND_MS : limitMs);
          const good = reply === null ? null : read(reply);
          if (good !== null) return replicas.prefer(base, good);
          if (reply !== null && alone) break;
        }
        throw new Error('nobody knows');
      };
      const other = alone || sent.waitMs !== undefined ? [] : [pause(SECOND_MS, over.signal).then(line)];
      return await Promise.any([line(), ...other]);
    } catch {
      if (stop?.aborted !== true) replicas.preferNext();
      return null;
    } finally {
      clearTimeout(limit);
      untie();
      end();
    }
  };
}

type Lookup = NonNullable<GateOptions['lookup']>;

/** The addresses of all replicas, looked up again after five seconds, and where none has answered well. */
function createReplicas(bases: readonly URL[], find: Lookup) {
  let known: readonly string[] = [];
  let knownMs = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | null = null;
  let first = Math.floor(Math.random() * 1000);

  async function look(): Promise<void> {
    const found = await Promise.all(bases.map((base) => originsOf(base, find).catch(() => [])));
    const all = [...new Set(found.flat())].toSorted();
    // One that cannot be found now may still be there.
    if (all.length > 0) known = all;
    knownMs = performance.now();
    looking = null;
  }

  return {
    /** Where to ask, one after the other. Waits only for the first addresses of all. */
    inOrder: async (signal: AbortSignal): Promise<readonly string[]> => {
      if (performance.now() - knownMs > 5000) looking ??= look();
      if (known.length === 0) await Promise.race([looking, new Promise<void>((go) => onAbort(signal, go))]);
      return known.map((_, at) => known[(first + at) % known.length] ?? '');
    },
    /** Whoever has answered well is asked first. */
    prefer: <T>(base: string, answer: T): T => {
      first = known.indexOf(base);
      return answer;
    },
    preferNext: (): void => {
      first += 1;
    },
  };
}

/** All behind a name, of one family: a replica may have an address of each. By https it is the name that is verified, and asked. */
async function originsOf({ protocol, hostname, port, host, pathname }: URL, find: Lookup): Promise<readonly string[]> {
  const prefix = pathname.replace(/\/$/, '');
  if (protocol === 'https:' || isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return [`${protocol}//${host}${prefix}`];
  const found = await find(hostname);
  return found
    .filter(({ family }) => family === found[0]?.family)
    .map(({ address, family }) => `http://${family === 6 ? `[${address}]` : address}:${port || 80}${prefix}`);
}

/** Read for each question: the kubelet renews the file. One that cannot be read is no reason not to ask. */
async function authorizationIn(tokenFile: string): Promise<Readonly<Record<string, string>>> {
  const token = tokenFile === '' ? '' : await readFile(tokenFile, 'utf8').catch(() => '');
  return token === '' ? {} : { authorization: `Bearer ${token.trim()}` };
}

/** Of a term, drawn for it alone, and after any fork: a late copy of its release must not end the next one. */
const newSecret = (): string => randomBytes(16).toString('base64url');

function target(options: GateOptions): {
  readonly bases: readonly URL[];
  readonly tokenFile: string;
  readonly path: string;
  readonly memberPath: string;
  readonly query: string;
  readonly selfPath: string;
  readonly uid: string;
} {
  const { env } = process;
  const given = (value: string | undefined, name: string, from: string): string => {
    const known = value ?? env[name] ?? '';
    if (known === '') throw new Error(`${name} is not set: give it in the pod's manifest (${from})`);
    return known;
  };
  const namespace = given(options.namespace, 'POD_NAMESPACE', 'fieldPath metadata.namespace');
  const group = given(options.group, 'LEADERGROUP_NAME', 'the name of the LeaderGroup');
  const pod = given(options.pod, 'POD_NAME', 'fieldPath metadata.name');
  const uid = given(options.uid, 'POD_UID', 'fieldPath metadata.uid');
  const urls = options.url ?? env['LEADERGROUP_GATE'] ?? 'http://leadergroup-replicas.leadergroup-system.svc:8080';
  const [inNamespace, inGroup, ofPod] = [namespace, group, pod].map(encodeURIComponent);
  const memberPath = `/v1/namespaces/${inNamespace}/leadergroups/${inGroup}/members/${ofPod}`;
  const query = `?uid=${encodeURIComponent(uid)}`;
  return {
    bases: urls.split(',').map((url) => new URL(url.trim())),
    tokenFile: options.tokenFile ?? env['LEADERGROUP_TOKEN_FILE'] ?? '',
    path: memberPath + query,
    memberPath,
    query,
    selfPath: `/v1/self${query}`,
    uid,
  };
}

/** null: it is none. */
function bodyOf(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' ? (body as Readonly<Record<string, unknown>> | null) : null;
  } catch {
    return null;
  }
}

/** null: it is no grant for the pod with this uid, or it is over. */
function leadershipIn(body: Readonly<Record<string, unknown>>, own: string, askedMs: number): Said | null {
  const { leader, uid, token, validForMilliseconds: validMs } = body;
  if (leader !== true || uid !== own) return null;
  if (!isWhole(token) || !isWhole(validMs, MAX_VALID_MS)) return null;
  const untilMs = askedMs + validMs;
  const holds = (): boolean => performance.now() < untilMs;
  return holds() ? { kind: 'grant', leadership: { token, holds, untilMs: () => untilMs } } : null;
}

/** Infinity: there is no leader probe. */
const withinIn = ({ askWithinMilliseconds: ms }: Readonly<Record<string, unknown>>): number =>
  isWhole(ms, 60_000) ? ms : Number.POSITIVE_INFINITY;

/** Says each thing once, with the first reply that it was said of. */
function onceEach(say: (message: string) => void): (what: string, reply: Reply) => void {
  const told = new Set<string>();
  return (what, { status, text }) => {
    if (!told.has(what)) say(`${what}: ${status} ${text.trim()}`);
    told.add(what);
  };
}
