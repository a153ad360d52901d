/** Every pass, interrupted at every request in every way, is finished by the next owner, whatever it starts from. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { settle } from '../kit/fakes/clock.ts';
import { type AbsurdWorld, arbitraryWorld, buildAbsurd } from '../kit/model/arbitraries.ts';
import type { Fate } from '../kit/model/link.ts';
import type { Model } from '../kit/model/model.ts';
import { wrongAtRest } from '../kit/model/outcome.ts';
import type { Replica } from '../kit/model/replica.ts';
import { trying } from '../kit/model/seed.ts';
import { giveUpAll, INTERRUPTIONS, interruptedPass } from '../kit/model/stage.ts';

/** Whatever was under way arrives when the next owner is done, and that owner goes on. */
async function finish(model: Model, first: Replica, sameOwner: boolean): Promise<Replica> {
  await giveUpAll(first);
  const owner = sameOwner ? first : model.replica('second');
  if (!sameOwner) await model.own(owner);
  await model.rest(owner, 20);
  for (const held of first.link.held()) held.deliver();
  await settle();
  await model.rest(owner, 20);
  return owner;
}

async function check(world: AbsurdWorld, at: number, fate: Fate, sameOwner: boolean): Promise<boolean> {
  const model = buildAbsurd(world);
  const first = model.replica('first');
  await model.own(first);
  const met = await interruptedPass(first, at, fate);
  const owner = await finish(model, first, sameOwner);
  const where = `request ${at} ${fate}, ${sameOwner ? 'same' : 'next'} owner`;
  expect([...model.promises.breaches, ...wrongAtRest(model)], where).toEqual([]);
  const written = model.api.writes() + model.consul.writes();
  await model.pass(owner);
  expect(model.api.writes() + model.consul.writes(), `writes at rest after ${where}`).toBe(written);
  for (const left of model.replicas) left.kill();
  return met;
}

async function checkEveryInterruption(world: AbsurdWorld, sameOwner: boolean): Promise<void> {
  for (const fate of INTERRUPTIONS) {
    let at = 0;
    while (await check(world, at, fate, sameOwner)) at += 1;
  }
}

describe('from any world, however absurd, and after any interruption of the first pass', () => {
  it.each([
    ['the next owner', false],
    ['the same owner', true],
  ] as const)('%s breaks no promise at any write, elects, and then writes nothing', async (_who, sameOwner) => {
    await fc.assert(
      fc.asyncProperty(arbitraryWorld, (world) => checkEveryInterruption(world, sameOwner)),
      trying(60),
    );
  });
});
