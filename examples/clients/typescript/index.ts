/**
 * Ask before you act: the gate of the LeaderGroup operator, for an application in TypeScript. No dependencies.
 *
 * ```ts
 * const stop = new AbortController();
 * await createGate().runWhileLeader(async (term) => {
 *   while (term.holds()) await sendNext(term); // which looks at holds() once more, right before what cannot be undone
 * }, stop.signal);
 * ```
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

export type GateOptions = {
  /** Default: LEADERGROUP_GATE, else the operator's Service. */
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
  /** Told once, if the gate does not know that it is this pod that asks. Default: console.warn. */
  readonly warn?: (message: string) => void;
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

/** From the first grant to the end of the last one. `signal` aborts then: to end what waits, not to decide whether to act. */
export type Term = Leadership & { readonly signal: AbortSignal };

export type Gate = {
  /** null: this pod does not lead, or nobody can say so: do not act. */
  ask(signal?: AbortSignal): Promise<Leadership | null>;
  /**
   * Runs `fn` whenever this pod leads, until `signal` aborts or `fn` throws, which rejects. `fn` has to end when its term does, and is
   * waited for before it is run again; it is also run again, half a second later, if it ends while the pod leads.
   */
  runWhileLeader(fn: (term: Term) => Promise<void>, signal: AbortSignal): Promise<void>;
};

/** What a question brought: a grant, that this pod does not lead, that it is about to lose the lead; null: nobody knows. */
type Said = Leadership | 'no' | 'revoking' | null;

const CLIENT = 'leadergroup-client';
const ANSWER_MS = 1000;
/** After so long without an answer another replica is asked as well, by a connection of its own. */
const SECOND_MS = 150;
const AGAIN_MS = 500;
/** So often the gate is asked at the start whether it knows this pod, once a second: the address of a new pod is known after a while. */
const SELF_TIMES = 10;
/** The gate promises no more at a time; an answer that does is none of its. */
const MAX_VALID_MS = 2000;
/** A grant is asked for again when a third of it has passed, so that one lost answer does no harm. */
const SHARE = 3;

export function createGate(options: GateOptions = {}): Gate {
  const { url, releaseUrl, self, uid } = target(options);
  const headers = headersFrom(options.tokenFile ?? process.env['LEADERGROUP_TOKEN_FILE'] ?? '');
  const { warn = console.warn } = options;
  /** With a leader probe the pod must be heard so often, whatever it is told. */
  let withinMs = AGAIN_MS;

  /** One question, to one replica. `secret`: of the term, null for a grant that is not to be released. */
  async function question(secret: string | null, signal?: AbortSignal): Promise<Said> {
    // Not AbortSignal.any: a signal that lives long would collect one for each question.
    const end = new AbortController();
    const give = (): void => end.abort();
    const limit = setTimeout(give, ANSWER_MS);
    signal?.addEventListener('abort', give);
    if (signal?.aborted === true) give();
    try {
      const sent = { ...(await headers()), ...(secret === null ? {} : { [CLIENT]: secret }) };
      // Before the question: the answer may have been on its way for as long as it took.
      const askedMs = performance.now();
      const response = await fetch(url, { headers: sent, signal: end.signal });
      const body: unknown = await response.json();
      withinMs = Math.min(AGAIN_MS, withinIn(body) ?? withinMs);
      if (response.status === 409) return isRevoking(body) ? 'revoking' : 'no';
      return response.status === 200 ? leadershipIn(body, uid, askedMs) : null;
    } catch {
      return null;
    } finally {
      clearTimeout(limit);
      signal?.removeEventListener('abort', give);
    }
  }

  /** What the first replica says that knows; where none does within 150 ms, a second one is asked. */
  async function hear(secret: string | null, signal?: AbortSignal): Promise<Said> {
    const over = new AbortController();
    const first = question(secret, signal).finally(() => over.abort());
    const second = pause(SECOND_MS, over.signal).then(() => (over.signal.aborted ? null : question(secret, signal)));
    const known = [first, second].map(async (said) => (await said) ?? Promise.reject(new Error('nobody knows')));
    return await Promise.any(known).catch(() => null);
  }

  async function ask(signal?: AbortSignal): Promise<Leadership | null> {
    const said = await hear(null, signal);
    return typeof said === 'object' ? said : null;
  }

  /** Nobody needs to wait for the grants of this term any more. If nobody hears it, they run out. */
  async function release(secret: string): Promise<void> {
    const sent = { ...(await headers()), [CLIENT]: secret };
    for (let times = 0; times < 2; times += 1) {
      const asked = { method: 'POST', headers: sent, signal: AbortSignal.timeout(ANSWER_MS) };
      const response = await fetch(releaseUrl, asked).catch(() => null);
      await response?.body?.cancel().catch(() => undefined);
      if (response !== null && response.status < 500) return;
    }
  }

  /** Whether the gate knows this pod, of which people should hear: what counts only from the pod itself would not count. */
  async function introduce(signal: AbortSignal): Promise<void> {
    let said = '';
    for (let times = 0; times < SELF_TIMES && !signal.aborted; times += 1) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
      const response = await fetch(self, { headers: await headers(), signal: limit }).catch(() => null);
      const text = (await response?.text().catch(() => '')) ?? '';
      if (response?.status === 200) return;
      said = response === null ? '' : `${response.status} ${text.trim()}`;
      await pause(1000, signal);
    }
    if (said !== '' && !signal.aborted) warn(`the gate does not know that it is this pod that asks: ${said}`);
  }

  async function runWhileLeader(fn: (term: Term) => Promise<void>, signal: AbortSignal): Promise<void> {
    void introduce(signal);
    while (!signal.aborted) {
      // For each term, and after any fork: a late copy of a release must not end the next term.
      const secret = randomBytes(16).toString('base64url');
      const said = await hear(secret, signal);
      if (said !== null && typeof said === 'object') await lead({ first: said, secret }, fn, signal);
      await pause(withinMs, signal);
    }
  }

  /** The term is released when `fn` has ended, not before. */
  async function lead(
    { first, secret }: { first: Leadership; secret: string },
    fn: (term: Term) => Promise<void>,
    stop: AbortSignal,
  ): Promise<void> {
    const office = new AbortController();
    const { signal } = office;
    const resign = (): void => office.abort();
    const { token } = first;
    let untilMs = first.untilMs();
    const leftMs = (): number => untilMs - performance.now();
    const holds = (): boolean => !signal.aborted && leftMs() > 0;

    async function work(): Promise<void> {
      if (holds()) await fn({ token, signal, holds, untilMs: () => untilMs });
    }
    async function renew(): Promise<void> {
      while (holds()) {
        await pause(Math.max(10, Math.min(leftMs() / SHARE, withinMs)), signal);
        const next = await hear(secret, signal);
        if (next === 'revoking') break;
        if (next === null || next === 'no') continue;
        // An answer that comes when the time is over begins a new term, not this one once more.
        if (next.token !== token || !holds()) break;
        // A shorter grant takes nothing back of the one before it.
        untilMs = Math.max(untilMs, next.untilMs());
      }
      resign();
    }
    async function expire(): Promise<void> {
      while (holds()) await pause(leftMs(), signal);
      resign();
    }

    stop.addEventListener('abort', resign);
    if (stop.aborted) resign();
    try {
      await Promise.all([work().finally(resign), renew(), expire()]);
    } finally {
      stop.removeEventListener('abort', resign);
      await release(secret);
    }
  }

  return { ask, runWhileLeader };
}

