/** What deploy/monitoring asks Prometheus for. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const DIR = join(import.meta.dirname, '../../../deploy/monitoring');
export const RULE_FILE = join(DIR, 'alerts.yaml');

export type Rule = {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
};

type RuleFile = { readonly groups: readonly { readonly rules: readonly Rule[] }[] };
type Dashboard = {
  readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[];
};

export const rules = (): readonly Rule[] =>
  (parse(readFileSync(RULE_FILE, 'utf8')) as RuleFile).groups.flatMap((group) => group.rules);

export const alerts = (): readonly (Rule & { readonly alert: string })[] =>
  rules().flatMap((rule) => (rule.alert === undefined ? [] : [{ ...rule, alert: rule.alert }]));

/** Each query of the dashboard by its panel, with what Grafana puts in place of its variables. */
export const dashboardQueries = (): readonly (readonly [panel: string, expr: string])[] =>
  (JSON.parse(readFileSync(join(DIR, 'dashboard.json'), 'utf8')) as Dashboard).panels.flatMap(({ title, targets }) =>
    (targets ?? []).map(({ expr }) => [title, withoutVariables(expr)] as const),
  );

const withoutVariables = (expr: string): string =>
  expr.replaceAll('$job', '.*').replaceAll('$__rate_interval', '1m').replaceAll('$__range', '5m');

export type Selector = {
  /** Without the ending that a series of a histogram has. */
  readonly metric: string;
  readonly series: string;
  /** By label, the values that are asked for; those of a pattern one by one. */
  readonly values: Readonly<Record<string, readonly string[]>>;
};

/** What a query takes of metrics of the operator, of Node and of the process. */
export const selectorsIn = (expr: string): readonly Selector[] =>
  [...expr.matchAll(/(?<![:\w])((?:leadergroup|nodejs|process)_\w+)(?!:)\b(?:\{([^}]*)\})?/g)].map(
    ([, series = '', matchers = '']) => ({
      series,
      metric: series.replace(/_(?:bucket|sum|count)$/, ''),
      values: Object.fromEntries(
        [...matchers.matchAll(/(\w+)\s*(?:=~|!=|!~|=)\s*"([^"]*)"/g)].map(([, label = '', value = '']) => [
          label,
          value.split('|'),
        ]),
      ),
    }),
  );

/** Labels by which a query groups or joins. */
export const groupingIn = (expr: string): readonly string[] => [
  ...new Set(
    [...expr.matchAll(/\b(?:by|on|without)\s*\(([^)]*)\)/g)].flatMap(([, labels = '']) =>
      labels
        .split(',')
        .map((label) => label.trim())
        .filter((label) => label !== ''),
    ),
  ),
];
