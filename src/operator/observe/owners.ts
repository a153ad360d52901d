/** What the controllers of pods select by, as last read. Nothing is read here without being asked for: at rest no request is sent. */
import type { MonotonicMs } from '../../api/clocks.ts';
import type { OwnerRef } from '../../api/pod.ts';
import type { Clock } from '../../ports/clock.ts';
import { type Kubernetes, KubernetesError, type PodSelecting, type Workload } from '../../ports/kubernetes.ts';
import { inParallel } from '../common/in-parallel.ts';

/** `failed`: asking again may help. */
export type OwnerReading =
  | { readonly kind: 'read'; readonly workload: Workload; readonly atMs: MonotonicMs }
  | { readonly kind: 'gone' | 'unreadable' | 'failed'; readonly atMs: MonotonicMs };

export type Owners = {
  /** null: not read. */
  of(owner: OwnerRef): OwnerReading | null;
  /** Other objects of the namespace that select pods, as read beside its controllers. */
  selecting(namespace: string): readonly PodSelecting[];
  /** Throws the abort reason only: what cannot be read is noted, and holds nothing up. `hurry`: the controllers and nothing else. */
  read(namespace: string, owners: readonly OwnerRef[], hurry: boolean, signal: AbortSignal): Promise<void>;
};

const AT_ONCE = 8;
/** PodDisruptionBudgets and the like only lead to a warning. */
const NAMESPACE_MS = 600_000;
/** What no pod has named for so long is forgotten. */
const KEPT_MS = 3_600_000;

export function createOwners(kubernetes: Pick<Kubernetes, 'getWorkload' | 'listPodSelecting'>, clock: Clock): Owners {
  const readings = new Map<string, { readonly reading: OwnerReading; usedMs: MonotonicMs }>();
  const namespaces = new Map<string, { readonly selecting: readonly PodSelecting[]; readonly atMs: MonotonicMs }>();
  let sweptMs = clock.nowMs();

  async function readOwner(namespace: string, owner: OwnerRef, signal: AbortSignal): Promise<void> {
    const found = await kubernetes
      .getWorkload(namespace, owner, signal)
      .catch((error: unknown) => notRead(error, signal));
    const atMs = clock.nowMs();
    const reading: OwnerReading =
      typeof found === 'string' ? { kind: found, atMs } : { kind: 'read', workload: found, atMs };
    readings.set(owner.uid, { reading, usedMs: atMs });
  }

  async function readNamespace(namespace: string, signal: AbortSignal): Promise<void> {
    if (clock.nowMs() - (namespaces.get(namespace)?.atMs ?? Number.NEGATIVE_INFINITY) < NAMESPACE_MS) return;
    // Others that ask meanwhile need not ask too.
    namespaces.set(namespace, { selecting: namespaces.get(namespace)?.selecting ?? [], atMs: clock.nowMs() });
    const selecting = await kubernetes.listPodSelecting(namespace, signal).catch((error: unknown) => {
      notRead(error, signal);
      return [];
    });
    namespaces.set(namespace, { selecting, atMs: clock.nowMs() });
  }

  /** From the end of all reads: else the first of many slow failures would be out of date before the last, and none would ever be used. */
  function dateFailures(owners: readonly OwnerRef[]): void {
    const atMs = clock.nowMs();
    for (const { uid } of owners) {
      const known = readings.get(uid);
      if (known?.reading.kind === 'failed') readings.set(uid, { ...known, reading: { kind: 'failed', atMs } });
    }
  }

  function sweep(): void {
    const nowMs = clock.nowMs();
    if (nowMs - sweptMs < KEPT_MS / 4) return;
    sweptMs = nowMs;
    for (const [uid, { usedMs }] of readings) if (nowMs - usedMs >= KEPT_MS) readings.delete(uid);
    for (const [namespace, { atMs }] of namespaces) if (nowMs - atMs >= KEPT_MS) namespaces.delete(namespace);
  }

  return {
    of: ({ uid }) => {
      const known = readings.get(uid);
      if (known === undefined) return null;
      known.usedMs = clock.nowMs();
      return known.reading;
    },
    selecting: (namespace) => namespaces.get(namespace)?.selecting ?? [],
    read: async (namespace, owners, hurry, signal) => {
      sweep();
      await inParallel(owners, AT_ONCE, (owner) => readOwner(namespace, owner, signal));
      if (!hurry) await readNamespace(namespace, signal);
      dateFailures(owners);
    },
  };
}

function notRead(error: unknown, signal: AbortSignal): 'failed' {
  signal.throwIfAborted();
  if (error instanceof KubernetesError) return 'failed';
  throw error;
}
