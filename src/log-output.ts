/**
 * Where log lines go without anybody waiting for them: a reader that stalls holds up no election. A line is written at once where there is room, so
 * that a process that is killed has said what it knew; else it waits in memory, and what is too much is dropped and counted.
 */
import { writeSync } from 'node:fs';
import process from 'node:process';
import { type Backoff, backoffMs } from './common/backoff.ts';
import type { Clock } from './ports/clock.ts';

export type LogOutput = {
  /** Never waits, never throws. */
  write(line: string): void;
  /** The process ends: waits for room, END_MS at most. */
  end(): void;
};

type Tidings = {
  readonly clock: Pick<Clock, 'nowMs' | 'after'>;
  /** So many lines were dropped just now. */
  readonly dropped: (lines: number) => void;
  /** Nothing waits any more, and so many lines were dropped since that was so. */
  readonly caughtUp: (dropped: number) => void;
};

export type LogOutputOptions = Tidings & {
  /** Writes what there is room for, and returns how many bytes that were. Throws where nothing can be written however long one waits. */
  readonly put: (bytes: Uint8Array) => number;
  /** Stands still for so many milliseconds. */
  readonly pause: (ms: number) => void;
};

/** Of lines that wait: some ten thousand. */
export const MOST_BYTES = 4_194_304;
export const END_MS = 1000;
const END_PAUSE_MS = 10;
/** A pipe holds 64 KiB, which its reader may have taken a moment later. */
const AGAIN: Backoff = { firstMs: 1, lastMs: 100 };

export function createLogOutput({ put, clock, pause, dropped, caughtUp }: LogOutputOptions): LogOutput {
  const waiting: Uint8Array[] = [];
  let bytes = 0;
  let lost = 0;

  function drop(lines: number): void {
    lost += lines;
    dropped(lines);
  }

  function dropAll(): void {
    bytes = 0;
    drop(waiting.splice(0).length);
  }

  function writeOut(): 'written' | 'waits' | 'failed' {
    try {
      for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
        const written = put(next);
        bytes -= written;
        if (written < next.length) {
          waiting[0] = next.subarray(written);
          return 'waits';
        }
        waiting.shift();
      }
      return 'written';
    } catch {
      // Its reader has gone, or the disk is full: the next line may fare better.
      dropAll();
      return 'failed';
    }
  }

  /** Told behind what had waited: this is a line as well. */
  function tell(): void {
    if (lost === 0) return;
    const lines = lost;
    lost = 0;
    caughtUp(lines);
  }

  function tryAgain(failures: number): void {
    clock.after(backoffMs(failures, AGAIN), () => {
      const before = bytes;
      const outcome = writeOut();
      if (outcome === 'written') tell();
      else if (outcome === 'waits') tryAgain(bytes < before ? 1 : failures + 1);
    });
  }

  return {
    write: (line) => {
      const chunk = Buffer.from(line);
      if (bytes + chunk.length > MOST_BYTES) return drop(1);
      waiting.push(chunk);
      bytes += chunk.length;
      if (waiting.length > 1) return;
      const outcome = writeOut();
      if (outcome === 'written') tell();
      else if (outcome === 'waits') tryAgain(1);
    },
    end: () => {
      const untilMs = clock.nowMs() + END_MS;
      let outcome = writeOut();
      for (; outcome === 'waits' && clock.nowMs() < untilMs; outcome = writeOut()) pause(END_PAUSE_MS);
      if (outcome === 'written') tell();
    },
  };
}

/** Standard output of this process; ended with it, also by an error that nobody has caught. */
export function standardOutput(tidings: Tidings): LogOutput {
  // A write to a pipe does not wait for its reader from when Node has opened it, which it does when it is first looked at.
  const { fd } = process.stdout;
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const output = createLogOutput({
    ...tidings,
    put: (bytes) => putNow(fd, bytes),
    pause: (ms) => void Atomics.wait(cell, 0, 0, ms),
  });
  process.once('exit', output.end);
  return output;
}

function putNow(fd: number, bytes: Uint8Array): number {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
    throw error;
  }
}
