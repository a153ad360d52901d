/**
 * Lists of the pods of a namespace, shared by the groups that need one at the same time: of each namespace one is under way, and at most one
 * waits for its end. Without it a thousand new groups in one namespace would list it a thousand times.
 *
 * **Guarantees** A list is given only to those who asked before its first request was sent. Whoever has read a lock and then asks gets pods as
 * they were after the answer to that read: a list that was under way may lack promotions made between its own beginning and the read
 * (attacks 3 and 4).
 */

import type { Pod } from '../../api/pod.ts';
import { whenAborted } from '../../common/child-signal.ts';
import type { Kubernetes } from '../../ports/kubernetes.ts';

type Pods = readonly Pod[];

/** `until`: of the requests, which outlive each single caller. A caller whose signal aborts is rejected; the list goes on for the others. */
export function createNamespaceLists(
  { listPods }: Pick<Kubernetes, 'listPods'>,
  until: AbortSignal,
): Kubernetes['listPods'] {
  const underWay = new Map<string, Promise<unknown>>();
  const next = new Map<string, Promise<Pods>>();

  function begin(namespace: string): Promise<Pods> {
    next.delete(namespace);
    const list = listPods(namespace, until);
    const ended = list.then(
      () => undefined,
      () => undefined,
    );
    underWay.set(namespace, ended);
    void ended.then(() => {
      if (underWay.get(namespace) === ended) underWay.delete(namespace);
    });
    return list;
  }

  function join(namespace: string): Promise<Pods> {
    const waiting = next.get(namespace);
    if (waiting !== undefined) return waiting;
    const running = underWay.get(namespace);
    if (running === undefined) return begin(namespace);
    const list = running.then(() => begin(namespace));
    next.set(namespace, list);
    return list;
  }

  return async (namespace, signal) => {
    signal.throwIfAborted();
    const { promise, reject } = Promise.withResolvers<never>();
    const listening = whenAborted(signal, () => reject(signal.reason));
    try {
      return await Promise.race([join(namespace), promise]);
    } finally {
      listening[Symbol.dispose]();
    }
  };
}
