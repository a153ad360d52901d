/** A leader is replaced for its silence when it hangs, and in no other situation that looks like it. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aProbedGroup, type ProbedGroup } from '../kit/fakes/probed-group.ts';
import { stream } from '../kit/simulation/random.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const RUNS = { numRuns: 30 };

/** Even chances: fast-check's own numbers lie at the ends of their ranges, where no client is. */
type Chance = ReturnType<typeof stream>;
const seeds = fc.nat().map((seed) => stream(`leader probe ${seed}`));
const between = (random: Chance, least: number, most: number): number => random.between(least, most);

/** Twice in each period, a little early or late, as the clients do. */
const rhythm = (random: Chance) => () => between(random, 300, 600);

function rhythmic(group: ProbedGroup, random: Chance, names: readonly string[] = ['a', 'b', 'c']): void {
  for (const name of names) group.asks(name, rhythm(random), between(random, 0, 500));
}

const whatever = (situation: (group: ProbedGroup, random: Chance) => void): void =>
  fc.assert(
    fc.property(seeds, (random) => {
      const group = aProbedGroup();
      situation(group, random);
      expect(group.replaced).toEqual([]);
    }),
    RUNS,
  );

describe('a leader that hangs while others ask', () => {
  it('is replaced within its threshold, and a half period', () => {
    fc.assert(
      fc.property(seeds, (random) => {
        const group = aProbedGroup();
        const hangsMs = 10_000 + between(random, 0, 1000);
        rhythmic(group, random, ['b', 'c']);
        group.asks('a', () => (group.nowMs() >= hangsMs ? null : between(random, 300, 600)));
        group.run(20_000);
        expect(group.replaced.map(({ from }) => from)).toEqual(['a']);
        expect(group.replaced[0]?.atMs).toBeLessThanOrEqual(hangsMs + 2000 + 5);
      }),
      RUNS,
    );
  });

  it('is replaced a quarter of a period after the first that lost a moment, by the same fault, has been heard for long enough', () => {
    fc.assert(
      fc.property(seeds, (random) => {
        const group = aProbedGroup({ members: ['a', 'b'] });
        const hangsMs = 10_000 + between(random, 0, 1000);
        const backMs = hangsMs + between(random, 1100, 1900);
        group.asks('a', () => (group.nowMs() >= hangsMs ? null : between(random, 300, 600)));
        group.asks('b', () => (group.nowMs() >= hangsMs ? null : between(random, 300, 600)));
        group.at(backMs, () => group.asks('b', rhythm(random)));
        group.run(20_000);
        expect(group.replaced.map(({ from }) => from)).toEqual(['a']);
        expect(group.replaced[0]?.atMs).toBeGreaterThanOrEqual(backMs + 1000);
        expect(group.replaced[0]?.atMs).toBeLessThanOrEqual(backMs + 1000 + 255);
      }),
      RUNS,
    );
  });

  it('is replaced by one that was heard in each of the silent periods, whoever ranks first', () => {
    const group = aProbedGroup();
    const hangs = (ms: number) => () => (group.nowMs() >= ms ? null : 450);
    group.asks('a', hangs(10_000));
    group.asks('b', () => (group.nowMs() >= 9000 && group.nowMs() < 11_500 ? 2500 : 450));
    group.asks('c', () => 450);
    group.run(14_000);
    expect(group.replaced).toMatchObject([{ from: 'a', to: 'c' }]);
  });
});

describe('a leader that hangs while its group gets another owner', () => {
  it('is replaced after half a minute, once, however often the bucket moved before', () => {
    fc.assert(
      fc.property(seeds, (random) => {
        const group = aProbedGroup();
        const hangsMs = 10_000 + between(random, 0, 1000);
        rhythmic(group, random, ['b', 'c']);
        group.asks('a', () => (group.nowMs() >= hangsMs ? null : between(random, 300, 600)));
        const movedMs = hangsMs + between(random, 0, 1900);
        group.at(movedMs - 5000, group.moved);
        group.at(movedMs, group.moved);
        group.run(MINUTE);
        expect(group.replaced.map(({ from }) => from)).toEqual(['a']);
        expect(group.replaced[0]?.atMs).toBeLessThanOrEqual(movedMs + 31_500);
      }),
      RUNS,
    );
  });
});

