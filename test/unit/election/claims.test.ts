import { describe, expect, it } from 'vitest';
import type { Claim, ClaimRequest } from '../../../src/api/claim.ts';
import { formatClaim, parseClaim } from '../../../src/api/claim.ts';
import { afterReport, judgeClaim, nextClaim } from '../../../src/election/claims.ts';
import { aClaim as sharedClaim } from '../../kit/fakes/claims.ts';
import { uidOf } from '../../kit/fakes/ids.ts';

const NOW_MS = 1_700_000_000_000;
const A = { pod: 'a', uid: uidOf('a'), token: 7 };

const aClaim = (overrides: Partial<Claim> = {}): Claim => sharedClaim({ sinceMs: NOW_MS - 1000, ...overrides });
function asks(overrides: Partial<ClaimRequest> = {}): ClaimRequest {
  const { series, mode, retryAfterMs } = aClaim();
  return { series, mode, retryAfterMs, position: 11, id: 'id-2', ...overrides };
}
const judged = (mark: Claim | null, asked: Partial<ClaimRequest> = {}, pod = 'a') =>
  judgeClaim(mark, asks(asked), uidOf(pod), NOW_MS);

describe('AtMostOnce', () => {
  it('gives out any first position, and each that is greater than the last', () => {
    expect(judged(null, { position: 0 }).kind).toBe('open');
    expect(judged(aClaim()).kind).toBe('open');
    expect(nextClaim(aClaim(), asks(), { ...A, token: 9 }, NOW_MS)).toEqual(
      aClaim({ position: 11, id: 'id-2', token: 9, sinceMs: NOW_MS }),
    );
  });

  it.each([9, 10])('refuses position %i when 10 was given out, done or not, and says to whom', (position) => {
    for (const state of ['Claimed', 'Done'] as const) {
      const mark = aClaim({ state });
      expect(judged(mark, { position })).toEqual({ kind: 'refused', reason: 'Passed', mark });
    }
  });

  it('has nothing pending: who died with its claim holds nobody up', () => {
    expect(judged(aClaim({ sinceMs: 0 }), { position: 10 })).toMatchObject({ reason: 'Passed' });
    expect(judged(aClaim({ mode: 'AtLeastOnce' })).kind).toBe('open');
  });
});

describe('the same call', () => {
  it('is told again what it has, also when it is done', () => {
    for (const state of ['Claimed', 'Done'] as const) {
      const mark = aClaim({ state });
      expect(judged(mark, { position: 10, id: 'id-1' })).toEqual({ kind: 'claimed', mark });
    }
  });

  it('is told again that it has an earlier position than it asked for', () => {
    const mark = aClaim({ mode: 'AtLeastOnce', attempt: 2 });
    expect(judged(mark, { mode: 'AtLeastOnce', position: 12, id: 'id-1' })).toEqual({ kind: 'claimed', mark });
  });

  it.each([
    ['another pod', { position: 10, id: 'id-1' }, 'b'],
    ['another call of the pod', { position: 10 }, 'a'],
  ])('is not %s', (_, asked, pod) => {
    expect(judged(aClaim(), asked, pod)).toMatchObject({ kind: 'refused', reason: 'Passed' });
  });
});

