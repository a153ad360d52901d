import { afterEach, describe, expect, it } from 'vitest';
import { watchPrefix } from '../../../../src/operator/locks/prefix-watch.ts';
import type { KvSnapshot } from '../../../../src/ports/consul.ts';
import { createFakeClock, createFakeRandom, settle } from '../../../kit/fakes/clock.ts';
import { createLink } from '../../../kit/model/link.ts';
import { createWorldApiServer } from '../../../kit/model/world-api-server.ts';
import { createWorldConsul } from '../../../kit/model/world-consul.ts';

let stop: AbortController;
afterEach(() => stop.abort());

/** A watch of `p/`, where so many keys stand already. */
async function aWatch(entries: number) {
  stop = new AbortController();
  const clock = createFakeClock();
  const world = createWorldConsul(clock);
  const { consul } = createLink('watcher', createWorldApiServer(), world, () => undefined);
  const seen: KvSnapshot[] = [];
  let value = 0;
  const set = (key: string): void => {
    value += 1;
    world.foreign.put(`p/${key}`, String(value));
  };
  for (let at = 0; at < entries; at += 1) set(String(at));
  const onSnapshot = (snapshot: KvSnapshot): void => void seen.push(snapshot);
  const ports = { consul, clock, random: createFakeRandom('watcher') };
  void watchPrefix(ports, 'p/', { onSnapshot, onError: (error) => expect.fail(String(error)) }, stop.signal);
  await settle();
  const newest = (): string | null | undefined => seen.at(-1)?.entries.find(({ key }) => key === 'p/changing')?.value;
  /** As many changes as milliseconds. */
  const changeFor = async (ms: number): Promise<void> => {
    for (let at = 0; at < ms; at += 1) {
      set('changing');
      await clock.advance(1);
    }
  };
  return { clock, seen, newest, change: () => set('changing'), changeFor, value: () => String(value) };
}

describe('a watch of a prefix', () => {
  it('shows a change at once, and a few in a row', async () => {
    const { newest, change, value } = await aWatch(10);
    for (let at = 0; at < 8; at += 1) {
      change();
      await settle();
      expect(newest()).toBe(value());
    }
  });

  it('reads changes together where there are many, the more the larger it is, and misses none in the end', async () => {
    for (const [entries, most] of [
      [50, 35],
      [1000, 5],
    ] as const) {
      const { seen, newest, clock, changeFor, value } = await aWatch(entries);
      await changeFor(2000);
      expect(seen.length, `reads of ${entries} entries`).toBeLessThanOrEqual(most);
      await clock.advance(2000);
      expect(newest()).toBe(value());
      stop.abort();
    }
  });

  it('shows a change at once again after a while of rest', async () => {
    const { clock, newest, change, changeFor, value } = await aWatch(10);
    await changeFor(2000);
    await clock.advance(2000);
    change();
    await settle();
    expect(newest()).toBe(value());
  });
});
