/**
 * The operator's own settings: one table says of each its path in the file, its default, how it is read and what it is
 * for. The names in the environment and the help text follow from it.
 */
import { DIAGNOSTICS_PORT } from '../api/diagnostics.ts';
import type { LockKeyRule } from '../api/lockkey.ts';
import { GRANT_MS, MAX_GRANT_MS } from '../election/gate.ts';
import { readLockKeys } from './lock-keys.ts';
import { MOST_NAMESPACES, readNamespaces } from './namespaces.ts';
import { type Address, type Reader, readAddress, readDnsLabel, readInteger, readKeyPath, readOneOf } from './values.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** How the gate knows which pod asks. */
export type GateAuthentication = 'Address' | 'Token';

export type Settings = {
  readonly cluster: string | null;
  readonly prefix: string;
  readonly 'http.address': Address;
  /** On loopback; 0: none. */
  readonly 'diagnostics.port': number;
  readonly 'gate.validityMilliseconds': number;
  readonly 'gate.authentication': GateAuthentication;
  readonly 'log.level': LogLevel;
  readonly lockKeys: readonly LockKeyRule[];
  /** Empty: all of them. */
  readonly watchNamespaces: readonly string[];
  /** Figures of so many single groups are measured; 0: of none. */
  readonly 'metrics.groups': number;
  readonly workers: number;
  readonly 'kubernetes.requestTimeoutMilliseconds': number;
  readonly 'consul.requestTimeoutMilliseconds': number;
};

export type SettingPath = keyof Settings;

type Setting<T> = { readonly default: T; readonly read: Reader<T>; readonly help: string };

/**
 * The timeouts are bounded so that, with the shortest session TTL (10 s, renewed each third), a renewal that fails can be
 * tried again before the deadline, from which the patch timeout is taken as margin.
 */
export const SETTINGS: { readonly [P in SettingPath]: Setting<Settings[P]> } = {
  cluster: {
    default: null,
    read: readDnsLabel,
    help: "name of this cluster in Consul; default: first 8 characters of the kube-system namespace's uid",
  },
  prefix: { default: 'leadergroup', read: readKeyPath, help: 'prefix of all Consul keys that the operator owns' },
  'http.address': {
    default: { host: '0.0.0.0', port: 8080 },
    read: readAddress,
    help: 'address of /livez, /readyz, /metrics, /replicas and /v1',
  },
  'diagnostics.port': {
    default: DIAGNOSTICS_PORT,
    read: readInteger(0, 65_535),
    help: 'port of diagnostics, on loopback of the pod alone, which `kubectl leadergroup` reaches by port-forward; 0: none',
  },
  'gate.validityMilliseconds': {
    default: GRANT_MS,
    read: readInteger(100, MAX_GRANT_MS),
    help: 'maximum validity of a grant of the gate; a handover waits up to this long for the last grant',
  },
  'gate.authentication': {
    default: 'Address',
    read: readOneOf('Address', 'Token'),
    help: 'how the gate knows which pod asks: Address, by where a request comes from; Token, by a ServiceAccount token of audience leadergroup, without which there is no grant',
  },
  'log.level': {
    default: 'info',
    read: readOneOf('debug', 'info', 'warn', 'error'),
    help: 'debug, info, warn or error',
  },
  lockKeys: {
    default: [],
    read: readLockKeys,
    help: 'which namespaces may use which shared keys: [{namespaces: [name or "*"], prefix}]',
  },
  watchNamespaces: {
    default: [],
    read: readNamespaces,
    help: `watch these namespaces only, ${MOST_NAMESPACES} at most, with rights in them and in the operator's own; default: all`,
  },
  'metrics.groups': {
    default: 0,
    read: readInteger(0, 10_000),
    help: 'measure who leads, its token and its changes for single groups, so many at most, each with about ten series; 0: for none',
  },
  workers: { default: 16, read: readInteger(1, 256), help: 'groups reconciled at the same time' },
  'kubernetes.requestTimeoutMilliseconds': {
    default: 2000,
    read: readInteger(100, 5000),
    help: 'timeout of one patch; the margin of every deadline depends on it',
  },
  'consul.requestTimeoutMilliseconds': { default: 2000, read: readInteger(100, 3000), help: 'timeout of one request' },
};

export const SETTING_PATHS = Object.keys(SETTINGS) as readonly SettingPath[];

/** `http.address` -> `LEADERGROUP_HTTP_ADDRESS`, `lockKeys` -> `LEADERGROUP_LOCK_KEYS`. */
export const environmentName = (path: string): string =>
  `LEADERGROUP_${path
    .replaceAll('.', '_')
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toUpperCase()}`;

/**
 * Kubernetes gives every container variables for each Service of its namespace. For a Service named leadergroup, or
 * leadergroup-something, they look like settings of ours, and are none.
 */
const SERVICE_LINK =
  /^LEADERGROUP(?:_[A-Z0-9_]+)?_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/;

export const isServiceLink = (name: string): boolean => SERVICE_LINK.test(name);

/** Where each raw value came from, for messages. */
export type RawSetting = { readonly where: string; readonly raw: unknown };

/** Every setting read, defaults filled in; `report` gets each that is wrong, and gets its default instead. */
export function readSettings(raws: ReadonlyMap<SettingPath, RawSetting>, report: (problem: string) => void): Settings {
  const readOne = <P extends SettingPath>(path: P): Settings[P] => {
    const given = raws.get(path);
    const { read, default: fallback } = SETTINGS[path];
    if (given === undefined) return fallback;
    const result = read(given.raw);
    if (result.ok) return result.value;
    report(`${given.where}: ${result.problem}`);
    return fallback;
  };
  return Object.fromEntries(SETTING_PATHS.map((path) => [path, readOne(path)])) as unknown as Settings;
}
