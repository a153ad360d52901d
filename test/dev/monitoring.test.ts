/** What of alerts, runbooks and the dashboard can be judged without Prometheus. test/integration/monitoring.test.ts has the rest. */
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { METRICS } from '../../src/http/metric-registry.ts';
import { alerts, dashboardQueries, groupingIn, rules, type Selector, selectorsIn } from '../kit/rig/monitoring.ts';

const RUNBOOKS = join(import.meta.dirname, '../../docs/runbooks');
const read = (file: string): string => readFileSync(join(RUNBOOKS, file), 'utf8');

/** Those that a scrape sets. */
const OF_TARGETS = ['cluster', 'namespace', 'job', 'instance', 'pod'];

const metrics: Readonly<Record<string, { readonly labels: Readonly<Record<string, readonly string[] | string>> }>> =
  METRICS;

/** What there is not of what a query takes. */
function unknownIn({ metric, series, values }: Selector): readonly string[] {
  if (/^(?:nodejs|process)_/.test(metric)) return [];
  const found = metrics[metric] ?? metrics[series];
  if (found === undefined) return [series];
  return Object.entries(values).flatMap(([label, asked]) => {
    if (OF_TARGETS.includes(label)) return [];
    const known = found.labels[label];
    if (known === undefined) return [`${series}{${label}}`];
    return typeof known === 'string'
      ? []
      : asked.filter((value) => !known.includes(value)).map((value) => `${series}{${label}="${value}"}`);
  });
}

const labels = new Set([
  ...OF_TARGETS,
  'le',
  ...Object.values(metrics).flatMap((metric) => Object.keys(metric.labels)),
]);

const QUERIES: readonly (readonly [where: string, expr: string])[] = [
  ...rules().map((rule) => [rule.alert ?? rule.record ?? '', rule.expr] as const),
  ...dashboardQueries(),
];

describe('a query of an alert, a recorded figure or the dashboard', () => {
  it.each(QUERIES)('asks for nothing that there is not: %s: %s', (_, expr) => {
    expect(selectorsIn(expr).flatMap(unknownIn)).toEqual([]);
    expect(groupingIn(expr).filter((label) => !labels.has(label))).toEqual([]);
  });

  it('is refused with a metric, a label or a value that there is not', () => {
    const expr =
      'rate(leadergroup_gone_total[5m]) + leadergroup_groups{state=~"led|lost"} + leadergroup_sessions{pod="a", state="b"}';
    expect(selectorsIn(expr).flatMap(unknownIn)).toEqual([
      'leadergroup_gone_total',
      'leadergroup_groups{state="lost"}',
      'leadergroup_sessions{state}',
    ]);
    expect(groupingIn('sum by (job, reeson) (x)')).toEqual(['job', 'reeson']);
  });

  it('is there for every metric', () => {
    const asked = new Set(
      QUERIES.flatMap(([, expr]) => selectorsIn(expr).flatMap(({ metric, series }) => [metric, series])),
    );
    expect(Object.keys(METRICS).filter((name) => !asked.has(name))).toEqual([]);
  });
});

describe('an alert', () => {
  it.each(alerts().map((alert) => [alert.alert, alert] as const))(
    'says how bad it is, for how long it has been so, what it means and where its page is: %s',
    (name, alert) => {
      expect(['critical', 'warning']).toContain(alert.labels?.['severity']);
      expect(alert.for).toMatch(/^\d+m$/);
      expect(alert.annotations?.['summary']).toMatch(/^\S.{10,60}$/);
      expect(alert.annotations?.['description']).toMatch(/\.$/);
      expect(alert.annotations?.['runbook_url']).toBe(`https://leadergroup.dev/docs/runbooks/${name}.md`);
      expect(read(`${name}.md`)).toMatch(
        new RegExp(
          `^# ${name}\n\n.+\n\n## Look\n\n(<!-- (?:not run|run by): .+ -->\n\n)?\`\`\`sh\n[^]+\`\`\`\n\n## Do\n\n- `,
        ),
      );
      const row = read('README.md')
        .split('\n')
        .find((line) => line.includes(`[${name}](${name}.md)`));
      expect(row).toContain(`| ${alert.labels?.['severity'] ?? ''} `);
    },
  );

  it('is there for every page of a runbook', () => {
    const pages = globSync('LeaderGroup*.md', { cwd: RUNBOOKS }).map((page) => basename(page, '.md'));
    expect(pages.toSorted()).toEqual(
      alerts()
        .map(({ alert }) => alert)
        .toSorted(),
    );
  });
});
