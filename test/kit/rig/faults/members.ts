/**
 * The applications of groups with a leader probe: each asks the gate from the address of its own pod, or answers probes there; is told to stop, releases,
 * resigns, and hangs. What they believe is what I10 promises of.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { memberUrl } from '../asking.ts';
import { type Answer as AnswerTo, askFromPod } from './from-pod.ts';

export type Members = AsyncDisposable & {
  /** Two members that held a grant at one time, in words. */
  readonly breaches: readonly string[];
  readonly counts: { grants: number; releases: number; toldToStop: number; resignations: number };
  /** Its process stands still, its pod stays ready. */
  hang(name: string, is: boolean): void;
  /** From now on what it says of the end of its terms is lost. */
  loseReleases(name: string, are: boolean): void;
  /** With its next answer it resigns. */
  resign(name: string): void;
};

export type MemberPlan = {
  readonly group: string;
  readonly name: string;
  readonly address: string;
  readonly asks: boolean;
};

type Parts = {
  readonly namespace: string;
  readonly members: readonly MemberPlan[];
  /** Bases of the replicas that run. */
  readonly replicas: () => readonly string[];
  /** uid of the pod of this name; null: there is none, or nobody says. */
  readonly uidOf: (name: string) => Promise<string | null>;
};

type Answer = AnswerTo<{ readonly validForMilliseconds: number; readonly reason: string }>;

export const PROBE_PORT = 18_080;
const ASK_MS = 400;
const ANSWER_MS = 600;
/** Of so many grants one is the last of its term. */
const LAST_GRANT = 0.05;

export async function startMembers({ namespace, members, replicas, uidOf }: Parts): Promise<Members> {
  await using made = new AsyncDisposableStack();
  const over = new AbortController();
  const breaches: string[] = [];
  const counts = { grants: 0, releases: 0, toldToStop: 0, resignations: 0 };
  const hung = new Set<string>();
  const losing = new Set<string>();
  const resigning = new Set<string>();
  /** By group, which uid believes until when. */
  const held = new Map<string, Map<string, number>>();

  async function live({ group, name, address }: MemberPlan): Promise<void> {
    let secret = newSecret();
    for (let turn = 0; !over.signal.aborted; turn += 1) {
      await delay(ASK_MS, null, { signal: over.signal }).catch(() => undefined);
      const uid = hung.has(name) ? null : await uidOf(name);
      if (uid === null) continue;
      const url = (base: string) => memberUrl(base, namespace, group, name);
      const sentMs = performance.now();
      const answer = await anyAnswer(turn, (base) => send('GET', `${url(base)}?uid=${uid}`, address, secret));
      // A process that stood still meanwhile reads its answer afterwards, and counts from before it asked.
      if (answer.status === 200) hear(group, uid, sentMs + (answer.body.validForMilliseconds ?? 0));
      const resign = resigning.delete(name);
      if (!isLast(answer) && !resign) continue;
      held.get(group)?.delete(uid);
      const ended = secret;
      secret = newSecret();
      if (losing.has(name)) continue;
      const query = `release?uid=${uid}&resign=${resign}`;
      const told = await anyAnswer(turn, (base) => send('POST', `${url(base)}/${query}`, address, ended));
      if (told.status === 200) counts[resign ? 'resignations' : 'releases'] += 1;
    }
  }

  /** It is told to stop, or has done what it wanted. */
  function isLast({ status, body }: Answer): boolean {
    const stops = status === 409 && body.reason === 'Revoking';
    if (stops) counts.toldToStop += 1;
    return stops || (status === 200 && Math.random() < LAST_GRANT);
  }

  /** As the clients do it: whoever does not answer in time is left for the next. */
  async function anyAnswer(turn: number, ask: (base: string) => Promise<Answer>): Promise<Answer> {
    const bases = replicas();
    for (const [at] of bases.entries()) {
      const answer = await ask(bases[(turn + at) % bases.length] ?? '');
      if (answer.status !== 0 && answer.status !== 503) return answer;
    }
    return { status: 0, body: {} };
  }

  function hear(group: string, uid: string, untilMs: number): void {
    const nowMs = performance.now();
    if (untilMs <= nowMs) return;
    const all = held.get(group) ?? new Map<string, number>();
    held.set(group, all);
    for (const [other, until] of all)
      if (other !== uid && until > nowMs)
        breaches.push(
          `I10: ${uid} has a grant of ${group} while ${other} has one for ${(until - nowMs).toFixed(0)} ms more`,
        );
    all.set(uid, Math.max(untilMs, all.get(uid) ?? 0));
    counts.grants += 1;
  }

  for (const { address, name } of members.filter(({ asks }) => !asks)) {
    const server = createServer((_, response) => {
      if (!hung.has(name)) response.end('well');
    });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(PROBE_PORT, address, resolve));
    made.defer(async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    });
  }
  const lives = members.filter(({ asks }) => asks).map(live);
  made.defer(async () => {
    over.abort();
    await Promise.all(lives);
  });
  const all = made.move();
  const put = (set: Set<string>) => (name: string, is: boolean) => void (is ? set.add(name) : set.delete(name));
  return {
    breaches,
    counts,
    hang: put(hung),
    loseReleases: put(losing),
    resign: (name) => void resigning.add(name),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

const newSecret = (): string => randomBytes(16).toString('base64url');

const send = (method: 'GET' | 'POST', url: string, address: string, secret: string): Promise<Answer> =>
  askFromPod({ method, url, address, withinMs: ANSWER_MS, headers: { 'leadergroup-client': secret } });
