/** Replicas that do not own the bucket, or have only just got it, and what they must not do to a healthy leader (I7, I8). */
import { describe, expect, it } from 'vitest';
import type { ConsulLossPolicy } from '../../src/api/leadergroup.ts';
import { aPod } from '../kit/fakes/builders.ts';
import { aModel } from '../kit/model/model.ts';

async function led(onConsulLoss: ConsulLossPolicy) {
  const pods = ['a', 'b', 'c'].map((name) => aPod({ name }));
  const model = aModel({ pods, group: { spec: { onConsulLoss, lockKey: null, sessionTtlMs: 30_000 } } });
  const owner = model.replica('owner');
  await model.own(owner);
  await model.rest(owner);
  return { model, owner };
}

describe('a fresh replica that Consul answers but refuses', () => {
  it('demotes at most once, and leaves the owner its word', async () => {
    const { model, owner } = await led('Demote');
    const refused = model.replica('refused');
    for (let round = 0; round < 12; round += 1) {
      await model.clock.advance(6000);
      refused.see.pods();
      refused.see.groups();
      await refused.hear();
      await model.pass(refused);
      await model.rest(owner);
    }
    expect(model.promises.demotions.length).toBeLessThanOrEqual(1);
    expect(model.leaders()).toEqual(['a']);
  });

  it('with Hold writes the status once, not in turns with the owner', async () => {
    const { model, owner } = await led('Hold');
    const refused = model.replica('refused');
    const before = model.api.groupLog.length;
    for (let round = 0; round < 12; round += 1) {
      await model.clock.advance(6000);
      refused.see.pods();
      refused.see.groups();
      await refused.hear();
      await model.pass(refused);
      await model.rest(owner);
    }
    expect(model.api.groupLog.length - before).toBeLessThanOrEqual(2);
  });
});

describe('a replica that has just got the bucket and is adopting its sessions', () => {
  it('has a whole TTL before silence means anything: one lost request moves no leader', async () => {
    const { model, owner } = await led('Demote');
    const next = model.replica('next');
    next.see.all();
    next.believe('notOwned');
    await model.clock.advance(120_000);
    await model.rest(owner);
    owner.kill();
    next.believe('owned');
    next.believe('lapsed');
    next.see.all();
    next.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
    await next.hear();
    await model.pass(next);
    expect(model.leaders()).toEqual(['a']);
  });
});
