/** The command line: three flags, everything else is in the file or the environment. */
import { CONSUL_VARIABLES } from './consul-variables.ts';
import { environmentName, SETTING_PATHS, SETTINGS } from './settings.ts';

export type Flags =
  | { readonly kind: 'run'; readonly configFile: string | null }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' };

const USAGE = 'allowed are --config FILE, --help and --version';

const OTHERS_HELP = `Kubernetes: KUBECONFIG, or the pod's service account. A replica's identity: POD_NAME, POD_NAMESPACE, POD_UID.`;

const variableHelp = ([name, help]: readonly [string, string]): string => `  ${name}\n      ${help}`;

const settingHelp = (path: (typeof SETTING_PATHS)[number]): string =>
  `  ${path}\n      ${SETTINGS[path].help}\n      environment: ${environmentName(path)}`;

export const helpText = (): string =>
  [
    'leadergroup: the LeaderGroup operator',
    '',
    '  --config FILE   YAML file with the settings below',
    '  --help          print this text',
    '  --version       print the version',
    '',
    'Settings, by path in the file; the environment takes precedence over the file:',
    ...SETTING_PATHS.map(settingHelp),
    '',
    "Consul's standard variables work as in its own tools:",
    ...Object.entries(CONSUL_VARIABLES).map(variableHelp),
    '',
    OTHERS_HELP,
  ].join('\n');

/** `--config FILE` and `--config=FILE` as one argument each, with what follows a bare `--config` taken for its file. */
function joinConfig(argv: readonly string[]): readonly string[] {
  const [first, second, ...rest] = argv;
  if (first === undefined) return [];
  if (first === '--config') return [`--config=${second ?? ''}`, ...joinConfig(rest)];
  return [first, ...joinConfig(argv.slice(1))];
}

const CONFIG = /^--config=(.*)$/s;

/** `argv` without node and the script. */
export function readFlags(argv: readonly string[], report: (problem: string) => void): Flags {
  if (argv.includes('--help') || argv.includes('-h')) return { kind: 'help' };
  if (argv.includes('--version')) return { kind: 'version' };
  const args = joinConfig(argv);
  for (const argument of args) if (!CONFIG.test(argument)) report(`${argument} is unknown: ${USAGE}`);
  const files = args.flatMap((argument) => CONFIG.exec(argument)?.[1] ?? []);
  const isFile = (file: string): boolean => file !== '' && !file.startsWith('--');
  if (!files.every(isFile)) report(`--config needs a file: ${USAGE}`);
  if (files.length > 1) report('--config is given twice: one file holds all settings');
  return { kind: 'run', configFile: files.find(isFile) ?? null };
}
