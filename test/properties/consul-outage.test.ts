/** Consul does not answer: nothing before the deadline, then what onConsulLoss says, once (promise I3). */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConsulLossPolicy } from '../../src/api/leadergroup.ts';
import { aPod } from '../kit/fakes/builders.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import { MARGIN_MS, type Replica } from '../kit/model/replica.ts';
import { trying } from '../kit/model/seed.ts';
import { lockedFor, tokenOn } from '../kit/model/stage.ts';

const TTL_MS = 30_000;

type Led = { readonly model: Model; readonly owner: Replica };

async function led(onConsulLoss: ConsulLossPolicy, lockKey: string | null = null): Promise<Led> {
  const pods = ['a', 'b', 'c'].map((name) => aPod({ name }));
  const model = aModel({ pods, group: { spec: { onConsulLoss, lockKey, sessionTtlMs: TTL_MS } } });
  const owner = model.replica('owner');
  await model.own(owner);
  await model.rest(owner);
  expect(model.leaders()).toEqual(['a']);
  return { model, owner };
}

const silence = ({ link }: Replica): void => link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
const answer = ({ link }: Replica): void => link.decide(() => 'arrives');

/** Monotonic milliseconds until which the leader's lock may be believed. Nothing was acknowledged since Consul fell silent. */
function deadlineMs({ model }: Led): number {
  const session = model.consul.sessions().find(({ name }) => name.endsWith('/uid-of-a'));
  return (model.consul.renewedMs(session?.id ?? '') ?? 0) + TTL_MS - MARGIN_MS;
}

/** Time passes in steps, with a pass after each, and one exactly at the deadline. */
async function wait(place: Led, steps: readonly number[], check: () => void): Promise<void> {
  for (const step of steps) {
    const leftMs = deadlineMs(place) - place.model.clock.nowMs();
    for (const ms of leftMs > 0 && leftMs < step ? [leftMs, step - leftMs] : [step]) {
      await place.model.clock.advance(ms);
      place.owner.see.pods();
      await place.model.pass(place.owner);
      check();
    }
  }
}

const steps = fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 8, maxLength: 16 });
const before = fc.integer({ min: 0, max: 25_000 });

/** Consul answers everything but what concerns this group, whose lock is unknown. */
function silenceForOneGroup({ model, owner }: Awaited<ReturnType<typeof led>>): void {
  const session = model.consul.sessions().find(({ name }) => name.endsWith('/uid-of-a'));
  owner.link.decide(({ operation, about }) =>
    operation === 'readKeys' || operation === 'txn' || about === session?.id ? 'lost' : 'arrives',
  );
  const [group] = model.api.groups();
  if (group !== undefined) owner.locks.invalidate(group);
}

