/** docs/reference/metrics.md: every metric, and when somebody should be told. */

import { METRICS } from '../../src/http/metric-registry.ts';
import { cell, code, table } from '../markdown.ts';
import { linked } from './links.ts';

type Metric = {
  readonly type: string;
  readonly help: string;
  readonly labels: Readonly<Record<string, readonly string[] | string>>;
  readonly alarm?: { readonly series?: string; readonly when: string };
};

const metricsByName: Readonly<Record<string, Metric>> = METRICS;

const labelsOf = ({ labels }: Metric): string =>
  Object.entries(labels)
    .map(([label, values]) => `${code(label)}: ${typeof values === 'string' ? values : values.map(code).join(', ')}`)
    .join('; ');

const alarms = (): string =>
  table(
    ['metric', 'when'],
    Object.entries(metricsByName).flatMap(([name, { alarm }]) =>
      alarm === undefined ? [] : [[cell(alarm.series ?? code(name)), cell(linked(alarm.when))]],
    ),
  );

export const metrics = (): string => `# Metrics

<!-- Made from src/http/metric-registry.ts by \`npm run generate\`: change it there. -->

Each replica serves its own at \`/metrics\`. Times are in seconds. Beside them are prom-client's \`process_*\` and \`nodejs_*\` (memory, garbage
collection, event-loop lag), which have the names that every dashboard for Node.js knows.

## Metrics to alarm on

${alarms()}

## All metrics

${table(
  ['metric', 'type', 'what it measures', 'labels'],
  Object.entries(metricsByName).map(([name, metric]) => [
    code(name),
    metric.type,
    cell(metric.help),
    cell(linked(labelsOf(metric))),
  ]),
)}
`;
