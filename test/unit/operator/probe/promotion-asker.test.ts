import { describe, expect, it } from 'vitest';
import type { Pod } from '../../../../src/api/pod.ts';
import { createProber } from '../../../../src/operator/probe/prober.ts';
import type { HttpProbeResult } from '../../../../src/ports/prober.ts';
import { A_QUESTION, aGroup, aPod } from '../../../kit/fakes/builders.ts';
import { anObservation, observed } from '../../../kit/fakes/builders-election.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';
import { uidOf } from '../../../kit/fakes/ids.ts';

const KEY = 'default/notifier';
const [a, b, c] = ['a', 'b', 'c'].map((name, at) => aPod({ name, addresses: [`10.0.0.${at + 1}`] })) as [Pod, Pod, Pod];

/** `answer`: ends the question at this address. */
function anAsker() {
  const clock = createFakeClock();
  const state = { blind: null as string | null };
  const open = new Map<string, (result: HttpProbeResult) => void>();
  const asked: string[] = [];
  const woken: string[] = [];
  const counted: string[] = [];
  const prober = createProber({
    clock,
    random: { next: () => 0.5 },
    sight: { blind: () => state.blind, blindToAddresses: () => state.blind, confirm: () => Promise.resolve(true) },
    ownNode: () => null,
    http: {
      get: ({ address, path }) => {
        asked.push(`${address}${path}`);
        return new Promise((resolve) => open.set(address, resolve));
      },
    },
    wake: (key) => void woken.push(key),
    promotionAnswered: (outcome) => void counted.push(outcome),
    arrivals: () => null,
  });
  return {
    clock,
    state,
    asked,
    woken,
    counted,
    prober,
    ask: async (...pods: Pod[]) => {
      const begun = prober.promotions.ask(KEY, A_QUESTION, pods);
      await settled();
      return begun;
    },
    answer: async ({ addresses: [address = ''] }: Pod, result: HttpProbeResult) => {
      open.get(address)?.(result);
      await settled();
    },
    known: (...pods: Pod[]) => [...prober.promotions.view(KEY, A_QUESTION, pods).answers.values()],
    shows: (...pods: Pod[]) =>
      prober.seen(
        anObservation({
          group: aGroup({ spec: { beforePromotion: A_QUESTION } }),
          pods: pods.map((pod) => observed(pod)),
        }),
      ),
  };
}

/** Whatever was resolved has gone as far as it goes. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('whoever asks before a promotion', () => {
  it('asks nobody by itself', async () => {
    const { shows, asked, clock } = anAsker();
    shows(a, b);
    await clock.advance(60_000);
    expect(asked).toEqual([]);
  });

  it('keeps an answer with the time at which it was asked for', async () => {
    const { ask, answer, known, clock, asked, counted } = anAsker();
    const askedMs = clock.nowMs();
    await ask(a);
    expect(known(a)).toEqual([{ kind: 'asking', failed: null }]);
    await clock.advance(400);
    await answer(a, null);
    expect(known(a)).toEqual([{ kind: 'passed', askedMs }]);
    expect(asked).toEqual(['10.0.0.1/may-lead']);
    expect(counted).toEqual(['passed']);
  });

  it('forgets what was answered when a container is started anew', async () => {
    const { ask, answer, known } = anAsker();
    await ask(a);
    await answer(a, null);
    expect(known({ ...a, restarts: 1 })).toEqual([]);
  });

  it('counts no answer for a life that began while it was asked', async () => {
    const { ask, answer, known } = anAsker();
    await ask(a);
    const anew = { ...a, restarts: 1 };
    await answer(a, null);
    expect(known(anew)).toEqual([]);
  });

  it('wakes the group when one has passed and those before it have answered, whoever else hangs', async () => {
    const { ask, answer, woken } = anAsker();
    await ask(a, b, c);
    await answer(b, null);
    expect(woken).toEqual([]);
    await answer(a, 'Status5xx');
    expect(woken).toEqual([KEY]);
  });

  it('lets one that fails wait for longer and longer, and for less where it could not be asked', async () => {
    const { ask, answer, known, clock } = anAsker();
    const waits: number[] = [];
    for (const result of ['Timeout', 'Timeout', { notAsked: 'no sockets', before: true }, 'Refused'] as const) {
      await ask(a);
      await answer(a, result);
      const [found] = known(a);
      waits.push(found?.kind === 'failed' ? found.retryAtMs - clock.nowMs() : 0);
    }
    expect(waits).toEqual([5000, 10_000, 1000, 20_000]);
  });

  it('asks nobody while it does not hear from the API server', async () => {
    const { ask, asked, state } = anAsker();
    state.blind = 'nothing is heard';
    expect(await ask(a)).toBe(false);
    expect(asked).toEqual([]);
  });

  it('forgets all when the group is another replica’s', async () => {
    const { ask, answer, known, prober, woken } = anAsker();
    await ask(a);
    await answer(a, null);
    await ask(b);
    prober.drop(KEY);
    await answer(b, null);
    expect(known(a, b)).toEqual([]);
    expect(woken).toEqual([KEY]);
  });

  it('forgets a pod that is gone', async () => {
    const { ask, answer, known, shows } = anAsker();
    await ask(a);
    await answer(a, null);
    shows(b);
    expect(known(a)).toEqual([]);
  });

  it('forgets what was answered to another question', async () => {
    const { ask, answer, prober } = anAsker();
    await ask(a);
    await answer(a, null);
    const other = { ...A_QUESTION, onFailure: 'Promote' } as const;
    expect(prober.promotions.view(KEY, other, [a]).answers.get(uidOf('a'))).toBeUndefined();
  });
});
