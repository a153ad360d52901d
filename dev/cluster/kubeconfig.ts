/** kubeconfig files, and where the API server is. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import type { Layout } from './layout.ts';
import { controlAddress } from './real/plan.ts';
import type { Site } from './spec.ts';
import type { ClusterState } from './state.ts';

/** The API server's address for clients. */
export function apiServerUrl(state: ClusterState): string {
  return `https://${controlAddress(state)}:${state.ports['kube-apiserver']}`;
}

/**
 * PEM of the certificate that the API server makes for itself at its first start, with the authority that signed it: there
 * is no tool for certificates in Node or on every machine.
 */
export function authorityPath(layout: Layout): string {
  return join(layout.data, 'kube-apiserver', 'apiserver.crt');
}

/** Writes a kubeconfig, readable by its owner only, for the static user with this token. */
export async function writeKubeconfig({ layout, state }: Site, path: string, token: string): Promise<void> {
  const authority = await readFile(authorityPath(layout), 'utf8');
  const name = 'leadergroup-dev';
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name,
        cluster: {
          server: apiServerUrl(state),
          'certificate-authority-data': Buffer.from(authority).toString('base64'),
        },
      },
    ],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  };
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, stringify(config), { mode: 0o600 });
}
