/** switchover against an operator that is played: what is asked for, and what is said of the answer. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { DEPLOYMENTS, LEADER_GROUPS, PODS } from '../../../src/cli/resources.ts';
import { openTerminal, type Terminal } from '../../kit/fakes/cli/command-line.ts';
import {
  condition,
  groupObject,
  LEADER,
  LED,
  ledBy,
  MAIL,
  operatorObject,
  podObject,
  putExample,
  unled,
} from '../../kit/fakes/cli/objects.ts';

let t: Terminal;

const REF = { resource: LEADER_GROUPS, namespace: MAIL, name: 'notifier' };
const KEY = 'leadergroup.dev/switchover';
const asked = (): string | undefined =>
  (t.api.read(REF)?.['metadata'] as { annotations?: Record<string, string> } | undefined)?.annotations?.[KEY];

beforeEach(() => {
  t = openTerminal();
  putExample(t.api);
});

type Answer = {
  readonly result: 'Moved' | 'Refused';
  readonly to?: string;
  readonly reason?: string;
  readonly message?: string;
};

/** The operator answers once it sees the annotation; `meanwhile` happens first. */
function answers(
  { result, to = 'notifier-1', reason = '', message = '' }: Answer,
  meanwhile = async (): Promise<void> => undefined,
): void {
  t.api.afterWrite = () => {
    t.api.afterWrite = () => undefined;
    const at = /at=(\S+)/.exec(asked() ?? '')?.[1];
    void meanwhile().then(() => {
      const { metadata } = t.api.read(REF) as { metadata: Record<string, unknown> };
      const moved = result === 'Moved' ? ledBy(to, 8) : {};
      t.api.put(
        LEADER_GROUPS,
        groupObject({ metadata, status: { ...moved, lastSwitchover: { at, to, result, reason, message } } }),
      );
    });
  };
}

describe('switchover', () => {
  it('writes one annotation, with the time of the API server', async () => {
    const { code, out, err } = await t.run('switchover', 'notifier', '--to', 'notifier-1');
    expect(asked()).toBe('to=notifier-1 at=2026-11-18T10:00:00.000Z');
    expect(out).toContain(
      'asked mail/notifier to hand over from notifier-0 to notifier-1, at 2026-11-18T10:00:00.000Z.',
    );
    expect([code, err]).toEqual([0, '']);
  });

  it('leaves the choice to the operator unless a pod is named', async () => {
    await t.run('switchover', 'notifier');
    expect(asked()).toMatch(/^to=any at=/);
  });

  it('writes nothing with --dry-run, and says what would happen', async () => {
    const { code, out } = await t.run('switchover', 'notifier', '--dry-run');
    expect([code, out]).toEqual([0, 'notifier-0 would hand over to notifier-1 (dry run: nothing was written).\n']);
    expect(asked()).toBeUndefined();
  });

  it('waits until the other pod leads, and says for how long nobody did', async () => {
    answers({ result: 'Moved' }, async () => {
      t.api.put(PODS, podObject('notifier-0', { annotations: LED }));
      await vi.waitFor(() => expect(t.clock.pending()).toBe(1));
      await t.clock.advance(30);
      t.api.put(PODS, podObject('notifier-1', { labels: LEADER, annotations: LED }));
      await t.clock.advance(0);
    });
    const { code, out } = await t.run('switchover', 'notifier', '--wait');
    expect(out).toContain(
      'notifier-1 leads with token 8; the change took 24 ms by the operator, and nobody carried the label for 30 ms as seen from here.',
    );
    expect(code).toBe(0);
    expect(t.clock.pending()).toBe(0);
  });

  it('says why the operator refused, and ends with 4', async () => {
    answers({ result: 'Refused', reason: 'TooSoon', message: 'Wait for 12 s.' });
    const { code, out } = await t.run('switchover', 'notifier', '--wait');
    expect([code, out]).toEqual([4, expect.stringContaining('Refused (TooSoon): Wait for 12 s.')]);
  });

  it('ends with 3 when no operator answers in time, and says whether one runs', async () => {
    t.api.put(DEPLOYMENTS, operatorObject(0));
    const running = t.start('switchover', 'notifier', '--wait', '--timeout', '20s');
    await vi.waitFor(() => expect(asked()).toBeDefined());
    await t.clock.advance(20_000);
    const { code, out, err } = await running.ended;
    expect(out).toContain('Unknown: no operator has answered within 20 s.');
    expect(err).toContain('0 of 2 replicas ready');
    expect(code).toBe(3);
  });

  it('is not answered by what became of an earlier one', async () => {
    const lastSwitchover = { at: '2026-11-18T09:00:00Z', to: 'notifier-1', result: 'Moved' };
    t.api.put(LEADER_GROUPS, groupObject({ status: { lastSwitchover } }));
    const running = t.start('switchover', 'notifier', '--wait', '--timeout', '20s');
    await vi.waitFor(() => expect(asked()).toBeDefined());
    await t.clock.advance(20_000);
    expect((await running.ended).code).toBe(3);
  });

  it('does without a measurement where it may not watch pods', async () => {
    t.api.denied.add('watch pods');
    answers({ result: 'Moved' });
    const { code, out } = await t.run('switchover', 'notifier', '--wait', '-o', 'json');
    expect(JSON.parse(out)).toMatchObject({
      written: true,
      outcome: { kind: 'moved', to: 'notifier-1', gapMs: null, tookMs: 24 },
    });
    expect(code).toBe(0);
  });
});

