/**
 * Runs the operator as its Deployment does: with its service account's rights and token, found where every pod finds them. With a kubeconfig it
 * would load a library that takes 65 MB in none of its pods, and as the administrator nothing would limit its requests.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { readKubeconfig } from '../../test/kit/rig/kubeconfig.ts';
import type { Kubectl } from '../../test/kit/rig/kubectl.ts';

/** What is to be added to how a program is started. */
export type Start = { readonly env: Readonly<Record<string, string>>; readonly under: readonly string[] };

const ACCOUNT = 'leadergroup';
const NAMESPACE = 'leadergroup-system';
/** /var/run leads there. */
const MOUNTED = '/run/secrets/kubernetes.io/serviceaccount';
/** What the API server itself looks at; the Deployment, and what its pods would need, is not applied. */
const APPLIED = /^(?!20-operator|30-network).*\.yaml$/;

/** `deploy`: the manifests of the checkout that is measured. `dir`: where the account's files are written. */
export async function asAPod(
  kubectl: Kubectl,
  kubeconfig: string,
  { deploy, dir }: { readonly deploy: string; readonly dir: string },
): Promise<Start> {
  for (const name of (await readdir(deploy)).filter((each) => APPLIED.test(each)).toSorted())
    await kubectl.must(['apply', '-f', join(deploy, name)]);
  const token = await kubectl.must(['create', 'token', ACCOUNT, '-n', NAMESPACE, '--duration=24h']);
  const { server, ca } = await readKubeconfig(kubeconfig);
  const account = join(dir, 'service-account');
  await mkdir(account, { recursive: true });
  await writeFile(join(account, 'token'), token, { mode: 0o600 });
  if (ca !== undefined) await writeFile(join(account, 'ca.crt'), ca);
  return {
    env: { KUBERNETES_SERVICE_HOST: server.hostname, KUBERNETES_SERVICE_PORT: server.port },
    under: inOwnMounts(account),
  };
}

/** The files are where they belong, for this one process and nobody else on the machine. */
function inOwnMounts(account: string): readonly string[] {
  const place = `mount -t tmpfs none /run && mkdir -p ${MOUNTED} && cp "$0"/* ${MOUNTED} && exec "$@"`;
  const unshare = process.getuid?.() === 0 ? ['--mount'] : ['--map-root-user', '--mount'];
  return ['unshare', ...unshare, 'sh', '-c', place, account];
}
