/** Tokens that were good: for as long as they have not expired, and what they were judged by stands. */
import type { PodUid } from '../../api/ids.ts';
import type { Claims } from './token-claims.ts';

export type Known = Claims & {
  /** All that was said of the key that has signed it; null: the API server has said that it is good, at `reviewedMs`. */
  readonly keyText: string | null;
  readonly reviewedMs: number;
};

export type TokenCache = {
  /** null: not known, or it has expired. */
  find(hash: string, wallMs: number): Known | null;
  put(hash: string, known: Known): void;
  drop(hash: string): void;
  keep(isGood: (known: Known) => boolean): void;
};

/** Of more tokens than this the oldest are verified again. */
const MOST = 50_000;
/** A kubelet has one or two for a pod. Whoever draws many for its pod does not put those of others out. */
const MOST_OF_A_POD = 8;

export function createTokenCache(): TokenCache {
  const all = new Map<string, Known>();
  const ofPods = new Map<PodUid, Set<string>>();

  function drop(hash: string): void {
    const known = all.get(hash);
    if (known === undefined) return;
    all.delete(hash);
    const own = ofPods.get(known.pod.uid);
    own?.delete(hash);
    if (own?.size === 0) ofPods.delete(known.pod.uid);
  }

  return {
    find: (hash, wallMs) => {
      const known = all.get(hash);
      if (known === undefined || wallMs < known.expiresMs) return known ?? null;
      drop(hash);
      return null;
    },
    put: (hash, known) => {
      drop(hash);
      all.set(hash, known);
      const own = ofPods.get(known.pod.uid) ?? new Set();
      ofPods.set(known.pod.uid, own.add(hash));
      const [oldestOfPod = ''] = own.size > MOST_OF_A_POD ? own : [];
      drop(oldestOfPod);
      const [oldest = ''] = all.size > MOST ? all.keys() : [];
      drop(oldest);
    },
    drop,
    keep: (isGood) => {
      for (const [hash, known] of all) if (!isGood(known)) drop(hash);
    },
  };
}
