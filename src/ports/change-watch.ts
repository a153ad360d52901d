/** How whoever waits for an answer hears that it may be another. */

/** To be disposed of. */
export type ChangeWatch = Disposable & {
  /** Resolves with the first `tell` since the watch was made; never after it was disposed of. */
  readonly changed: Promise<void>;
};
