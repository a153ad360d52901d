/** The history in the status keeps a token that nothing else may remember. */
import { expect, it } from 'vitest';
import { aPod } from '../kit/fakes/builders.ts';
import { aModel } from '../kit/model/model.ts';

it('a leader that went without a successor leaves its token behind: Consul wiped and the pod gone, the next is higher', async () => {
  const model = aModel({ pods: [aPod({ name: 'a' })] });
  const first = model.replica('O1');
  await model.own(first);
  await model.rest(first);
  // A second token for the same pod is no change of leader, and so is not in the history by itself.
  model.consul.foreign.wipe();
  first.join();
  await model.own(first);
  await model.rest(first);
  expect(model.promises.promotions.at(-1)?.token).toBe(2);
  model.api.foreign.changePod('a', () => ({ phase: 'Failed', ready: false }));
  await model.rest(first);
  expect(model.leaders()).toEqual([]);
  await model.clock.advance(6000);
  await model.rest(first);
  model.api.foreign.removePod('a');
  model.consul.foreign.wipe();
  first.join();
  model.api.foreign.addPod(aPod({ name: 'a', uid: 'uid-of-the-next-a' }));
  await model.own(first);
  await model.rest(first);
  expect(model.promises.promotions.at(-1)).toMatchObject({ uid: 'uid-of-the-next-a', token: 3 });
  expect(model.promises.breaches).toEqual([]);
});
