/** rebalance against an operator that is played: one switchover after the other, and how it ends. */
import { beforeEach, describe, expect, it } from 'vitest';
import { ApiError } from '../../../src/cli/errors.ts';
import { LEADER_GROUPS, NODES, PODS } from '../../../src/cli/resources.ts';
import { openTerminal, type Terminal } from '../../kit/fakes/cli/command-line.ts';
import { groupObject, LEADER, LED, ledBy, MAIL, podObject } from '../../kit/fakes/cli/objects.ts';

const KEY = 'leadergroup.dev/switchover';
const GROUPS = ['notifier', 'cart'] as const;

let t: Terminal;
/** What the operator does, in order. */
let done: string[];

beforeEach(() => {
  t = openTerminal();
  done = [];
  for (const name of GROUPS) {
    const preferences = [{ weight: 10, podSelector: { matchLabels: { tier: 'best' } } }];
    t.api.put(LEADER_GROUPS, groupObject({ name, spec: { preferences } }));
    const annotations = name === 'notifier' ? LED : { 'token.leadergroup.dev/cart': '7' };
    t.api.put(PODS, podObject(`${name}-0`, { labels: { ...LEADER, app: name }, annotations }));
    t.api.put(PODS, podObject(`${name}-1`, { labels: { app: name, tier: 'best' } }));
  }
  t.api.put(NODES, { metadata: { name: 'node-a' } });
});

function operatorAnswers(result: 'Moved' | 'Refused'): void {
  t.api.afterWrite = (object) => {
    const { name, annotations = {} } = object['metadata'] as { name: string; annotations?: Record<string, string> };
    const [, to = '', at = ''] = /^to=(\S+) at=(\S+)$/.exec(annotations[KEY] ?? '') ?? [];
    done.push(`${name} ${to}`);
    const moved = result === 'Moved' ? ledBy(to, 8) : {};
    const lastSwitchover = { at, to, result, reason: result === 'Moved' ? '' : 'TooSoon', message: 'half a minute' };
    queueMicrotask(() =>
      t.api.put(LEADER_GROUPS, groupObject({ name, metadata: { annotations }, status: { ...moved, lastSwitchover } })),
    );
  };
}

describe('rebalance', () => {
  it('says what it would do, and writes nothing with --dry-run', async () => {
    const { code, out } = await t.run('rebalance', '--dry-run');
    expect(out).toMatch(/^mail\/notifier +notifier-0 -> notifier-1 +it is preferred by 10 over 0$/m);
    expect([code, out]).toEqual([0, expect.stringContaining('Nothing was written (dry run).')]);
    const { metadata } = t.api.read({ resource: LEADER_GROUPS, namespace: MAIL, name: 'notifier' }) as {
      metadata: object;
    };
    expect(metadata).not.toHaveProperty('annotations');
  });

  it('hands over group after group, each once the one before is done', async () => {
    operatorAnswers('Moved');
    const { code, err } = await t.run('rebalance');
    expect([code, done.toSorted()]).toEqual([0, ['cart cart-1', 'notifier notifier-1']]);
    expect(err).toContain('mail/cart: cart-1 leads with token 8');
  });

  it('looks at one group where it is named', async () => {
    operatorAnswers('Moved');
    await t.run('rebalance', 'cart');
    expect(done).toEqual(['cart cart-1']);
  });

  it('goes on where one is refused, and ends with 4', async () => {
    operatorAnswers('Refused');
    const { code, out } = await t.run('rebalance');
    expect([code, done.length]).toEqual([4, 2]);
    expect(out).toMatch(/^mail\/cart +cart-0 -> cart-1 +refused/m);
  });

  it('goes on past a group whose annotation is in Git, or that may not be changed, and names why', async () => {
    const labels = { 'argocd.argoproj.io/instance': 'mail' };
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': `{"annotations":{"${KEY}":"x"}}` };
    const preferences = [{ weight: 10, podSelector: { matchLabels: { tier: 'best' } } }];
    t.api.put(LEADER_GROUPS, groupObject({ spec: { preferences }, metadata: { labels, annotations } }));
    operatorAnswers('Moved');
    const { code, out, err } = await t.run('rebalance');
    expect([code, done]).toEqual([4, ['cart cart-1']]);
    expect(out).toMatch(/^mail\/notifier +notifier-0 -> notifier-1 +refused/m);
    expect(err).toMatch(/^mail\/notifier: Refused \(NotAsked\): Argo CD \(mail\) has the annotation/m);
  });

  it('ends with 1 where the API server cannot be reached any more', async () => {
    t.api.patch = () => Promise.reject(new ApiError('unreachable', 'Cannot patch: ECONNREFUSED.'));
    expect((await t.run('rebalance')).code).toBe(1);
  });

  it('ends with 3 after the first that no operator answers', async () => {
    t.api.afterWrite = (object) => void done.push((object['metadata'] as { name: string }).name);
    const running = t.start('rebalance');
    while (done.length === 0) await t.clock.advance(0);
    await t.clock.advance(60_000);
    const { code, out } = await running.ended;
    expect([code, done.length]).toEqual([3, 1]);
    expect(out).toContain('unanswered');
  });

  it('ends with 3 where nodes may not be listed, and a group prefers by them', async () => {
    t.api.denied.add('list nodes');
    const preferences = [{ weight: 10, nodeSelector: { matchLabels: { disk: 'fast' } } }];
    t.api.put(LEADER_GROUPS, groupObject({ spec: { preferences } }));
    expect(await t.run('rebalance', 'notifier')).toMatchObject({
      code: 3,
      out: expect.stringContaining('no right to list nodes') as string,
    });
  });
});
