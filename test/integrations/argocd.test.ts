/** What Argo CD says of a LeaderGroup and does to it, by the scripts of deploy/integrations/argocd, in an interpreter of Lua. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import type { LeaderGroupStatus } from '../../src/api/leadergroup.ts';
import { parseLeaderGroup } from '../../src/api/parse.ts';
import { SITUATIONS, statusIn } from '../kit/fakes/situations.ts';
import { runLua } from '../kit/rig/lua.ts';

const FOLDER = join(import.meta.dirname, '../../deploy/integrations/argocd');
const script = (path: string): string => readFileSync(join(FOLDER, path), 'utf8');

type Health = { readonly status: string; readonly message: string };
type Group = {
  readonly metadata: { readonly generation: number; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: { readonly paused?: boolean };
  readonly status?: Partial<LeaderGroupStatus>;
};

const group = (status?: Partial<LeaderGroupStatus>, spec: Group['spec'] = {}): Group => ({
  metadata: { generation: 1 },
  spec,
  ...(status === undefined ? {} : { status }),
});
const healthOf = (obj: Group): Health => runLua(script('health.lua'), obj) as Health;
const act = (name: string, obj: Group): Group => runLua(script(`actions/${name}/action.lua`), obj) as Group;
const offered = (obj: Group): Readonly<Record<string, { readonly disabled: boolean }>> =>
  runLua(script('actions/discovery.lua'), obj) as never;

const HEALTH: Readonly<Record<keyof typeof SITUATIONS, string>> = {
  led: 'Healthy',
  'no candidate': 'Degraded',
  'Consul is away, Hold': 'Degraded',
  'Consul is away, Demote': 'Degraded',
  'led elsewhere': 'Healthy',
  overlap: 'Degraded',
  paused: 'Suspended',
  'nobody passes before a promotion': 'Degraded',
  'an unresponsive leader, kept for want of another': 'Healthy',
  'a contested label': 'Degraded',
  'refused by a policy': 'Degraded',
  'a switchover that was refused': 'Healthy',
  deleting: 'Progressing',
};

describe('the health of a LeaderGroup', () => {
  it.each(Object.keys(SITUATIONS))('is as its conditions say, in their words: %s', (name) => {
    const status = statusIn(name);
    const { status: health, message } = healthOf(group(status));
    expect(health).toBe(HEALTH[name]);
    const words = [...status.conditions.map((condition) => condition.message), 'paused by spec.paused'];
    expect(words).toContain(message);
  });

  it('is Progressing before the operator has looked, and after an edit until it has looked again', () => {
    expect(healthOf(group()).status).toBe('Progressing');
    expect(healthOf(group({})).status).toBe('Progressing');
    expect(healthOf({ ...group(statusIn('led')), metadata: { generation: 2 } }).status).toBe('Progressing');
  });

  it('is Progressing while there are no pods yet, and not Degraded', () => {
    const condition = { type: 'Ready', status: 'False', reason: 'NoMembers', message: 'no pod matches' } as const;
    const conditions = [{ ...condition, lastTransitionTime: '', observedGeneration: 1 }];
    expect(healthOf(group({ observedGeneration: 1, conditions }))).toEqual({
      status: 'Progressing',
      message: 'no pod matches',
    });
  });
});

describe('the actions on a LeaderGroup', () => {
  it('are offered where they do something', () => {
    const disabled = (obj: Group): readonly string[] =>
      Object.entries(offered(obj)).flatMap(([name, action]) => (action.disabled ? [name] : []));
    expect(disabled(group(statusIn('led')))).toEqual(['resume']);
    expect(disabled(group(statusIn('led'), { paused: true })).toSorted()).toEqual(['pause', 'switchover']);
    expect(disabled(group(statusIn('no candidate'))).toSorted()).toEqual(['resume', 'switchover']);
    expect(disabled(group()).toSorted()).toEqual(['resume', 'switchover']);
  });

  it('pause and resume change one field', () => {
    const before = group(statusIn('led'));
    const paused = act('pause', before);
    expect(paused).toMatchObject({ metadata: before.metadata, spec: { paused: true } });
    expect(act('resume', paused).spec).toEqual({ paused: false });
  });

  it('switchover asks for another leader by this very moment, and leaves other annotations', () => {
    vi.useFakeTimers({ now: Date.UTC(2026, 10, 29, 3, 4, 5), toFake: ['Date'] });
    const wanted = 'to=any at=2026-11-29T03:04:05Z';
    const without = act('switchover', group(statusIn('led')));
    expect(without.metadata.annotations).toEqual({ 'leadergroup.dev/switchover': wanted });
    const annotations = { note: 'x', 'leadergroup.dev/switchover': 'to=any at=2020-01-01T00:00:00Z' };
    const again = act('switchover', { ...group(statusIn('led')), metadata: { generation: 1, annotations } });
    expect(again.metadata.annotations).toEqual({ note: 'x', 'leadergroup.dev/switchover': wanted });
    vi.useRealTimers();
  });

  it('leave a group that the operator takes', () => {
    const obj = {
      metadata: { name: 'a', namespace: 'b', uid: 'c', resourceVersion: '1', generation: 1 },
      spec: { selector: { matchLabels: { app: 'a' } } },
    };
    for (const name of ['pause', 'resume', 'switchover'])
      expect(parseLeaderGroup(act(name, obj as never) as never)?.kind).toBe('valid');
  });
});

describe('argocd-cm.yaml', () => {
  it('has these very scripts', () => {
    const { data } = parse(script('argocd-cm.yaml')) as { readonly data: Readonly<Record<string, string>> };
    expect(data['resource.customizations.health.leadergroup.dev_LeaderGroup']).toBe(script('health.lua'));
    const actions = parse(data['resource.customizations.actions.leadergroup.dev_LeaderGroup'] ?? '') as {
      readonly 'discovery.lua': string;
      readonly definitions: readonly { readonly name: string; readonly 'action.lua': string }[];
    };
    expect(actions['discovery.lua']).toBe(script('actions/discovery.lua'));
    for (const definition of actions.definitions)
      expect(definition['action.lua']).toBe(script(`actions/${definition.name}/action.lua`));
    expect(actions.definitions.map(({ name }) => name)).toEqual(Object.keys(offered(group())).toSorted());
  });
});

it('the interpreter has no more than Argo CD gives', () => {
  for (const name of ['string', 'math', 'io', 'os', 'debug']) expect(runLua(`return ${name}`, {})).toBeNull();
  expect(() => runLua('return require("io")', {})).toThrow();
  expect(() => runLua('return obj.a.b', {})).toThrow('attempt to index');
});
