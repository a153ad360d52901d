/**
 * The Traces port over OpenTelemetry's SDK, by OTLP over HTTP. Off unless the standard variables name where to send to; the SDK is loaded only
 * then, so that it costs nothing otherwise.
 */
import type { Attributes } from '@opentelemetry/api';
import type { MonotonicMs } from './api/clocks.ts';
import type { Clock } from './ports/clock.ts';
import type { Log } from './ports/log.ts';
import type { LeaderChangeTrace, StepName, Traces } from './ports/traces.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export type TracesOptions = {
  readonly env: Environment;
  readonly clock: Pick<Clock, 'nowMs' | 'wallMs'>;
  readonly log: Log;
  readonly version: string;
  /** This replica. */
  readonly instance: string;
};

export type SentTraces = Traces & {
  /** Sends what is left. Never rejects; takes as long as the collector lets it. */
  close(): Promise<void>;
};

const NAMES: Readonly<Record<StepName, string>> = {
  fence: 'fence patch',
  transaction: 'Consul transaction',
  promotion: 'promotion patch',
  route: 'route write',
};

/** Whether the variables of OpenTelemetry ask for traces: an endpoint, or the exporter by its name. */
export function areTracesAskedFor(env: Environment): boolean {
  const exporter = env['OTEL_TRACES_EXPORTER'] ?? '';
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || !['', 'otlp'].includes(exporter)) return false;
  const endpoint = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] || env['OTEL_EXPORTER_OTLP_ENDPOINT'] || '';
  return exporter === 'otlp' || endpoint !== '';
}

/** null: nobody has asked for traces, or for a way to send them that there is not. The exporter reads the rest of its variables itself. */
export async function createTraces(options: TracesOptions): Promise<SentTraces | null> {
  const { env, log } = options;
  if (!areTracesAskedFor(env)) return null;
  const protocol = env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] || env['OTEL_EXPORTER_OTLP_PROTOCOL'] || 'http/protobuf';
  if (protocol !== 'http/protobuf' && protocol !== 'http/json') {
    log.warn({ protocol }, 'no traces are sent: OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf or http/json');
    return null;
  }
  return await sending(options, protocol);
}

async function sending(
  { clock, log, version, instance }: TracesOptions,
  protocol: 'http/protobuf' | 'http/json',
): Promise<SentTraces> {
  const [api, sdk, resources, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/resources'),
    protocol === 'http/json'
      ? import('@opentelemetry/exporter-trace-otlp-http')
      : import('@opentelemetry/exporter-trace-otlp-proto'),
  ]);
  const own = { 'service.name': 'leadergroup', 'service.version': version, 'service.instance.id': instance };
  const detectors = [resources.resourceAttributesEnvDetector, resources.serviceNameEnvDetector];
  const provider = new sdk.TracerProvider({
    resource: resources.resourceFromAttributes(own).merge(resources.detectResources({ detectors })),
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  });
  const tracer = provider.getTracer('leadergroup', version);
  const wall = (atMs: MonotonicMs): number => clock.wallMs() - (clock.nowMs() - atMs);

  function leaderChanged(trace: LeaderChangeTrace): void {
    const attributes = attributesOf(trace);
    const root = tracer.startSpan('leader change', { attributes, startTime: wall(trace.noticedMs), root: true });
    const within = api.trace.setSpan(api.ROOT_CONTEXT, root);
    const child = (name: string, [beginMs, endMs]: readonly [MonotonicMs, MonotonicMs], outcome = 'ok'): void => {
      const span = tracer.startSpan(name, { attributes, startTime: wall(beginMs) }, within);
      if (outcome !== 'ok') span.setStatus({ code: api.SpanStatusCode.ERROR, message: outcome });
      span.end(wall(endMs));
    };
    child('decide', [trace.noticedMs, trace.decidedMs]);
    for (const { name, beginMs, endMs, outcome } of trace.steps) child(NAMES[name], [beginMs, endMs], outcome);
    root.end(wall(Math.max(trace.decidedMs, ...trace.steps.map(({ endMs }) => endMs))));
  }

  return {
    leaderChanged,
    close: async () => {
      await provider.shutdown().catch((error: unknown) => log.warn({ error }, 'the last traces were not sent'));
    },
  };
}

const attributesOf = ({ group, reason, token, from, to }: LeaderChangeTrace): Attributes => ({
  'leadergroup.group': group,
  'leadergroup.reason': reason,
  'leadergroup.token': token,
  'leadergroup.from': from,
  'leadergroup.to': to,
});
