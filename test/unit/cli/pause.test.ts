/** pause and resume, and what holds for every command that writes to a group: who may undo it is said. */
import { beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DEPLOYMENTS, LEADER_GROUPS } from '../../../src/cli/resources.ts';
import { openTerminal, type Terminal } from '../../kit/fakes/cli/command-line.ts';
import { groupObject, MAIL, operatorObject, putExample } from '../../kit/fakes/cli/objects.ts';

let t: Terminal;

beforeEach(() => {
  t = openTerminal();
  putExample(t.api);
});

const REF = { resource: LEADER_GROUPS, namespace: MAIL, name: 'notifier' };
const paused = (): unknown => (t.api.read(REF)?.['spec'] as { paused?: boolean } | undefined)?.paused;

describe('pause and resume', () => {
  it('set spec.paused, and say what follows', async () => {
    expect(await t.run('pause', 'notifier')).toMatchObject({
      code: 0,
      out: 'paused mail/notifier.\n',
      err: expect.stringContaining('is not replaced when it fails, until `kubectl leadergroup resume notifier`'),
    });
    expect(paused()).toBe(true);
    expect(await t.run('resume', 'notifier')).toEqual({ code: 0, out: 'resumed mail/notifier.\n', err: '' });
    expect(paused()).toBe(false);
  });

  it('write nothing where there is nothing to change', async () => {
    t.api.denied.add('patch leadergroups.leadergroup.dev');
    expect(await t.run('resume', 'notifier')).toMatchObject({ code: 0, out: 'mail/notifier is not paused.\n' });
  });

  it('write nothing with --dry-run', async () => {
    const { code, out } = await t.run('pause', 'notifier', '--dry-run');
    expect([code, out, paused()]).toEqual([0, 'paused mail/notifier (dry run: nothing was written).\n', undefined]);
  });

  it('say that no operator will act on it', async () => {
    t.api.put(DEPLOYMENTS, operatorObject(0));
    t.api.put(LEADER_GROUPS, groupObject({ spec: { paused: true } }));
    expect((await t.run('resume', 'notifier')).err).toContain('No replica of the operator is ready');
  });

  it('say which right is missing', async () => {
    t.api.denied.add('patch leadergroups.leadergroup.dev');
    expect(await t.run('pause', 'notifier')).toMatchObject({ code: 1, err: expect.stringContaining('right to patch') });
  });
});

describe('a group that is owned by', () => {
  const labels = (values: object) => ({ metadata: { labels: values } });
  const annotations = (values: object) => ({ metadata: { annotations: values } });
  const manager = (name: string) => ({ metadata: { managedFields: [{ manager: name, operation: 'Apply' }] } });

  it.each([
    [
      'Argo CD (mail)',
      annotations({ 'argocd.argoproj.io/tracking-id': 'mail:leadergroup.dev/LeaderGroup:mail/notifier' }),
    ],
    ['Argo CD (mail)', labels({ 'argocd.argoproj.io/instance': 'mail' })],
    ['Argo CD', manager('argocd-controller')],
    ['Flux (apps)', labels({ 'kustomize.toolkit.fluxcd.io/name': 'apps' })],
    ['Flux (mail)', labels({ 'helm.toolkit.fluxcd.io/name': 'mail', 'app.kubernetes.io/managed-by': 'Helm' })],
    ['Flux', manager('kustomize-controller')],
    ['Helm (mail)', annotations({ 'meta.helm.sh/release-name': 'mail' })],
    ['Helm', labels({ 'app.kubernetes.io/managed-by': 'Helm' })],
  ])('%s is not written to: the patch for Git is printed', async (who, wish) => {
    t.api.put(LEADER_GROUPS, groupObject(wish));
    const { code, out, err } = await t.run('pause', 'notifier');
    expect(err).toContain(`${who} owns the object, and would undo a change at its next`);
    expect(parse(out)).toEqual({
      apiVersion: 'leadergroup.dev/v1alpha1',
      kind: 'LeaderGroup',
      metadata: { name: 'notifier', namespace: 'mail' },
      spec: { paused: true },
    });
    expect([code, paused()]).toEqual([4, undefined]);
  });

  it('somebody is written to with --anyway, and who may undo it is said', async () => {
    t.api.put(LEADER_GROUPS, groupObject(labels({ 'argocd.argoproj.io/instance': 'mail' })));
    const { code, err } = await t.run('pause', 'notifier', '--anyway');
    expect(err).toContain('Argo CD (mail) owns the object, and may undo this at its next sync');
    expect([code, paused()]).toEqual([0, true]);
  });

  it('a tool, says so to programs', async () => {
    t.api.put(LEADER_GROUPS, groupObject(labels({ 'argocd.argoproj.io/instance': 'mail' })));
    const { out } = await t.run('pause', 'notifier', '-o', 'json');
    expect(JSON.parse(out)).toMatchObject({
      written: false,
      patch: { spec: { paused: true } },
      owner: { tool: 'Argo CD' },
    });
  });

  it('nobody that is known is written to', async () => {
    t.api.put(
      LEADER_GROUPS,
      groupObject({ metadata: { managedFields: [{ manager: 'kubectl' }, { manager: 'leadergroup' }] } }),
    );
    expect((await t.run('pause', 'notifier')).code).toBe(0);
  });
});
