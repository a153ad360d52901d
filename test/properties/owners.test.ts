/** What happens to operators alone takes the label from no healthy leader (promise I8). */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { trying } from '../kit/model/seed.ts';
import { calm, groupOn, operatorActs, walk } from '../kit/model/walk.ts';

describe('crashes, restarts, changes of owner, lost requests and stale caches of operators', () => {
  it.each(['own lock', 'shared lock'] as const)('take the label from no healthy leader: %s', async (terrain) => {
    await fc.assert(
      fc.asyncProperty(groupOn(terrain), operatorActs, async (group, acts) => {
        const walked = await walk(group, acts);
        await calm(walked);
        const { promises } = walked.model;
        expect([promises.breaches, promises.demotions], walked.story.join('\n')).toEqual([[], []]);
        expect(walked.model.leaders()).toEqual(['a']);
      }),
      trying(300),
    );
  });
});