describe('a Consul that does not answer', () => {
  it('takes the label off at the deadline and not before, once, with Demote', async () => {
    await fc.assert(
      fc.asyncProperty(before, steps, async (beforeMs, waits) => {
        const place = await led('Demote');
        await place.model.clock.advance(beforeMs);
        silence(place.owner);
        await place.owner.hear();
        const written = place.model.api.podLog.length;
        await wait(place, waits, () => {
          const late = place.model.clock.nowMs() >= deadlineMs(place);
          expect(place.model.leaders()).toEqual(late ? [] : ['a']);
          expect(place.model.api.podLog.length - written).toBe(late ? 1 : 0);
        });
        place.owner.kill();
      }),
      trying(40),
    );
  });

  it('writes nothing to any pod with Hold, whatever happens to them', async () => {
    const fate = fc.constantFrom('none', 'unready', 'removed');
    await fc.assert(
      fc.asyncProperty(before, steps, fate, async (beforeMs, waits, what) => {
        const place = await led('Hold');
        await place.model.clock.advance(beforeMs);
        silence(place.owner);
        await place.owner.hear();
        if (what === 'unready') place.model.api.foreign.changePod('a', () => ({ ready: false }));
        if (what === 'removed') place.model.api.foreign.removePod('a');
        const written = place.model.api.podLog.length;
        await wait(place, waits, () => expect(place.model.api.podLog).toHaveLength(written));
        expect(place.model.promises.demotions).toEqual([]);
        place.owner.kill();
      }),
      trying(40),
    );
  });

  it('gives the label back with a higher token when it answers again', async () => {
    const place = await led('Demote');
    silence(place.owner);
    await wait(place, [20_000, 20_000], () => undefined);
    expect(place.model.leaders()).toEqual([]);
    answer(place.owner);
    await place.model.clock.advance(3000);
    await place.model.rest(place.owner);
    expect([place.model.leaders(), tokenOn(place.model, 'a')]).toEqual([['a'], 2]);
    expect(place.model.promises.breaches).toEqual([]);
  });

  it('demotes once more when it falls silent again after it has answered', async () => {
    const place = await led('Demote');
    for (const times of [1, 2]) {
      silence(place.owner);
      await wait(place, [20_000, 20_000], () => undefined);
      expect(place.model.promises.demotions).toHaveLength(times);
      answer(place.owner);
      await place.model.clock.advance(3000);
      await place.model.rest(place.owner);
      expect(place.model.leaders()).toHaveLength(1);
    }
  });

  it('leaves a label alone that was put back by somebody who knows better', async () => {
    const place = await led('Demote');
    silence(place.owner);
    await wait(place, [20_000, 20_000], () => undefined);
    place.model.api.foreign.changePod('a', ({ labels }) => ({
      labels: { ...labels, 'leadergroup.dev/role': 'leader' },
    }));
    await wait(place, [10_000], () => undefined);
    expect(place.model.leaders()).toEqual(['a']);
  });

  it('keeps a paused group as it is, also with Demote', async () => {
    const place = await led('Demote');
    place.model.api.foreign.changeGroup('notifier', ({ spec }) => ({ spec: { ...spec, paused: true } }));
    place.owner.see.all();
    silence(place.owner);
    await wait(place, [20_000, 20_000], () => undefined);
    expect(place.model.leaders()).toEqual(['a']);
  });

  it('is not over with one acknowledged renewal: nobody is promoted before a lock transaction proves the session', async () => {
    const place = await led('Demote');
    place.model.consul.expireAfter(2);
    await place.model.clock.advance(10_000);
    silence(place.owner);
    await wait(place, [20_000, 20_000], () => undefined);
    const held = place.model.consul.sessions().find(({ name }) => name.endsWith('/uid-of-a'));
    place.owner.link.decide(({ to, operation }) =>
      to === 'kubernetes' || operation === 'renewSession' ? 'arrives' : 'lost',
    );
    await place.model.clock.advance(3000);
    place.owner.see.pods();
    await place.model.pass(place.owner);
    expect(place.model.consul.renewedMs(held?.id ?? '')).toBeGreaterThan(place.model.clock.nowMs() - 3000);
    expect(place.model.leaders()).toEqual([]);
  });

  it('to one group alone takes its label off as well, also where its lock was unknown by then', async () => {
    const place = await led('Demote');
    const { model, owner } = place;
    silenceForOneGroup(place);
    const untilMs = deadlineMs(place);
    while (model.clock.nowMs() < untilMs) {
      expect(model.leaders()).toEqual(['a']);
      await model.clock.advance(Math.min(500, untilMs - model.clock.nowMs()));
      await owner.contact.consul.listSessions('any', AbortSignal.timeout(1000));
      expect(owner.contact.outageSinceMs()).toBeNull();
      await model.pass(owner);
    }
    expect(model.leaders()).toEqual([]);
    answer(owner);
    await model.clock.advance(3000);
    await model.rest(owner);
    expect([model.leaders(), tokenOn(model, 'a')]).toEqual([['a'], 2]);
  });

  it('to one group alone takes a label off once, not each time that somebody puts it back', async () => {
    const place = await led('Demote');
    const { model, owner } = place;
    silenceForOneGroup(place);
    await model.clock.advance(deadlineMs(place) - model.clock.nowMs());
    for (let turn = 0; turn < 5; turn += 1) {
      model.api.foreign.changePod('a', ({ labels }) => ({ labels: { ...labels, 'leadergroup.dev/role': 'leader' } }));
      await owner.contact.consul.listSessions('any', AbortSignal.timeout(1000));
      owner.see.pods();
      await model.pass(owner);
    }
    expect(model.promises.demotions).toHaveLength(1);
    owner.kill();
  });

  it('tells the status what is the matter and what to do', async () => {
    const place = await led('Demote');
    silence(place.owner);
    await wait(place, [20_000, 20_000], () => undefined);
    const condition = place.model.api.group()?.status?.conditions.find(({ type }) => type === 'Ready');
    expect(condition).toMatchObject({ status: 'False', reason: 'ConsulUnreachable' });
    expect(condition?.message).toContain('Check Consul');
  });
});

describe('a process that starts while Consul does not answer', () => {
  async function restarted(onConsulLoss: ConsulLossPolicy): Promise<Led> {
    const { model, owner } = await led(onConsulLoss);
    owner.kill();
    const fresh = model.replica('fresh');
    silence(fresh);
    fresh.see.pods();
    fresh.see.groups();
    await fresh.hear();
    return { model, owner: fresh };
  }

  it('does nothing until its start + TTL - margin, then demotes', async () => {
    const { model, owner } = await restarted('Demote');
    for (const [ms, leaders] of [
      [TTL_MS - MARGIN_MS - 1, ['a']],
      [1, []],
    ] as const) {
      await model.clock.advance(ms);
      await model.pass(owner);
      expect(model.leaders()).toEqual(leaders);
    }
  });

  it('promotes nobody, and holds with Hold', async () => {
    const { model, owner } = await restarted('Hold');
    for (const ms of [10_000, 30_000, 30_000]) {
      await model.clock.advance(ms);
      await model.pass(owner);
    }
    expect([model.leaders(), model.promises.promotions.length]).toEqual([['a'], 1]);
  });
});

describe('a replica that only waits', () => {
  async function waiting(): Promise<{ model: Model; waiter: Replica }> {
    const { model } = await led('Demote');
    const waiter = model.replica('waiter');
    waiter.see.all();
    waiter.believe('notOwned');
    await model.clock.advance(120_000);
    return { model, waiter };
  }

  it('writes nothing while another owns the bucket, whatever it sees', async () => {
    const { model, waiter } = await waiting();
    const written = model.api.podLog.length;
    model.api.foreign.changePod('a', () => ({ ready: false }));
    waiter.see.all();
    await model.pass(waiter);
    expect([model.api.podLog.length, model.leaders()]).toEqual([written + 1, ['a']]);
  });

  it('takes the label from no healthy leader because one request of its own to Consul was lost', async () => {
    const { model, waiter } = await waiting();
    silence(waiter);
    await waiter.hear();
    await model.pass(waiter);
    expect(model.leaders()).toEqual(['a']);
    expect(lockedFor(model)?.name).toBe('a');
  });
});
