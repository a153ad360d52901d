/** what-if: what it says of each group, what it takes for granted, and how it ends. */
import { beforeEach, describe, expect, it } from 'vitest';
import { DEPLOYMENTS, LEADER_GROUPS, NODES, PODS } from '../../../src/cli/resources.ts';
import { openTerminal, type Terminal } from '../../kit/fakes/cli/command-line.ts';
import { groupObject, LEADER, LED, operatorObject, podObject, putExample } from '../../kit/fakes/cli/objects.ts';

let t: Terminal;

beforeEach(() => {
  t = openTerminal();
  putExample(t.api);
});

const onNode = (node: string) => ({ spec: { nodeName: node } });

async function effects(...argv: readonly string[]) {
  const { code, out } = await t.run('what-if', ...argv, '-o', 'json');
  const { groups } = JSON.parse(out) as { groups: readonly { effect: string; next: readonly string[]; why: string }[] };
  return {
    code,
    groups: groups.map(({ effect, next }) => [effect, ...next]),
    why: groups.map(({ why }) => why).join('\n'),
  };
}

describe('what-if', () => {
  it('names who could follow when the leader is deleted, and never says more than that it is approximate', async () => {
    expect(await effects('delete', 'notifier-0')).toMatchObject({ code: 3, groups: [['Handover', 'notifier-1']] });
    expect((await t.run('what-if', 'delete', 'notifier-0')).out).toContain('Approximate. It takes for granted that');
  });

  it('takes nobody for a follower who is on the node that is drained, too', async () => {
    expect(await effects('drain', 'node-a')).toMatchObject({ code: 4, groups: [['Leaderless']] });
    t.api.put(PODS, podObject('notifier-1', onNode('node-b')));
    expect(await effects('drain', 'node-a')).toMatchObject({ code: 3, groups: [['Handover', 'notifier-1']] });
  });

  it('says why nobody could follow', async () => {
    t.api.put(PODS, podObject('notifier-1', { ready: false }));
    const { code, why } = await effects('delete', 'notifier-0');
    expect([code, why]).toEqual([
      4,
      'no other member can lead: notifier-1 (NotReady), notifier-2 (NotReady); nobody leads until one is ready',
    ]);
  });

  it('leaves out groups that it does not touch, unless they are asked for', async () => {
    expect((await t.run('what-if', 'delete', 'notifier-1')).out).toContain(
      'No leader would be touched in namespace mail.',
    );
    t.api.put(NODES, { metadata: { name: 'node-z' } });
    expect(await effects('drain', 'node-z', '--all')).toMatchObject({ code: 3, groups: [['None', 'notifier-1']] });
  });

  it.each([
    [['drain', 'node-q'], 'There is no node node-q'],
    [['delete', 'notifier-9'], 'There is no pod notifier-9 in namespace mail'],
  ])('does not call harmless what it cannot find: %j', async (words, said) => {
    const { code, out, err } = await t.run('what-if', ...words);
    expect([code, out, err]).toEqual([1, '', expect.stringContaining(said)]);
  });

  it('says that nobody knows whether there is such a node, without the right to get it', async () => {
    t.api.denied.add('get nodes');
    const { code, out } = await t.run('what-if', 'drain', 'node-q');
    expect([code, out]).toEqual([3, expect.stringContaining('- there is a node node-q: no pod was seen on it')]);
  });

  it('finds that a paused group would not be led any more', async () => {
    t.api.put(LEADER_GROUPS, groupObject({ spec: { paused: true } }));
    expect(await effects('delete', 'notifier-0')).toMatchObject({ code: 4, groups: [['Paused', 'notifier-1']] });
  });

  it.each([
    ['Hold', 'NotReplaced'],
    ['Demote', 'Demoted'],
  ])('follows onConsulLoss %s where Consul is down', async (onConsulLoss, effect) => {
    t.api.put(LEADER_GROUPS, groupObject({ spec: { onConsulLoss } }));
    expect(await effects('consul-down')).toMatchObject({ code: 3, groups: [[effect]] });
  });

  it('says where nobody leads as it is', async () => {
    t.api.put(PODS, podObject('notifier-0', { labels: { app: 'notifier' }, annotations: LED }));
    expect((await effects('drain', 'node-a')).groups).toEqual([['NotLed']]);
  });

  it('says that no operator runs, without whom nothing of it comes true', async () => {
    t.api.put(DEPLOYMENTS, operatorObject(0));
    const { out } = await t.run('what-if', 'delete', 'notifier-0');
    expect(out).toContain('- but the operator is 0 of 2 replicas ready');
  });

  it('looks at all namespaces for what befalls all, unless -n is given, and says where it has looked', async () => {
    t.api.put(LEADER_GROUPS, groupObject({ namespace: 'shop', name: 'cart' }));
    t.api.put(PODS, podObject('cart-0', { namespace: 'shop', labels: { ...LEADER, app: 'cart' } }));
    expect((await effects('drain', 'node-a')).groups).toHaveLength(2);
    expect((await effects('consul-down')).groups).toHaveLength(2);
    expect((await effects('drain', 'node-a', '-n', 'shop')).groups).toHaveLength(1);
    expect((await t.run('what-if', 'delete', 'cart-0', '-n', 'shop')).out).toContain('shop/cart');
    t.api.put(NODES, { metadata: { name: 'node-z' } });
    expect((await t.run('what-if', 'drain', 'node-z')).out).toContain('No leader would be touched, in any namespace.');
    expect((await t.run('what-if', 'drain', 'node-z', '-n', 'shop')).out).toContain(
      'No leader would be touched in namespace shop.',
    );
  });

  it.each([[['drain']], [['delete', 'a', 'b']], [['consul-down', 'now']], [['reboot', 'node-a']], [[]]])(
    'cannot be read as %j',
    async (words) => {
      expect((await t.run('what-if', ...words)).code).toBe(2);
    },
  );
});
