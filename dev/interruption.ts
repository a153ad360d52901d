/** What ends a command from outside: ctrl-C, a closed terminal, a kill. */
import { constants } from 'node:os';
import process from 'node:process';

type Name = 'SIGHUP' | 'SIGINT' | 'SIGTERM';

/** Somebody asked this process to end. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  /** As a shell counts. */
  readonly exitCode: number;

  constructor(signal: Name) {
    super(`ended by ${signal}`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

/**
 * A signal that is aborted, with Interrupted, when somebody asks this process to end, which then does not end by itself any more. Asking again
 * changes nothing, so that the second ctrl-C of somebody impatient does not cut the clearing up short.
 */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const)
    process.on(name, () => controller.abort(new Interrupted(name)));
  return controller.signal;
}
