/** Flags, environment and file become one frozen Config, or the list of everything that is wrong with them. */
import { fileURLToPath } from 'node:url';
import type { LockKeyRule } from './api/lockkey.ts';
import { type ConsulAddress, readConsulAddress } from './config/consul.ts';
import { readFileSettings } from './config/file.ts';
import { helpText, readFlags } from './config/flags.ts';
import { type Identity, readIdentity } from './config/identity.ts';
import {
  environmentName,
  type GateAuthentication,
  isServiceLink,
  type LogLevel,
  type RawSetting,
  readSettings,
  SETTING_PATHS,
  type SettingPath,
  type Settings,
} from './config/settings.ts';
import type { Address } from './config/values.ts';

export type Config = {
  /** Of the operator; `unknown` where there is no package.json. */
  readonly version: string;
  /** null: named after the kube-system namespace's uid, once that is known. */
  readonly cluster: string | null;
  /** Without a trailing slash. */
  readonly prefix: string;
  readonly http: Address;
  /** Of the diagnostics on loopback; 0: there are none. */
  readonly diagnosticsPort: number;
  /** At most so long a grant of the gate is good for. */
  readonly gate: { readonly validityMs: number; readonly authentication: GateAuthentication };
  readonly log: { readonly level: LogLevel };
  readonly lockKeys: readonly LockKeyRule[];
  /** The namespaces that are watched, and the operator's own; null: all are watched. */
  readonly namespaces: { readonly watched: readonly string[]; readonly home: string } | null;
  /** Groups reconciled at the same time. */
  readonly measuredGroups: number;
  readonly workers: number;
  readonly kubernetes: { readonly requestTimeoutMs: number };
  readonly consul: ConsulAddress & { readonly requestTimeoutMs: number };
  /** Taken off every deadline: a demotion sent at the last moment is over before the lock can be another's. */
  readonly marginMs: number;
  readonly identity: Identity;
};

/** What the process was started with. `readFile` throws for a file that cannot be read. */
export type ConfigSource = {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => string;
  readonly hostname: string;
  readonly pid: number;
};

export type LoadedConfig =
  | { readonly kind: 'ok'; readonly config: Config }
  | { readonly kind: 'help' | 'version'; readonly text: string }
  /** Sentences: where, what is wrong, what is allowed. */
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

type Report = (problem: string) => void;

/** Over the timeout of a patch: the time between the decision to send it and its sending. */
const MARGIN_SLACK_MS = 500;

function packageVersion(readFile: ConfigSource['readFile']): string {
  try {
    const text = readFile(fileURLToPath(new URL('../package.json', import.meta.url)));
    return String((JSON.parse(text) as { version?: unknown }).version);
  } catch {
    return 'unknown';
  }
}

function fileSettings(path: string | null, readFile: ConfigSource['readFile'], report: Report) {
  if (path === null) return new Map<SettingPath, RawSetting>();
  try {
    return readFileSettings(readFile(path), path, report);
  } catch (error) {
    report(`--config: ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return new Map<SettingPath, RawSetting>();
  }
}

function environmentSettings(env: ConfigSource['env'], report: Report): ReadonlyMap<SettingPath, RawSetting> {
  const paths = new Map(SETTING_PATHS.map((path) => [environmentName(path), path]));
  const found = new Map<SettingPath, RawSetting>();
  for (const [name, raw] of Object.entries(env)) {
    if (!name.startsWith('LEADERGROUP_') || raw === undefined || raw === '') continue;
    const path = paths.get(name);
    if (path !== undefined) found.set(path, { where: name, raw });
    else if (!isServiceLink(name)) report(`${name} is unknown: allowed are ${[...paths.keys()].join(', ')}`);
  }
  return found;
}

/** A group's own lock must be out of reach of every lockKey. */
function checkPrefixes({ prefix, lockKeys }: Settings, report: Report): void {
  for (const { prefix: shared } of lockKeys) {
    if (shared.startsWith(`${prefix}/`)) report(`lockKeys: ${shared} is below the operator's own prefix ${prefix}`);
  }
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) freeze(part);
  }
  return value;
}

const namespacesOf = ({ watchNamespaces }: Settings, { podNamespace }: Identity): Config['namespaces'] =>
  watchNamespaces.length === 0 || podNamespace === null ? null : { watched: [...watchNamespaces], home: podNamespace };

/** Several installations of one cluster are told apart by the namespaces that they run in. */
function checkNamespaces({ watchNamespaces }: Settings, { podNamespace }: Identity, report: Report): void {
  if (watchNamespaces.length > 0 && podNamespace === null)
    report('watchNamespaces: set POD_NAMESPACE (and POD_NAME) too, from the downward API');
}

const assemble = (settings: Settings, consul: ConsulAddress, identity: Identity): Omit<Config, 'version'> => ({
  cluster: settings.cluster,
  prefix: settings.prefix,
  http: { ...settings['http.address'] },
  diagnosticsPort: settings['diagnostics.port'],
  gate: { validityMs: settings['gate.validityMilliseconds'], authentication: settings['gate.authentication'] },
  log: { level: settings['log.level'] },
  lockKeys: [...settings.lockKeys],
  namespaces: namespacesOf(settings, identity),
  measuredGroups: settings['metrics.groups'],
  workers: settings.workers,
  kubernetes: { requestTimeoutMs: settings['kubernetes.requestTimeoutMilliseconds'] },
  consul: { ...consul, requestTimeoutMs: settings['consul.requestTimeoutMilliseconds'] },
  marginMs: settings['kubernetes.requestTimeoutMilliseconds'] + MARGIN_SLACK_MS,
  identity,
});

/** The environment wins over the file, the file over the defaults. Reads nothing but through `readFile`. */
export function loadConfig(source: ConfigSource): LoadedConfig {
  const problems: string[] = [];
  const report: Report = (problem) => void problems.push(problem);
  const flags = readFlags(source.argv, report);
  if (flags.kind === 'help') return { kind: 'help', text: helpText() };
  if (flags.kind === 'version') return { kind: 'version', text: `leadergroup ${packageVersion(source.readFile)}` };
  const raws = new Map([
    ...fileSettings(flags.configFile, source.readFile, report),
    ...environmentSettings(source.env, report),
  ]);
  const version = packageVersion(source.readFile);
  const settings = readSettings(raws, report);
  checkPrefixes(settings, report);
  const consul = readConsulAddress(source.env, source.readFile, report);
  const identity = readIdentity(source.env, source, report);
  checkNamespaces(settings, identity, report);
  if (problems.length > 0) return { kind: 'invalid', problems };
  return { kind: 'ok', config: freeze({ version, ...assemble(settings, consul, identity) }) };
}
