import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { createLogOutput, END_MS, MOST_BYTES } from '../../src/log-output.ts';
import { createFakeClock } from '../kit/fakes/clock.ts';

/** A pipe with room for so many bytes, until its reader takes some. */
function aPipe(roomBytes: number) {
  const clock = createFakeClock();
  const heard: number[] = [];
  const pipe = {
    room: roomBytes,
    broken: false,
    dropped: 0,
    told: [] as number[],
    get text() {
      return Buffer.from(heard).toString();
    },
  };
  const output = createLogOutput({
    clock,
    pause: clock.stall,
    put: (bytes) => {
      if (pipe.broken) throw Object.assign(new Error('nobody reads'), { code: 'EPIPE' });
      const written = Math.min(pipe.room, bytes.length);
      for (const byte of bytes.subarray(0, written)) heard.push(byte);
      pipe.room -= written;
      return written;
    },
    dropped: (lines) => {
      pipe.dropped += lines;
    },
    caughtUp: (lines) => {
      pipe.told.push(lines);
      output.write(`${lines} were dropped\n`);
    },
  });
  return { clock, pipe, output };
}

const LONG = `${'x'.repeat(1023)}\n`;

describe('the output of the log', () => {
  it('has a line at once where there is room', () => {
    const { output, pipe, clock } = aPipe(100);
    output.write('a\n');
    output.write('b\n');
    expect(pipe.text).toBe('a\nb\n');
    expect(clock.pending()).toBe(0);
  });

  it('has lines whole and in order, however little there is room for at a time', async () => {
    const { output, pipe, clock } = aPipe(3);
    for (const line of ['one\n', 'zwei\n', '三\n']) output.write(line);
    for (let times = 0; times < 20; times += 1) {
      pipe.room = 1;
      await clock.advance(100);
    }
    expect(pipe.text).toBe('one\nzwei\n三\n');
    expect(pipe.dropped).toBe(0);
    expect(clock.pending()).toBe(0);
  });

  it('keeps what its reader may still take, drops what is more, and says how many lines that were behind those', async () => {
    const { output, pipe, clock } = aPipe(0);
    for (let lines = 0; lines < MOST_BYTES / 1024 + 3; lines += 1) output.write(LONG);
    expect(pipe).toMatchObject({ text: '', dropped: 3, told: [] });
    pipe.room = Number.POSITIVE_INFINITY;
    await clock.advance(100);
    expect(pipe.text).toBe(`${LONG.repeat(MOST_BYTES / 1024)}3 were dropped\n`);
  });

  it('looks for room within a tenth of a second, for however long there was none', async () => {
    const { output, pipe, clock } = aPipe(0);
    output.write('a\n');
    await clock.advance(60_000);
    pipe.room = 100;
    await clock.advance(100);
    expect(pipe.text).toBe('a\n');
  });

  it('counts what nobody will read any more, and says so if somebody does', () => {
    const { output, pipe, clock } = aPipe(100);
    pipe.broken = true;
    output.write('a\n');
    output.write('b\n');
    expect(pipe.dropped).toBe(2);
    pipe.broken = false;
    output.write('c\n');
    expect(pipe.text).toBe('c\n2 were dropped\n');
    expect(clock.pending()).toBe(0);
  });

  it('begins a line of its own after one whose rest was dropped, so that each but that one can be read', async () => {
    const { output, pipe, clock } = aPipe(3);
    output.write('first\n');
    pipe.broken = true;
    await clock.advance(100);
    expect(pipe).toMatchObject({ text: 'fir', dropped: 1 });
    output.write('lost\n');
    Object.assign(pipe, { broken: false, room: 100 });
    output.write('second\n');
    output.write('third\n');
    expect(pipe.text).toBe('fir\nsecond\n2 were dropped\nthird\n');
  });

  it('begins no line of its own after lines that were written whole, or not at all', () => {
    const { output, pipe } = aPipe(100);
    output.write('first\n');
    pipe.broken = true;
    output.write('second\n');
    pipe.broken = false;
    output.write('third\n');
    expect(pipe.text).toBe('first\nthird\n1 were dropped\n');
  });

  it('waits at the end for a reader that still reads, and not for long for one that does not', () => {
    const { output, pipe, clock } = aPipe(0);
    output.write('last words\n');
    const beganMs = clock.nowMs();
    output.end();
    expect(clock.nowMs() - beganMs).toBe(END_MS);
    pipe.room = 100;
    output.end();
    expect(pipe.text).toBe('last words\n');
  });
});

