/** What the gate costs does not grow with the number of members, and a pass wakes nobody for whom nothing has changed. */
import { expect, it } from 'vitest';
import { createChanges } from '../../src/operator/changes.ts';
import { gateSignature } from '../../src/operator/gate.ts';
import { aPod } from '../support/builders.ts';
import { aModel } from '../support/model/model.ts';

/** How often a question looks at a pod, by members of the group: counted, since times depend on the machine. */
async function looksOf(members: number): Promise<number> {
  let looks = 0;
  const labels = { app: 'notifier' };
  const pods = Array.from({ length: members }, (_, at) =>
    Object.defineProperty(aPod({ name: `p-${at}` }), 'labels', {
      enumerable: true,
      get: () => {
        looks += 1;
        return labels;
      },
    }),
  );
  const model = aModel({ pods: [aPod({ name: 'a', readyTransitionMs: 1 }), ...pods] });
  const owner = model.replica('owner');
  await model.own(owner);
  await model.rest(owner, 40);
  owner.ask('uid-of-a');
  await model.rest(owner, 40);
  expect(owner.ask('uid-of-a').kind).toBe('yes');
  looks = 0;
  for (let at = 0; at < 50; at += 1) owner.ask('uid-of-a');
  return looks;
}

it('a question looks at no more pods in a large group than in a small one', async () => {
  expect(await looksOf(200)).toBe(await looksOf(3));
});

it('whoever waits is woken by news only, and by each news', () => {
  const changes = createChanges();
  let woken = 0;
  const wait = (): void => void changes.watch('g').changed.then(() => (woken += 1));
  const tell = async (signature: string): Promise<number> => {
    changes.tellNews('g', () => signature);
    await Promise.resolve();
    return woken;
  };
  wait();
  return (async () => {
    expect(await tell('a leads')).toBe(1);
    wait();
    expect(await tell('a leads')).toBe(1);
    expect(await tell('b leads')).toBe(2);
  })();
});

it('what is news is who leads, with which token, and whether that is known', async () => {
  const model = aModel({ pods: ['a', 'b'].map((name) => aPod({ name })) });
  const owner = model.replica('owner');
  await model.own(owner);
  await model.rest(owner);
  const signature = () => gateSignature({ glance: owner.glance }, 'default/notifier');
  owner.ask('uid-of-a');
  await model.rest(owner);
  const led = signature();
  model.api.foreign.changePod('b', () => ({ ready: false }));
  await model.rest(owner);
  expect(signature()).toBe(led);
  model.api.foreign.changePod('b', () => ({ ready: true }));
  model.api.foreign.changePod('a', () => ({ ready: false }));
  await model.rest(owner);
  expect(signature()).not.toBe(led);
});
