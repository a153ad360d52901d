/** Who carries the leader label, by one watch of the labelled pods only: it costs no more than what moves. */
import type { KubeAccess } from '../../test/kit/rig/kubeconfig.ts';
import type { RawObject } from '../../test/kit/rig/observer/raw.ts';
import { watchResource } from '../../test/kit/rig/observer/watch.ts';
import { waiting } from '../../test/kit/rig/waiting.ts';

export type Leads = AsyncDisposable & {
  /** Pod name of the one leader of a group; null: none, or several. */
  of(group: { readonly namespace: string; readonly name: string }): string | null;
  /** Groups with exactly one leader. */
  count(): number;
  /** Labels that were added since the start. */
  moves(): number;
  /** Moments at which a group had a second leader. */
  doubles(): number;
  /** Asked at each change of a label. Rejects after `timeoutMs`; `what` is for the message. */
  until(reached: () => boolean, timeoutMs: number, what: string): Promise<void>;
};

const PATH = `/api/v1/pods?labelSelector=${encodeURIComponent('leadergroup.dev/role=leader')}`;

export function watchLeads(access: KubeAccess): Leads {
  const labelled = new Map<string, Set<string>>();
  const ending = new AbortController();
  const wait = waiting();
  let [led, moves, doubles] = [0, 0, 0];

  const keyOf = ({ metadata }: RawObject): string => `${metadata.namespace}/${metadata.labels?.['app'] ?? ''}`;

  /** `has`: whether the pod carries the label now. */
  function set(pod: RawObject, has: boolean): void {
    const key = keyOf(pod);
    const pods = labelled.get(key) ?? new Set<string>();
    const before = pods.size;
    if (has === pods.has(pod.metadata.name)) return;
    if (has) pods.add(pod.metadata.name);
    else pods.delete(pod.metadata.name);
    labelled.set(key, pods);
    if (has) moves += 1;
    if (has && pods.size > 1) doubles += 1;
    led += Number(pods.size === 1) - Number(before === 1);
    wait.note(key);
  }

  const running = watchResource(
    access,
    PATH,
    {
      list: (pods) => pods.forEach((pod) => set(pod, true)),
      event: (type, pod) => set(pod, type !== 'DELETED'),
      trouble: (message) => wait.note(message),
    },
    ending.signal,
  );

  return {
    of: ({ namespace, name }) => {
      const [first = null, ...others] = labelled.get(`${namespace}/${name}`) ?? [];
      return others.length === 0 ? first : null;
    },
    count: () => led,
    moves: () => moves,
    doubles: () => doubles,
    until: async (reached, timeoutMs, what) => void (await wait.until(reached, { timeoutMs, what })),
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await running;
    },
  };
}
