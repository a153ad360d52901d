import { describe, expect, it } from 'vitest';
import { nameOfExternal } from '../../../src/election/external-holder.ts';
import { sessionId, uidOf } from '../../kit/fakes/ids.ts';

const SESSION = sessionId('s-1');
const OF_A = { pod: 'nightly-0', uid: uidOf('a') };
const nameOf = (name: string, node: string, heldFor: typeof OF_A | null = null) =>
  nameOfExternal({ kind: 'external', name, node }, { heldFor }, SESSION);

describe('who holds a lock that is held elsewhere', () => {
  it('is the session by its name and node, as Consul shows it', () => {
    expect(nameOf('cron', 'vm-1')).toBe('"cron" on node vm-1 (session s-1)');
    expect(nameOf('', 'vm-1')).toBe('"unnamed session" on node vm-1 (session s-1)');
  });

  it('is a pod of a group in another cluster, by its name where the lock’s value is of the same pod', () => {
    const name = `shop/nightly/${uidOf('a')}`;
    expect(nameOf(name, 'leadergroup-east', OF_A)).toBe(
      'pod nightly-0 of LeaderGroup shop/nightly in cluster east (session s-1)',
    );
    expect(nameOf(name, 'leadergroup-east', { pod: 'x', uid: uidOf('b') })).toBe(
      'a pod of LeaderGroup shop/nightly in cluster east (session s-1)',
    );
    expect(nameOf(name, 'leadergroup-east')).toContain('a pod of LeaderGroup shop/nightly');
  });

  it.each([
    ['a session that is not named like a member’s', 'shop/nightly', 'leadergroup-east'],
    ['a node that is not named like an operator’s', `shop/nightly/${uidOf('a')}`, 'vm-leadergroup'],
    ['a node with nothing behind the prefix', `shop/nightly/${uidOf('a')}`, 'leadergroup-'],
  ])('is no pod by %s', (_what, name, node) => {
    expect(nameOf(name, node, OF_A)).toBe(`"${name}" on node ${node} (session s-1)`);
  });

  it('is one short line, whatever somebody has written', () => {
    const long = 'x'.repeat(5000);
    const said = nameOf(`${long}/a\n/${uidOf('a')}`, `leadergroup-${long}`, { pod: `${long}\u202e`, uid: uidOf('a') });
    expect(said.length).toBeLessThan(400);
    expect(said).not.toMatch(/[\n\u202e]/);
  });
});
