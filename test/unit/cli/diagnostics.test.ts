/** What the commands make of what the operator's replicas tell, and what they do where none tells. */
import { beforeEach, describe, expect, it } from 'vitest';
import { parseSupposition, type SelfReport } from '../../../src/api/diagnostics.ts';
import { DEPLOYMENTS, LEADER_GROUPS, PODS } from '../../../src/cli/resources.ts';
import { explain } from '../../../src/election/explain.ts';
import type { Observation } from '../../../src/election/observation.ts';
import type { PodAnswer } from '../../../src/kubernetes/client/port-forward.ts';
import { anObservation } from '../../kit/fakes/builders-election.ts';
import { openTerminal, type Terminal } from '../../kit/fakes/cli/command-line.ts';
import { groupObject, operatorObject, podObject, putExample } from '../../kit/fakes/cli/objects.ts';
import { settle } from '../../kit/fakes/clock.ts';

const SYSTEM = 'leadergroup-system';

let t: Terminal;

/** Of the group default/notifier, whose owner sees a lead, and b and c ready. */
beforeEach(() => {
  t = openTerminal();
  t.namespace = 'default';
  putExample(t.api);
  t.api.put(LEADER_GROUPS, groupObject({ namespace: 'default', name: 'notifier' }));
  for (const name of ['a', 'b', 'c']) {
    const labels = { app: 'notifier', ...(name === 'a' ? { 'leadergroup.dev/role': 'leader' } : {}) };
    t.api.put(PODS, podObject(name, { namespace: 'default', labels }));
  }
});

const self = (replica: string, consul: Partial<SelfReport['consul']> = {}): SelfReport => ({
  replica,
  version: '1.2.3',
  pod: { namespace: SYSTEM, name: replica },
  runningForMs: 60_000,
  buckets: [],
  consul: { outageForMs: null, deniesAll: false, notJoined: null, problems: [], token: null, ...consul },
  kubernetes: { reaches: true, watches: [], problems: [], notListed: [] },
  groups: { known: 1, owned: 1, states: {} },
});

type Wish = {
  readonly owns?: Observation | null;
  readonly owner?: string;
  readonly consul?: Partial<SelfReport['consul']>;
  readonly env?: object[];
};

function replica(name: string, { owns = anObservation(), owner = '', consul, env = [] }: Wish = {}): void {
  const labels = { 'app.kubernetes.io/name': 'leadergroup' };
  const containers = [{ name: 'operator', image: 'leadergroup', env }];
  t.api.put(PODS, podObject(name, { namespace: SYSTEM, labels, spec: { containers } }));
  t.api.replicas.set(name, (path) => {
    if (path === '/v1/self') return { status: 200, body: self(name, consul) };
    const [, given] = path.split('?if=');
    if (owns === null)
      return {
        status: 421,
        body: { error: 'notOwner', replica: name, owner: { replica: owner, pod: { namespace: SYSTEM, name: owner } } },
      };
    const what = given === undefined ? null : parseSupposition(given);
    return { status: 200, body: { replica: name, version: '1.2.3', ...explain(owns, what) } };
  });
}

async function json<T>(...argv: readonly string[]): Promise<T & { readonly code: number }> {
  const { code, out } = await t.run(...argv, '-o', 'json');
  return { ...(JSON.parse(out) as T), code };
}

type WhatIf = {
  readonly approximate: boolean;
  readonly computedBy: readonly string[];
  readonly notAsked: string | null;
  readonly groups: readonly object[];
};

