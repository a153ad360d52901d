/** Asks the pods of one group over HTTP, and keeps what came of it: the last answer of each, and how many failed in a row. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid } from '../../api/ids.ts';
import type { HttpGet } from '../../api/leader-probe.ts';
import { type Answers, JUST_NOW_MS } from '../../election/probe.ts';
import type { Clock } from '../../ports/clock.ts';
import type { HttpProber } from '../../ports/prober.ts';
import { aborted } from '../common/aborted.ts';

export type Asker = {
  /**
   * Asks these at the same time, and keeps all answers when the last has come: of two that were cut off together one answers first. Where the group is
   * let go meanwhile, or a pod has another address by then, nothing is kept.
   */
  ask(uids: readonly PodUid[]): Promise<void>;
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

/** `stalledMs`: when this process last went on after it had stood still; what it asked before that shows nothing. */
export function createAsker(
  by: HttpGet,
  { clock, http }: { readonly clock: Pick<Clock, 'nowMs'>; readonly http: HttpProber },
  stalledMs: () => MonotonicMs | null,
): Asker {
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
    await ask(uids);
    own.endedMs = clock.nowMs();
  }

  async function ask(uids: readonly PodUid[]): Promise<void> {
    for (const keep of await Promise.all(uids.map(askOne))) keep();
  }

  /** What keeps its answer. */
  async function askOne(uid: PodUid): Promise<() => void> {
    const address = addresses.get(uid);
    if (address === undefined) return () => undefined;
    const [askedMs, era] = [clock.nowMs(), since];
    const failure = await http.get({ ...by, address }, ending.signal).catch(() => null);
    return () => {
      if (aborted(ending.signal) || addresses.get(uid) !== address || era !== since) return;
      answers.set(uid, after(answers.get(uid), askedMs, failure));
    };
  }

  /** What came before a stall, or was under way in it, begins anew. */
  function after(known: Answers | undefined, askedMs: MonotonicMs, failure: Answers['failure']): Answers {
    if (failure === null) return { failures: 0, sinceMs: askedMs, lastMs: askedMs, failure };
    const stalled = stalledMs() ?? Number.NEGATIVE_INFINITY;
    if (stalled >= askedMs) return { failures: 0, sinceMs: askedMs, lastMs: askedMs, failure };
    const inRow = known !== undefined && known.failures > 0 && stalled < known.sinceMs;
    return inRow
      ? { ...known, failures: known.failures + 1, lastMs: askedMs, failure }
      : { failures: 1, sinceMs: askedMs, lastMs: askedMs, failure };
  }

  return {
    answers,
    ask,
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
