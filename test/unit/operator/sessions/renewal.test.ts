import { describe, expect, it } from 'vitest';
import { keepRenewed } from '../../../../src/operator/sessions/renewal.ts';
import { AT_ANY_TIME } from '../../../../src/operator/sessions/renewal-turns.ts';
import { type Consul, ConsulError } from '../../../../src/ports/consul.ts';
import { createFakeClock, createFakeRandom, type FakeClock, settle } from '../../../kit/fakes/clock.ts';
import { sessionId } from '../../../kit/fakes/ids.ts';

const TTL_MS = 30_000;
const MARGIN_MS = 2000;

/** A session opened at 0; each renewal takes `latencyMs` and ends as `answer` says. */
function aRenewal(options: { latencyMs?: number; answer?: () => 'renewed' | 'lost'; spare?: boolean } = {}) {
  const clock = createFakeClock(0);
  const told: string[] = [];
  const sentMs: number[] = [];
  let answer = options.answer ?? (() => 'renewed' as const);
  let latencyMs = options.latencyMs ?? 0;
  const consul = {
    renewSession: async (_id: string, signal: AbortSignal) => {
      sentMs.push(clock.nowMs());
      const now = answer;
      if (latencyMs > 0) await clock.sleep(latencyMs, signal);
      return now();
    },
  } as Partial<Consul> as Consul;
  const renewal = keepRenewed(
    { consul, clock, random: createFakeRandom('renewal', 0), marginMs: MARGIN_MS, turns: AT_ANY_TIME },
    { id: sessionId('session'), ttlMs: TTL_MS, spare: options.spare ?? false },
    0,
    {
      lost: () => told.push('lost'),
      deadline: () => told.push('deadline'),
      recovered: () => told.push('recovered'),
      attempted: () => undefined,
    },
  );
  return {
    clock,
    told,
    sentMs,
    renewal,
    answers: (next: () => 'renewed' | 'lost') => {
      answer = next;
    },
    takes: (ms: number) => {
      latencyMs = ms;
    },
  };
}

function fail(): never {
  throw new Error('nothing is to be told');
}

function silent(): never {
  throw new ConsulError('unknown', 'no answer');
}

async function stopped({ clock, renewal }: { clock: FakeClock; renewal: { stop(): void } }): Promise<number> {
  renewal.stop();
  await settle();
  return clock.pending();
}

describe('the renewal of a session', () => {
  it('goes out each third of the TTL', async () => {
    const { clock, sentMs } = aRenewal();
    await clock.advance(35_000);
    expect(sentMs).toEqual([10_000, 20_000, 30_000]);
  });

  it('tells of the deadline also while it is under way itself', async () => {
    const { clock, told } = aRenewal({ latencyMs: 60_000 });
    await clock.advance(28_000);
    expect(told).toEqual(['deadline']);
  });

  it('moves the deadline to the time BEFORE it was sent + TTL - margin', async () => {
    const { clock, renewal } = aRenewal({ latencyMs: 700 });
    expect(renewal.deadlineMs()).toBe(28_000);
    await clock.advance(10_600);
    expect(renewal.deadlineMs()).toBe(28_000);
    await clock.advance(200);
    expect(renewal.deadlineMs()).toBe(38_000);
  });

  it('is repeated each second while it fails, also where each pass says that it holds a lock', async () => {
    const { clock, sentMs, renewal } = aRenewal({ answer: silent });
    await clock.advance(12_200);
    renewal.hold(true);
    await clock.advance(1300);
    expect(sentMs).toEqual([10_000, 11_000, 12_000, 13_000]);
  });

  it('is repeated each second while it fails', async () => {
    const { clock, sentMs } = aRenewal({ answer: silent });
    await clock.advance(13_500);
    expect(sentMs).toEqual([10_000, 11_000, 12_000, 13_000]);
  });

  it('ends when Consul says that there is no such session, which is told once', async () => {
    const { clock, sentMs, told, renewal } = aRenewal({ answer: () => 'lost' });
    await clock.advance(10_000);
    expect([sentMs, told, renewal.proven()]).toEqual([[10_000], ['lost'], false]);
    await clock.advance(50_000);
    expect([sentMs, told, clock.pending()]).toEqual([[10_000], ['lost'], 0]);
  });

  it('tells of the deadline when it passes without an acknowledgement', async () => {
    const { clock, told, renewal } = aRenewal({ answer: silent });
    await clock.advance(27_999);
    expect([told, renewal.proven()]).toEqual([[], true]);
    await clock.advance(1);
    expect([told, renewal.proven()]).toEqual([['deadline'], false]);
  });

  it('after the deadline proves nothing, until a transaction does', async () => {
    const { clock, told, renewal, answers } = aRenewal({ answer: silent });
    await clock.advance(28_500);
    answers(() => 'renewed');
    await clock.advance(1000);
    expect([told, renewal.proven()]).toEqual([['deadline', 'recovered'], false]);
    expect(renewal.deadlineMs()).toBeGreaterThan(clock.nowMs());
    renewal.prove();
    expect(renewal.proven()).toBe(true);
  });

  it('answered just after the deadline counts as late', async () => {
    const { clock, told, renewal, answers, takes } = aRenewal({ answer: silent });
    await clock.advance(27_500);
    answers(() => 'renewed');
    takes(1000);
    await clock.advance(2000);
    expect([told, renewal.proven()]).toEqual([['deadline', 'recovered'], false]);
  });

  it('is not proven by a transaction that was answered past the deadline', async () => {
    const { clock, renewal } = aRenewal({ answer: silent });
    await clock.advance(28_000);
    renewal.prove();
    expect(renewal.proven()).toBe(false);
  });

  it('tells of each deadline anew', async () => {
    const { clock, told, answers } = aRenewal({ answer: silent });
    await clock.advance(28_500);
    answers(() => 'renewed');
    await clock.advance(1000);
    answers(silent);
    await clock.advance(40_000);
    expect(told).toEqual(['deadline', 'recovered', 'deadline']);
  });

  it('that is stopped leaves nothing behind: no timer, no request, no word', async () => {
    const kept = aRenewal();
    await kept.clock.advance(15_000);
    expect(await stopped(kept)).toBe(0);
    await kept.clock.advance(100_000);
    expect([kept.sentMs, kept.told]).toEqual([[10_000], []]);
  });

  it('that is stopped while a request is under way hears no answer', async () => {
    const kept = aRenewal({ latencyMs: 500, answer: () => 'lost' });
    await kept.clock.advance(10_100);
    expect(await stopped(kept)).toBe(0);
    await kept.clock.advance(1000);
    expect(kept.told).toEqual([]);
  });
});

