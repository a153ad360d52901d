/** Worlds that no history explains: whatever stands on pods and in Consul, by hand, by an older version, by a restore. */

import * as fc from 'fast-check';
import { CANDIDATE_ANNOTATION, fencedAnnotation, sinceAnnotation, tokenAnnotation } from '../../../src/api/names.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { groupKeys, sessionName, syntheticNode } from '../../../src/election/keys.ts';
import { formatRecord } from '../../../src/election/record.ts';
import { aPod, type GroupOverrides } from '../fakes/builders.ts';
import { uidOf } from '../fakes/ids.ts';
import { aModel, type Model } from './model.ts';
import { SPACE } from './replica.ts';

const NAMES = ['a', 'b', 'c'] as const;
const ROLE = 'leadergroup.dev/role';

const someToken = fc.constantFrom(
  '0',
  '1',
  '7',
  '999999999999999',
  '9007199254740991',
  '99999999999999999999',
  '-1',
  '1.5',
  'abc',
  '',
);

const annotations = fc.dictionary(
  fc.constantFrom(
    tokenAnnotation('notifier'),
    sinceAnnotation('notifier'),
    fencedAnnotation('notifier'),
    CANDIDATE_ANNOTATION,
  ),
  fc.oneof(fc.constantFrom('false', 'true', 'soon'), someToken),
  { maxKeys: 3, noNullPrototype: true },
);

const podState = fc.record({
  ready: fc.boolean(),
  deleting: fc.constantFrom(false, false, true),
  phase: fc.constantFrom('Running', 'Running', 'Running', 'Succeeded', 'Failed', 'Pending'),
  mirror: fc.constantFrom(false, false, false, true),
  member: fc.constantFrom(true, true, true, false),
  role: fc.constantFrom(null, null, 'follower', 'captain'),
  annotations,
  readyTransitionMs: fc.constantFrom(null, 0, 1_700_000_000_000, 4_000_000_000_000),
});

const recordState = fc.oneof(
  fc.constantFrom(null, '', 'x', '{"v":1}', '{"v":2,"holder":{}}', '[]'),
  fc
    .record({
      groupUid: fc.constantFrom('uid-of-notifier', 'uid-of-notifier', 'uid-of-another'),
      generation: fc.constantFrom(1, 1, 7),
      holder: fc.constantFrom(...NAMES, 'gone'),
      token: fc.constantFrom(0, 1, 7, 8, 999_999_999_999_999, Number.MAX_SAFE_INTEGER),
    })
    .map(({ groupUid, generation, holder, token }) =>
      formatRecord({
        v: 1,
        groupUid,
        generation,
        token,
        writes: token,
        holder: { pod: holder, uid: uidOf(holder) },
      }),
    ),
);

/** Who has a session that names a pod; who holds the lock. */
export const arbitraryWorld = fc.record({
  shared: fc.boolean(),
  follower: fc.constantFrom(null, 'follower'),
  pods: fc.tuple(podState, podState, podState),
  /** At most one carries the label: two by hand are for the operator to find, not its doing. */
  labelled: fc.constantFrom(null, ...NAMES),
  sessions: fc.subarray([...NAMES]),
  holder: fc.constantFrom(null, null, 'a', 'b', 'gone', 'external', 'other group'),
  entry: fc.constantFrom('absent', 'lock', 'lock', 'lock'),
  record: recordState,
  token: fc.constantFrom(null, '0', '3', '12', 'x', '999999999999999', '9007199254740991'),
});

export type AbsurdWorld = typeof arbitraryWorld extends fc.Arbitrary<infer T> ? T : never;

/** The same world each time, with nobody in it yet. */
export function buildAbsurd(world: AbsurdWorld): Model {
  const group: GroupOverrides = {
    spec: {
      lockKey: world.shared ? 'shared/cron' : null,
      label: { key: ROLE, leader: 'leader', follower: world.follower },
    },
  };
  const model = aModel({ group, pods: NAMES.map((name, at) => podOf(world, name, at)) });
  model.consul.requests.registerNode(syntheticNode(SPACE));
  fillConsul(model, world);
  return model;
}

function fillConsul(model: Model, world: AbsurdWorld): void {
  const { foreign } = model.consul;
  const lockKey = world.shared ? 'shared/cron' : null;
  const keys = groupKeys(SPACE, { namespace: 'default', name: 'notifier' }, lockKey);
  const sessions = new Map(world.sessions.map((name) => [name, openFor(model, name)]));
  if (world.entry === 'lock') foreign.put(keys.lock, keys.record === null ? world.record : null, true);
  if (keys.record !== null && world.record !== null) foreign.put(keys.record, world.record, true);
  if (keys.token !== null && world.token !== null) foreign.put(keys.token, world.token, true);
  const holder =
    world.holder === null ? null : (sessions.get(world.holder as 'a') ?? holderSession(model, world.holder));
  if (holder !== null) foreign.lock(keys.lock, holder, keys.record === null ? world.record : null);
}

function podOf(world: AbsurdWorld, name: string, at: number): Pod {
  const { member, role, ...state } = world.pods[at] ?? world.pods[0];
  const label = world.labelled === name ? 'leader' : role;
  return aPod({
    name,
    ...state,
    labels: { app: member ? 'notifier' : 'other', ...(label === null ? {} : { [ROLE]: label }) },
  });
}

const openFor = ({ consul }: Model, name: string): string =>
  consul.foreign.openSession({
    node: syntheticNode(SPACE),
    name: sessionName('default', 'notifier', uidOf(name)),
    ttlMs: 30_000,
    lockDelayMs: 0,
  });

function holderSession(model: Model, holder: string): string {
  const { foreign } = model.consul;
  if (holder === 'external') {
    return foreign.openSession({ node: 'vm', name: 'consul lock', ttlMs: 0, lockDelayMs: 0 });
  }
  const name = holder === 'other group' ? sessionName('default', 'other', uidOf('a')) : null;
  if (name === null) return openFor(model, holder);
  return foreign.openSession({ node: syntheticNode(SPACE), name, ttlMs: 30_000, lockDelayMs: 0 });
}