/** Read for each question: the kubelet renews the file. One that cannot be read is no reason not to ask. */
const headersFrom = (tokenFile: string) => async (): Promise<Record<string, string>> => {
  const token = tokenFile === '' ? '' : await readFile(tokenFile, 'utf8').catch(() => '');
  return token === '' ? {} : { authorization: `Bearer ${token.trim()}` };
};

function target(options: GateOptions): {
  readonly url: string;
  readonly releaseUrl: string;
  readonly self: string;
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
  const base = options.url ?? env['LEADERGROUP_GATE'] ?? 'http://leadergroup.leadergroup-system.svc:8080';
  const [inNamespace, inGroup, ofPod] = [namespace, group, pod].map(encodeURIComponent);
  const path = `/v1/namespaces/${inNamespace}/leadergroups/${inGroup}/members/${ofPod}`;
  const query = `?uid=${encodeURIComponent(uid)}`;
  return {
    url: `${base}${path}${query}`,
    releaseUrl: `${base}${path}/release${query}`,
    self: `${base}/v1/self${query}`,
    uid,
  };
}

/** null: it is no grant for the pod with this uid, whatever else it is. Throws TypeError for null. */
function grantIn(body: unknown, own: string): { readonly token: number; readonly validMs: number } | null {
  const { leader, uid, token, validForMilliseconds: validMs } = body as Readonly<Record<string, unknown>>;
  const whole = (value: unknown, max: number): value is number =>
    Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max;
  const good = leader === true && uid === own && whole(token, Number.MAX_SAFE_INTEGER) && whole(validMs, MAX_VALID_MS);
  return good ? { token, validMs } : null;
}

/** null: it is no grant for the pod with this uid, or it is over. */
function leadershipIn(body: unknown, own: string, askedMs: number): Leadership | null {
  const grant = grantIn(body, own);
  if (grant === null) return null;
  const untilMs = askedMs + grant.validMs;
  const holds = (): boolean => performance.now() < untilMs;
  return holds() ? { token: grant.token, holds, untilMs: () => untilMs } : null;
}

/** This pod leads, but gets no more grants. Throws TypeError for null. */
const isRevoking = (body: unknown): boolean => (body as Readonly<Record<string, unknown>>)['reason'] === 'Revoking';

/** null: the answer does not say how soon to ask again. Throws TypeError for null. */
function withinIn(body: unknown): number | null {
  const { askWithinMilliseconds: ms } = body as Readonly<Record<string, unknown>>;
  return Number.isInteger(ms) && (ms as number) >= 10 ? (ms as number) : null;
}

/** Resolves as well when `signal` aborts. */
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  delay(Math.max(1, ms), undefined, { signal }).catch(() => undefined);