describe('renewals of many sessions', () => {
  it('go out together, each at most a quarter of a second early', async () => {
    const clock = createFakeClock(0);
    const sentMs: number[] = [];
    const consul = { renewSession: async () => (sentMs.push(clock.nowMs()), 'renewed' as const) };
    const ports = { consul: consul as Partial<Consul> as Consul, clock, marginMs: MARGIN_MS, turns: AT_ANY_TIME };
    const told = { lost: fail, deadline: fail, recovered: fail, attempted: () => undefined };
    for (let at = 0; at < 100; at += 1) {
      const random = { ...createFakeRandom('renewal', at), next: () => at / 100 };
      keepRenewed({ ...ports, random }, { id: sessionId(`session-${at}`), ttlMs: TTL_MS }, at, told);
    }
    await clock.advance(10_099);
    const dueMs = Array.from({ length: 100 }, (_, at) => at + 10_000 * (1 - at / 1000));
    expect(sentMs.length).toBe(100);
    expect(sentMs.map((ms) => ms % 250)).toEqual(sentMs.map(() => 0));
    expect(
      dueMs.toSorted((a, b) => a - b).every((ms, at) => ms - (sentMs[at] ?? 0) >= 0 && ms - (sentMs[at] ?? 0) <= 250),
    ).toBe(true);
  });
});

describe('the renewal of a spare session', () => {
  /** Two thirds of what is believed, 18,667 ms, and then with whatever is due in the same quarter of a second. */
  const SPARE_MS = 18_500;

  it('goes out later, and is repeated each second while it fails, up to its deadline', async () => {
    const { clock, sentMs, told, answers } = aRenewal({ spare: true });
    await clock.advance(SPARE_MS + 1);
    expect(sentMs).toEqual([SPARE_MS]);
    answers(silent);
    await clock.advance(TTL_MS - MARGIN_MS - 10);
    expect(sentMs.length).toBeGreaterThan(5);
    expect(told).toEqual([]);
  });

  it('goes out at once when it gets a lock, if a third of its TTL has gone by, and as that of any holder from then on', async () => {
    const { clock, sentMs, renewal } = aRenewal({ spare: true });
    await clock.advance(15_000);
    renewal.hold(true);
    await settle();
    await clock.advance(20_000);
    expect(sentMs).toEqual([15_000, 25_000, 35_000]);
  });

  it('goes out after a third of its TTL when it gets a lock before', async () => {
    const { clock, sentMs, renewal } = aRenewal({ spare: true });
    await clock.advance(5000);
    renewal.hold(true);
    await clock.advance(5000);
    expect(sentMs).toEqual([10_000]);
  });

  it('of a former holder goes out later from the next on', async () => {
    const { clock, sentMs, renewal } = aRenewal();
    renewal.hold(false);
    await clock.advance(10_000 + SPARE_MS + 1);
    expect(sentMs).toEqual([10_000, 10_000 + SPARE_MS]);
  });

  it('that is stopped leaves nothing behind', async () => {
    expect(await stopped(aRenewal({ spare: true }))).toBe(0);
  });
});
