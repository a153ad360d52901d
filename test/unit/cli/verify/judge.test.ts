/** What measurements say: planted gaps, delays and noise are found, and nothing else is. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AuditResult } from '../../../../src/cli/audit/audit.ts';
import { judge, longestGap, NOISE_MS, PROXY_MS } from '../../../../src/cli/verify/judge.ts';
import type { Timeline } from '../../../../src/cli/verify/timeline.ts';
import { FAULTS } from '../../../../src/verify/lines.ts';
import { type Handover, measured } from '../../../kit/fakes/cli/measured.ts';

const PROVED: AuditResult = {
  verdict: 'Proved',
  from: '1',
  to: '90',
  versions: 40,
  groups: [{ group: 'mail/verify', leader: 'verify-4', changes: 5, deleted: false }],
  breaches: [],
  unproved: [],
};
const judged = (timeline: Timeline, audit: AuditResult = PROVED) => judge(timeline, audit, 'LeaderGroup mail/verify');
const all = (handover: Omit<Handover, 'fault'> = {}) => FAULTS.map((fault) => ({ fault, ...handover }));
const ids = (timeline: Timeline) => judged(timeline).findings.map(({ id }) => id);
const delay = fc.integer({ min: 0, max: 900 });

describe('a handover', () => {
  it('of each fault is measured from its planted times, whatever they are', () => {
    const handover = fc.record({ unledMs: delay, controllerMs: delay, label: delay, slice: delay });
    fc.assert(
      fc.property(fc.array(handover, { minLength: 4, maxLength: 4 }), (planted) => {
        const handovers = planted.map(({ label, slice, ...rest }, at) => ({
          fault: FAULTS[at] ?? 'kill',
          proxyMs: { label, slice },
          ...rest,
        }));
        const { faults, verdict, findings } = judged(measured({ handovers }));
        expect([verdict, findings]).toEqual(['Verified', []]);
        for (const [at, { unledMs, controllerMs, label, slice }] of planted.entries()) {
          expect(faults[at]?.proxyMs).toEqual({ label, slice });
          expect(faults[at]?.gapMs).toEqual({
            label: unledMs + controllerMs + label,
            slice: unledMs + controllerMs + slice,
          });
        }
      }),
    );
  });

  it.each([0, 4_000])(
    'names whom it befell and who leads afterwards, also where that answers on into the next: %d ms',
    (staleMs) => {
      const { faults } = judged(measured({ handovers: all({ staleMs }) }));
      expect(faults.map(({ fault, from, to }) => [fault, from, to])).toEqual([
        ['kill', 'verify-0', 'verify-1'],
        ['delete', 'verify-1', 'verify-2'],
        ['evict', 'verify-2', 'verify-3'],
        ['freeze', 'verify-3', 'verify-4'],
      ]);
    },
  );

  it('is not shortened by what a former leader still answers', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5_000 }), (staleMs) => {
        const { faults } = judged(measured({ handovers: all({ staleMs, proxyMs: { label: 5_000, slice: 0 } }) }));
        expect(faults.map(({ gapMs }) => gapMs.label)).toEqual([5_055, 5_055, 5_055, 5_055]);
      }),
    );
  });
});

describe('a proxy that waits', () => {
  it('is found where most handovers wait for it, at any length above what is usual, and by that way alone', () => {
    fc.assert(
      fc.property(fc.integer({ min: PROXY_MS + 1, max: 60_000 }), (label) => {
        const { verdict, findings } = judged(measured({ handovers: all({ proxyMs: { label, slice: 20 } }) }));
        expect([verdict, findings.map(({ id }) => id)]).toEqual(['Found', ['proxy-min-sync-period']]);
        expect(findings[0]?.message).toContain(`showed it: ${(label / 1000).toFixed(1)} s by label (4 of 4 took`);
      }),
    );
  });

  it('is not found at the usual second, nor by one handover of four', () => {
    const slow = (...slowAt: readonly number[]): Timeline =>
      measured({
        handovers: all().map((one, at) => ({
          ...one,
          proxyMs: { label: slowAt.includes(at) ? 9_000 : 40, slice: 20 },
        })),
      });
    expect(ids(measured({ handovers: all({ proxyMs: { label: PROXY_MS, slice: 1_000 } }) }))).toEqual([]);
    expect(ids(slow(2))).toEqual([]);
    expect(ids(slow(0, 2))).toEqual(['proxy-min-sync-period']);
  });

  it('is told apart from a controller that is late: the EndpointSlice says from when it could know', () => {
    const { faults, findings } = judged(measured({ handovers: all({ controllerMs: 8_000 }) }));
    expect(findings).toEqual([]);
    expect(faults[0]?.gapMs.label).toBe(8_065);
  });
});

describe('nothing can be said', () => {
  it('where nobody answers for as long as that while nothing happens', () => {
    fc.assert(
      fc.property(fc.integer({ min: NOISE_MS + 1, max: 4_000 }), (noiseMs) => {
        const { verdict, reason } = judged(measured({ handovers: all(), noiseMs }));
        expect([verdict, reason]).toEqual([
          'NotMeasurable',
          expect.stringContaining(`nobody answered for ${noiseMs} ms`),
        ]);
      }),
    );
  });

  it('and less noise than that is told, and no more', () => {
    const { verdict, baselineGapMs } = judged(measured({ handovers: all(), noiseMs: NOISE_MS }));
    expect([verdict, baselineGapMs]).toEqual(['Verified', { label: NOISE_MS, slice: NOISE_MS }]);
  });

  it('where nobody ever answers', () => {
    const end = { atMs: 90_000, why: 'nobody answered' };
    expect(judged({ runs: [], phases: [], labels: [], endpoints: [], end })).toMatchObject({
      verdict: 'NotMeasurable',
      reason: 'nobody answered',
      baselineGapMs: { label: null, slice: null },
    });
  });

  it('where the prober ends in the middle', () => {
    expect(judged({ ...measured({ handovers: all() }), end: null })).toMatchObject({
      verdict: 'NotMeasurable',
      reason: 'the prober ended before it was through',
    });
  });

  it('by slice where the operator may write none; by label all the same', () => {
    const { verdict, unknown, faults } = judged(measured({ handovers: all(), withoutSlice: true }));
    expect([verdict, unknown, faults[0]?.gapMs]).toEqual([
      'Verified',
      [expect.stringContaining('by slice: nobody answered')],
      { label: 95, slice: null },
    ]);
  });
});

describe('leaders', () => {
  const breach = {
    group: 'mail/verify',
    resourceVersion: '17',
    pods: [],
    message: 'a and b carry the leader label at once',
  };

  it('that are two at a moment are found, and counted', () => {
    const breaches = [
      { ...breach, rule: 'TwoLeaders' as const },
      { ...breach, rule: 'TwoLeaders' as const, resourceVersion: '18' },
    ];
    const { verdict, labels } = judged(measured({ handovers: all() }), { ...PROVED, verdict: 'Breached', breaches });
    expect([verdict, labels]).toEqual(['Found', { versions: 40, twoLabels: 2, changes: 5 }]);
  });

  it('whose token falls are found', () => {
    const breaches = [{ ...breach, rule: 'TokenFell' as const }];
    expect(judged(measured({ handovers: all() }), { ...PROVED, breaches }).verdict).toBe('Found');
  });

  it('of whom a part was not seen are not said to be proved', () => {
    const unproved = [{ group: null, from: '3', to: '9', why: 'the pods were listed again' }];
    expect(judged(measured({ handovers: all() }), { ...PROVED, unproved }).unknown).toEqual([
      'labels: the pods were listed again',
    ]);
  });

  it('after whom nobody leads are found, and so are those whom nobody reaches', () => {
    const through = measured({ handovers: all().slice(0, 1), end: 'no other process answered' });
    const unled = { ...through, labels: through.labels.slice(0, 2) };
    expect(ids(unled)).toEqual(['not-led']);
    expect(ids(through)).toEqual(['not-routed']);
  });
});

describe('a gap', () => {
  const runs = (...times: readonly (readonly [number, number])[]) =>
    times.map(([firstMs, lastMs]) => ({ firstMs, lastMs }));

  it.each([
    ['is between two answers', runs([0, 10], [25, 90]), 15],
    ['that began before the stretch counts whole', runs([0, 3], [25, 90]), 22],
    ['before the stretch is none', runs([-50, -40], [0, 90]), 0],
    ['that somebody else fills is none', runs([0, 10], [5, 90], [40, 50]), 0],
    ['to the end of the stretch counts', runs([0, 30]), 50],
    ['is unknown without an answer in the stretch', runs([-9, -1]), null],
  ] as const)('%s', (_, given, expected) => {
    expect(longestGap(given, 5, 80)).toBe(expected);
  });
});
