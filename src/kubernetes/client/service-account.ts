/**
 * Access by a pod's service account, as every client finds it
 * (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/). Nothing but two files is needed, so a pod does not load the library that
 * reads kubeconfigs: with its models of the whole API it takes 90 MB and most of a second.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AccessReader } from './access.ts';

const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/** null: this is no pod, or its account is not mounted. The token and the authorities are read anew each time: both are replaced. */
export function openServiceAccount(
  env: Readonly<Record<string, string | undefined>> = process.env,
  folder = FOLDER,
): AccessReader | null {
  const [host, port] = [env['KUBERNETES_SERVICE_HOST'], env['KUBERNETES_SERVICE_PORT']];
  const [tokenFile, caFile] = [join(folder, 'token'), join(folder, 'ca.crt')];
  if (!host || !port || !existsSync(tokenFile)) return null;
  const server = new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`);
  return async () => {
    const [token, ca] = await Promise.all([readFile(tokenFile, 'utf8'), existing(caFile)]);
    return {
      server,
      proxy: null,
      tls: { ca, cert: undefined, key: undefined, servername: undefined, insecure: false },
      headers: { authorization: `Bearer ${token.trim()}` },
    };
  };
}

/** Without the file the system's authorities count. */
async function existing(file: string): Promise<Buffer | undefined> {
  return existsSync(file) ? await readFile(file) : undefined;
}
