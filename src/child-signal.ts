/**
 * A signal that aborts with another one, or by itself. AbortSignal.any would do, but where a signal lives as long as the process and
 * thousands a second are made from it, what it remembers of each costs hundreds of megabytes until it is collected.
 */
export type ChildSignal = Disposable & {
  readonly signal: AbortSignal;
  abort(reason?: Error): void;
};

/** To be disposed of, so that `parent` forgets it; that aborts nothing. */
export function childSignal(parent: AbortSignal): ChildSignal {
  const own = new AbortController();
  const follow = (): void => own.abort(parent.reason);
  if (parent.aborted) follow();
  else parent.addEventListener('abort', follow, { once: true });
  return {
    signal: own.signal,
    abort: (reason) => own.abort(reason),
    [Symbol.dispose]: () => parent.removeEventListener('abort', follow),
  };
}
