/** docs/reference/metrics.md: every metric, and what to do with it. */

import { METRICS } from '../../src/http/metric-registry.ts';
import { cell, code, table } from '../markdown.ts';
import { linked } from './links.ts';

type Metric = {
  readonly type: string;
  readonly help: string;
  readonly labels: Readonly<Record<string, readonly string[] | string>>;
  readonly unit: string;
  readonly use: string;
};

const metricsByName: Readonly<Record<string, Metric>> = METRICS;

const labelsOf = ({ labels }: Metric): string =>
  Object.entries(labels)
    .map(([label, values]) => `${code(label)}: ${typeof values === 'string' ? values : values.map(code).join(', ')}`)
    .join('; ');

export const metrics = (): string => `# Metrics

<!-- Made from src/http/metric-registry.ts by \`npm run generate\`: change it there. -->

Each replica serves its own at \`/metrics\`; a time is in seconds. Beside them are prom-client's \`process_*\` and \`nodejs_*\` (memory, garbage
collection, event-loop lag), which have the names that every dashboard for Node.js knows.

Alerts on them, a dashboard and recorded service levels: [watching the operator](../observability.md).

A counter whose labels can have but few values has all of them from the start, at 0, so that \`increase()\` sees the first one too.

${table(
  ['metric', 'type', 'unit', 'what it measures', 'labels', 'what to do with it'],
  Object.entries(metricsByName).map(([name, metric]) => [
    code(name),
    metric.type,
    metric.unit,
    cell(linked(metric.help)),
    cell(linked(labelsOf(metric))),
    cell(linked(metric.use)),
  ]),
)}
`;
