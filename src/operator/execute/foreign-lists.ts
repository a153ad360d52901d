/**
 * Lists of the slices that are not this operator's. One serves all groups of a namespace that ask within FRESH_MS: else a namespace with a thousand routes would be listed a thousand
 * times a minute.
 */
import type { Clock } from '../../ports/clock.ts';
import type { ForeignSlices, Routing } from '../../ports/kubernetes.ts';

export type ForeignLists = {
  /** Names of those of a Service, as of FRESH_MS ago at most. Throws KubernetesError. */
  of(namespace: string, service: string): Promise<readonly string[]>;
  /** What was listed is out of date. */
  forget(namespace: string): void;
};

/** A quarter of the time after which a group looks again. */
const FRESH_MS = 15_000;

/** `until`: of the requests, which outlive each single caller. */
export function createForeignLists(
  { foreignSlices }: Pick<Routing, 'foreignSlices'>,
  clock: Pick<Clock, 'after'>,
  until: AbortSignal,
): ForeignLists {
  const lists = new Map<string, Promise<ForeignSlices>>();

  function begin(namespace: string): Promise<ForeignSlices> {
    const list = foreignSlices(namespace, until);
    lists.set(namespace, list);
    const end = (): void => {
      if (lists.get(namespace) === list) lists.delete(namespace);
    };
    // A failure serves those who have asked by then, and nobody later.
    list.catch(end);
    // By the time at which it was sent: what it shows is no newer.
    clock.after(FRESH_MS, end);
    return list;
  }

  return {
    of: async (namespace, service) => (await (lists.get(namespace) ?? begin(namespace))).get(service) ?? [],
    forget: (namespace) => void lists.delete(namespace),
  };
}
