import { expect, it } from 'vitest';
import { AT_ONCE, withRoomForOthers } from '../../../../src/operator/claims/room-for-others.ts';
import { settle } from '../../../kit/fakes/clock.ts';

it('claims of many buckets leave most connections to handovers, and all get their turn', async () => {
  const held: (() => void)[] = [];
  const answered = async <T>(answer: T): Promise<T> => {
    await new Promise<void>((resolve) => held.push(resolve));
    return answer;
  };
  const consul = withRoomForOthers({
    txn: () => answered({ kind: 'committed', entries: [] }),
    readKeys: () => answered([null]),
    listKeys: () => answered([]),
  });
  const { signal } = new AbortController();
  const all = Array.from({ length: 10 }, (_, at) => [
    consul.txn([{ verb: 'delete', key: `bucket-${at}` }], signal),
    consul.readKeys([`key-${at}`], signal),
    consul.listKeys(`prefix-${at}`, signal),
  ]).flat();
  await settle();
  expect(held).toHaveLength(AT_ONCE);
  for (let at = 0; at < all.length; at += 1) {
    held[at]?.();
    await settle();
  }
  expect(await Promise.all(all)).toHaveLength(30);
});
