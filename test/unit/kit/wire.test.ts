import { describe, expect, it } from 'vitest';
import { checkWire, type Wire } from '../../kit/checker/checker.ts';
import { aWatchedGroup } from '../../kit/checker/history-builder.ts';
import type { Exchange } from '../../kit/rig/proxy.ts';

const group = aWatchedGroup();
const pod = (name: string): string => `/api/v1/namespaces/default/pods/${name}`;

/** Requests of one operator, one after the other; each is answered before the next is sent. */
function aWire() {
  const wire = { kubernetes: [] as Exchange[], consul: [] as Exchange[] };
  let nowMs = 0;
  const exchange = (method: string, path: string, body: unknown, overrides: Partial<Exchange>): Exchange => {
    const times = { receivedMs: nowMs + 1, forwardedMs: nowMs + 2, answeredMs: nowMs + 3 };
    nowMs += 4;
    return { method, path, body: JSON.stringify(body), headers: {}, ...times, status: 200, answer: '{}', ...overrides };
  };
  const patch = (name: string, metadata: object, overrides: Partial<Exchange> = {}): void =>
    void wire.kubernetes.push(exchange('PATCH', pod(name), { metadata }, overrides));
  return {
    wire: wire as Wire,
    patch,
    lock: (
      name: string,
      token: number,
      overrides: Partial<Exchange> = {},
      guards: readonly object[] = guarded,
    ): void => {
      const record = { v: 1, groupUid: group.uid, holder: { pod: name, uid: `uid-${name}` }, token, writes: nowMs };
      const value = Buffer.from(JSON.stringify(record)).toString('base64');
      const lock = { Verb: 'lock', Key: group.lockKey, Session: `session-${name}`, Value: value };
      wire.consul.push(
        exchange(
          'PUT',
          '/v1/txn',
          [...guards, lock].map((KV) => ({ KV })),
          overrides,
        ),
      );
    },
    promote: (name: string, token: number, metadata: object = { uid: `uid-${name}`, resourceVersion: '7' }): void =>
      patch(name, {
        ...metadata,
        labels: { [group.labelKey]: 'leader' },
        annotations: { 'token.leadergroup.dev/notifier': String(token), 'fenced.leadergroup.dev/notifier': null },
      }),
    fence: (name: string, overrides: Partial<Exchange> = {}): void =>
      patch(
        name,
        {
          uid: `uid-${name}`,
          resourceVersion: '8',
          labels: { [group.labelKey]: null },
          annotations: { 'fenced.leadergroup.dev/notifier': `guard at ${nowMs}` },
        },
        overrides,
      ),
    get: (name: string, overrides: Partial<Exchange>): void =>
      void wire.kubernetes.push(exchange('GET', pod(name), undefined, overrides)),
  };
}

const guarded = [
  { Verb: 'check-session', Key: 'leadergroup/test/buckets/00/.lock', Session: 'operator' },
  { Verb: 'check-index', Key: group.lockKey, Index: 5 },
];

const promises = (wire: Wire): readonly string[] => checkWire(wire, group).map((breach) => breach.promise);

describe('the order of requests', () => {
  it('passes lock, promote, fence, lock, promote', () => {
    const story = aWire();
    story.lock('a', 1);
    story.promote('a', 1);
    story.fence('a');
    story.lock('b', 2);
    story.promote('b', 2);
    expect(promises(story.wire)).toEqual([]);
  });

  it('passes a holder that a GET shows to be gone', () => {
    const story = aWire();
    story.lock('a', 1);
    story.get('a', { status: 404 });
    story.lock('b', 2);
    expect(promises(story.wire)).toEqual([]);
  });

  it('passes a holder whose name belongs to another uid by now', () => {
    const story = aWire();
    story.lock('a', 1);
    story.get('a', { answer: '{"metadata":{"uid":"another"}}' });
    story.lock('b', 2);
    expect(promises(story.wire)).toEqual([]);
  });

  it.each<readonly [string, string, (story: ReturnType<typeof aWire>) => void]>([
    [
      'a promotion without a transaction before it',
      'I2',
      (story) => {
        story.promote('a', 1);
        story.lock('a', 1);
      },
    ],
    [
      'a promotion whose transaction was refused',
      'I2',
      (story) => {
        story.lock('a', 1, { status: 409 });
        story.promote('a', 1);
      },
    ],
    [
      'a promotion after the lock was given to another',
      'I2',
      (story) => {
        story.lock('a', 1);
        story.fence('a');
        story.lock('b', 2);
        story.promote('a', 1);
      },
    ],
    [
      'a promotion without a resourceVersion',
      'I1',
      (story) => {
        story.lock('a', 1);
        story.promote('a', 1, { uid: 'uid-a' });
      },
    ],
    [
      'a patch without a uid',
      'I6',
      (story) => {
        story.lock('a', 1);
        story.promote('a', 1, { resourceVersion: '7' });
      },
    ],
    ["a transaction without the bucket's session", 'I1', (story) => story.lock('a', 1, {}, guarded.slice(1))],
    ['a transaction that checks no index', 'I1', (story) => story.lock('a', 1, {}, guarded.slice(0, 1))],
    [
      'a lock that moves while the fencing patch has no answer',
      'I4',
      (story) => {
        story.lock('a', 1);
        story.fence('a', { answeredMs: null });
        story.lock('b', 2);
      },
    ],
    [
      'a lock that moves after another pod was found to be gone',
      'I4',
      (story) => {
        story.lock('a', 1);
        story.get('c', { status: 404 });
        story.lock('b', 2);
      },
    ],
    [
      'a lock that moves after a refused fencing patch',
      'I4',
      (story) => {
        story.lock('a', 1);
        story.fence('a', { status: 409 });
        story.lock('b', 2);
      },
    ],
    [
      'a lock that moves with a fencing patch from before the verification',
      'I4',
      (story) => {
        story.lock('a', 1);
        story.fence('a');
        story.lock('a', 1);
        story.lock('b', 2);
      },
    ],
  ])('reports %s', (_rule, promise, tell) => {
    const story = aWire();
    tell(story);
    expect(promises(story.wire)).toContain(promise);
  });

  it('refuses a wire that shows no transaction', () => {
    expect(() => checkWire({ kubernetes: [], consul: [] }, group)).toThrow(/no transaction on leadergroup/);
  });
});
