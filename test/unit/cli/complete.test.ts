import { describe, expect, it } from 'vitest';
import { type AskKubectl, complete } from '../../../src/cli/complete.ts';

const asked: string[] = [];

/** Answers as kubectl would, and fails on anything else. */
const kubectl: AskKubectl = async (args) => {
  asked.push(args.join(' '));
  if (args[1] === 'leadergroups.leadergroup.dev')
    return 'leadergroup.leadergroup.dev/notifier\nleadergroup.leadergroup.dev/cart\n';
  if (args[1] === 'services') return 'service/notifier-leader\n';
  if (args[1] === 'pods') return 'pod/notifier-0\npod/notifier-1\n';
  if (args[1] === 'nodes') return 'node/node-a\n';
  if (args[1] === 'namespaces') return 'namespace/mail\nnamespace/shop\n';
  if (args[0] === 'config') return 'staging\nproduction\n';
  throw new Error(`nobody asks for ${args.join(' ')}`);
};

const words = async (...argv: readonly string[]): Promise<readonly string[]> =>
  (await complete(argv, kubectl)).map((line) => line.split('\t')[0] ?? '');

describe('completion', () => {
  it('knows the commands, with what they do', async () => {
    expect(await words('st')).toEqual(['status', ':4']);
    expect((await complete(['sta'], kubectl))[0]).toMatch(/^status\tshow who leads/);
  });

  it('knows the names of the groups, of the namespace and context that are typed', async () => {
    asked.length = 0;
    expect(await words('status', '-n', 'mail', '--context=staging', 'n')).toEqual(['notifier', ':4']);
    expect(asked).toEqual(['get leadergroups.leadergroup.dev -n mail --context=staging -o name']);
  });

  it('knows the names of the Services, for what moves one', async () => {
    expect(await words('route', 'n')).toEqual(['notifier-leader', ':4']);
    expect(await words('unroute', '')).toEqual(['notifier-leader', ':4']);
  });

  it('knows the names of the pods, for what asks about one', async () => {
    expect(await words('why', 'notifier-1')).toEqual(['notifier-1', ':4']);
    expect(await words('switchover', 'notifier', '--to', '')).toEqual(['notifier-0', 'notifier-1', ':4']);
  });

  it('knows what to ask what-if, and about which node or pod', async () => {
    expect(await words('what-if', '')).toEqual(['drain', 'delete', 'consul-down', ':4']);
    expect(await words('what-if', 'drain', '')).toEqual(['node-a', ':4']);
    expect(await words('what-if', 'delete', 'notifier-0')).toEqual(['notifier-0', ':4']);
    expect(await words('what-if', 'consul-down', '')).toEqual([':4']);
  });

  it('does not take the value of an option for a name', async () => {
    expect(await words('silence', '--for', '2h', 'n')).toEqual(['notifier', ':4']);
  });

  it('has no second name, and none for a command that takes none', async () => {
    expect(await words('status', 'notifier', '')).toEqual([':4']);
    expect(await words('list', '')).toEqual([':4']);
  });

  it.each([
    [
      ['list', '-o', 'j'],
      ['json', ':4'],
    ],
    [
      ['list', '-n', ''],
      ['mail', 'shop', ':4'],
    ],
    [
      ['--context', 'prod'],
      ['production', ':4'],
    ],
    [['list', '--kubeconfig', ''], [':0']],
    [['report', '--out', ''], [':0']],
    [['audit', '--log', ''], [':0']],
    [['audit', '--log', 'a.log', ''], [':0']],
    [
      ['route', 'notifier', '--by', ''],
      ['label', 'slice', ':4'],
    ],
    [['silence', 'notifier', '--for', ''], [':4']],
    [
      ['watch', '--fo'],
      ['--for', ':4'],
    ],
  ])('knows what may follow %j', async (argv, expected) => {
    expect(await words(...argv)).toEqual(expected);
  });

  it('has nothing to offer where kubectl has no answer', async () => {
    expect(await complete(['status', ''], async () => '')).toEqual([':4']);
  });
});

it('completion loads no Kubernetes client', async () => {
  const { readFileSync } = await import('node:fs');
  const { dirname, join } = await import('node:path');
  const seen = new Set<string>();
  const follow = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    // Not those of types alone, which are erased, nor those that wait for a command to run.
    for (const [, path = ''] of readFileSync(file, 'utf8').matchAll(
      /^(?:import|export) (?!type)[^;]*? from '(\.[^']+)';/gms,
    ))
      follow(join(dirname(file), path));
  };
  follow(join(import.meta.dirname, '../../../src/kubectl-complete-leadergroup.ts'));
  expect([...seen].filter((file) => /kubernetes\/|api\/|connect/.test(file))).toEqual([]);
  expect(seen.size).toBeGreaterThan(3);
});
