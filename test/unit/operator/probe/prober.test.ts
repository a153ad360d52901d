import { describe, expect, it } from 'vitest';
import { judgementOf } from '../../../../src/election/judgement.ts';
import { judge } from '../../../../src/election/probe.ts';
import { createProber } from '../../../../src/operator/probe/prober.ts';
import type { HttpProbeResult } from '../../../../src/ports/prober.ts';
import { AN_HTTP_PROBE, aGroup, aLeader, aPod } from '../../../kit/fakes/builders.ts';
import { anObservation, heldBy, observed } from '../../../kit/fakes/builders-election.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';
import { uidOf } from '../../../kit/fakes/ids.ts';

const KEY = 'default/notifier';
const ADDRESS: Readonly<Record<string, string>> = { a: '10.0.0.1', b: '10.0.0.2', c: '10.0.0.3' };

/** A replica that asks; `fails`: by address, how. `hangs`: it is never answered. */
function aProber(others: readonly string[] = ['b', 'c'], atOnce = 1024, probe = AN_HTTP_PROBE) {
  const clock = createFakeClock();
  const state = {
    blind: null as string | null,
    fails: new Map<string, HttpProbeResult>(),
    throws: null as Error | null,
    cutOff: false,
    hangs: new Set<string>(),
    addresses: {
      ...ADDRESS,
      ...Object.fromEntries(others.map((name, at) => [name, ADDRESS[name] ?? `10.0.1.${at}`])),
    } as Record<string, string>,
  };
  const asked: string[] = [];
  const confirmed: number[] = [];
  const woken: string[] = [];
  const answering: (() => void)[] = [];
  const prober = createProber({
    clock,
    random: { next: () => 0.5 },
    sight: {
      blind: () => null,
      blindToAddresses: () => state.blind,
      confirm: () => {
        confirmed.push(clock.nowMs());
        return Promise.resolve(!state.cutOff);
      },
    },
    promotionAnswered: () => undefined,
    ownNode: () => null,
    http: {
      get: ({ address }) => {
        asked.push(address);
        if (state.throws !== null) throw state.throws;
        return answer(address);
      },
    },
    wake: (key) => void woken.push(key),
    arrivals: () => null,
    atOnce,
  });
  async function answer(address: string): Promise<HttpProbeResult> {
    if (state.hangs.has(address)) await new Promise<void>((resolve) => answering.push(resolve));
    return state.fails.get(address) ?? null;
  }
  const observe = (leader = 'a') => {
    const nowMs = clock.nowMs();
    const addresses = (name: string) => ({
      name,
      addresses: [state.addresses[name] ?? ''].filter((each) => each !== ''),
    });
    const pods = ['a', ...others].map((name) =>
      observed(name === leader ? aLeader(4, addresses(name)) : aPod(addresses(name))),
    );
    const view = prober.view(KEY, probe, [], {
      nowMs,
      uids: pods.map(({ pod }) => pod.uid),
      judgedBefore: null,
    });
    return anObservation({
      nowMs,
      group: aGroup({ spec: { leaderProbe: probe } }),
      pods,
      lock: heldBy(leader),
      probe: view,
      lockDeadlineMs: nowMs + 9000,
    });
  };
  const look = (leader?: string): void => prober.seen(observe(leader));
  look();
  return {
    clock,
    state,
    asked,
    confirmed,
    woken,
    prober,
    look,
    answering,
    view: () => observe().probe,
    judgement: () => judgementOf(observe()),
  };
}

