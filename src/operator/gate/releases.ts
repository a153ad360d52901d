/** The terms that clients have ended: their secrets are good for nothing any more, however late a question or another release with them arrives. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { PodUid } from '../../api/ids.ts';
import type { Clock } from '../../ports/clock.ts';

export type Releases = {
  /** False: the pod has released too many lately, and this one could not be remembered. `secret`: its hash. */
  note(key: string, podUid: PodUid, secret: string): boolean;
  has(key: string, podUid: PodUid, secret: string): boolean;
};

/** No request is under way for so long. */
const REMEMBERED_MS = 300_000;

/** Of one pod of a group: a term every few seconds is more than any application needs. */
const MOST = 64;

export function createReleases(clock: Pick<Clock, 'nowMs'>): Releases {
  /** The oldest first. */
  const released = new Map<string, { readonly pod: string; readonly untilMs: MonotonicMs }>();
  const counts = new Map<string, number>();

  function forgetOld(): void {
    for (const [term, { pod, untilMs }] of released) {
      if (untilMs > clock.nowMs()) return;
      released.delete(term);
      const left = (counts.get(pod) ?? 1) - 1;
      if (left > 0) counts.set(pod, left);
      else counts.delete(pod);
    }
  }

  return {
    note: (key, podUid, secret) => {
      forgetOld();
      const pod = `${key} ${podUid}`;
      const term = `${pod} ${secret}`;
      if (released.has(term)) return true;
      const count = counts.get(pod) ?? 0;
      if (count >= MOST) return false;
      counts.set(pod, count + 1);
      released.set(term, { pod, untilMs: clock.nowMs() + REMEMBERED_MS });
      return true;
    },
    has: (key, podUid, secret) => (released.get(`${key} ${podUid} ${secret}`)?.untilMs ?? 0) > clock.nowMs(),
  };
}
