/** A session without a TTL, made by hand with the name of a member's, holds the lock: it is told of, and nothing runs hot. */
import { expect, it } from 'vitest';
import { syntheticNode } from '../../src/election/keys.ts';
import { aPod } from '../kit/fakes/builders.ts';
import { aModel } from '../kit/model/model.ts';
import { SPACE } from '../kit/model/replica.ts';

it.each([null, 'shared/cron'])(
  'a group waits for it and says so, and leads once it has ended: lockKey %s',
  async (lockKey) => {
    const model = aModel({ pods: [aPod({ name: 'a' })], group: { spec: { lockKey } } });
    const owner = model.replica('owner');
    await model.own(owner);
    const lock = owner.locks.keysOf(model.api.group() ?? expect.fail('no group')).lock;
    const [node, name] = [syntheticNode(SPACE), 'default/notifier/uid-of-a'];
    const byHand = model.consul.foreign.openSession({ node, name, ttlMs: 0, lockDelayMs: 0 });
    model.consul.foreign.lock(lock, byHand, null);
    await model.rest(owner);
    const condition = model.api.group()?.status?.conditions.find(({ type }) => type === 'Ready');
    expect([model.leaders(), condition?.reason]).toEqual([[], 'LedElsewhere']);
    expect(model.api.group()?.status?.lockedBy).toContain(byHand);
    const before = owner.link.sent.length;
    for (let at = 0; at < 20; at += 1) await model.pass(owner);
    expect(owner.link.sent.length - before).toBeLessThanOrEqual(1);
    model.consul.foreign.endSession(byHand);
    await model.rest(owner);
    expect(model.leaders()).toEqual(['a']);
  },
);
