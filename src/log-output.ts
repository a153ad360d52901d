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
const LINE_END = Buffer.from('\n');
/** A pipe holds 64 KiB, which its reader may have taken a moment later. */
const AGAIN: Backoff = { firstMs: 1, lastMs: 100 };

export function createLogOutput({ put, clock, pause, dropped, caughtUp }: LogOutputOptions): LogOutput {
  /** From `first` on: to take one off the front of a long array would move all the others. */
  let waiting: Uint8Array[] = [];
  let first = 0;
  let bytes = 0;
  let lost = 0;
  /** The beginning of a line was written, and its rest was dropped. */
  let torn = false;
  /** Of the first one that waits the beginning has been written. */
  let begun = false;

  function drop(lines: number): void {
    lost += lines;
    dropped(lines);
  }

  function empty(): void {
    waiting = [];
    first = 0;
    bytes = 0;
  }

  function dropAll(): void {
    const lines = waiting.length - first;
    torn ||= begun;
    begun = false;
    empty();
    drop(lines);
  }

  function writeOut(): 'written' | 'waits' | 'failed' {
    try {
      for (let next = waiting[first]; next !== undefined; next = waiting[first]) {
        // Glued to what is there of another line, neither could be read.
        if (torn && put(LINE_END) === 0) return 'waits';
        torn = false;
        const written = put(next);
        bytes -= written;
        begun = (begun || written > 0) && written < next.length;
        if (written < next.length) {
          waiting[first] = next.subarray(written);
          return 'waits';
        }
        first += 1;
      }
      empty();
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
      if (waiting.length - first > 1) return;
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
