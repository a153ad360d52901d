/** `kubectl leadergroup` through the real kubectl, on a real API server with a real operator. */
import { spawn } from 'node:child_process';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Changes, OneGroup } from '../../src/cli/dashboard/wire.ts';
import { openWith, saidBy } from '../kit/fakes/cli/dashboard.ts';
import { type Harness, startHarness } from '../kit/rig/harness.ts';
import { type HeldGroup, holdDeletedGroup } from '../kit/rig/held-group.ts';
import { readKubeconfig, writeKubeconfig } from '../kit/rig/kubeconfig.ts';
import { type Kubectl, kubectlOf, type Printed } from '../kit/rig/kubectl.ts';
import { type Found, type Mistake, mendedByOperator, otherSchema, seenByOperator } from '../kit/rig/mistakes.ts';
import type { OperatorProcess } from '../kit/rig/operator-process.ts';
import { type Change, type Matcher, type Said, startKubeProxy } from '../kit/rig/proxy.ts';

const ROOT = join(import.meta.dirname, '../..');
const GROUP = 'notifier';
/** A program starts in a quarter of a second, and in ten where the machine has other work. */
const PATIENCE = { timeout: 60_000, interval: 100 };
/** The two minutes for which a group must be stuck: they are over when this test is not the only one. */
const STUCK = { timeout: 150_000, interval: 1000 };
const MINUTE_MS = 60_000;

let h: Harness;
let operator: OperatorProcess;
/** Deleted before all tests: the last one needs a group that has been stuck for two minutes. */
let held: HeldGroup;
/** kubectl, which finds the plugin on its path. */
let kubectl: Kubectl;
let env: Readonly<Record<string, string>>;
let namespace: string;

const cli = (...args: readonly string[]): Promise<Printed> => kubectl.run(['leadergroup', ...args, '-n', namespace]);

async function json<T>(...args: readonly string[]): Promise<T> {
  const { stdout, stderr } = await cli(...args, '-o', 'json');
  if (stderr !== '') throw new Error(stderr);
  return JSON.parse(stdout) as T;
}

beforeAll(async () => {
  h = await startHarness();
  const bin = join(h.dir, 'bin');
  await mkdir(bin);
  for (const [name, main] of [
    ['kubectl-leadergroup', 'src/kubectl-leadergroup.ts'],
    ['kubectl_complete-leadergroup', 'src/kubectl-complete-leadergroup.ts'],
  ] as const) {
    await writeFile(join(bin, name), `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, main)}" "$@"\n`);
    await chmod(join(bin, name), 0o755);
  }
  const path = h.cluster.env['PATH'] ?? process.env['PATH'] ?? '';
  env = { ...h.cluster.env, PATH: `${bin}:${path}` };
  kubectl = kubectlOf(env);
  // Its pods are those of a fake kubelet; the operator itself is a process beside them.
  await h.kubectl.must([
    'apply',
    '-f',
    'deploy/00-namespace.yaml',
    '-f',
    'deploy/10-rbac.yaml',
    '-f',
    'deploy/20-operator.yaml',
    '-f',
    'deploy/overlays/route/rbac.yaml',
  ]);
  operator = await h.startOperator({
    env: {
      LEADERGROUP_LOCK_KEYS: JSON.stringify([{ namespaces: ['*'], prefix: 'jobs' }]),
      LEADERGROUP_DIAGNOSTICS_PORT: String(h.cluster.diagnosticsPort),
    },
  });
  held = await holdDeletedGroup(h, GROUP);
  await h.kubectl.must(['-n', 'leadergroup-system', 'rollout', 'status', 'deployment/leadergroup', '--timeout=60s']);
});

beforeEach(async () => {
  namespace = await h.world.namespace('cli');
  await h.group(namespace, GROUP);
  await h.led(namespace, GROUP);
  await h.condition(namespace, GROUP, 'Ready', 'True', 'Led');
});

afterAll(() => h[Symbol.asyncDispose]());

