/** Who can be asked about whom, by what the watches have shown. */

import { describe, expect, it } from 'vitest';
import type { Pod } from '../../../../src/api/pod.ts';
import type { Ownership } from '../../../../src/election/observation.ts';
import type { LiveReplica } from '../../../../src/election/replicas.ts';
import { createStore } from '../../../../src/operator/cache/store.ts';
import { createGate } from '../../../../src/operator/gate/gate.ts';
import { createChanges } from '../../../../src/operator/reconcile/changes.ts';
import { aGroup, aPod } from '../../../kit/fakes/builders.ts';
import { FENCE } from '../../../kit/fakes/builders-election.ts';
import { aClaims } from '../../../kit/fakes/claims.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';
import { podUid, sessionId, wallMs } from '../../../kit/fakes/ids.ts';

const GROUP = { namespace: 'default', name: 'notifier' };
const aReplica = (id: string, url: string | null = `http://${id}:8080`): LiveReplica => ({
  id,
  session: sessionId(`session-of-${id}`),
  reachesApiServer: true,
  sinceMs: wallMs(0),
  pod: null,
  url,
  publicKey: null,
  routes: true,
  namespaces: null,
  authorities: [],
});

function aGate(
  owner: { readonly of?: Ownership; readonly owner?: LiveReplica | null; readonly live?: readonly LiveReplica[] } = {},
) {
  const store = createStore(createFakeClock());
  const api = { pods: new Map<string, Pod>() };
  store.groupChanged(null, { kind: 'valid', group: aGroup() });
  const gate = createGate({
    ask: () => ({ kind: 'unknown', reason: 'not asked here' }),
    release: () => ({ kind: 'tooMany' }),
    claims: aClaims(),
    store,
    ownership: {
      of: () => owner.of ?? { kind: 'notOwned' },
      ownerOf: () => owner.owner ?? null,
      live: () => owner.live ?? [],
    },
    changes: createChanges(),
    heard: { note: () => undefined },
    synced: () => true,
    getPod: (_namespace, name) => Promise.resolve(api.pods.get(name) ?? null),
    unwatched: () => null,
    self: 'a',
  });
  return { store, gate, api };
}

describe('a member', () => {
  it('is a pod that the group selects, or that it still concerns', () => {
    const { store, gate } = aGate();
    store.podChanged(null, aPod({ name: 'a' }));
    store.podChanged(null, aPod({ name: 'b', labels: {}, annotations: { 'token.leadergroup.dev/notifier': '3' } }));
    store.podChanged(null, aPod({ name: 'c', labels: {} }));
    expect(['a', 'b', 'c', 'd'].map((name) => gate.member(GROUP, name, null)?.name ?? null)).toEqual([
      'a',
      'b',
      null,
      null,
    ]);
    expect(gate.member({ ...GROUP, name: 'other' }, 'a', null)).toBeNull();
  });

  it('is not an earlier pod of the same name', () => {
    const { store, gate } = aGate();
    const old = aPod({ name: 'a', uid: 'old' });
    store.podChanged(null, old);
    expect(gate.member(GROUP, 'a', 'old')?.uid).toBe('old');
    store.podChanged(old, aPod({ name: 'a', uid: 'new' }));
    expect([gate.member(GROUP, 'a', 'old'), gate.member(GROUP, 'a', 'new')?.uid]).toEqual([null, 'new']);
  });

  it('is known by its address, as is whoever else has it', () => {
    const { store, gate } = aGate();
    store.podChanged(null, aPod({ name: 'a', addresses: ['10.0.0.1'] }));
    const namesAt = (address: string) => gate.podsAt(address).map(({ name }) => name);
    expect([namesAt('10.0.0.1'), namesAt('10.0.0.2')]).toEqual([['a'], []]);
    store.podChanged(null, aPod({ name: 'b', addresses: ['10.0.0.1'] }));
    expect(namesAt('10.0.0.1')).toEqual(['a', 'b']);
  });

  it('has an address for certain only if the API server says so now', async () => {
    const { store, gate, api } = aGate();
    const pod = aPod({ name: 'a', addresses: ['10.0.0.1'] });
    store.podChanged(null, pod);
    const confirmed = () => gate.confirmAddress(pod, '10.0.0.1', new AbortController().signal);
    expect(await confirmed()).toBe(false);
    api.pods.set('a', pod);
    expect(await confirmed()).toBe(true);
    for (const other of [
      { uid: podUid('new') },
      { addresses: ['10.0.0.7'] },
      { phase: 'Succeeded' },
      { deleting: true },
    ]) {
      api.pods.set('a', { ...pod, ...other });
      expect(await confirmed(), JSON.stringify(other)).toBe(false);
    }
  });
});

describe('a question is answered', () => {
  const owned: Ownership = { kind: 'owned', guard: FENCE, untilMs: Number.MAX_SAFE_INTEGER };

  it('here, while this replica owns the bucket, or has it and adopts it', () => {
    expect(aGate({ of: owned, owner: aReplica('b') }).gate.answerer(GROUP)).toEqual({ kind: 'self' });
    expect(aGate({ owner: aReplica('a') }).gate.answerer(GROUP)).toEqual({ kind: 'self' });
  });

  it('by the replica that has the bucket, or by nobody', () => {
    expect(aGate({ owner: aReplica('b') }).gate.answerer(GROUP)).toEqual({
      kind: 'other',
      id: 'b',
      url: 'http://b:8080',
    });
    expect(aGate().gate.answerer(GROUP)).toEqual({ kind: 'nobody' });
  });

  it('for another replica that asks from where it says it is', () => {
    const { gate } = aGate({
      live: [aReplica('b', 'http://10.0.0.9:8080'), aReplica('c', 'http://[fd00::9]:8080'), aReplica('d', null)],
    });
    expect(['10.0.0.9', 'fd00::9', '10.0.0.8'].map(gate.isReplica)).toEqual([true, true, false]);
  });
});
