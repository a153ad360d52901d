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

/**
 * `begins`: called when the list that serves the caller is sent, be it after another one has ended: the caller gets on. A caller whose signal aborts is
 * rejected; the list goes on for the others.
 */
export type NamespaceLists = (namespace: string, signal: AbortSignal, begins: () => void) => Promise<Pods>;

type Next = { readonly list: Promise<Pods>; readonly begun: Promise<void> };

/** `until`: of the requests, which outlive each single caller. */
export function createNamespaceLists({ listPods }: Pick<Kubernetes, 'listPods'>, until: AbortSignal): NamespaceLists {
  const underWay = new Map<string, Promise<void>>();
  const next = new Map<string, Next>();

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

  function join(namespace: string): Next {
    const waiting = next.get(namespace);
    if (waiting !== undefined) return waiting;
    const begun = underWay.get(namespace);
    if (begun === undefined) return { list: begin(namespace), begun: Promise.resolve() };
    const joined = { list: begun.then(() => begin(namespace)), begun };
    next.set(namespace, joined);
    return joined;
  }

  return async (namespace, signal, begins) => {
    signal.throwIfAborted();
    const { promise, reject } = Promise.withResolvers<never>();
    const listening = whenAborted(signal, () => reject(signal.reason));
    const { list, begun } = join(namespace);
    void begun.then(begins);
    try {
      return await Promise.race([list, promise]);
    } finally {
      listening[Symbol.dispose]();
    }
  };
}
