/** Whose answer it was that a pod of the fault rig gave, by its name alone. */
import { expect, it } from 'vitest';
import type { PodEvent } from '../../kit/checker/history.ts';
import { aWatchedPod } from '../../kit/checker/history-builder.ts';
import { podUid } from '../../kit/fakes/ids.ts';
import { answersByLife } from '../../kit/rig/faults/asked.ts';

const event = (kind: 'added' | 'modified' | 'deleted', atMs: number, uid: string, restarts = 0): PodEvent => ({
  kind,
  atMs,
  resourceVersion: String(atMs),
  pod: aWatchedPod({ name: 'a', uid: podUid(uid), restarts }),
});

const lives = (events: readonly PodEvent[], atMs: number): readonly string[] =>
  answersByLife(events, [{ pod: 'a', atMs, passes: true }]).map(
    ({ podUid: uid, restarts }) => `${uid} after ${restarts} restarts`,
  );

it('is that of the pod that has the name then, and of no other', () => {
  const events = [event('added', 0, 'first'), event('deleted', 10_000, 'first'), event('added', 20_000, 'second')];
  expect(lives(events, 5000)).toEqual(['first after 0 restarts']);
  expect(lives(events, 15_000)).toEqual([]);
  expect(lives(events, 25_000)).toEqual(['second after 0 restarts']);
});

it('is that of the life in which the pod is then', () => {
  const events = [event('added', 0, 'first'), event('modified', 10_000, 'first', 1)];
  expect(lives(events, 5000)).toEqual(['first after 0 restarts']);
  expect(lives(events, 15_000)).toEqual(['first after 1 restarts']);
});

it('may be of either where one begins as the other ends', () => {
  const events = [event('added', 0, 'first'), event('modified', 10_000, 'first', 1)];
  expect(lives(events, 10_500)).toEqual(['first after 0 restarts', 'first after 1 restarts']);
});

it('is that of a pod which was there before anybody looked', () => {
  const pods = [aWatchedPod({ name: 'a', uid: podUid('first') })];
  expect(lives([{ kind: 'list', atMs: 0, resourceVersion: '1', pods }], 5000)).toEqual(['first after 0 restarts']);
});
