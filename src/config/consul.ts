/** Where Consul is and who we are to it, from the variables that Consul's own tools use. */
import { UNSUPPORTED_CONSUL_VARIABLES } from './consul-variables.ts';
import { show } from './values.ts';

type ConsulTlsFiles = {
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly serverName: string | null;
  readonly verify: boolean;
};

export type ConsulAddress = {
  /** `http://host:port` or `https://…`, with a path if one was given, without a slash at its end. */
  readonly address: string;
  readonly token: string | null;
  readonly tokenFile: string | null;
  /** Instead of a token: an auth method, and the file of the ServiceAccount's token that it is shown; null: no login. */
  readonly login: { readonly method: string; readonly bearerFile: string } | null;
  /** null with plain http. */
  readonly tls: ConsulTlsFiles | null;
};

type Environment = Readonly<Record<string, string | undefined>>;
type Report = (problem: string) => void;

const DEFAULT_ADDRESS = '127.0.0.1:8500';

const FILES = ['CONSUL_HTTP_TOKEN_FILE', 'CONSUL_CACERT', 'CONSUL_CLIENT_CERT', 'CONSUL_CLIENT_KEY'];

/** Of the pod's ServiceAccount, with the audience of the API server, which the auth method asks. */
const BEARER_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** The words that Go's ParseBool knows, which Consul's tools use. */
const TRUE = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const FALSE = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

/** An empty variable is one that was left out: charts and shells write them so. */
function given(env: Environment, name: string): string | null {
  const value = env[name]?.trim();
  return value === undefined || value === '' ? null : value;
}

function flag(env: Environment, name: string, fallback: boolean, report: Report): boolean {
  const value = given(env, name);
  if (value === null || TRUE.includes(value)) return value === null ? fallback : true;
  if (!FALSE.includes(value)) report(`${name}: ${show(value)} is neither true nor false`);
  return false;
}

function parseUrl(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** A URL keeps no default port, but Consul's is another: 80 and 443 are spelled out. */
function urlOf(url: URL, secure: boolean): string {
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  return `${secure ? 'https' : 'http'}://${url.hostname}:${port}${url.pathname.replace(/\/+$/, '')}`;
}

function readAddress(env: Environment, report: Report): URL | null {
  const value = given(env, 'CONSUL_HTTP_ADDR') ?? DEFAULT_ADDRESS;
  if (value.startsWith('unix:') || value.startsWith('/')) {
    report(`CONSUL_HTTP_ADDR: ${show(value)} is a unix socket, which is not supported: use host:port`);
    return null;
  }
  const url = parseUrl(value.includes('://') ? value : `http://${value}`);
  const isPlain = url !== null && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  if (isPlain && url.hostname !== '' && ['http:', 'https:'].includes(url.protocol)) return url;
  report('CONSUL_HTTP_ADDR: it is not an address: write host:port, http://host:port or https://host:port');
  return null;
}

function checkFiles(env: Environment, readFile: (path: string) => string, report: Report): void {
  for (const name of FILES) {
    const path = given(env, name);
    if (path === null) continue;
    try {
      readFile(path);
    } catch (error) {
      report(`${name}: ${show(path)} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

function checkPairs(env: Environment, report: Report): void {
  for (const [name, instead] of Object.entries(UNSUPPORTED_CONSUL_VARIABLES)) {
    if (given(env, name) !== null) report(`${name} is not supported: ${instead}, and leave it out`);
  }
  const method = given(env, 'CONSUL_LOGIN_AUTH_METHOD');
  for (const name of ['CONSUL_HTTP_TOKEN', 'CONSUL_HTTP_TOKEN_FILE']) {
    if (method !== null && given(env, name) !== null)
      report(`${name} and CONSUL_LOGIN_AUTH_METHOD are both set: leave one of them out`);
  }
  if (method === null && given(env, 'CONSUL_LOGIN_BEARER_TOKEN_FILE') !== null)
    report('CONSUL_LOGIN_BEARER_TOKEN_FILE is set without CONSUL_LOGIN_AUTH_METHOD: set both');
  const [cert, key] = [given(env, 'CONSUL_CLIENT_CERT'), given(env, 'CONSUL_CLIENT_KEY')];
  if (cert !== null && key === null) report('CONSUL_CLIENT_CERT is set without CONSUL_CLIENT_KEY: set both');
  if (cert === null && key !== null) report('CONSUL_CLIENT_KEY is set without CONSUL_CLIENT_CERT: set both');
}

/** The variables of HashiCorp's own programs on Kubernetes. The file is read at each login, and its absence told then. */
function readLogin(env: Environment): ConsulAddress['login'] {
  const method = given(env, 'CONSUL_LOGIN_AUTH_METHOD');
  const bearerFile = given(env, 'CONSUL_LOGIN_BEARER_TOKEN_FILE') ?? BEARER_FILE;
  return method === null ? null : { method, bearerFile };
}

/** TLS once asked for is never taken back by an http:// in the address, as with Consul's own clients. */
export function readConsulAddress(env: Environment, readFile: (path: string) => string, report: Report): ConsulAddress {
  const url = readAddress(env, report);
  const secure = flag(env, 'CONSUL_HTTP_SSL', false, report) || url?.protocol === 'https:';
  const verify = flag(env, 'CONSUL_HTTP_SSL_VERIFY', true, report);
  checkFiles(env, readFile, report);
  checkPairs(env, report);
  return {
    address: url === null ? `http://${DEFAULT_ADDRESS}` : urlOf(url, secure),
    token: given(env, 'CONSUL_HTTP_TOKEN'),
    tokenFile: given(env, 'CONSUL_HTTP_TOKEN_FILE'),
    login: readLogin(env),
    tls: secure
      ? {
          caFile: given(env, 'CONSUL_CACERT'),
          certFile: given(env, 'CONSUL_CLIENT_CERT'),
          keyFile: given(env, 'CONSUL_CLIENT_KEY'),
          serverName: given(env, 'CONSUL_TLS_SERVER_NAME'),
          verify,
        }
      : null,
  };
}
