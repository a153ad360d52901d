/** `kubectl leadergroup verify` as somebody runs it from this machine, and what is left of a run in the cluster and in Consul. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import type { VerifyResult } from '../../../../src/cli/verify/judge.ts';
import { GROUP_NAME } from '../../../../src/cli/verify/objects.ts';
import type { Site } from './site.ts';

const ROOT = join(import.meta.dirname, '../../../..');
/** Everything of a run that may be left, Events apart. */
const KINDS = 'jobs,deployments,replicasets,pods,services,endpointslices,endpoints,leadergroups';

export type Verifying = {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>;
  /** Resolves when it has said this. */
  says(words: string): Promise<void>;
};

export function startVerify(site: Site, namespace: string, ...args: readonly string[]): Verifying {
  const child = spawn(process.execPath, ['src/kubectl-leadergroup.ts', 'verify', '-n', namespace, ...args], {
    cwd: ROOT,
    env: { ...process.env, KUBECONFIG: site.cluster.kubeconfigPath },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => void (said += piece));
  const closed = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  const ended = Promise.all([closed, text(child.stdout)]).then(([code, out]) => ({ code, out, err: said }));
  const says = (words: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => void (said.includes(words) && resolve());
      child.stderr.on('data', look);
      void ended.then(({ out, err }) => reject(new Error(`it ended, and never said "${words}": ${err}${out}`)));
      look();
    });
  return { child, ended, says };
}

export async function verified(site: Site, namespace: string, ...args: readonly string[]) {
  const { code, out, err } = await startVerify(site, namespace, '-o', 'json', ...args).ended;
  if (out === '') throw new Error(`verify ended with ${code}: ${err}`);
  return { code, result: JSON.parse(out) as VerifyResult };
}

/** Names of what is there, of all kinds that a run makes. */
export async function leftOf({ kubectl }: Site, namespace: string): Promise<readonly string[]> {
  const names = await kubectl.must(['-n', namespace, 'get', KINDS, '-o', 'name']);
  return names.split('\n').filter((name) => /\/(?:leadergroup-)?verify/.test(name));
}

/** Sessions of Consul for members of the namespace, and locks that one of them holds. What stays is the record of the last token. */
export async function tracesOf({ cluster }: Site, namespace: string): Promise<readonly string[]> {
  const of = `${namespace}/${GROUP_NAME}/`;
  const read = async <T>(path: string): Promise<readonly T[]> =>
    (await (await fetch(`http://${cluster.consulAddress}/v1/${path}`)).json()) as readonly T[];
  const sessions = await read<{ readonly Name: string }>('session/list');
  const entries = await read<{ readonly Key: string; readonly Session?: string }>('kv/?recurse');
  const held = entries.filter(({ Key, Session }) => Key.includes(of) && Session !== undefined);
  return [...sessions.map(({ Name }) => Name).filter((name) => name.includes(of)), ...held.map(({ Key }) => Key)];
}
