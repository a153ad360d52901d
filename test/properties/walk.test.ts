/** The promises after every single write, whatever everyone does in whatever order, and rest afterwards. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CANDIDATE_ANNOTATION } from '../../src/api/names.ts';
import type { Pod } from '../../src/api/pod.ts';
import { trying } from '../support/model/seed.ts';
import { actsOn, calm, groupOn, type Terrain, walk } from '../support/model/walk.ts';

const mayLead = (pod: Pod): boolean =>
  pod.ready && !pod.deleting && pod.annotations[CANDIDATE_ANNOTATION] !== 'false' && pod.phase === 'Running';

const TERRAINS: readonly (readonly [Terrain, number])[] = [
  ['own lock', 500],
  ['disasters', 300],
  ['shared lock', 300],
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
        const elsewhere = model.api.group()?.status?.lockedBy !== '';
        const expected = !elsewhere && model.api.pods().some(mayLead) ? 1 : model.leaders().length;
        expect(model.leaders().length, story.join('\n')).toBe(expected);
      }),
      trying(runs),
    );
  });
});
