/**
 * A signal that aborts with another one, or by itself. AbortSignal.any would do, but where a signal lives as long as the process and
 * thousands a second are made from it, what it remembers of each costs hundreds of megabytes until it is collected.
 */
export type ChildSignal = Disposable & {
  readonly signal: AbortSignal;
  abort(reason?: Error): void;
};

/**
 * By parent, who is told of its abort. The parent itself has one listener: it looks through all of them whenever one comes or goes, which
 * for thousands that wait at the gate would be millions of steps.
 */
const followers = new WeakMap<AbortSignal, Set<() => void>>();

/** To be disposed of, so that `parent` forgets it; that aborts nothing. */
export function childSignal(parent: AbortSignal): ChildSignal {
  const own = new AbortController();
  const following = whenAborted(parent, () => own.abort(parent.reason));
  return {
    signal: own.signal,
    abort: (reason) => own.abort(reason),
    [Symbol.dispose]: following[Symbol.dispose],
  };
}

/** Calls `act` when `parent` aborts, at once if it has; once, and never after it was disposed of. */
export function whenAborted(parent: AbortSignal, act: () => void): Disposable {
  const follow = (): void => act();
  if (parent.aborted) follow();
  else followersOf(parent).add(follow);
  return { [Symbol.dispose]: () => void followers.get(parent)?.delete(follow) };
}

function followersOf(parent: AbortSignal): Set<() => void> {
  const known = followers.get(parent);
  if (known !== undefined) return known;
  const all = new Set<() => void>();
  followers.set(parent, all);
  parent.addEventListener('abort', () => all.forEach((follow) => follow()), { once: true });
  return all;
}