/** An account with these rules in the namespace, and nothing else. Returns its kubeconfig. */
async function account(name: string, ...rules: readonly string[]): Promise<string> {
  const run = (...args: readonly string[]) => h.kubectl.must(['-n', namespace, ...args]);
  await run('create', 'serviceaccount', name);
  const parts = rules.map((rule) => rule.split(' '));
  for (const [at, [verbs = '', resources = '']] of parts.entries()) {
    await run('create', 'role', `${name}-${at}`, `--verb=${verbs}`, `--resource=${resources}`);
    await run(
      'create',
      'rolebinding',
      `${name}-${at}`,
      `--role=${name}-${at}`,
      `--serviceaccount=${namespace}:${name}`,
    );
  }
  const path = join(h.dir, `${name}-${namespace}.kubeconfig`);
  const { server, ca } = await readKubeconfig(h.cluster.kubeconfigPath);
  const token = (await run('create', 'token', name)).trim();
  await writeKubeconfig(path, { server: server.href, ca, cert: undefined, key: undefined, token });
  return path;
}

describe('looking', () => {
  it('lists the groups of a namespace, and of all', async () => {
    const { leader } = h.status(namespace, GROUP) ?? { leader: '' };
    expect(await json('list')).toMatchObject({ items: [{ name: GROUP, leader, ready: 'True', reason: 'Led' }] });
    const all = await kubectl.must(['leadergroup', 'list', '-A']);
    expect(all).toMatch(new RegExp(`${namespace} +${GROUP} +${leader}`));
  });

  it('says who leads, why not the others, and that an operator runs', async () => {
    const leader = await h.led(namespace, GROUP);
    const other = ['notifier-0', 'notifier-1', 'notifier-2'].find((name) => name !== leader.name) ?? '';
    await h.world.setReady(namespace, other, false);
    const { code, stdout } = await cli('status', GROUP);
    expect(stdout).toMatch(new RegExp(`^Leader +${leader.name} on `, 'm'));
    expect(stdout).toMatch(/^Operator +2 of 2 replicas ready/m);
    expect(stdout).toMatch(new RegExp(`^${other} .* no +NotReady`, 'm'));
    expect(code).toBe(0);
  });

  it('ends with 4 when nobody leads, and says why', async () => {
    for (const name of ['notifier-0', 'notifier-1', 'notifier-2']) await h.world.deletePod(namespace, name);
    await h.condition(namespace, GROUP, 'Ready', 'True', 'ScaledToZero');
    await h.world.pod({ namespace, name: 'notifier-9', labels: { app: GROUP }, ready: false });
    await h.condition(namespace, GROUP, 'Ready', 'False', 'NoCandidate');
    const { code, stdout } = await cli('status', GROUP);
    expect([code, stdout]).toEqual([4, expect.stringContaining('False (NoCandidate)')]);
  });

  it('shows the changes of leader with their cause', async () => {
    const { name } = await h.led(namespace, GROUP);
    await h.world.setReady(namespace, name, false);
    const next = await h.led(namespace, GROUP, { not: name });
    await expect.poll(() => h.status(namespace, GROUP)?.leaderTransitions, PATIENCE).toBe(2);
    const [newest] = (await json<{ recentTransitions: readonly object[] }>('history', GROUP)).recentTransitions;
    expect(newest).toMatchObject({ from: name, to: next.name, reason: 'LeaderNotReady', token: next.token });
  });

  it('watches a change of leader as it happens, and ends with 0 on Ctrl-C', async () => {
    const child = spawn(process.execPath, ['src/kubectl-leadergroup.ts', 'watch', GROUP, '-n', namespace], {
      cwd: ROOT,
      env: { ...process.env, ...env },
    });
    let out = '';
    child.stdout.on('data', (chunk) => void (out += String(chunk)));
    const ended = new Promise((resolve) => child.on('close', resolve));
    const { name } = await h.led(namespace, GROUP);
    await expect.poll(() => out, PATIENCE).toContain(`${name} leads`);
    await h.world.setReady(namespace, name, false);
    const next = await h.led(namespace, GROUP, { not: name });
    await expect.poll(() => out, PATIENCE).toContain(`${next.name} leads, token ${next.token} (before: ${name})`);
    child.kill('SIGINT');
    expect(await ended).toBe(0);
  });
});

