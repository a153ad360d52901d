/** Runs programs of the machine to their end. Not asynchronous: the clearing up must also work while this process exits. */
import { execaSync } from 'execa';
import { wordsOf } from '../../programs.ts';
import { ClusterError } from '../errors.ts';

const TIMEOUT_MS = 30_000;

/** What the program prints. Throws ClusterError with its own words if it fails. */
export function runProgram(path: string, args: readonly string[]): string {
  try {
    return execaSync(path, args, { stdin: 'ignore', timeout: TIMEOUT_MS }).stdout;
  } catch (error) {
    throw new ClusterError(`${path} ${args.join(' ')} failed: ${wordsOf(error)}`);
  }
}

/** The same for what may be gone already: a failure is no answer. */
export function tryProgram(path: string, args: readonly string[]): string | undefined {
  try {
    return runProgram(path, args);
  } catch {
    return undefined;
  }
}

/** Waits without giving way to anything else in this process. */
export function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