describe('what-if', () => {
  it('is computed by the owner, whoever is asked first, and then certain', async () => {
    replica('operator-a', { owns: null, owner: 'operator-c' });
    replica('operator-b', { owns: null, owner: 'operator-c' });
    replica('operator-c');
    expect(await json<WhatIf>('what-if', 'delete', 'a')).toMatchObject({
      code: 0,
      approximate: false,
      computedBy: ['operator-c'],
      groups: [{ group: 'default/notifier', leader: 'a', effect: 'Handover', next: ['b'], by: 'operator-c' }],
    });
    expect((await t.run('what-if', 'delete', 'a')).out).toContain(
      "Computed by the operator's replica operator-c, from its lock",
    );
  });

  it('says what the owner knows and the API server does not: who has resigned goes last', async () => {
    const o = anObservation();
    replica('operator-a', { owns: { ...o, pods: o.pods.map((each) => ({ ...each, yields: each.pod.name === 'b' })) } });
    expect(await json<WhatIf>('what-if', 'delete', 'a')).toMatchObject({ groups: [{ next: ['c'] }] });
  });

  it.each([
    ['Hold', 'NotReplaced'],
    ['Demote', 'Demoted'],
  ] as const)('has what onConsulLoss %s brings, and when', async (onConsulLoss, effect) => {
    const o = anObservation();
    replica('operator-a', { owns: { ...o, group: { ...o.group, spec: { ...o.group.spec, onConsulLoss } } } });
    expect(await json<WhatIf>('what-if', 'consul-down', '-n', 'default')).toMatchObject({
      approximate: false,
      groups: [{ effect, why: expect.stringContaining('within 20s') }],
    });
  });

  it('is approximate without the right to forward ports, and says which right that is', async () => {
    replica('operator-a');
    t.api.denied.add('get pods/portforward');
    expect(await json<WhatIf>('what-if', 'delete', 'a')).toMatchObject({
      code: 3,
      approximate: true,
      computedBy: [],
      notAsked: expect.stringContaining('pods/portforward'),
    });
  });

  it.each([
    ['an older version, which has no diagnostics', () => t.api.replicas.delete('operator-a'), 'nobody listens there'],
    [
      'another version, whose answer cannot be read',
      () => t.api.replicas.set('operator-a', () => ({ status: 200, body: { v: 2 } })),
      'another version',
    ],
    [
      'one whose diagnostics are off',
      () => replica('operator-a', { env: [{ name: 'LEADERGROUP_DIAGNOSTICS_PORT', value: '0' }] }),
      'are off',
    ],
    [
      'an owner that cannot be asked',
      () => replica('operator-a', { owns: null, owner: 'operator-b' }),
      'its owner is operator-b',
    ],
  ])('is approximate beside %s', async (_, change, why) => {
    replica('operator-a');
    change();
    expect(await json<WhatIf>('what-if', 'delete', 'a')).toMatchObject({
      code: 3,
      approximate: true,
      notAsked: expect.stringContaining(why),
    });
  });

  it('is approximate where the owner would have to read first', async () => {
    replica('operator-a', { owns: anObservation({ lock: null }) });
    expect(await json<WhatIf>('what-if', 'delete', 'a')).toMatchObject({
      approximate: true,
      notAsked: expect.stringContaining('when it happens'),
    });
  });
});

describe('a replica that has no time', () => {
  const tooMany = { status: 429, body: 'ask again in a second', retryAfterSeconds: 1 };

  /** Refuses these questions, counted from the first, and answers all others. */
  function refusing(isRefused: (asked: number) => boolean, refusal: PodAnswer = tooMany): () => number {
    replica('operator-a');
    const answers = t.api.replicas.get('operator-a');
    let asked = 0;
    t.api.replicas.set('operator-a', (path) => {
      asked += 1;
      return answers === undefined || isRefused(asked) ? refusal : answers(path);
    });
    return () => asked;
  }

  const whatIf = async (waitMs: number): Promise<WhatIf & { readonly code: number }> => {
    const running = t.start('what-if', 'delete', 'a', '-o', 'json');
    await settle();
    await t.clock.advance(waitMs);
    const { code, out } = await running.ended;
    return { ...(JSON.parse(out) as WhatIf), code };
  };

  it.each([
    ['what it knows of itself', 1],
    ['what it knows of a group', 2],
  ])('is asked once more after the time that it asks for: %s', async (_, refused) => {
    const asked = refusing((count) => count === refused);
    expect(await whatIf(1000)).toMatchObject({ code: 0, approximate: false, computedBy: ['operator-a'] });
    expect(asked()).toBe(3);
  });

  it.each([
    ['what it knows of itself', 1],
    ['what it knows of a group', 2],
  ])('is asked no third time, and the answer is approximate, and says why: %s', async (_, refused) => {
    const asked = refusing((count) => count >= refused);
    expect(await whatIf(1000)).toMatchObject({
      code: 3,
      approximate: true,
      notAsked: 'pod operator-a is asked more than it has time for (it answers 429); run this again',
    });
    expect(asked()).toBe(refused + 1);
  });

  it('is not waited for where that takes longer than a few seconds', async () => {
    const asked = refusing(() => true, { ...tooMany, retryAfterSeconds: 60 });
    expect(await whatIf(0)).toMatchObject({ code: 3, approximate: true });
    expect(asked()).toBe(1);
  });
});

describe('why', () => {
  it('has the rank of a pod by the owner, and ends with 0', async () => {
    replica('operator-a');
    const { code, out } = await t.run('why', 'c');
    expect(out).toContain('Of the 3 members that could lead it is number 3.');
    expect(out).toContain("Computed by the operator's replica operator-a.");
    expect(code).toBe(0);
  });

  it('says that the lock is held, and for how long it is good', async () => {
    replica('operator-a');
    expect((await t.run('why', 'a')).out).toContain(
      'Its session holds the lock, which is good for 20s without another renewal.',
    );
  });

  it('believes the owner, not the pod, where they differ', async () => {
    const o = anObservation();
    replica('operator-a', {
      owns: { ...o, pods: o.pods.map((each) => ({ ...each, nodeLost: each.pod.name === 'b' })) },
    });
    const { code, out } = await t.run('why', 'b');
    expect([code, out]).toEqual([4, expect.stringContaining('It cannot lead: NodeLost.')]);
  });
});