describe('changing', () => {
  it('pauses and resumes a group, under a field manager of its own', async () => {
    expect((await cli('pause', GROUP)).stdout).toBe(`paused ${namespace}/${GROUP}.\n`);
    await h.condition(namespace, GROUP, 'Paused', 'True', 'PausedBySpec');
    const managed = await h.kubectl.must([
      '-n',
      namespace,
      'get',
      'leadergroup',
      GROUP,
      '-o',
      'yaml',
      '--show-managed-fields',
    ]);
    expect(managed).toContain('manager: leadergroup-cli');
    expect((await cli('switchover', GROUP)).code).toBe(4);
    expect((await cli('resume', GROUP)).code).toBe(0);
    await h.condition(namespace, GROUP, 'Paused', 'False', 'NotPaused');
  });

  it('lets the API server check a switchover, and writes nothing with --dry-run', async () => {
    const { code, stdout } = await cli('switchover', GROUP, '--dry-run');
    expect([code, stdout]).toEqual([0, expect.stringContaining('(dry run: nothing was written)')]);
    expect(await h.kubectl.must(['-n', namespace, 'get', 'leadergroup', GROUP, '-o', 'yaml'])).not.toContain(
      'switchover:',
    );
  });
});

describe('switchover', () => {
  it('hands the lead to the pod that is named, waits for it, and measures', async () => {
    const before = await h.led(namespace, GROUP);
    const to = ['notifier-0', 'notifier-1', 'notifier-2'].find((name) => name !== before.name) ?? '';
    const { code, stdout } = await cli('switchover', GROUP, '--to', to, '--wait', '-o', 'json');
    const { outcome } = JSON.parse(stdout) as { outcome: Record<string, unknown> };
    expect([code, outcome]).toEqual([0, expect.objectContaining({ kind: 'moved', to })]);
    expect((await h.led(namespace, GROUP, { not: before.name })).name).toBe(to);
    expect(outcome['tookMs']).toBeGreaterThan(0);
    expect(outcome['gapMs']).toBeGreaterThan(0);
  });

  it('says why the operator refuses: the second within half a minute', async () => {
    expect((await cli('switchover', GROUP, '--wait')).code).toBe(0);
    const { code, stdout } = await cli('switchover', GROUP, '--wait');
    expect([code, stdout]).toEqual([4, expect.stringContaining('Refused (TooSoon): ')]);
  });
});

/** Nobody else knows it where no replica answers. */
const TOLD_BY_REPLICAS = ['consul-token-ends', 'consul-connections'];
/** Exit codes: docs/reference/kubectl-leadergroup.md. */
const FOUND = 4;
const UNKNOWN = 3;

type Told = {
  readonly findings: readonly { readonly id: string; readonly object: string; readonly message: string }[];
  readonly unknown: readonly { readonly id: string }[];
};

