/** The configuration file: YAML, a mapping of the settings' paths. */
import { parseDocument } from 'yaml';
import { type RawSetting, SETTING_PATHS, type SettingPath } from './settings.ts';
import { show } from './values.ts';

type Mapping = Readonly<Record<string, unknown>>;

const isMapping = (raw: unknown): raw is Mapping => typeof raw === 'object' && raw !== null && !Array.isArray(raw);

const isPath = (path: string): path is SettingPath => (SETTING_PATHS as readonly string[]).includes(path);

const isSection = (path: string): boolean => SETTING_PATHS.some((known) => known.startsWith(`${path}.`));

function childrenOf(section: string): string {
  const start = section === '' ? '' : `${section}.`;
  const names = SETTING_PATHS.filter((path) => path.startsWith(start)).map(
    (path) => path.slice(start.length).split('.')[0],
  );
  return [...new Set(names)].join(', ');
}

const collect = (
  mapping: Mapping,
  section: string,
  file: string,
  report: (problem: string) => void,
): readonly (readonly [SettingPath, RawSetting])[] =>
  Object.entries(mapping).flatMap(([key, raw]) => {
    const path = section === '' ? key : `${section}.${key}`;
    const where = `${file}: ${path}`;
    // An empty value is a setting left out, as in "cluster:" with everything behind it commented.
    if (isPath(path)) return raw === null ? [] : [[path, { where, raw }] as const];
    if (!isSection(path)) {
      report(`${where} is unknown: allowed here are ${childrenOf(section)}`);
      return [];
    }
    if (raw === null) return [];
    if (isMapping(raw)) return collect(raw, path, file, report);
    report(`${where}: ${show(raw)} is not a mapping of ${childrenOf(path)}`);
    return [];
  });

function parse(text: string, file: string, report: (problem: string) => void): unknown {
  try {
    const document = parseDocument(text, { prettyErrors: true });
    for (const { message } of document.errors) report(`${file}: ${message.split('\n')[0]?.replace(/:$/, '')}`);
    return document.errors.length > 0 ? null : document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    // E.g. aliases that would unfold to millions of values.
    report(`${file}: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

/** The raw settings of a file; `report` gets what is no YAML, no mapping or no setting of ours. */
export function readFileSettings(
  text: string,
  file: string,
  report: (problem: string) => void,
): ReadonlyMap<SettingPath, RawSetting> {
  const content = parse(text, file, report);
  if (content === null || content === undefined) return new Map();
  if (isMapping(content)) return new Map(collect(content, '', file, report));
  report(`${file}: the file is not a mapping of settings, e.g. "log: {level: info}"`);
  return new Map();
}