/** Says `stalled` once it has logged far more than fits, and does with it what it is told then. */
const PROGRAM = `
  import { createClock } from '${join(import.meta.dirname, '../../src/clock.ts')}';
  import { createLog } from '${join(import.meta.dirname, '../../src/log.ts')}';
  import { standardOutput } from '${join(import.meta.dirname, '../../src/log-output.ts')}';
  let dropped = 0;
  const log = createLog({
    level: 'error',
    destination: (caughtUp) =>
      standardOutput({ clock: createClock(), dropped: (lines) => { dropped += lines; }, caughtUp }),
  });
  const fill = (lines) => { for (let line = 0; line < lines; line += 1) log.error({ line, text: 'x'.repeat(900) }, 'line'); };
  const [lines, end] = [Number(process.argv[1]), process.argv[2]];
  process.once('SIGTERM', () => {
    log.error({}, 'last words');
    if (end === 'throw') throw new Error('a defect');
    process.disconnect();
  });
  fill(lines);
  process.send({ dropped });
`;

describe('a process whose log nobody reads', { timeout: 60_000 }, () => {
  let child: ChildProcess | undefined;
  afterEach(() => child?.kill('SIGKILL'));

  /** It has logged so many lines, of a kilobyte each. */
  async function logged(lines: number, end: 'calm' | 'throw') {
    const args = ['--input-type=module', '-e', PROGRAM, String(lines), end];
    const started = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore', 'ipc'] });
    child = started;
    const exit = once(started, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    const [{ dropped }] = (await once(started, 'message')) as [{ readonly dropped: number }];
    return { started, dropped, exit };
  }

  async function linesOf(stdout: Readable | null): Promise<readonly Record<string, unknown>[]> {
    const chunks = await stdout?.setEncoding('utf8').toArray();
    return (chunks ?? [])
      .join('')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  it('goes on, and tells whoever reads again what it has lost', async () => {
    const { started, dropped } = await logged(10_000, 'calm');
    const reading = linesOf(started.stdout);
    started.kill('SIGTERM');
    const lines = await reading;
    const written = lines.filter(({ message }) => message === 'line');
    expect(dropped).toBeGreaterThan(0);
    expect(written.map(({ line }) => line)).toEqual(Array.from({ length: 10_000 - dropped }, (_, line) => line));
    const told = lines.filter(({ message }) => String(message).startsWith('lines of the log were dropped'));
    const heard = lines.filter(({ message }) => message === 'last words').length;
    expect(told.reduce((sum, { lines: lost }) => sum + Number(lost), 0)).toBe(dropped + 1 - heard);
  });

  it.each([
    ['calm', 0],
    ['throw', 1],
  ] as const)('has its last words read when it ends (%s)', async (end, code) => {
    const { started, dropped, exit } = await logged(1000, end);
    const reading = linesOf(started.stdout);
    started.kill('SIGTERM');
    const lines = await reading;
    expect(dropped).toBe(0);
    expect(lines).toHaveLength(1001);
    expect(lines.at(-1)).toMatchObject({ message: 'last words' });
    expect(await exit).toEqual([code, null]);
  });

  it('ends when its log is never read again', async () => {
    const { started, exit } = await logged(1000, 'throw');
    started.kill('SIGTERM');
    expect(await exit).toEqual([1, null]);
  });
});