describe('doctor', () => {
  const look = async (...flags: readonly string[]): Promise<Told & Pick<Printed, 'code'>> => {
    const { stdout, code } = await cli('doctor', '--once', '-o', 'json', ...flags);
    return { ...(JSON.parse(stdout) as Told), code };
  };
  const ids = async (...flags: readonly string[]) => {
    const { findings, unknown, code } = await look(...flags);
    expect([unknown, code]).toEqual([[], findings.length === 0 ? 0 : FOUND]);
    return findings.map(({ id }) => id);
  };
  const linesOf = ({ findings }: Told): readonly string[] => findings.map(({ id, object }) => `${id}: ${object}`);
  /** Each once: what a group says of itself doctor may see on its pods, too. */
  const lines = async () => [...new Set(linesOf(await look()))].toSorted();
  /** An API server that answers as the cluster's does, but for this. */
  const withAnswers = async (matcher: Matcher, change: Change) => {
    const path = join(h.dir, `altered-${namespace}.kubeconfig`);
    const proxy = await startKubeProxy(h.cluster.kubeconfigPath, path);
    proxy.alter(matcher, change);
    return {
      doctor: (...flags: readonly string[]) => look('--kubeconfig', path, ...flags),
      [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
    };
  };

  it('is silent on a clean cluster, and finds what is planted', async () => {
    expect(await ids()).toEqual([]);
    const service = (name: string, selector: object) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { selector, ports: [{ port: 80 }] },
    });
    const items = [
      service('wide', { 'leadergroup.dev/role': 'leader' }),
      service('wrong', { app: 'notifer', 'leadergroup.dev/role': 'leader' }),
      {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'leader' },
        spec: { minAvailable: 1, selector: { matchLabels: { 'leadergroup.dev/role': 'leader' } } },
      },
    ];
    await h.kubectl.must(
      ['-n', namespace, 'apply', '-f', '-'],
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
    );
    await h.world.pod({ namespace, name: 'left', labels: { app: 'left', 'leadergroup.dev/role': 'leader' } });
    expect((await ids()).toSorted()).toEqual([
      'label-selected-by-others',
      'service-matches-no-member',
      'service-selects-label-only',
      'stale-label',
    ]);
  });

  it('finds each mistake that is planted and no other, and none when they are mended', async () => {
    const place = { h, operator, namespace, group: GROUP };
    const mistakes = [...seenByOperator(place), otherSchema(place), ...mendedByOperator(place)];
    const planted: Found[] = [];
    const made: Mistake[] = [];
    try {
      for (const mistake of mistakes) {
        planted.push(...(await mistake.plant()));
        made.push(mistake);
      }
      await expect.poll(lines, PATIENCE).toEqual(planted.map(([id, object]) => `${id}: ${object}`).toSorted());
      expect((await look()).unknown.map(({ id }) => id)).toEqual(TOLD_BY_REPLICAS);
    } finally {
      operator.thaw();
      for (const { mend } of made) await mend();
    }
    await expect.poll(lines, PATIENCE).toEqual([]);
  });

  it('finds that the operator lacks rights', async () => {
    const role = ['clusterrolebinding', 'leadergroup'] as const;
    const binding = await h.kubectl.must(['get', ...role, '-o', 'yaml']);
    await h.kubectl.must(['delete', ...role]);
    try {
      expect(new Set(await ids())).toEqual(new Set(['operator-right-missing']));
    } finally {
      await h.kubectl.must(['create', '-f', '-'], binding.replaceAll(/^ {2}(?:uid|resourceVersion):.*\n/gm, ''));
    }
  });

  it('looks at a cluster before an installation, and at what one may install', async () => {
    expect(await ids('--pre')).toEqual([]);
    const config = await account('reader');
    const told = async () =>
      JSON.parse((await cli('doctor', '--once', '--pre', '-o', 'json', '--kubeconfig', config)).stdout) as Told;
    const { findings, unknown } = await told();
    expect(new Set(findings.map(({ id }) => id))).toEqual(new Set(['install-right-missing']));
    expect(unknown.map(({ id }) => id)).toEqual(['proxy-min-sync-period']);
    const binding = ['clusterrolebinding', `reader-${namespace}`, '--clusterrole=cluster-admin'] as const;
    await h.kubectl.must(['create', ...binding, `--serviceaccount=${namespace}:reader`]);
    expect(await told()).toEqual({ findings: [], unknown: [] });
  });

  it('finds before an installation that the API server is too old', async () => {
    const old = ({ headers, body }: Said): Said => ({
      headers,
      body: body.replace(/"gitVersion": *"[^"]+"/, '"gitVersion": "v1.28.4"'),
    });
    await using cluster = await withAnswers(({ path }) => path === '/version', old);
    expect(await cluster.doctor('--pre')).toMatchObject({
      code: FOUND,
      findings: [{ id: 'kubernetes-too-old', object: 'API server', message: 'It is v1.28.4.' }],
      unknown: [],
    });
  });

  it('finds that only the leader is ready, once the others have run for minutes', async () => {
    const followers = ['gated-1', 'gated-2'];
    await h.world.pod({ namespace, name: 'gated-0', labels: { app: 'gated' } });
    for (const name of followers) {
      await h.world.pod({ namespace, name, labels: { app: 'gated' }, ready: false });
      await h.world.reportContainer(namespace, name, 'main', {
        startedMs: Date.now(),
        finishedMs: null,
        ready: false,
      });
    }
    await h.world.applyGroup({ namespace, name: 'gated' });
    await h.led(namespace, 'gated');
    await h.condition(namespace, 'gated', 'Ready', 'True', 'Led');
    expect(await ids()).toEqual([]);
    // No pod is older than it is, and doctor goes by the clock of the API server.
    const later = ({ headers, body }: Said): Said => ({
      headers: { ...headers, date: new Date(Date.now() + 6 * MINUTE_MS).toUTCString() },
      body,
    });
    await using inSixMinutes = await withAnswers(() => true, later);
    const seen = await inSixMinutes.doctor();
    expect([linesOf(seen), seen.code]).toEqual([[`only-leader-ready: LeaderGroup ${namespace}/gated`], FOUND]);
    await h.world.setReady(namespace, 'gated-2', true);
    // The proxy forwards no port.
    const mended = await inSixMinutes.doctor();
    expect([linesOf(mended), mended.unknown.map(({ id }) => id), mended.code]).toEqual([[], TOLD_BY_REPLICAS, UNKNOWN]);
  });
});