describe('a group whose members are asked', () => {
  it('has its leader asked once in each period, the first time after a part of one', async () => {
    const { clock, asked } = aProber();
    await clock.advance(499);
    expect(asked).toEqual([]);
    await clock.advance(3002);
    expect(asked).toEqual(Array(4).fill(ADDRESS['a']));
  });

  it('has its candidates asked too from the last but one failure on, and is looked at when the last is there', async () => {
    const { clock, state, asked, woken, look } = aProber();
    state.fails.set('10.0.0.1', 'Refused');
    await clock.advance(1501);
    look();
    expect(asked).toEqual(Array(2).fill(ADDRESS['a']));
    await clock.advance(1000);
    expect(asked.slice(2).toSorted()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    await clock.advance(1000);
    expect(woken).toContain(KEY);
  });

  it('has other candidates asked in each round, while none passes', async () => {
    const many = aProber(Array.from({ length: 19 }, (_, at) => `p${10 + at}`));
    for (const address of Object.values(many.state.addresses)) many.state.fails.set(address, 'Timeout');
    await many.clock.advance(1501);
    const rounds: number[] = [];
    const met = new Set<string>();
    for (let at = 0; at < 3; at += 1) {
      const before = many.asked.length;
      many.look();
      await many.clock.advance(1000);
      for (const address of many.asked.slice(before)) met.add(address);
      rounds.push(many.asked.length - before);
    }
    expect([rounds, met.size]).toEqual([[9, 9, 9], 20]);
  });

  it('is not led by one that was asked in the round before, when its leader passed too, where all are cut off since', async () => {
    const others = Array.from({ length: 9 }, (_, at) => `p${10 + at}`);
    const { clock, state, look, judgement } = aProber(others, 1024, { ...AN_HTTP_PROBE, failureThreshold: 1 });
    for (let rounds = 0; rounds < 3; rounds += 1) {
      await clock.advance(1000);
      look();
    }
    expect(judgement()).toEqual({ kind: 'passing' });
    for (const address of Object.values(state.addresses)) state.fails.set(address, 'Refused');
    await clock.advance(1000);
    expect(judgement()).toEqual({ kind: 'failing', failure: 'Refused', successors: [] });
  });

  it('has one question under way, however long its answer takes', async () => {
    const { clock, state, asked, answering } = aProber();
    state.hangs.add('10.0.0.1');
    await clock.advance(10_000);
    expect(asked).toHaveLength(1);
    state.hangs.clear();
    for (const answer of answering) answer();
    await clock.advance(1);
    expect(asked).toHaveLength(2);
  });

  it('is not asked by a replica that does not know whose an address is by now', async () => {
    const { clock, state, asked } = aProber();
    state.blind = 'cut off';
    await clock.advance(10_000);
    expect(asked).toEqual([]);
  });

  it('keeps no answer of a round before the last one has come: of two that were cut off together one answers first', async () => {
    const { clock, state, answering, look, view } = aProber();
    for (const address of ['10.0.0.1', '10.0.0.2', '10.0.0.3']) state.fails.set(address, 'Timeout');
    await clock.advance(3501);
    look();
    state.fails.clear();
    state.hangs.add('10.0.0.1');
    await clock.advance(1000);
    const failed = view()?.answers.get(uidOf('b'))?.failure;
    for (const answer of answering) answer();
    await clock.advance(1);
    expect([failed, view()?.answers.get(uidOf('b'))?.failure]).toEqual(['Timeout', null]);
  });

  it('is not judged where the API server does not answer while candidates are asked with it', async () => {
    const { clock, state, confirmed, look, view } = aProber();
    for (const name of ['a', 'c']) state.fails.set(ADDRESS[name] ?? '', 'Timeout');
    await clock.advance(1600);
    look();
    expect(confirmed).toEqual([]);
    state.cutOff = true;
    await clock.advance(1000);
    expect([confirmed.length, view()?.blind]).toEqual([1, expect.stringContaining('may be cut off')]);
    state.cutOff = false;
    await clock.advance(1000);
    expect(view()?.blind).toBeNull();
  });

  it('is not judged by what failed before the replica was blind', async () => {
    const { clock, state, view } = aProber();
    state.fails.set('10.0.0.1', 'Timeout');
    await clock.advance(2501);
    expect(view()?.answers.get(uidOf('a'))?.failures).toBeGreaterThan(0);
    state.blind = 'cut off';
    await clock.advance(1000);
    expect(view()?.answers.size).toBe(0);
  });

  it('is not judged by an answer of an address that is not the pod’s any more', async () => {
    const { clock, state, answering, look, view } = aProber();
    state.hangs.add('10.0.0.1');
    state.fails.set('10.0.0.1', 'Reset');
    await clock.advance(600);
    state.addresses['a'] = '10.0.0.9';
    look();
    for (const answer of answering) answer();
    await clock.advance(1);
    expect(view()?.answers.get(uidOf('a'))).toBeUndefined();
  });

  it('is judged by what its leader answered since it leads', async () => {
    const { clock, state, look, view } = aProber();
    state.fails.set('10.0.0.2', 'Timeout');
    state.fails.set('10.0.0.1', 'Timeout');
    await clock.advance(3600);
    look('b');
    expect(view()?.answers.size).toBe(0);
  });

  describe('that this replica cannot ask', () => {
    const A = uidOf('a');
    const REFUSED_HERE = { notAsked: 'this host has no sockets (EMFILE)', before: true } as const;
    const judgement = (view: ReturnType<ReturnType<typeof aProber>['view']>, nowMs: number) =>
      view === null
        ? null
        : judge(AN_HTTP_PROBE, view, {
            nowMs,
            leader: { uid: A, addressed: true },
            others: [uidOf('b')],
            nodes: new Map(),
          });

    it('for something of its host is not judged, and has not failed', async () => {
      const { clock, state, view } = aProber();
      state.fails.set('10.0.0.1', REFUSED_HERE);
      await clock.advance(6000);
      expect(view()?.answers.get(A)).toMatchObject({ failures: 0, failure: null });
      expect(judgement(view(), clock.nowMs())).toMatchObject({ why: 'ProbeBlind', detail: REFUSED_HERE.notAsked });
    });

    it('begins anew when it can be asked again: what failed before may have failed for the same', async () => {
      const { clock, state, view } = aProber();
      state.fails.set('10.0.0.1', 'Timeout');
      await clock.advance(2600);
      state.fails.set('10.0.0.1', REFUSED_HERE);
      await clock.advance(1000);
      state.fails.set('10.0.0.1', 'Timeout');
      await clock.advance(1000);
      expect(view()?.answers.get(A)?.failures).toBe(1);
    });

    it('for a throw has not passed', async () => {
      const { clock, state, view } = aProber();
      state.throws = new Error('a defect');
      await clock.advance(6000);
      expect(judgement(view(), clock.nowMs())).toMatchObject({ why: 'ProbeBlind', detail: 'a defect' });
      expect(view()?.answers.get(A)?.failures).toBe(0);
    });

    it('for want of a turn is passed over, and goes on to fail when it has one', async () => {
      const { clock, state, prober, answering, look, view } = aProber(['b', 'c'], 1);
      state.fails.set('10.0.0.1', 'Timeout');
      await clock.advance(2600);
      state.hangs.add('10.0.0.2');
      prober.search(KEY, [uidOf('b')]);
      await clock.advance(3100);
      expect(view()?.answers.get(A)).toMatchObject({ failures: 3, notAsked: { why: expect.any(String) as string } });
      expect(judgement(view(), clock.nowMs())).toMatchObject({ why: 'ProbeBlind' });
      state.hangs.clear();
      for (const answer of answering) answer();
      look();
      await clock.advance(1100);
      expect(view()?.answers.get(A)).toMatchObject({ failures: 5, notAsked: null });
    });

    it('while it stands still for half the timeout is passed over', async () => {
      const { clock, state, answering, view } = aProber();
      state.fails.set('10.0.0.1', 'Timeout');
      state.hangs.add('10.0.0.1');
      await clock.advance(600);
      clock.stall(260);
      for (const answer of answering) answer();
      await clock.advance(10);
      expect(view()?.answers.get(A)).toMatchObject({ failures: 0, notAsked: { why: expect.any(String) as string } });
    });
  });

  describe('when somebody is to lead next', () => {
    const [B, C] = [uidOf('b'), uidOf('c')];

    it('is looked at when all of those who are asked have answered, and their answers count together', async () => {
      const { clock, state, woken, prober, answering, view } = aProber();
      state.hangs.add('10.0.0.3');
      expect(prober.search(KEY, [B, C])).toBe(true);
      await clock.advance(10);
      expect([woken, view()?.answers.size]).toEqual([[], 0]);
      for (const answer of answering) answer();
      await clock.advance(1);
      expect([woken, view()?.answers.size]).toEqual([[KEY], 2]);
      expect(view()?.searchSinceMs).toBeLessThanOrEqual(view()?.answers.get(B)?.lastMs ?? 0);
    });

    it('is asked alone, which shows nothing against a leader that fails', async () => {
      const { clock, state, prober, look, view } = aProber();
      for (const name of ['a', 'b', 'c']) state.fails.set(ADDRESS[name] ?? '', 'Timeout');
      await clock.advance(3600);
      look();
      state.fails.clear();
      prober.search(KEY, [B]);
      await clock.advance(1);
      expect(view()?.answers.get(B)).toMatchObject({ failure: null, besideMs: null });
      await clock.advance(1000);
      expect(view()?.answers.get(B)).toMatchObject({ failure: null, besideMs: expect.any(Number) as number });
    });

    it('has each candidate asked once, however often that is thought of meanwhile', async () => {
      const { clock, state, asked, prober } = aProber();
      state.hangs.add('10.0.0.2');
      for (let at = 0; at < 3; at += 1) prober.search(KEY, [B, C]);
      await clock.advance(10);
      expect(asked.toSorted()).toEqual(['10.0.0.2', '10.0.0.3']);
    });

    it('goes on where it was, and is over a second after the last answer', async () => {
      const { clock, prober, view } = aProber();
      prober.search(KEY, [B]);
      await clock.advance(400);
      const since = view()?.searchSinceMs;
      prober.search(KEY, [C]);
      await clock.advance(1000);
      expect([since, view()?.searchSinceMs]).toEqual([expect.any(Number), since]);
      await clock.advance(2);
      expect(view()?.searchSinceMs).toBeNull();
    });

    it('is over once somebody else leads', async () => {
      const { clock, prober, look, view } = aProber();
      prober.search(KEY, [B]);
      await clock.advance(10);
      look('b');
      expect(view()?.searchSinceMs).toBeNull();
    });

    it('goes on over passes that see nobody lead', async () => {
      const { clock, prober, look, view } = aProber();
      look('nobody');
      prober.search(KEY, [B, C]);
      look('nobody');
      await clock.advance(10);
      look('nobody');
      expect(view()?.searchSinceMs).not.toBeNull();
    });

    it('cannot ask while it does not know whose an address is', () => {
      const { state, prober } = aProber();
      state.blind = 'cut off';
      expect(prober.search(KEY, [B, C])).toBe(false);
    });
  });

  it('is not asked any more once it is another replica’s', async () => {
    const { clock, asked, prober } = aProber();
    prober.drop(KEY);
    await clock.advance(5000);
    expect([asked, clock.pending()]).toEqual([[], 0]);
  });
});
