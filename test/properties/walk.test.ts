/** The promises after every single write, whatever everyone does in whatever order, and rest afterwards. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wrongAtRest } from '../kit/model/outcome.ts';
import { trying } from '../kit/model/seed.ts';
import { actsOn, calm, groupOn, type Terrain, walk } from '../kit/model/walk.ts';

const TERRAINS: readonly (readonly [Terrain, number])[] = [
  ['own lock', 500],
  ['disasters', 300],
  ['shared lock', 300],
  ['outages', 300],
  ['outages of a shared lock', 300],
];

describe('any history of pods, Consul, network and replicas', () => {
  it.each(TERRAINS)('breaks no promise at any write, and comes to rest with one leader: %s', async (terrain, runs) => {
    await fc.assert(
      fc.asyncProperty(groupOn(terrain), actsOn(terrain), async (group, acts) => {
        const walked = await walk(group, acts);
        const { model, story } = walked;
        expect(model.promises.breaches, story.join('\n')).toEqual([]);
        await calm(walked);
        expect(model.promises.breaches, story.join('\n')).toEqual([]);
        expect(wrongAtRest(model), story.join('\n')).toEqual([]);
      }),
      trying(runs),
    );
  });
});