describe('no leader is replaced', () => {
  it('where cron pods ask each minute, for an hour', () =>
    whatever((group, random) => {
      for (const name of ['a', 'b', 'c']) group.asks(name, () => MINUTE, between(random, 0, MINUTE));
      group.run(HOUR);
    }));

  it('where cron pods ask each minute, for an hour, and all replicas are rolled again and again', () =>
    whatever((group, random) => {
      for (const name of ['a', 'b', 'c']) group.asks(name, () => MINUTE, between(random, 0, MINUTE));
      for (let atMs = MINUTE; atMs < HOUR; atMs += between(random, 10_000, 200_000)) group.at(atMs, group.moved);
      group.run(HOUR);
    }));

  it('where it does not ask, and another does, though the one that led before did, and the bucket moves', () =>
    whatever((group, random) => {
      rhythmic(group, random, ['b']);
      group.asks('a', () => (group.nowMs() < MINUTE ? 450 : null));
      group.at(MINUTE - 10, () => {
        group.state.leader = 'c';
        group.pass();
      });
      for (let at = 0; at < 3; at += 1) group.at(MINUTE + between(random, 0, 1900), group.moved);
      group.run(5 * MINUTE);
    }));

  it('where it was asked before, and need not ask since the spec was edited, and the bucket moves', () =>
    whatever((group, random) => {
      rhythmic(group, random, ['b', 'c']);
      group.asks('a', () => (group.nowMs() < MINUTE ? 450 : null));
      group.at(MINUTE, () => {
        group.moved();
        group.edited();
      });
      group.at(MINUTE + between(random, 0, 1900), group.moved);
      group.run(5 * MINUTE);
    }));

  it('where all replicas were away for a while, and each client asks again when its pause of up to half a minute is over', () =>
    whatever((group, random) => {
      const [awayMs, backMs] = [10_000, 10_000 + between(random, 5000, MINUTE)];
      for (const name of ['a', 'b', 'c']) {
        group.asks(name, () => (group.nowMs() >= awayMs ? null : between(random, 300, 600)), between(random, 0, 500));
        group.at(backMs + between(random, 0, 30_000), () => group.asks(name, rhythm(random)));
      }
      group.at(backMs, group.moved);
      group.run(3 * MINUTE);
    }));

  it('where nobody asks', () => whatever((group) => group.run(10 * MINUTE)));

  it('where all fall silent at once, as by a cut-off of the replica, and come back one by one', () =>
    whatever((group, random) => {
      const [cutMs, backMs] = [10_000, 10_000 + between(random, 100, MINUTE)];
      for (const name of ['a', 'b', 'c']) {
        const firstMs = between(random, 0, 500);
        group.asks(name, () => (group.nowMs() >= cutMs ? null : between(random, 300, 600)), firstMs);
      }
      for (const name of ['a', 'b', 'c'])
        group.at(backMs + between(random, 0, 900), () => group.asks(name, rhythm(random)));
      group.run(3 * MINUTE);
    }));

  it('where this process stands still for half a period or more, again and again', () =>
    whatever((group, random) => {
      rhythmic(group, random);
      for (let atMs = 5000; atMs < MINUTE; atMs += 4000) {
        const forMs = between(random, 500, 5000);
        group.at(atMs + between(random, 0, 2000), () => group.stall(forMs));
      }
      group.run(2 * MINUTE);
    }));

  it('where clients back off after errors, each further and at its own pace', () =>
    whatever((group, random) => {
      for (const name of ['a', 'b', 'c']) {
        let pauseMs = 500;
        const backOff = (): number => {
          const troubled = group.nowMs() > 10_000 && group.nowMs() < MINUTE;
          pauseMs = troubled ? Math.min(pauseMs * 2, 8000) : 500;
          return pauseMs * (troubled ? between(random, 0.5, 1) : 1);
        };
        group.asks(name, backOff, between(random, 0, 500));
      }
      group.run(3 * MINUTE);
    }));

  it('where the bucket moves to and fro', () =>
    whatever((group, random) => {
      rhythmic(group, random);
      for (let atMs = 5000; atMs < MINUTE; atMs += between(random, 500, 8000)) group.at(atMs, group.moved);
      group.run(2 * MINUTE);
    }));

  it('where the operator does not hear what becomes of pods', () =>
    whatever((group, random) => {
      rhythmic(group, random, ['b', 'c']);
      group.asks('a', () => (group.nowMs() > 10_000 ? null : 400));
      group.at(9000, () => {
        group.state.blind = 'cut off';
      });
      group.run(MINUTE);
    }));
});

describe('under overload, when every member stops for seconds at random', () => {
  it('the lead moves less and less often: after six changes within ten minutes it takes 64 thresholds', () => {
    fc.assert(
      fc.property(seeds, (random) => {
        const group = aProbedGroup();
        for (const name of ['a', 'b', 'c'])
          group.asks(name, () => (random.chance(0.05) ? between(random, 2500, 6000) : between(random, 300, 600)));
        group.run(10 * MINUTE);
        expect(group.replaced.length).toBeLessThanOrEqual(6);
      }),
      RUNS,
    );
  });

  it('after ten quiet minutes the threshold is as it was', () => {
    const group = aProbedGroup({ members: ['a', 'b'] });
    const hangs = (fromMs: number, toMs: number) => () => {
      const nowMs = group.nowMs();
      return nowMs >= fromMs && nowMs < toMs ? toMs - nowMs : 450;
    };
    group.asks('a', hangs(MINUTE, 2 * MINUTE));
    group.asks('b', hangs(12 * MINUTE, 13 * MINUTE));
    group.run(14 * MINUTE);
    const [first, second] = group.replaced;
    expect([first?.from, second?.from]).toEqual(['a', 'b']);
    expect((second?.atMs ?? 0) - 12 * MINUTE).toBeLessThanOrEqual(2500);
  });
});
