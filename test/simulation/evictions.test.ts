/** Former leaders are evicted in the simulated world, and what is wrong about an eviction is noticed. */
import { expect, it } from 'vitest';
import { aGroup, aLeader, aPod } from '../kit/fakes/builders.ts';
import { createFakeClock } from '../kit/fakes/clock.ts';
import { watchPromises } from '../kit/model/promises.ts';
import { createWorldApiServer } from '../kit/model/world-api-server.ts';
import { createWorldConsul } from '../kit/model/world-consul.ts';
import { type GroupPlan, scenarioOf } from '../kit/simulation/acts.ts';
import { openStage } from '../kit/simulation/stage.ts';

const FENCED = { 'fenced.leadergroup.dev/notifier': 'x' };

it.each([
  ['leads', aLeader(4, { name: 'a' }), 'I8: one evicts a, which leads'],
  ['was never fenced', aPod({ name: 'a' }), 'I8: one evicts a, which has not been fenced'],
  ['led before', aPod({ name: 'a', annotations: FENCED }), null],
])('an eviction is a breach unless the pod led before: it %s', (_, pod, breach) => {
  const api = createWorldApiServer();
  const group = api.foreign.addGroup(aGroup({ spec: { formerLeader: 'Evict' } }));
  const { breaches } = watchPromises(api, createWorldConsul(createFakeClock()), group, () => 0);
  const added = api.foreign.addPod(pod);
  api.routing.requests.evict('one', added, added.resourceVersion);
  expect(breaches).toEqual(breach === null ? [] : [breach]);
  expect(api.pod('a')?.deleting).toBe(true);
});

it('a pod that is evicted terminates, goes, and another one comes in its place', async () => {
  const [first] = scenarioOf(1).groups;
  const plan: GroupPlan = { ...(first as GroupPlan), name: 'g', pods: 2, evicts: true };
  const { loop, api } = openStage({ ...scenarioOf(1), groups: [plan], acts: [], probed: [] }, () => undefined);
  const pod = api.pod('g-0');
  if (pod === null) throw new Error('there is no pod');
  api.routing.requests.evict('one', pod, pod.resourceVersion);
  expect(api.pod('g-0')).toMatchObject({ uid: pod.uid, deleting: true });
  await loop.runUntil(9000);
  expect(api.pod('g-0')?.uid).not.toBe(pod.uid);
  expect(api.pod('g-0')?.deleting).toBe(false);
});

it('some groups of the histories evict, of those too that have a route', () => {
  const groups = Array.from({ length: 200 }, (_, seed) => scenarioOf(seed).groups).flat();
  expect(groups.filter(({ evicts }) => evicts === true).length).toBeGreaterThan(30);
  expect(groups.some(({ evicts, route }) => evicts === true && route !== undefined)).toBe(true);
});