describe('what is refused before anything is written', () => {
  it.each([
    ['the pod that leads', ['--to', 'notifier-0'], (): void => undefined, 'notifier-0 leads already.'],
    ['a pod that cannot lead', ['--to', 'notifier-2'], (): void => undefined, 'notifier-2 cannot lead. NotReady: '],
    [
      'a pod of no member',
      ['--to', 'other'],
      (): void => undefined,
      'other is no member of notifier: its members are notifier-0, ',
    ],
    [
      'any, where no other can lead',
      [],
      (): void => t.api.put(PODS, podObject('notifier-1', { ready: false })),
      'no other pod can lead: notifier-1 (NotReady), notifier-2 (NotReady).',
    ],
    [
      'a group that is paused',
      [],
      (): void =>
        t.api.put(
          LEADER_GROUPS,
          groupObject({
            status: { conditions: [condition('Ready', 'True', 'Led'), condition('Paused', 'True', 'PausedBySpec')] },
          }),
        ),
      'notifier is paused. `kubectl leadergroup resume notifier` first.',
    ],
    [
      'a group that nobody leads',
      [],
      (): void => t.api.put(LEADER_GROUPS, groupObject({ status: unled('NoCandidate', 'None is ready.') })),
      'nobody leads notifier: None is ready.',
    ],
  ] as const)('%s', async (_, flags, arrange, words) => {
    arrange();
    const { code, err } = await t.run('switchover', 'notifier', ...flags);
    expect(err).toContain(`Nothing was written: ${words}`);
    expect([code, asked()]).toEqual([4, undefined]);
  });
});

describe('a group of a GitOps tool', () => {
  const labels = { 'argocd.argoproj.io/instance': 'mail' };

  it('is switched over like any other, and the tool is named', async () => {
    t.api.put(LEADER_GROUPS, groupObject({ metadata: { labels } }));
    const { code, err } = await t.run('switchover', 'notifier');
    expect([code, err]).toEqual([
      0,
      expect.stringContaining('Argo CD (mail) owns the group. That does not matter here'),
    ]);
  });

  it.each([
    [{ 'kubectl.kubernetes.io/last-applied-configuration': `{"metadata":{"annotations":{"${KEY}":"x"}}}` }, []],
    [{}, [{ manager: 'argocd-controller', fieldsV1: { 'f:metadata': { 'f:annotations': { [`f:${KEY}`]: {} } } } }]],
  ])(
    'that has the annotation in its manifest is not: the tool would undo it: %j %j',
    async (annotations, managedFields) => {
      t.api.put(LEADER_GROUPS, groupObject({ metadata: { labels, annotations, managedFields } }));
      const { code, err } = await t.run('switchover', 'notifier');
      expect([code, err]).toEqual([1, expect.stringContaining('take it out of there')]);
    },
  );
});
