/** What the gate costs does not grow with the number of members, and a pass wakes nobody for whom nothing has changed. */
import { describe, expect, it, vi } from 'vitest';
import type { LeaderGroup } from '../../src/api/leadergroup.ts';
import { createGate, gateSignature } from '../../src/operator/gate/gate.ts';
import { createChanges } from '../../src/operator/reconcile/changes.ts';
import { aGroup, aPod } from '../kit/fakes/builders.ts';
import { aModel } from '../kit/model/model.ts';

const selecting = (matchLabels: Readonly<Record<string, string>>) => ({ matchLabels, matchExpressions: [] });

/** The groups whose members one question to the owner goes through. */
async function goneThroughBy(question: 'of the leader' | 'of another', more: readonly LeaderGroup[] = []) {
  const labels = { app: 'notifier', family: 'f' };
  const pods = ['a', 'b', 'c'].map((name) => aPod({ name, labels }));
  const model = aModel({ pods: [...pods, aPod({ name: 'x', labels: { family: 'f', tier: 'x' } })] });
  for (const group of more) model.api.foreign.addGroup(group);
  const owner = model.replica('owner');
  await model.own(owner);
  await model.rest(owner);
  owner.ask('uid-of-a');
  await model.rest(owner);
  const listed = vi.spyOn(owner.store, 'podsConcerning');
  const uid = question === 'of the leader' ? 'uid-of-a' : 'uid-of-b';
  expect(owner.ask(uid).kind).toBe(question === 'of the leader' ? 'grant' : 'no');
  return listed.mock.calls.flat();
}

describe('a question goes through the members of no group', () => {
  const stalled = [
    aGroup({ name: 'oldest', createdMs: 1, spec: { selector: selecting({ tier: 'x' }) } }),
    aGroup({ name: 'stalled', createdMs: 2, spec: { selector: selecting({ family: 'f' }) } }),
  ];

  it.each(['of the leader', 'of another'] as const)('%s', async (question) => {
    expect(await goneThroughBy(question)).toEqual([]);
  });

  it.each(['of the leader', 'of another'] as const)(
    '%s, beside an older group over the same pods that a third one keeps from acting',
    async (question) => {
      expect(await goneThroughBy(question, stalled)).toEqual([]);
    },
  );
});

it('whoever saw a state that came and went between two passes is woken by what follows it', async () => {
  const model = aModel({ pods: [aPod({ name: 'a' })] });
  const owner = model.replica('owner');
  await model.own(owner);
  await model.rest(owner);
  const changes = createChanges();
  const gate = createGate({
    ask: (_group, uid) => owner.ask(uid ?? ''),
    release: () => ({ kind: 'tooMany' }),
    claims: owner.claims,
    store: owner.store,
    changes,
    heard: { note: () => undefined },
    synced: () => true,
    getPod: () => Promise.resolve(null),
    unwatched: () => null,
    self: 'owner',
    ownership: { of: () => ({ kind: 'neverKnown' }), ownerOf: () => null, live: () => [] },
  });
  const group = { namespace: 'default', name: 'notifier' };
  const passed = () => changes.notifyNews('default/notifier', () => gateSignature(owner, 'default/notifier'));
  using first = gate.watch(group);
  gate.ask(group, null);
  await model.rest(owner);
  passed();
  await first.changed;

  owner.locks.invalidate(aGroup());
  expect(gate.ask(group, null).kind).toBe('unknown');
  using second = gate.watch(group);
  let woken = false;
  void second.changed.then(() => {
    woken = true;
  });
  await model.rest(owner);
  expect(owner.ask('uid-of-a').kind).toBe('grant');
  passed();
  await Promise.resolve();
  expect(woken).toBe(true);
});

it('whoever waits is woken by news only, and by each news', () => {
  const changes = createChanges();
  let woken = 0;
  const wait = (): void => void changes.watch('g').changed.then(() => (woken += 1));
  const tell = async (signature: string): Promise<number> => {
    changes.notifyNews('g', () => signature);
    await Promise.resolve();
    return woken;
  };
  wait();
  return (async () => {
    expect(await tell('a leads')).toBe(1);
    wait();
    expect(await tell('a leads')).toBe(1);
    expect(await tell('b leads')).toBe(2);
  })();
});

it('what is news is who leads, with which token, and whether that is known', async () => {
  const model = aModel({ pods: ['a', 'b'].map((name) => aPod({ name })) });
  const owner = model.replica('owner');
  await model.own(owner);
  await model.rest(owner);
  const signature = () => gateSignature({ glance: owner.glance }, 'default/notifier');
  owner.ask('uid-of-a');
  await model.rest(owner);
  const led = signature();
  model.api.foreign.changePod('b', () => ({ ready: false }));
  await model.rest(owner);
  expect(signature()).toBe(led);
  model.api.foreign.changePod('b', () => ({ ready: true }));
  model.api.foreign.changePod('a', () => ({ ready: false }));
  await model.rest(owner);
  expect(signature()).not.toBe(led);
});
