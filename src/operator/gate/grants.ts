/** The grants of the gate that somebody may still believe. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid } from '../../api/ids.ts';
import { MAX_GRANT_MS } from '../../election/gate.ts';
import type { Clock } from '../../ports/clock.ts';
import { createReleases } from './releases.ts';

/** `secret`: hash of what a client of the pod has drawn for one term. `token`: which the term has. */
export type Term = { readonly secret: string; readonly token: number };

export type Grants = {
  /** A grant was given to this pod. `term`: null where nobody can release it, so that it runs out. */
  give(key: string, podUid: PodUid, untilMs: MonotonicMs, term?: Term | null): void;
  /**
   * Nobody believes the grants of this term any more: those that were given here. What the replica that had the bucket before has said is
   * not touched, nor any other client's grant. The token of one that had not run out; null: there was none. `tooMany`: nothing was done.
   */
  release(key: string, podUid: PodUid, secret: string): number | null | 'tooMany';
  /** It has been released: whoever asks with it is late. */
  isReleased(key: string, podUid: PodUid, secret: string): boolean;
  /**
   * Monotonic milliseconds until which a grant may be believed by a pod that is not exempt. The replica that had the bucket before
   * may have said one just then to `holder`, whom the lock's record names (null: nobody knows).
   */
  untilMs(key: string, holder: PodUid | null, exempt: readonly PodUid[]): MonotonicMs;
  /** The group is gone: once the last grant is over nothing is kept of it. */
  dropped(key: string): void;
};

/** Of one pod, terms with a grant that is not over; grants of more cannot be released. */
const MOST = 16;

/** `restMs`: until when grants without a term of their own may be believed. */
type OfPod = { restMs: number; readonly terms: Map<string, { readonly untilMs: number; readonly token: number }> };

/** `heldSinceMs`: when this replica found that it had got the bucket of a group; null while it has not. */
export function createGrants(clock: Clock, heldSinceMs: (key: string) => number | null): Grants {
  const given = new Map<string, Map<PodUid, OfPod>>();
  const releases = createReleases(clock);

  function forgetOver(key: string): void {
    const pods = given.get(key);
    if (pods === undefined) return;
    const nowMs = clock.nowMs();
    for (const [uid, { restMs, terms }] of pods) {
      for (const [secret, { untilMs }] of terms) if (untilMs <= nowMs) terms.delete(secret);
      if (terms.size === 0 && restMs <= nowMs) pods.delete(uid);
    }
    if (pods.size === 0) given.delete(key);
  }

  function ofPod(key: string, podUid: PodUid): OfPod {
    const pods = given.get(key) ?? new Map<PodUid, OfPod>();
    given.set(key, pods);
    const known = pods.get(podUid) ?? { restMs: 0, terms: new Map() };
    pods.set(podUid, known);
    return known;
  }

  function give(key: string, podUid: PodUid, untilMs: MonotonicMs, term: Term | null = null): void {
    forgetOver(key);
    const pod = ofPod(key, podUid);
    const known = term === null ? undefined : pod.terms.get(term.secret);
    if (term === null || (known === undefined && pod.terms.size >= MOST)) {
      pod.restMs = Math.max(untilMs, pod.restMs);
    } else {
      pod.terms.set(term.secret, { untilMs: Math.max(untilMs, known?.untilMs ?? 0), token: term.token });
    }
  }

  function release(key: string, podUid: PodUid, secret: string): number | null | 'tooMany' {
    forgetOver(key);
    if (!releases.note(key, podUid, secret)) return 'tooMany';
    const terms = given.get(key)?.get(podUid)?.terms;
    const token = terms?.get(secret)?.token ?? null;
    terms?.delete(secret);
    return token;
  }

  return {
    give,
    release,
    isReleased: releases.has,
    dropped: (key) => void clock.after(MAX_GRANT_MS, () => forgetOver(key)),
    untilMs: (key, holder, exempt) => {
      forgetOver(key);
      const own = [...(given.get(key) ?? [])].filter(([uid]) => !exempt.includes(uid)).map(([, pod]) => lastOf(pod));
      const sinceMs = holder !== null && exempt.includes(holder) ? null : heldSinceMs(key);
      return Math.max(0, ...own, sinceMs === null ? 0 : sinceMs + MAX_GRANT_MS);
    },
  };
}

const lastOf = ({ restMs, terms }: OfPod): number =>
  Math.max(restMs, ...[...terms.values()].map(({ untilMs }) => untilMs));
