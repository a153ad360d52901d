/** Asks the pods of one group over HTTP, and keeps what came of it: the last answer of each, and how many failed in a row. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid } from '../../api/ids.ts';
import type { HttpGet } from '../../api/leader-probe.ts';
import { type Answers, JUST_NOW_MS } from '../../election/probe.ts';
import type { HttpProbeResult } from '../../ports/prober.ts';
import { aborted } from '../common/aborted.ts';
import { createQuestion, type QuestionParts } from './questions.ts';

export type Asker = {
  /**
   * Asks these at the same time, the leader among them, and keeps all answers when the last has come: of two that were cut off together one answers first. Where the group is
   * let go meanwhile, or a pod has another address by then, nothing is kept. `before`: what is to be over before anything is kept, too.
   */
  ask(uids: readonly PodUid[], before?: Promise<void>): Promise<void>;
  /**
   * Asks these because one of them is to lead. What all of them have answered counts until a second after the last one did, or until it is forgotten.
   * null: others are being asked for it.
   */
  search(uids: readonly PodUid[]): Promise<void> | null;
  /** Since when somebody is looked for who may lead; null: nobody is, or that is over. */
  searchSinceMs(): MonotonicMs | null;
  readonly answers: ReadonlyMap<PodUid, Answers>;
  /** Whom the watch shows, and at which address. What is known of others is forgotten. */
  show(addresses: ReadonlyMap<PodUid, string>): void;
  /** A leader is judged by what it answered since it leads. */
  forgetAnswers(): void;
  end(): void;
};

export type AskerParts = QuestionParts;

/** `periodMs`: what was asked before it stood still for half of it shows nothing. */
export function createAsker(by: HttpGet, periodMs: number, parts: AskerParts): Asker {
  const { clock, stalledMs } = parts;
  const question = createQuestion(parts);
  const answers = new Map<PodUid, Answers>();
  const ending = new AbortController();
  let addresses: ReadonlyMap<PodUid, string> = new Map();
  /** Of the answers that count. */
  let since = 0;
  /** `endedMs`: null while answers are waited for. */
  let searching: { readonly sinceMs: MonotonicMs; endedMs: MonotonicMs | null } | null = null;

  function searchSinceMs(): MonotonicMs | null {
    const endedMs = searching?.endedMs ?? clock.nowMs();
    return searching === null || clock.nowMs() - endedMs > JUST_NOW_MS ? null : searching.sinceMs;
  }

  async function searchAmong(uids: readonly PodUid[]): Promise<void> {
    const own = { sinceMs: searchSinceMs() ?? clock.nowMs(), endedMs: null as MonotonicMs | null };
    searching = own;
    await askAll(uids, false);
    own.endedMs = clock.nowMs();
  }

  async function askAll(uids: readonly PodUid[], inRound: boolean, before?: Promise<void>): Promise<void> {
    const keeps = await Promise.all(uids.map((uid) => askOne(uid, inRound)));
    await before;
    for (const keep of keeps) keep();
  }

  /** What keeps its answer. */
  async function askOne(uid: PodUid, inRound: boolean): Promise<() => void> {
    const address = addresses.get(uid);
    if (address === undefined) return () => undefined;
    const era = since;
    const { askedMs, result } = await question(by, address, ending.signal);
    return () => {
      if (aborted(ending.signal) || addresses.get(uid) !== address || era !== since) return;
      const known = answers.get(uid);
      const passedMs = result === null && inRound ? askedMs : (known?.besideMs ?? null);
      answers.set(uid, { ...after(known, askedMs, result), besideMs: typeof result === 'string' ? null : passedMs });
    };
  }

  const wentOnMs = (afterMs: number): MonotonicMs => stalledMs(afterMs) ?? Number.NEGATIVE_INFINITY;

  /** What came before a stall, or was under way in it, begins anew. */
  function after(known: Answers | undefined, askedMs: MonotonicMs, result: HttpProbeResult): Omit<Answers, 'besideMs'> {
    const fresh = { failures: 0, sinceMs: askedMs, lastMs: askedMs, failure: null, notAsked: null };
    const stalled = wentOnMs(periodMs / 2);
    const before = known === undefined || stalled >= known.sinceMs ? fresh : known;
    if (result === null) return fresh;
    if (typeof result !== 'string') {
      const notAsked = { why: result.notAsked, sinceMs: known?.notAsked?.sinceMs ?? askedMs };
      return { ...(result.before ? fresh : before), lastMs: askedMs, notAsked };
    }
    if (stalled >= askedMs) return { ...fresh, failure: result };
    return before.failures > 0
      ? { ...before, failures: before.failures + 1, lastMs: askedMs, failure: result, notAsked: null }
      : { ...fresh, failures: 1, failure: result };
  }

  return {
    answers,
    ask: (uids, before) => askAll(uids, true, before),
    search: (uids) => (searching?.endedMs === null ? null : searchAmong(uids)),
    searchSinceMs,
    show: (shown) => {
      addresses = shown;
      for (const uid of answers.keys()) if (!shown.has(uid)) answers.delete(uid);
    },
    forgetAnswers: () => {
      since += 1;
      searching = null;
      answers.clear();
    },
    end: () => ending.abort(new Error('the group is not probed any more')),
  };
}
