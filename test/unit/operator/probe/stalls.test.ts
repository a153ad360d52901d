import { describe, expect, it } from 'vitest';
import { createStalls } from '../../../../src/operator/probe/stalls.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';

/** A clock whose timers run late on demand. */
function aProcess() {
  let nowMs = 1000;
  let timer: { readonly atMs: number; readonly run: () => void } | null = null;
  const clock = {
    nowMs: () => nowMs,
    after: (ms: number, run: () => void) => {
      const mine = { atMs: nowMs + ms, run };
      timer = mine;
      return () => {
        if (timer === mine) timer = null;
      };
    },
  };
  function serve(): void {
    const due = timer;
    if (due === null || due.atMs > nowMs) return;
    timer = null;
    due.run();
  }
  function runs(ms: number): void {
    const untilMs = nowMs + ms;
    while (timer !== null && timer.atMs <= untilMs) {
      nowMs = Math.max(nowMs, timer.atMs);
      serve();
    }
    nowMs = untilMs;
  }
  return {
    stalls: createStalls(clock),
    runs,
    standsStill: (ms: number) => {
      nowMs += ms;
    },
    nowMs: () => nowMs,
    idle: () => timer === null,
  };
}

describe('a process', () => {
  it('that runs has not stood still', () => {
    const { stalls, runs } = aProcess();
    stalls.watch(1000);
    runs(10_000);
    expect(stalls.lastMs(500)).toBeNull();
  });

  it('that stands still for half a period has, before any timer has run again', () => {
    const { stalls, runs, standsStill, nowMs } = aProcess();
    stalls.watch(1000);
    runs(10_000);
    standsStill(500);
    expect(stalls.lastMs(500)).toBe(nowMs());
  });

  it('that stood still is known to have, until it stands still for as long again', () => {
    const { stalls, runs, standsStill, nowMs } = aProcess();
    stalls.watch(1000);
    standsStill(3000);
    runs(0);
    const endMs = nowMs();
    runs(5000);
    standsStill(600);
    runs(0);
    expect([stalls.lastMs(2000), stalls.lastMs(500)]).toEqual([endMs, nowMs()]);
  });

  it('is watched closely enough for the shortest period', () => {
    const { stalls, runs, standsStill } = aProcess();
    stalls.watch(10_000);
    stalls.watch(100);
    runs(1000);
    standsStill(60);
    runs(5);
    expect(stalls.lastMs(50)).not.toBeNull();
  });

  it('has one timer, however many watch it, and none when nobody does', () => {
    const clock = createFakeClock();
    const stalls = createStalls(clock);
    const watches = Array.from({ length: 100 }, () => stalls.watch(1000));
    expect(clock.pending()).toBe(1);
    for (const watch of watches) watch[Symbol.dispose]();
    expect(clock.pending()).toBe(0);
  });

  it('is not watched where nobody needs it', () => {
    const { stalls, idle } = aProcess();
    expect(idle()).toBe(true);
    stalls.watch(1000)[Symbol.dispose]();
    expect(idle()).toBe(true);
  });
});
