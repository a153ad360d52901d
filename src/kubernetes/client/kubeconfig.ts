/**
 * The only file that knows `@kubernetes/client-node`: it finds the kubeconfig (KUBECONFIG, ~/.kube/config), and reads certificates, tokens and
 * exec plugins. What the library lacks is added here: the field `tokenFile`, plain http, the proxy of the environment, a context without a user, and words for a
 * missing configuration.
 */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { dirname, resolve } from 'node:path';
import process from 'node:process';
import { type Cluster, KubeConfig, type User } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { asObject, field, listField, type RawObject, textField } from '../../api/raw.ts';
import { KubernetesError } from '../../ports/kubernetes.ts';
import type { Access, AccessReader } from './access.ts';
import { environmentProxy } from './environment-proxy.ts';
import { kubeconfigFiles } from './kubeconfig-files.ts';

/**
 * Opens the configuration anew; the reader that is returned keeps what an exec plugin answered until it expires.
 *
 * Throws KubernetesError `refused`, saying what to set, when there is no usable configuration.
 */
export const openKubeConfig = (): AccessReader => openContext(null).read;

/** A context of the kubeconfig, as a person chooses it. */
export type OpenContext = {
  readonly read: AccessReader;
  /** Empty: none is named, as in a pod. */
  readonly context: string;
  /** null: the context names none. */
  readonly namespace: string | null;
};

/** As openKubeConfig; `context` null: the current one. */
export function openContext(context: string | null): OpenContext {
  const loaded = new KubeConfig();
  try {
    loaded.loadFromDefault();
  } catch (error) {
    throw new KubernetesError('refused', `Cannot read the kubeconfig: ${textOf(error)}; check KUBECONFIG`, {
      cause: error,
    });
  }
  if (context !== null) choose(loaded, context);
  const cluster = loaded.getCurrentCluster();
  if (cluster === null) throw new KubernetesError('refused', NO_CLUSTER);
  const user = loaded.getCurrentUser() ?? { name: '' };
  const name = loaded.getCurrentContext();
  const server = serverOf(cluster);
  return {
    read: accessReader(cluster, user, server, proxyOf(cluster, server)),
    context: name,
    namespace: loaded.getContextObject(name)?.namespace ?? null,
  };
}

function choose(loaded: KubeConfig, context: string): void {
  if (loaded.getContextObject(context) === null) {
    const names = loaded.getContexts().map(({ name }) => name);
    const there = names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`;
    throw new KubernetesError('refused', `The kubeconfig has no context "${context}": ${there}`);
  }
  loaded.setCurrentContext(context);
}

const NO_CLUSTER =
  'The kubeconfig has no usable current context: run `kubectl config use-context` with one of `kubectl config get-contexts`';
const NO_CONFIG =
  'No configuration for the API server was found: set KUBECONFIG, or run as a pod with a service account';

function serverOf(cluster: Cluster): URL {
  // What the library makes up when it has found nothing.
  const invented = cluster.server === 'http://localhost:8080' && kubeconfigFiles().length === 0;
  if (invented || cluster.server.includes('undefined')) throw new KubernetesError('refused', NO_CONFIG);
  if (!URL.canParse(cluster.server) || !/^https?:/.test(cluster.server)) {
    throw new KubernetesError('refused', `The kubeconfig's server "${cluster.server}" is not an http or https URL`);
  }
  return new URL(cluster.server);
}

/** That of the kubeconfig goes before that of the environment, as with kubectl. */
function proxyOf({ proxyUrl }: Cluster, server: URL): string | null {
  const named = proxyUrl === undefined || proxyUrl === '' ? null : proxyUrl;
  const proxy = named ?? environmentProxy(server, process.env);
  if (proxy === null || (/^https?:/.test(proxy) && URL.canParse(proxy))) return proxy;
  const shown = proxy.replace(/\/\/[^/@]*@/, '//');
  const [origin, advice] =
    named === null
      ? [
          'The proxy of the environment (HTTPS_PROXY, HTTP_PROXY)',
          `; name ${server.hostname} in NO_PROXY to do without it`,
        ]
      : ["The kubeconfig's proxy-url", ''];
  throw new KubernetesError('refused', `${origin} "${shown}" is not an http or https URL${advice}`);
}