describe('dashboard', () => {
  it('is opened with a file for its owner alone, shows another leader as soon as there is one, and ends with its file', async () => {
    const before = await h.led(namespace, GROUP);
    const child = spawn('kubectl', ['leadergroup', 'dashboard', '--no-open', '-n', namespace], {
      env: { ...process.env, ...env },
    });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    await expect.poll(() => saidBy(out), PATIENCE).not.toBeNull();
    const { port, path } = saidBy(out) ?? { port: 0, path: '' };
    expect([(await stat(path)).mode & 0o777, (await stat(dirname(path))).mode & 0o777]).toEqual([0o600, 0o700]);
    const { ask } = await openWith(port, await readFile(path, 'utf8'));
    const first = await ask<Changes>('/v1/changes?after=0');
    expect(first.rows).toMatchObject([{ namespace, name: GROUP, leader: before.name, token: before.token }]);
    await h.world.setReady(namespace, before.name, false);
    const next = await h.led(namespace, GROUP, { not: before.name });
    const seen = async () => (await ask<OneGroup>(`/v1/group?key=${namespace}/${GROUP}`)).detail;
    await expect.poll(async () => (await seen())?.row.leader, PATIENCE).toBe(next.name);
    await expect.poll(async () => (await seen())?.members[0]?.pod, PATIENCE).toBe(next.name);
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    await expect(stat(path)).rejects.toThrow('ENOENT');
  });
});

describe('the rest', () => {
  it('a report is written for its owner alone, and never over another', async () => {
    const out = join(h.dir, `report-${namespace}.yaml`);
    expect((await cli('report', '--out', out)).stdout).toContain('Nothing was written');
    expect((await cli('report', '--out', out, '--yes')).code).toBe(0);
    expect((await stat(out)).mode & 0o777).toBe(0o600);
    expect(parse(await readFile(out, 'utf8'))).toMatchObject({
      groups: [{ namespace, name: GROUP }],
      unknown: [],
    });
    expect((await cli('report', '--out', out, '--yes')).stderr).toContain('EEXIST');
  });

  it('break-glass is refused for a group that is not being deleted', async () => {
    expect((await cli('break-glass', GROUP)).stderr).toContain('is not being deleted');
  });

  it('uninstall --check has what is there, in order', async () => {
    const { code, stdout } = await cli('uninstall', '--check');
    expect(code).toBe(4);
    expect(stdout).toMatch(new RegExp(`1\\. LeaderGroup ${namespace}/${GROUP}`));
    expect(stdout).toContain('CustomResourceDefinition leadergroups.leadergroup.dev');
  });
});

