/** docs/reference/settings.md: every setting of the operator, and Consul's own variables. */
import { CONSUL_VARIABLES, UNSUPPORTED_CONSUL_VARIABLES } from '../../src/config/consul-variables.ts';
import { environmentName, SETTING_PATHS, SETTINGS } from '../../src/config/settings.ts';
import { cell, code, table } from '../markdown.ts';

function shown(value: unknown): string {
  if (value === null) return '';
  if (typeof value !== 'object' || Array.isArray(value)) return code(value);
  const { host, port } = value as { readonly host: string; readonly port: number };
  return code(`${host}:${port}`);
}

const rows = (texts: Readonly<Record<string, string>>): readonly (readonly string[])[] =>
  Object.entries(texts).map(([name, help]) => [code(name), cell(help)]);

export const settings = (): string => `# Settings

<!-- Made from src/config/settings.ts and src/config/consul-variables.ts by \`npm run generate\`: change it there. -->

\`--config FILE\` (YAML), environment variables, or both; the environment takes precedence. In the chart's values the first are \`settings\`, the second \`consul\`.
Every setting that is wrong is reported at once, and the operator ends with exit code 2.

## The operator's own

${table(
  ['in the file', 'in the environment', 'meaning', 'default'],
  SETTING_PATHS.map((path) => [
    code(path),
    code(environmentName(path)),
    cell(SETTINGS[path].help),
    shown(SETTINGS[path].default),
  ]),
)}

## Consul's variables

They mean what they mean to Consul's own tools. [install.md](../install.md#where-consul-is) has the values of the chart.

${table(['variable', 'meaning'], rows(CONSUL_VARIABLES))}

These are refused at the start, since without them requests would go elsewhere or come from somebody else:

${table(['variable', 'instead'], rows(UNSUPPORTED_CONSUL_VARIABLES))}
`;
