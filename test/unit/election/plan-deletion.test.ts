import { describe, expect, it } from 'vitest';
import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import type { Observation } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import { aGroup, aPod, type GroupOverrides } from '../../support/builders.ts';
import {
  aLock,
  anObservation,
  aRecord,
  freeAfter,
  heldBy,
  NOW_MS,
  observed,
  steps,
  theAction,
} from '../../support/builders-election.ts';

const deleted = (overrides: GroupOverrides = {}): LeaderGroup => aGroup({ deleting: true, ...overrides });
const deleting = (overrides: Partial<Observation> = {}): Observation =>
  anObservation({ group: deleted(), deletingSinceMs: NOW_MS - 100, ...overrides });

/** Written off, not cleaned yet. */
const marked = (name: string) =>
  observed(
    aPod({ name, annotations: { 'token.leadergroup.dev/notifier': '4', 'fenced.leadergroup.dev/notifier': 'x' } }),
  );

describe('a group is being deleted', () => {
  it('everyone labelled is written off, then the lock is given up', () => {
    expect(steps(plan(deleting()))).toEqual(['writeOff a', 'unlock']);
  });

  it('then its keys, its traces on pods, and last the finalizer', () => {
    const o = deleting({
      pods: [marked('a'), observed(aPod({ name: 'b' }))],
      lock: freeAfter('a'),
      writtenOff: new Set(['uid-of-a']),
    });
    expect(steps(plan(o))).toEqual(['cleanUp a', 'deleteKeys', 'removeFinalizer']);
  });

  it('the previous holder is written off although it carries no label', () => {
    expect(steps(plan(deleting({ pods: [marked('a')], lock: freeAfter('a') })))[0]).toBe('writeOff a');
  });

  it('a key that was never written is not deleted', () => {
    const lock = aLock({ versions: [{ key: 'k', index: 0 }] });
    expect(steps(plan(deleting({ pods: [], lock })))).toEqual(['removeFinalizer']);
  });

  it('of a shared key only the record under our own prefix is deleted', () => {
    const keys = { lock: 'shared/cron/.lock', record: 'ours/.record', token: 'shared/cron/.token' };
    const group = deleted({ spec: { lockKey: 'shared/cron' } });
    const index = (key: string, at: number) => ({ key, index: at });
    const lock = (record: number) =>
      aLock({
        record: aRecord('gone', 4),
        versions: [index(keys.lock, 5), index(keys.record, record), index(keys.token, 6)],
      });
    const writtenOff = new Set(['uid-of-gone']);
    expect(steps(plan(deleting({ group, keys, pods: [], lock: lock(7), writtenOff })))).toEqual([
      'deleteKeys',
      'removeFinalizer',
    ]);
    expect(steps(plan(deleting({ group, keys, pods: [], lock: lock(0), writtenOff })))).toEqual(['removeFinalizer']);
  });

  it('a stranger keeps its lock, our own session is adopted first', () => {
    const lock = { ...heldBy('a'), session: 'of-nobody' };
    expect(steps(plan(deleting({ lock })))).toEqual(['readHolderSession']);
    const holderSession = { kind: 'stranger', name: 's', node: 'n' } as const;
    expect(steps(plan(deleting({ lock, holderSession })))).toEqual(['writeOff a']);
  });

  it('a label that is another group’s business stays on the pod', () => {
    const pods = [
      observed(
        { ...marked('a').pod, labels: { 'leadergroup.dev/role': 'leader' } },
        { claimedByOther: true, member: false },
      ),
    ];
    const o = deleting({ pods, lock: freeAfter('gone'), writtenOff: new Set(['uid-of-gone']) });
    expect(theAction(plan(o), 'cleanUp').pods[0]?.label).toBe('keep');
  });

  it('followers’ labels go too', () => {
    const label = { key: 'leadergroup.dev/role', leader: 'leader', follower: 'follower' };
    const pods = [observed(aPod({ name: 'b', labels: { app: 'notifier', [label.key]: 'follower' } }))];
    const o = deleting({
      group: deleted({ spec: { label } }),
      pods,
      lock: freeAfter('gone'),
      writtenOff: new Set(['uid-of-gone']),
    });
    expect(theAction(plan(o), 'cleanUp').pods).toMatchObject([{ pod: { name: 'b' }, label: 'remove' }]);
  });

  it('nothing is left to do without our finalizer', () => {
    expect(plan(deleting({ group: deleted({ finalizers: ['another'] }) })).actions).toEqual([]);
  });

  it('a replica that does not own the bucket leaves it to the owner', () => {
    expect(plan(deleting({ ownership: { kind: 'notOwned' } })).actions).toEqual([]);
  });

  it('pause and a stall do not hold it up', () => {
    const o = deleting({
      group: deleted({ spec: { paused: true } }),
      overlapsWith: 'older',
      lockKeyProblem: 'no',
      writeOffRefused: { message: 'no', retryAtMs: NOW_MS + 1000 },
    });
    expect(steps(plan(o))).toEqual(['writeOff a', 'unlock']);
  });
});

describe('a group is being deleted while Consul is away', () => {
  it.each([
    { consulSilent: true },
    { ownership: { kind: 'lapsed' } },
    { ownership: { kind: 'neverKnown' } },
    { consulDenied: { message: 'no', retryAtMs: NOW_MS + 1 } },
  ] as const)('labels come off first: %j', (away) => {
    expect(steps(plan(deleting(away)))).toEqual(['writeOff a']);
  });

  it('Consul is waited for for ten seconds', () => {
    const pods = [marked('a')];
    const waiting = deleting({ consulSilent: true, pods, deletingSinceMs: NOW_MS - 9500 });
    expect(plan(waiting)).toMatchObject({ actions: [], againMs: 500 });
    const over = deleting({ consulSilent: true, pods, deletingSinceMs: NOW_MS - 10_000 });
    expect(steps(plan(over))).toEqual(['cleanUp a', 'removeFinalizer']);
  });
});