function accessReader(cluster: Cluster, user: User, server: URL, proxy: string | null): AccessReader {
  const config = new KubeConfig();
  const tokenFile = tokenFileOf(user);
  const impersonated = impersonationOf(user);
  // The library refuses plain http unless TLS is not checked, and a user of a token file would be read with a delay.
  const reachable = server.protocol === 'http:' ? { ...cluster, skipTLSVerify: true } : cluster;
  config.loadFromClusterAndUser(reachable, tokenFile === null ? user : { ...user, authProvider: null });

  return async () => {
    const options: RequestOptions & { ca?: Buffer; cert?: Buffer | string; key?: Buffer | string } = {};
    await config.applyToHTTPSOptions(options);
    const token = tokenFile === null ? null : await readFile(tokenFile, 'utf8');
    const tls = {
      ca: options.ca,
      cert: options.cert,
      key: options.key,
      servername: cluster.tlsServerName,
      insecure: cluster.skipTLSVerify,
    } satisfies Access['tls'];
    const headers = { ...headersOf(options, token), ...impersonated };
    return { server, proxy, tls, headers };
  };
}

/** The library knows `as` alone; without the groups the request would be another's than the kubeconfig says. */
function impersonationOf({ name }: User): Readonly<Record<string, string | string[]>> {
  const user = kubeconfigFiles()
    .map((file) => userIn(file, name))
    .find((found) => found !== null);
  if (user === undefined) return {};
  const groups = listField(user, 'as-groups', asText);
  const uid = textField(user, 'as-uid');
  const extra = Object.entries(asObject(field(user, 'as-user-extra')) ?? {}).map(([key, values]) => [
    `impersonate-extra-${encodeURIComponent(key.toLowerCase())}`,
    listField({ values }, 'values', asText),
  ]);
  return {
    ...(groups.length === 0 ? {} : { 'impersonate-group': [...groups] }),
    ...(uid === '' ? {} : { 'impersonate-uid': uid }),
    ...Object.fromEntries(extra),
  };
}

const asText = (raw: unknown): string | null => (typeof raw === 'string' ? raw : null);

/** A token from a file ends in a newline more often than not, which no header may contain. */
function headersOf({ headers, auth }: RequestOptions, token: string | null): Readonly<Record<string, string>> {
  const given = Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value).trim()]);
  const basic = typeof auth === 'string' ? { authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {};
  const bearer = token === null ? {} : { authorization: `Bearer ${token.trim()}` };
  return { ...basic, ...(Object.fromEntries(given) as Record<string, string>), ...bearer };
}

/** In a pod the library itself puts the file's path where it once was in kubeconfigs. */
function tokenFileOf(user: User): string | null {
  const provider = asObject(asObject(user.authProvider)?.['config']);
  const ofPod = provider === null ? '' : textField(provider, 'tokenFile');
  if (ofPod !== '') return ofPod;
  for (const file of kubeconfigFiles()) {
    const path = tokenFileIn(file, user.name);
    if (path !== null) return resolve(dirname(file), path);
  }
  return null;
}

function tokenFileIn(file: string, userName: string): string | null {
  const user = userIn(file, userName);
  const path = user === null ? '' : textField(user, 'tokenFile');
  return path === '' ? null : path;
}

function userIn(file: string, userName: string): RawObject | null {
  const config = asObject(parse(readFileSync(file, 'utf8')));
  const entries = config === null ? [] : listField(config, 'users', asObject);
  return asObject(field(entries.find((entry) => textField(entry, 'name') === userName) ?? {}, 'user'));
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
