/** The environment in which kubectl, consul and the operator find this cluster. */
import { writeFile } from 'node:fs/promises';
import { delimiter } from 'node:path';
import { consulAddress } from './consul.ts';
import type { Site } from './spec.ts';

/** The variables, PATH with the cluster's binaries first. */
export function environmentOf(site: Site): Readonly<Record<string, string>> {
  const { layout } = site;
  return { ...variables(site), PATH: [layout.bin, process.env['PATH'] ?? ''].join(delimiter) };
}

/** Writes D/env: `. D/env` in a shell. */
export async function writeEnvFile(site: Site): Promise<void> {
  const exports = Object.entries(variables(site)).map(([name, value]) => `export ${name}=${quoted(value)}`);
  const lines = [...exports, `export PATH=${quoted(site.layout.bin)}:"$PATH"`];
  await writeFile(site.layout.env, `${lines.join('\n')}\n`, { mode: 0o600 });
}

function variables(site: Site): Readonly<Record<string, string>> {
  const token = site.state.consulToken;
  return {
    KUBECONFIG: site.layout.kubeconfig,
    CONSUL_HTTP_ADDR: consulAddress(site),
    ...(token === undefined ? {} : { CONSUL_HTTP_TOKEN: token }),
  };
}

/** A word for POSIX shells, whatever it holds. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
