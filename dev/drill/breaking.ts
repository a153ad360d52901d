/** How things are broken. */
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import type { Practice } from './practice.ts';

export const OPERATOR = ['-n', 'leadergroup-system'] as const;
export const MAIL = ['-n', 'mail'] as const;

export const leaderOf = ({ kubectl }: Practice): Promise<string> =>
  kubectl(...MAIL, 'get', 'leadergroup', 'notifier', '-o', 'jsonpath={.status.leader}');

export async function scaleOperator({ kubectl }: Practice, replicas: number): Promise<void> {
  await kubectl(...OPERATOR, 'scale', 'deployment/leadergroup', `--replicas=${replicas}`);
}

export const syncs = async ({ kubectl }: Practice): Promise<boolean> =>
  ((await kubectl(
    ...MAIL,
    'get',
    'deployment',
    'label-sync',
    '--ignore-not-found',
    '-o',
    'jsonpath={.spec.replicas}',
  )) || '0') !== '0';

/** Writes the label onto a pod that does not lead, again and again, as a tool would that owns it, while its Deployment has a replica. */
export function contest(p: Practice): AsyncDisposable {
  const over = new AbortController();
  const others = ['get', 'pods', '-l', 'app=notifier,leadergroup.dev/role!=leader'] as const;
  const write = async (): Promise<void> => {
    const name = await p.kubectl(...MAIL, ...others, '-o', 'jsonpath={.items[0].metadata.name}');
    const label = ['leadergroup.dev/role=leader', '--overwrite', '--field-manager=label-sync'] as const;
    await p.kubectl(...MAIL, 'label', 'pod', name, ...label);
  };
  const writing = (async () => {
    while (!over.signal.aborted) {
      // Somebody else writes the same pods, and they come and go.
      if (await syncs(p).catch(() => false)) await write().catch(() => undefined);
      await delay(500, undefined, { signal: over.signal }).catch(() => undefined);
    }
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await writing;
    },
  };
}

/** Another machine has the lock, as somebody's shell does. */
export async function lockElsewhere(p: Practice): Promise<AsyncDisposable> {
  const child = execa('consul', ['lock', '-name=backup on db-2', 'jobs/nightly', 'exec sleep 3600'], {
    env: p.env,
    reject: false,
  });
  const scale = (replicas: number) => p.kubectl(...MAIL, 'scale', 'deployment/nightly', `--replicas=${replicas}`);
  // Else the operator hands over to the next pod, and never lets go.
  await scale(0);
  const holder = ['get', 'leadergroup', 'nightly', '-o', 'jsonpath={.status.lockedBy}'] as const;
  await p.until('somebody else has the lock', async () => (await p.kubectl(...MAIL, ...holder)).includes('backup'));
  await scale(2);
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await child;
    },
  };
}

export async function readyIs(p: Practice, ready: boolean, pod: string): Promise<void> {
  const status = ready ? 'True' : 'False';
  const condition = { type: 'Ready', status, reason: 'Drill', lastTransitionTime: new Date().toISOString() };
  await p.kubectl(
    ...MAIL,
    'patch',
    'pod',
    pod,
    '--subresource=status',
    '-p',
    JSON.stringify({ status: { conditions: [condition] } }),
  );
}

export async function candidate(p: Practice, pods: readonly string[], value: string): Promise<void> {
  await p.kubectl(...MAIL, 'annotate', 'pods', ...pods, `leadergroup.dev/candidate${value}`, '--overwrite');
}

export const podsOf = async ({ kubectl }: Practice, app: string): Promise<readonly string[]> =>
  (await kubectl(...MAIL, 'get', 'pods', '-l', `app=${app}`, '-o', 'jsonpath={.items[*].metadata.name}')).split(' ');