describe('doctor', () => {
  const findings = async () =>
    (await json<{ readonly findings: readonly { id: string; object: string; message: string }[] }>('doctor', '--once'))
      .findings;

  it('finds at once what hinders a replica, in the words of the replica', async () => {
    t.api.put(DEPLOYMENTS, operatorObject());
    const problem = (kind: string, message: string) => ({ kind, message, sinceMs: 5000 });
    replica('operator-a', {
      consul: { outageForMs: 5000, problems: [problem('tlsName', 'its certificate has another name')] },
    });
    replica('operator-b', { consul: { problems: [problem('rightMissing', 'give the token the rule: key_prefix')] } });
    const found = (await findings()).filter(({ object }) => object.startsWith('Pod leadergroup-system/'));
    expect(found).toEqual([
      expect.objectContaining({
        id: 'consul-unreachable',
        object: `Pod ${SYSTEM}/operator-a`,
        message: 'For 5s Consul has not answered it: its certificate has another name.',
      }),
      expect.objectContaining({
        id: 'right-denied',
        object: `Pod ${SYSTEM}/operator-b`,
        message: 'For 5s: give the token the rule: key_prefix.',
      }),
    ]);
  });

  it('finds that Consul refuses connections beyond its limit, also while others are answered', async () => {
    t.api.put(DEPLOYMENTS, operatorObject());
    const message = 'Cannot read the locks: Consul answered 429: too many concurrent connections';
    replica('operator-a', { consul: { problems: [{ kind: 'tooManyConnections', message, sinceMs: 5000 }] } });
    const found = (await findings()).filter(({ object }) => object === `Pod ${SYSTEM}/operator-a`);
    expect(found.map(({ id, message: said }) => [id, said])).toEqual([['consul-connections', `For 5s: ${message}.`]]);
  });

  it('does not say that Consul does not answer where it refuses everything', async () => {
    t.api.put(DEPLOYMENTS, operatorObject());
    const problem = { kind: 'tooManyConnections', message: 'Consul answered 429', sinceMs: 60_000 };
    replica('operator-a', { consul: { outageForMs: 57_000, problems: [problem] } });
    replica('operator-b', { consul: { outageForMs: 57_000, problems: [] } });
    const found = (await findings()).filter(({ object }) => object.startsWith(`Pod ${SYSTEM}/`));
    expect(found.map(({ id, object, message: said }) => [id, object, said])).toEqual([
      ['consul-connections', `Pod ${SYSTEM}/operator-a`, 'For 60s: Consul answered 429.'],
      ['consul-unreachable', `Pod ${SYSTEM}/operator-b`, 'For 57s Consul has not answered it: no request is answered.'],
    ]);
  });

  it('finds a token that ends soon, or has ended', async () => {
    t.api.put(DEPLOYMENTS, operatorObject());
    replica('operator-a', { consul: { token: { leftMs: 30_000, livesMs: 600_000 } } });
    replica('operator-b', { consul: { token: { leftMs: -60_000, livesMs: 600_000 } } });
    replica('operator-c', { consul: { token: { leftMs: 200_000, livesMs: 600_000 } } });
    const found = (await findings()).filter(({ id }) => id === 'consul-token-ends');
    expect(found.map(({ object, message }) => [object, message])).toEqual([
      [`Pod ${SYSTEM}/operator-a`, 'Its token for Consul ends in 30s.'],
      [`Pod ${SYSTEM}/operator-b`, 'Its token for Consul ended 60s ago.'],
    ]);
  });

  it('leaves no port open, whether a replica tells, refuses, or does not answer in time', async () => {
    t.api.put(DEPLOYMENTS, operatorObject());
    for (const name of ['operator-a', 'operator-b', 'operator-c']) replica(name);
    t.api.replicas.set('operator-b', () => ({ status: 404, body: 'not found' }));
    t.api.replicas.set('operator-c', () => {
      throw new Error('The operation was aborted due to timeout');
    });
    await findings();
    expect(t.api.openForwards).toBe(0);
  });

  it('has no finding on replicas that are well, nor on those that tell nothing', async () => {
    replica('operator-a');
    replica('operator-b');
    t.api.replicas.delete('operator-b');
    expect((await findings()).filter(({ object }) => object.startsWith(`Pod ${SYSTEM}`))).toEqual([]);
  });
});