describe('rights', () => {
  it('of a viewer of the namespace are enough for the group, and not to know whether an operator runs', async () => {
    const config = await account('viewer', 'get,list,watch leadergroups.leadergroup.dev', 'list pods');
    expect((await cli('list', '--kubeconfig', config)).code).toBe(3);
    const { code, stdout } = await cli('status', GROUP, '--kubeconfig', config);
    expect([code, stdout]).toEqual([
      3,
      expect.stringMatching(/^Operator +unknown: no right to read deployments\.apps/m),
    ]);
  });

  it('that are missing are named', async () => {
    const config = await account('nobody');
    const { code, stdout, stderr } = await cli('list', '--kubeconfig', config);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^error: Cannot list leadergroups.leadergroup.dev in namespace .*You need the right to list leadergroups/,
    );
  });

  it('are those of whom the kubeconfig impersonates', async () => {
    const account = `system:serviceaccount:${namespace}:default`;
    const text = await h.kubectl.must(['config', 'view', '--raw', '--flatten', '-o', 'json']);
    const config = JSON.parse(text) as { users: readonly { user: Record<string, unknown> }[] };
    for (const { user } of config.users) user['as'] = account;
    const path = join(h.dir, `as-${namespace}.kubeconfig`);
    await writeFile(path, JSON.stringify(config));
    expect((await cli('list', '--kubeconfig', path)).stderr).toContain(`User "${account}" cannot list`);
  });
});

describe('completion', () => {
  it('by kubectl itself has the commands and the names of the groups', async () => {
    const commands = await kubectl.must(['__complete', 'leadergroup', 'hi']);
    expect(commands).toMatch(/^history\t/);
    const names = await kubectl.must(['__complete', 'leadergroup', 'status', '-n', namespace, '']);
    expect(names).toMatch(/^notifier\n/);
  });
});

/** Nothing follows it: from here on no operator runs. */
describe('break-glass, where no operator will ever run again', () => {
  it('lets a group go that has been stuck for two minutes, and leaves an event', async () => {
    const breakGlass = (...args: readonly string[]) =>
      kubectl.run(['leadergroup', 'break-glass', GROUP, '-n', held.namespace, ...args]);
    expect((await breakGlass('--dry-run')).stderr).toMatch(/An operator runs|less than two minutes ago/);
    await operator.kill();
    await h.kubectl.must(['-n', 'leadergroup-system', 'scale', 'deployment/leadergroup', '--replicas=0']);
    await held.release();
    await expect.poll(async () => (await breakGlass('--dry-run')).stderr, STUCK).toBe('');

    const { uid = '' } = (await h.world.readGroup(held.namespace, GROUP))?.metadata ?? {};
    const { code, stdout } = await breakGlass('--uid', uid, '--reason', 'the cluster is given up');
    expect([code, stdout]).toEqual([
      0,
      expect.stringContaining(`Took leadergroup.dev/finalizer off ${held.namespace}/${GROUP}.`),
    ]);
    expect(await h.world.readGroup(held.namespace, GROUP)).toBeNull();
    const events = await h.kubectl.must(['-n', held.namespace, 'get', 'events.events.k8s.io', '-o', 'json']);
    expect((JSON.parse(events) as { items: readonly object[] }).items).toContainEqual(
      expect.objectContaining({
        type: 'Warning',
        reason: 'FinalizerTakenOff',
        action: 'BreakGlass',
        note: expect.stringContaining('the cluster is given up') as string,
        regarding: expect.objectContaining({ kind: 'LeaderGroup', name: GROUP, uid }) as object,
      }),
    );
  });
});
