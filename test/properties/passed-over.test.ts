/** A fencing patch that is refused is passed over only where no promotion of the pod can be under way (ADR 0013). */
import { describe, expect, it } from 'vitest';
import { aGroup, aPod } from '../kit/fakes/builders.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import type { Replica } from '../kit/model/replica.ts';
import { arrive, lockedFor, stall, timeOut } from '../kit/model/stage.ts';

async function live(model: Model, owner: Replica, forMs: number): Promise<void> {
  const untilMs = model.clock.nowMs() + forMs;
  while (model.clock.nowMs() < untilMs) {
    owner.see.all();
    await owner.hear();
    await model.pass(owner);
    await model.clock.advance(500);
  }
}

describe('a fencing patch passed over (ADR 0013)', () => {
  it.each([true, false])(
    'spares no pod that an earlier owner may have promoted, though the finalizer was taken off meanwhile: %s',
    async (strip) => {
      const model = aModel({ pods: ['a', 'b'].map((name) => aPod({ name })) });
      const o1 = model.replica('O1');
      await model.own(o1);
      const promotion = await stall(o1, { operation: 'patchPod', about: 'a' });
      expect(lockedFor(model)?.name).toBe('a');
      const o2 = model.replica('O2');
      if (strip) model.api.foreign.changeGroup('notifier', () => ({ finalizers: [] }));
      model.api.refusePatches(({ name }) => name === 'a');
      await model.own(o2);
      await live(model, o2, 4000);
      model.api.refusePatches(null);
      await arrive(promotion);
      expect(model.leaders().length).toBeLessThan(2);
      expect(model.promises.breaches).toEqual([]);
    },
  );

  it.each([false, true])(
    'spares no pod that another owner may have promoted while a pass of ours stood still (Consul wiped since: %s)',
    async (wiped) => {
      const model = aModel({ pods: ['a', 'b'].map((name) => aPod({ name })), group: { finalizers: [] } });
      const o1 = model.replica('O1');
      await model.own(o1);
      const opening = await stall(o1, { operation: 'createSession' }, 'answerHeld');
      const o2 = model.replica('O2');
      await model.own(o2);
      const promotion = await stall(o2, { operation: 'patchPod', about: 'a' });
      expect(lockedFor(model)?.name).toBe('a');
      if (wiped) {
        model.consul.foreign.wipe();
        o1.join();
      }
      model.api.refusePatches(({ name }) => name === 'a');
      await model.own(o1);
      await arrive(opening);
      if (wiped) await live(model, o1, 4000);
      model.api.refusePatches(null);
      await arrive(promotion);
      expect(model.leaders().length).toBeLessThan(2);
    },
  );

  it.each(['other', 'same'])(
    'spares no pod that an earlier group of this name may have promoted (%s replica)',
    async (who) => {
      const model = aModel({ pods: ['a', 'b'].map((name) => aPod({ name })) });
      const o1 = model.replica('O1');
      await model.own(o1);
      const promotion = await stall(o1, { operation: 'patchPod', about: 'a' });
      let o2 = o1;
      model.api.refusePatches(({ name }) => name === 'a');
      if (who === 'other') {
        o2 = model.replica('O2');
        await model.own(o2);
      } else await timeOut(promotion);
      model.api.foreign.deleteGroup('notifier');
      await live(model, o2, 40_000);
      expect(model.api.group()).toBeNull();
      model.api.foreign.addGroup(aGroup({ uid: 'second', finalizers: [] }));
      await live(model, o2, 4000);
      model.api.refusePatches(null);
      await arrive(promotion);
      expect(model.leaders().length).toBeLessThan(2);
    },
  );

  it('spares no pod that an earlier group of this name with another lockKey may have promoted', async () => {
    const model = aModel({ pods: [aPod({ name: 'a' })] });
    const o1 = model.replica('O1');
    await model.own(o1);
    const promotion = await stall(o1, { operation: 'patchPod', about: 'a' });
    model.api.refusePatches(({ name }) => name === 'a');
    const o2 = model.replica('O2');
    await model.own(o2);
    model.api.foreign.deleteGroup('notifier');
    await live(model, o2, 40_000);
    expect(model.api.group()).toBeNull();
    model.api.foreign.addPod(aPod({ name: 'b' }));
    model.api.foreign.addGroup(aGroup({ uid: 'second', finalizers: [], spec: { lockKey: 'shared/cron' } }));
    // It was never shown the first group.
    const o3 = model.replica('O3');
    await model.own(o3);
    await live(model, o3, 4000);
    model.api.refusePatches(null);
    await arrive(promotion);
    expect(model.leaders().length).toBeLessThan(2);
  });
});
