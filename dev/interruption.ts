/** What ends a command from outside: ctrl-C, a closed terminal, a kill. */
import { constants } from 'node:os';
import process from 'node:process';

const NAMES = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const;

/** Somebody asked this process to end. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly by: (typeof NAMES)[number];
  /** As a shell counts. */
  readonly exitCode: number;

  constructor(by: (typeof NAMES)[number]) {
    super(`ended by ${by}`);
    this.by = by;
    this.exitCode = 128 + constants.signals[by];
  }
}

export interface Interruption extends Disposable {
  /** Aborted, with Interrupted, when somebody asks this process to end. */
  readonly signal: AbortSignal;
}

/**
 * Until it is disposed of, this process does not end by itself any more when it is asked to. Asking again changes nothing, so that the second
 * ctrl-C of somebody impatient does not cut the clearing up short.
 */
export function interruption(): Interruption {
  const controller = new AbortController();
  const listeners = NAMES.map((name) => [name, () => controller.abort(new Interrupted(name))] as const);
  for (const [name, listener] of listeners) process.on(name, listener);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const [name, listener] of listeners) process.off(name, listener);
    },
  };
}
