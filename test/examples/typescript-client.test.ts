/** examples/clients/typescript, called as an application would, against a gate that says what the test wants. */
import { getEventListeners, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createGate, type Term } from '../../examples/clients/typescript/index.ts';
import { type FakeGate, grant, inTurn, late, no, nothing, raw, startFakeGate, UID } from '../kit/fakes/gate-server.ts';

const POD = { group: 'notifier', namespace: 'shop', pod: 'notifier-0', uid: UID };

const client = ({ url }: FakeGate) => createGate({ ...POD, url });

/** What a process does that stands still: no timer fires, no answer is read. */
function freeze(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

it('the TypeScript client gives no grant that was over when it came', async () => {
  await using gate = await startFakeGate();
  gate.say(grant(7, 2000));
  const { ask } = client(gate);
  expect((await ask())?.holds()).toBe(true);
  gate.say(late(100, grant(7, 90)));
  expect(await ask()).toBeNull();
});

describe('a term of the TypeScript client', () => {
  it('holds as long as grant follows grant, and its end moves on', async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7, 300));
    const stop = new AbortController();
    const ends: number[] = [];
    await client(gate).runWhileLeader(async (term) => {
      while (term.holds() && ends.length < 8) {
        ends.push(term.untilMs());
        await delay(100, undefined, { signal: term.signal });
      }
      stop.abort();
      expect(term.holds()).toBe(false);
    }, stop.signal);
    expect(ends).toHaveLength(8);
    expect(ends.at(-1)).toBeGreaterThan((ends[0] ?? 0) + 500);
  });

  it('holds no more right after a standstill, before its signal says so', async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7, 1000));
    const stop = new AbortController();
    const told: boolean[] = [];
    await client(gate).runWhileLeader(async ({ holds, signal }) => {
      gate.say(no(8));
      told.push(holds(), signal.aborted);
      freeze(1050);
      told.push(holds(), signal.aborted);
      stop.abort();
    }, stop.signal);
    expect(told).toEqual([true, false, false, false]);
  });

  it('does not hold again when an answer that is still good comes after its end', async () => {
    await using gate = await startFakeGate();
    const real = performance.now.bind(performance);
    let aheadMs = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => real() + aheadMs);
    onTestFinished(() => clock.mockRestore());
    gate.say(
      inTurn(grant(7, 1000), (response) => {
        // No timer sees this: the answer is there before them.
        aheadMs = 1000;
        grant(7, 2000)(response);
      }),
    );
    const stop = new AbortController();
    await client(gate).runWhileLeader(async ({ holds, signal }) => {
      await once(signal, 'abort');
      expect([gate.asked.length, holds()]).toEqual([2, false]);
      stop.abort();
    }, stop.signal);
  });

  it('ends when it has a new token', async () => {
    await using gate = await startFakeGate();
    gate.say(inTurn(grant(7), grant(8)));
    const stop = new AbortController();
    const terms: Term[] = [];
    await client(gate).runWhileLeader(async (term) => {
      terms.push(term);
      if (terms.length === 2) stop.abort();
      else await once(term.signal, 'abort');
    }, stop.signal);
    expect(terms.map(({ token, holds }) => [token, holds()])).toEqual([
      [7, false],
      [8, false],
    ]);
  });
});

describe('runWhileLeader of the TypeScript client', () => {
  it.each<[string, () => Promise<void>]>([
    [
      'throws at once',
      () => {
        throw new Error('no paper');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no paper'))],
  ])('rejects when the work %s', async (_, fn) => {
    await using gate = await startFakeGate();
    gate.say(grant(7));
    const { signal } = new AbortController();
    await expect(client(gate).runWhileLeader(fn, signal)).rejects.toThrow('no paper');
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('runs work that has ended again, but not without a pause', async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7));
    const stop = new AbortController();
    const runs: number[] = [];
    await client(gate).runWhileLeader(async () => {
      runs.push(performance.now());
      if (runs.length === 2) stop.abort();
    }, stop.signal);
    const [first = 0, second = 0] = runs;
    expect(second - first).toBeGreaterThan(450);
  });

  it('does not begin when it is told to stop during the question', async () => {
    await using gate = await startFakeGate();
    const stop = new AbortController();
    gate.say((response) => {
      stop.abort();
      grant(7)(response);
    });
    const fn = vi.fn<(term: Term) => Promise<void>>();
    await client(gate).runWhileLeader(fn, stop.signal);
    expect(fn).not.toHaveBeenCalled();
  });

  it('leaves nothing behind on its signal, however often it asks', async () => {
    await using gate = await startFakeGate();
    gate.say(no(7));
    const { signal } = new AbortController();
    const { ask } = client(gate);
    for (let turn = 0; turn < 30; turn += 1) expect(await ask(signal)).toBeNull();
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('a term of the TypeScript client that ends', () => {
  it('is released once its work has ended, with the secret that it asked with, and the next has another', async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7));
    const stop = new AbortController();
    let runs = 0;
    await client(gate).runWhileLeader(async () => {
      runs += 1;
      await delay(50);
      expect(gate.released).toHaveLength(runs - 1);
      if (runs === 2) stop.abort();
    }, stop.signal);
    const [first, second] = gate.released.map(({ secret }) => secret);
    expect([gate.released.length, gate.secrets[0], gate.secrets.at(-1)]).toEqual([2, first, second]);
    expect(first).not.toBe(second);
    expect([first, gate.released[0]?.url]).toEqual([
      expect.stringMatching(/^[\w-]{22}$/),
      `/v1/namespaces/shop/leadergroups/notifier/members/notifier-0/release?uid=${UID}`,
    ]);
  });

  it('is released beside the next questions: a pod that waited for an answer would be taken for one that hangs', async () => {
    await using gate = await startFakeGate();
    gate.say(grant(7));
    gate.sayToRelease(late(900, raw(200, '{"released":true,"resigned":false}')));
    const stop = new AbortController();
    const begun: number[] = [];
    let ended = 0;
    await client(gate).runWhileLeader(async () => {
      begun.push(performance.now());
      if (begun.length === 2) stop.abort();
      ended = performance.now();
    }, stop.signal);
    const [first = 0, second = 0] = begun;
    expect(second - first).toBeLessThan(900);
    // It is heard before the process may end.
    const terms = new Set(gate.released.map(({ secret }) => secret));
    expect([terms.size, performance.now() - ended > 800]).toEqual([2, true]);
  });

  it('ends at once when the gate says that it revokes', async () => {
    await using gate = await startFakeGate();
    gate.say(
      inTurn(grant(7, 2000), raw(409, JSON.stringify({ leader: false, uid: UID, token: 7, reason: 'Revoking' }))),
    );
    const stop = new AbortController();
    await client(gate).runWhileLeader(async ({ holds, signal, untilMs }) => {
      await once(signal, 'abort');
      expect([holds(), performance.now() < untilMs(), gate.released]).toEqual([false, true, []]);
      stop.abort();
    }, stop.signal);
    expect(gate.released).toHaveLength(1);
  });
});

it('the TypeScript client takes each address behind a name for a replica, of one family', async () => {
  await using gate = await startFakeGate();
  gate.say(inTurn(nothing, grant(7, 2000)));
  const looked: string[] = [];
  const lookup = (name: string) => {
    looked.push(name);
    return Promise.resolve([
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
      { address: '127.0.0.1', family: 4 },
    ]);
  };
  const url = `http://replicas:${new URL(gate.url).port}`;
  expect((await createGate({ ...POD, url, lookup }).ask())?.token).toBe(7);
  expect([looked, gate.questions.length, gate.mostAtOnce()]).toEqual([['replicas'], 2, 1]);
});
