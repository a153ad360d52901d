/** report, break-glass and uninstall --check. */
import { beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { scrubbed } from '../../../src/cli/report/secrets.ts';
import {
  CRDS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  EVENTS,
  LEADER_GROUPS,
  PODS,
  SERVICES,
} from '../../../src/cli/resources.ts';
import { openTerminal, type Terminal } from '../../kit/fakes/cli/command-line.ts';
import {
  ago,
  groupObject,
  LEADER,
  LED,
  MAIL,
  operatorObject,
  podObject,
  putExample,
} from '../../kit/fakes/cli/objects.ts';

let t: Terminal;

const REF = { resource: LEADER_GROUPS, namespace: MAIL, name: 'notifier' };
const OPERATOR = { resource: DEPLOYMENTS, namespace: 'leadergroup-system', name: 'leadergroup' };
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl';

beforeEach(() => {
  t = openTerminal();
  putExample(t.api);
  t.api.put(CRDS, { metadata: { name: 'leadergroups.leadergroup.dev' } });
});

describe('report', () => {
  it('lists what it would hold, and writes nothing', async () => {
    const { code, out } = await t.run('report');
    expect(out).toContain('3  members');
    expect(out).toContain('Nothing was written: --yes writes it to leadergroup-report-20261118-100000.yaml.');
    expect([code, t.files.size]).toEqual([0, 0]);
  });

  it('writes what it has listed, once', async () => {
    expect((await t.run('report', '--yes', '--out', 'a.yaml')).code).toBe(0);
    const written = parse(t.files.get('a.yaml') ?? '') as Record<string, readonly unknown[]>;
    expect(written).toMatchObject({
      versions: [{ kubernetes: 'v1.34.2', program: '1.2.3' }],
      groups: [{ name: 'notifier', spec: { sessionTTLSeconds: 60 }, status: { leader: 'notifier-0' } }],
      members: [{ name: 'notifier-0', annotations: { 'token.leadergroup.dev/notifier': '7' } }, {}, {}],
    });
    expect(await t.run('report', '--yes', '--out', 'a.yaml')).toMatchObject({
      code: 1,
      err: expect.stringContaining('Name another file with --out'),
    });
  });

  it('holds nothing that is not on its list', async () => {
    const hidden = { 'kubectl.kubernetes.io/last-applied-configuration': 'HIDDEN', 'example.com/owner': 'HIDDEN' };
    t.api.put(LEADER_GROUPS, groupObject({ metadata: { annotations: hidden, labels: { team: 'HIDDEN' } } }));
    t.api.put(
      PODS,
      podObject('notifier-1', {
        labels: { app: 'notifier', team: 'HIDDEN' },
        annotations: hidden,
        spec: { containers: [{ name: 'a', env: [{ name: 'KEY', value: 'HIDDEN' }] }] },
      }),
    );
    const operator = operatorObject();
    Object.assign(operator.spec.template.spec.containers[0] ?? {}, {
      env: [{ name: 'CONSUL_HTTP_TOKEN', value: 'HIDDEN' }],
    });
    t.api.put(DEPLOYMENTS, operator);
    await t.run('report', '--yes', '--out', 'a.yaml');
    expect(t.files.get('a.yaml')).not.toContain('HIDDEN');
  });

  it('has no secret, also where somebody wrote one into a field that is listed', async () => {
    t.api.put(EVENTS, {
      metadata: { name: 'e', namespace: MAIL },
      reason: 'WriteRefused',
      note: `webhook said: Authorization: Bearer ${JWT}`,
      'regarding.kind': 'LeaderGroup',
      regarding: { kind: 'LeaderGroup', namespace: MAIL, name: 'notifier' },
    });
    const { out } = await t.run('report', '--yes', '--out', 'a.yaml');
    expect(t.files.get('a.yaml')).toContain('[removed: ');
    expect(t.files.get('a.yaml')).not.toContain('eyJ');
    expect(out).toMatch(/^1 text that looks like a secret was taken out\.$/m);
  });

  it.each([
    JWT,
    'Bearer abcdefgh12345678',
    'https://user:hunter22@consul:8501',
    '-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----',
    'ghp_0123456789abcdefghij',
    'hvs.CAESIJ0123456789abcd',
    'password=correct-horse',
    'token: 5d1f0a9e-aaaa',
    'AKIAIOSFODNN7EXAMPLE',
  ])('takes out what looks like a secret: %s', (text) => {
    const { value, removed } = scrubbed({ note: `before ${text} after` });
    expect(removed).toBeGreaterThan(0);
    expect(value.note).toContain('[removed: ');
    for (const part of text.split(/[\s:/@=]+/).filter((word) => /\d/.test(word) && word.length > 6))
      expect(value.note).not.toContain(part);
  });

  it.each([
    'notifier-0 leads with token 7.',
    'token: 12',
    'uid-of-notifier-0',
    '2026-11-18T10:00:00Z',
    'https://consul:8501/v1',
  ])('leaves in what is none: %s', (text) => {
    expect(scrubbed([text])).toEqual({ value: [text], removed: 0 });
  });
});

describe('break-glass', () => {
  const stuck = (seconds = 600): void => {
    const metadata = {
      deletionTimestamp: ago(seconds),
      finalizers: ['leadergroup.dev/finalizer', 'example.com/other'],
    };
    t.api.put(LEADER_GROUPS, groupObject({ metadata }));
  };
  const finalizers = (): unknown => (t.api.read(REF)?.['metadata'] as { finalizers?: unknown } | undefined)?.finalizers;
  const act = [
    'break-glass',
    'notifier',
    '--uid',
    'uid-of-notifier',
    '--reason',
    'the operator is gone for good',
  ] as const;

  beforeEach(() => {
    stuck();
    t.api.put(DEPLOYMENTS, operatorObject(0));
  });

  it('says what would be left behind, and writes nothing without the uid', async () => {
    const { code, out } = await t.run('break-glass', 'notifier');
    expect(out).toContain('- notifier-0 keeps the leader label');
    expect(out).toContain(
      "If that is so meant: kubectl leadergroup break-glass notifier -n mail --uid uid-of-notifier --reason '...'",
    );
    expect([code, finalizers()]).toEqual([4, ['leadergroup.dev/finalizer', 'example.com/other']]);
  });

  it('takes the finalizer of the operator off, and no other, after an event that says why', async () => {
    const { code, out } = await t.run(...act);
    expect([code, finalizers()]).toEqual([0, ['example.com/other']]);
    expect(out).toContain('Took leadergroup.dev/finalizer off mail/notifier.');
    const { items } = await t.api.list(EVENTS);
    expect(items).toMatchObject([
      { type: 'Warning', reason: 'FinalizerTakenOff', note: expect.stringContaining('gone for good') },
    ]);
  });

  it.each([[act], [['break-glass', 'notifier']]])(
    'writes nothing in a dry run, with or without the uid',
    async (words) => {
      const { code, out } = await t.run(...words, '--dry-run');
      expect([code, finalizers()]).toEqual([0, ['leadergroup.dev/finalizer', 'example.com/other']]);
      expect(out).toContain('Would take leadergroup.dev/finalizer off mail/notifier (dry run: nothing was written).');
      expect(out).toContain('- notifier-0 keeps the leader label');
      expect((await t.api.list(EVENTS)).items).toEqual([]);
    },
  );

  it.each(['create events.events.k8s.io', 'patch leadergroups.leadergroup.dev'])(
    'finds out in a dry run what the API server would refuse: %s',
    async (right) => {
      t.api.denied.add(right);
      expect((await t.run('break-glass', 'notifier', '--dry-run')).code).toBe(1);
    },
  );

  it('does nothing where it may not write the event', async () => {
    t.api.denied.add('create events.events.k8s.io');
    expect((await t.run(...act)).code).toBe(1);
    expect(finalizers()).toHaveLength(2);
  });

  it.each([
    ['an operator runs', () => t.api.put(DEPLOYMENTS, operatorObject(1)), 1, 'An operator runs: 1 of 2'],
    [
      'nobody can say whether one runs',
      () => void t.api.denied.add('list deployments.apps').add('get deployments.apps'),
      3,
      'Nobody can say whether an operator runs',
    ],
    ['it was just deleted', () => stuck(60), 1, 'less than two minutes ago'],
    ['it is not being deleted', () => t.api.put(LEADER_GROUPS, groupObject()), 1, 'is not being deleted'],
    [
      'somebody else holds it',
      () => t.api.put(LEADER_GROUPS, groupObject({ metadata: { deletionTimestamp: ago(600), finalizers: ['x/y'] } })),
      1,
      'but by x/y',
    ],
  ])('is refused where %s', async (_, arrange, exit, words) => {
    arrange();
    const before = finalizers();
    const { code, err } = await t.run(...act);
    expect([code, err]).toEqual([exit, expect.stringContaining(words)]);
    expect(finalizers()).toEqual(before);
  });

  it('is refused for a group made anew under the same name, and without a reason', async () => {
    expect((await t.run('break-glass', 'notifier', '--uid', 'older', '--reason', 'x')).err).toContain('is not the uid');
    expect(await t.run('break-glass', 'notifier', '--uid', 'x')).toMatchObject({
      code: 2,
      err: expect.stringContaining('needs --reason'),
    });
    expect(finalizers()).toHaveLength(2);
  });
});

describe('uninstall --check', () => {
  const objects = (out: string): readonly string[] =>
    [...out.matchAll(/^\d+\. (.*)$/gm)].map(([, object = '']) => object);

  it('has what is there, in the order in which to take it out', async () => {
    const selector = { app: 'notifier', 'leadergroup.dev/role': 'leader' };
    t.api.put(SERVICES, { metadata: { name: 'notifier-leader', namespace: MAIL }, spec: { selector } });
    const labels = { 'endpointslice.kubernetes.io/managed-by': 'leadergroup.dev' };
    t.api.put(ENDPOINT_SLICES, { metadata: { name: 'left', namespace: MAIL, labels } });
    t.api.put(PODS, podObject('old-0', { namespace: 'shop', annotations: LED }));
    const { code, out } = await t.run('uninstall', '--check');
    expect(objects(out)).toEqual([
      'Service mail/notifier-leader',
      'LeaderGroup mail/notifier',
      'EndpointSlice mail/left',
      'Pod shop/old-0',
      'Deployment leadergroup-system/leadergroup',
      'CustomResourceDefinition leadergroups.leadergroup.dev',
    ]);
    expect(code).toBe(4);
  });

  it('has one command for the annotations of a pod, and one for its label', async () => {
    const annotations = { ...LED, 'cost.leadergroup.dev/notifier': '1000', 'example.com/owner': 'a' };
    t.api.put(PODS, podObject('old-0', { namespace: 'shop', labels: LEADER, annotations }));
    expect((await t.run('uninstall', '--check')).out).toContain(
      '`kubectl -n shop label pod old-0 leadergroup.dev/role-`, `kubectl -n shop annotate pod old-0 token.leadergroup.dev/notifier- since.leadergroup.dev/notifier- cost.leadergroup.dev/notifier-`',
    );
  });

  it('says to start an operator for a group that is held by a finalizer', async () => {
    t.api.remove(OPERATOR);
    t.api.put(LEADER_GROUPS, groupObject({ metadata: { finalizers: ['leadergroup.dev/finalizer'] } }));
    expect((await t.run('uninstall', '--check')).out).toContain('Start an operator first');
  });

  it('ends with 0 where nothing is left, and with 3 where it may not look', async () => {
    t = openTerminal();
    t.api.missing.add('leadergroups.leadergroup.dev');
    expect(await t.run('uninstall', '--check')).toMatchObject({ code: 3 });
    t.api.missing.clear();
    expect(await t.run('uninstall', '--check')).toMatchObject({
      code: 0,
      out: 'Nothing of LeaderGroup is left in the cluster.\n',
    });
    t.api.denied.add('list services');
    expect(await t.run('uninstall', '--check')).toMatchObject({
      code: 3,
      out: expect.stringContaining('UNKNOWN  Cannot list services'),
    });
  });

  it('does nothing without --check', async () => {
    expect((await t.run('uninstall')).code).toBe(2);
  });
});
