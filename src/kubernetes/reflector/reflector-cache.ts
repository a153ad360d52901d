/** What the handler has been given so far, to work out what a list or an event changes, and to give it that. No I/O. */
import type { ReflectorHandler } from '../../ports/kubernetes.ts';
import type { Stored } from './watch-decoder.ts';

type Change<T> = { readonly before: T | null; readonly after: T | null };

export type ReflectorCache<T> = {
  /** Nothing for a version that is known already. A name used again is a removal, then an addition. */
  put(key: string, object: Stored<T>): readonly Change<T>[];
  /** Nothing for an object that is not known, or whose name has a new object already. */
  remove(key: string, uid: string): readonly Change<T>[];
  /** What a complete list changes, removals first. Each change is noted when it is taken, so it may be broken off. */
  replace(listed: ReadonlyMap<string, Stored<T>>): Iterable<Change<T>>;
  /** Calls the handler. One that throws does not end the watch. */
  deliver(change: Change<T>): void;
};

export function createReflectorCache<T>(
  changed: ReflectorHandler<T>['changed'],
  failed: (error: unknown) => void,
): ReflectorCache<T> {
  const guarded = createGuard(failed);
  const known = new Map<string, Stored<T>>();

  const put: ReflectorCache<T>['put'] = (key, object) => {
    const before = known.get(key);
    if (before?.uid === object.uid && before.resourceVersion === object.resourceVersion) return [];
    known.set(key, object);
    if (before === undefined) return [{ before: null, after: object.value }];
    if (before.uid === object.uid) return [{ before: before.value, after: object.value }];
    return [
      { before: before.value, after: null },
      { before: null, after: object.value },
    ];
  };

  const remove: ReflectorCache<T>['remove'] = (key, uid) => {
    const before = known.get(key);
    if (before?.uid !== uid) return [];
    known.delete(key);
    return [{ before: before.value, after: null }];
  };

  function* replace(listed: ReadonlyMap<string, Stored<T>>): Generator<Change<T>> {
    for (const [key, { uid }] of known) if (!listed.has(key)) yield* remove(key, uid);
    for (const [key, object] of listed) yield* put(key, object);
  }

  return { put, remove, replace, deliver: ({ before, after }) => guarded(() => changed(before, after)) };
}

/** Calls a function of the caller; what it throws goes to `failed`. One that is async against its type would end the process by its rejection. */
export function createGuard(failed: (error: unknown) => void): <R>(call: () => R) => R | undefined {
  return (call) => {
    try {
      const result = call();
      if (result instanceof Promise) result.catch(failed);
      return result;
    } catch (error) {
      failed(error);
      return undefined;
    }
  };
}
