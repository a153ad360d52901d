/** Where the API server is and how to be let in, from a kubeconfig file. Independent of the operator's own reader. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse, stringify } from 'yaml';

export type KubeAccess = {
  readonly server: URL;
  /** PEM; undefined: the machine's own authorities. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly token: string | undefined;
};

type Named = { readonly name: string } & Readonly<Record<string, unknown>>;
type Fields = Readonly<Record<string, string | undefined>>;

/** Reads the current context. Throws a sentence when something that it names is missing. */
export async function readKubeconfig(path: string): Promise<KubeAccess> {
  const config = parse(await readFile(path, 'utf8')) as Readonly<Record<string, unknown>>;
  const context = pick(config, 'contexts', 'context', String(config['current-context']), path);
  const cluster = pick(config, 'clusters', 'cluster', context['cluster'] ?? '', path);
  const user = pick(config, 'users', 'user', context['user'] ?? '', path);
  if (cluster['server'] === undefined) throw new Error(`${path} names no server`);
  const material = (fields: Fields, name: string): Promise<string | undefined> => pem(fields, name, dirname(path));
  return {
    server: new URL(cluster['server']),
    ca: await material(cluster, 'certificate-authority'),
    cert: await material(user, 'client-certificate'),
    key: await material(user, 'client-key'),
    token: user['token'],
  };
}

function pick(
  config: Readonly<Record<string, unknown>>,
  list: string,
  field: string,
  name: string,
  path: string,
): Fields {
  const found = ((config[list] ?? []) as readonly Named[]).find((entry) => entry.name === name);
  if (found === undefined) throw new Error(`${path} has no entry "${name}" in ${list}`);
  return (found[field] ?? {}) as Fields;
}

async function pem(fields: Fields, name: string, folder: string): Promise<string | undefined> {
  const inline = fields[`${name}-data`];
  if (inline !== undefined) return Buffer.from(inline, 'base64').toString('utf8');
  const file = fields[name];
  return file === undefined ? undefined : await readFile(resolve(folder, file), 'utf8');
}

/** Writes a kubeconfig, readable by its owner only. */
export async function writeKubeconfig(
  path: string,
  access: Omit<KubeAccess, 'server'> & { readonly server: string },
): Promise<void> {
  const data = (name: string, text: string | undefined): Record<string, string> =>
    text === undefined ? {} : { [`${name}-data`]: Buffer.from(text).toString('base64') };
  const cluster = { server: access.server, ...data('certificate-authority', access.ca) };
  const user = {
    ...data('client-certificate', access.cert),
    ...data('client-key', access.key),
    ...(access.token === undefined ? {} : { token: access.token }),
  };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster }],
    users: [{ name: 'test', user }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  };
  await writeFile(path, stringify(config), { mode: 0o600 });
}
