/** Groups that cannot be acted on and are being deleted: their finalizer goes, or their namespace would hang. */
import type { MonotonicMs } from '../../api/clocks.ts';
import { foreignFinalizers, type InvalidLeaderGroup } from '../../api/leadergroup.ts';
import type { Ownership } from '../../election/observation.ts';
import { LAST_MS } from '../../election/plan-deletion.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Kubernetes } from '../../ports/kubernetes.ts';
import type { Next } from './queue.ts';

export type Endings = {
  /** Its owner does it at once. Where Consul does not say who that is any replica does, when an owner should have done so. */
  end(key: string, group: InvalidLeaderGroup, ownership: Ownership['kind']): Promise<Next>;
  forget(key: string): void;
};

export function createEndings({
  kubernetes,
  clock,
  consulUnreachable,
  signal,
}: {
  readonly kubernetes: Pick<Kubernetes, 'setFinalizers'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly consulUnreachable: () => boolean;
  readonly signal: AbortSignal;
}): Endings {
  const seen = new Map<string, { readonly uid: string; readonly atMs: MonotonicMs }>();

  /** What it may have labelled cannot be known; that a namespace hangs would help nobody. */
  async function releaseFinalizer(group: InvalidLeaderGroup): Promise<Next> {
    const outcome = await kubernetes.setFinalizers(group, group.resourceVersion, foreignFinalizers(group), signal);
    return { kind: outcome.kind === 'done' || outcome.kind === 'gone' ? 'done' : 'retry' };
  }

  function seenMs(key: string, { uid }: InvalidLeaderGroup): number {
    const known = seen.get(key);
    if (known?.uid === uid) return known.atMs;
    const atMs = clock.nowMs();
    seen.set(key, { uid, atMs });
    return atMs;
  }

  return {
    end: async (key, group, ownership) => {
      const leftMs = seenMs(key, group) + LAST_MS - clock.nowMs();
      if (ownership === 'owned') return await releaseFinalizer(group);
      if (ownership === 'notOwned' && !consulUnreachable()) return { kind: 'done' };
      return leftMs > 0 ? { kind: 'after', delayMs: leftMs } : await releaseFinalizer(group);
    },
    forget: (key) => void seen.delete(key),
  };
}
