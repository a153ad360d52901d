/** Golden files: what the status says to whoever is on call. A change of words is a change of these files, to be read before it is taken. */
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { SITUATIONS, statusIn } from '../../kit/fakes/situations.ts';

const fileOf = (name: string): string => `snapshots/${name.replaceAll(/[ ,]+/g, '-')}.txt`;

describe('the status of a group', () => {
  it.each(Object.keys(SITUATIONS))('says what somebody who is on call needs: %s', async (name) => {
    await expect(stringify(statusIn(name), { lineWidth: 160 })).toMatchFileSnapshot(fileOf(name));
  });

  it.each(Object.keys(SITUATIONS))('says who leads, or why nobody does, in the first condition: %s', (name) => {
    const { leaders, conditions } = statusIn(name);
    const ready = conditions.find(({ type }) => type === 'Ready');
    const [leader] = leaders;
    const said =
      leader === undefined
        ? /\S{2}/
        : new RegExp(`${leader.pod} .*since ${leader.acquireTime} with token ${leader.token}`);
    expect(ready?.message).toMatch(said);
  });
});