describe('AtLeastOnce', () => {
  const last = (overrides: Partial<Claim> = {}) => aClaim({ mode: 'AtLeastOnce', ...overrides });
  const mode = 'AtLeastOnce';

  it.each([10, 11, 500])('keeps position %i waiting while 10 is neither done nor overdue', (position) => {
    expect(judged(last(), { mode, position })).toMatchObject({ kind: 'refused', reason: 'Pending' });
  });

  it('gives the last one out again, before any other, when it is overdue', () => {
    const overdue = last({ sinceMs: NOW_MS - 300_000 });
    expect(judged(overdue, { mode, position: 500 }).kind).toBe('open');
    expect(nextClaim(overdue, asks({ mode, position: 500 }), A, NOW_MS)).toMatchObject({
      position: 10,
      attempt: 2,
      id: 'id-2',
    });
  });

  it('gives the last one out anew to its own call too: another may have it a moment later', () => {
    const overdue = last({ sinceMs: NOW_MS - 300_000 });
    expect(judged(overdue, { mode, position: 10, id: 'id-1' }).kind).toBe('open');
    expect(judged({ ...overdue, attempt: 2 }, { mode, position: 12, id: 'id-1' }).kind).toBe('open');
    expect(judged({ ...overdue, state: 'Done' }, { mode, position: 10, id: 'id-1' }).kind).toBe('claimed');
  });

  it('is overdue by the time that its own claimer has set', () => {
    const short = last({ retryAfterMs: 1000 });
    expect(judged(short, { mode }).kind).toBe('open');
    expect(judged({ ...short, sinceMs: NOW_MS - 999 }, { mode }).kind).toBe('refused');
  });

  it('gives out the next when the last is done', () => {
    const done = last({ state: 'Done' });
    expect(judged(done, { mode }).kind).toBe('open');
    expect(nextClaim(done, asks({ mode }), A, NOW_MS)).toMatchObject({ position: 11, attempt: 1 });
    expect(judged(done, { mode, position: 10 })).toMatchObject({ reason: 'Passed' });
  });

  it('does not wait for good for a claim from the future, of a clock that was wrong', () => {
    expect(judged(last({ sinceMs: NOW_MS + 86_400_000 }), { mode }).kind).toBe('open');
  });

  it('never gives out again what was given AtMostOnce', () => {
    const most = aClaim({ sinceMs: 0 });
    expect(judged(most, { mode, position: 10 })).toMatchObject({ reason: 'Passed' });
    expect(nextClaim(most, asks({ mode }), A, NOW_MS)).toMatchObject({ position: 11, attempt: 1 });
  });
});

describe('a report', () => {
  const report = (overrides: object = {}) =>
    ({ position: 10, id: 'id-1', uid: uidOf('a'), what: 'done', ...overrides }) as const;

  it('makes a claim done, once and for all', () => {
    expect(afterReport(aClaim(), report(), NOW_MS)).toEqual(aClaim({ state: 'Done' }));
    expect(afterReport(aClaim({ state: 'Done' }), report(), NOW_MS)).toEqual(aClaim({ state: 'Done' }));
  });

  it('moves the time at which a claim is overdue, until it is done', () => {
    const renew = report({ what: 'renew' });
    expect(afterReport(aClaim(), renew, NOW_MS)).toEqual(aClaim({ sinceMs: NOW_MS }));
    expect(afterReport(aClaim({ state: 'Done' }), renew, NOW_MS)).toBeNull();
  });

  it.each([{ position: 9 }, { position: 11 }, { id: 'id-2' }, { uid: uidOf('b') }])(
    'of another claim (%o) counts for nothing',
    (other) => {
      expect(afterReport(aClaim(), report(other), NOW_MS)).toBeNull();
      expect(afterReport(null, report(other), NOW_MS)).toBeNull();
    },
  );
});

describe('what stands in Consul', () => {
  it('is read as it was written', () => {
    const claim = aClaim({ mode: 'AtLeastOnce', state: 'Done', attempt: 3 });
    expect(parseClaim(formatClaim(claim))).toEqual(claim);
  });

  const good = JSON.parse(formatClaim(aClaim())) as object;
  it.each<[string, string | null]>([
    ['nothing', null],
    ['no JSON', 'daily-report'],
    ['another version', JSON.stringify({ ...good, v: 2 })],
    ['another state', JSON.stringify({ ...good, state: 'Lost' })],
    ['another mode', JSON.stringify({ ...good, mode: 'ExactlyOnce' })],
    ['a position that is no number', JSON.stringify({ ...good, position: '10' })],
    ['a position beyond what a number can hold', JSON.stringify({ ...good, position: 2 ** 53 })],
    ['no uid', JSON.stringify({ ...good, uid: '' })],
    ['no id', JSON.stringify({ ...good, id: undefined })],
  ])('is not understood: %s', (_, text) => {
    expect(parseClaim(text)).toBeNull();
  });
});
