/** Pods without kubelets, and the groups that select them: as many as a benchmark wants, made side by side. */
import type { World } from '../../test/kit/rig/world.ts';

export type Size = {
  readonly groups: number;
  /** Of each group. */
  readonly members: number;
  /** The groups are spread evenly over so many. */
  readonly namespaces: number;
  /** Of the operator. */
  readonly replicas: number;
  /** Whether every member asks the gate meanwhile. */
  readonly gate: boolean;
};

export type Group = { readonly namespace: string; readonly name: string };

export type Population = { readonly size: Size; readonly groups: readonly Group[] };

/** More at once only lengthens the API server's queue. */
const AT_ONCE = 32;

/** Rejects with the signal's reason once that is aborted. */
export async function populate(world: World, size: Size, signal: AbortSignal): Promise<Population> {
  const spaces = Array.from({ length: size.namespaces }, (_, at) => `bench-${at}`);
  await each(spaces, (name) => world.ensureNamespace(name));
  const groups = Array.from(
    { length: size.groups },
    (_, at): Group => ({ namespace: spaces[at % spaces.length] ?? '', name: `g${at}` }),
  );
  await each(groups, async ({ namespace, name }) => {
    signal.throwIfAborted();
    for (let at = 0; at < size.members; at += 1)
      await world.pod({ namespace, name: `${name}-${at}`, labels: { app: name } });
    await world.applyGroup({ namespace, name });
  });
  return { size, groups };
}

/** Rejects with the first error; what has begun goes on. */
export async function each<T>(items: readonly T[], work: (item: T, at: number) => Promise<unknown>): Promise<void> {
  const entries = items.entries();
  const worker = async (): Promise<void> => {
    for (const [at, item] of entries) await work(item, at);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
