/** Traces of changes of leader, as a collector gets them by OTLP. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { LeaderChangeTrace } from '../../src/ports/traces.ts';
import { areTracesAskedFor, createTraces } from '../../src/traces.ts';
import { createFakeClock, WALL_START_MS } from '../kit/fakes/clock.ts';
import { createFakeLog } from '../kit/fakes/log.ts';
import { startCollector } from '../kit/rig/collector.ts';

const START_MS = 1_000_000;
const CHANGE: LeaderChangeTrace = {
  group: 'mail/notifier',
  reason: 'LeaderNotReady',
  from: 'notifier-0',
  to: 'notifier-1',
  token: 7,
  noticedMs: START_MS - 20,
  decidedMs: START_MS - 18,
  steps: [
    { name: 'fence', beginMs: START_MS - 18, endMs: START_MS - 12, outcome: 'ok' },
    { name: 'transaction', beginMs: START_MS - 12, endMs: START_MS - 8, outcome: 'ok' },
    { name: 'route', beginMs: START_MS - 8, endMs: START_MS - 5, outcome: 'again' },
    { name: 'promotion', beginMs: START_MS - 8, endMs: START_MS - 3, outcome: 'ok' },
  ],
};

/** With these variables in the environment, where the exporter looks for them by itself. */
async function tracing(env: Readonly<Record<string, string>>) {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  const log = createFakeLog();
  const clock = createFakeClock(START_MS);
  return { traces: await createTraces({ env, clock, log, version: '1.2.3', instance: 'a' }), log };
}

describe('traces', () => {
  it.each<[asked: boolean, env: Readonly<Record<string, string>>]>([
    [false, {}],
    [false, { OTEL_SERVICE_NAME: 'x' }],
    [true, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }],
    [true, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector:4318/v1/traces' }],
    [true, { OTEL_TRACES_EXPORTER: 'otlp' }],
    [false, { OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }],
    [false, { OTEL_SDK_DISABLED: 'true', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }],
  ])('are asked for (%s) by %j', async (asked, env) => {
    expect(areTracesAskedFor(env)).toBe(asked);
    if (!asked) expect((await tracing(env)).traces).toBeNull();
  });

  it('are one for each change: from what made it necessary over its steps to the promotion, each with what it is about', async () => {
    await using collector = await startCollector();
    const { traces } = await tracing({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=test',
    });
    traces?.leaderChanged(CHANGE);
    await traces?.close();
    const spans = collector.spans();
    const [root] = spans.filter(({ parentSpanId }) => parentSpanId === '');
    expect(
      spans.map(({ name, beginMs, endMs }) => [
        name,
        beginMs - WALL_START_MS - START_MS,
        endMs - WALL_START_MS - START_MS,
      ]),
    ).toEqual(
      expect.arrayContaining([
        ['leader change', -20, -3],
        ['decide', -20, -18],
        ['fence patch', -18, -12],
        ['Consul transaction', -12, -8],
        ['route write', -8, -5],
        ['promotion patch', -8, -3],
      ]),
    );
    expect(spans).toHaveLength(6);
    for (const span of spans) {
      expect(span.attributes).toEqual({
        'leadergroup.group': 'mail/notifier',
        'leadergroup.reason': 'LeaderNotReady',
        'leadergroup.token': 7,
        'leadergroup.from': 'notifier-0',
        'leadergroup.to': 'notifier-1',
      });
      expect(span.traceId).toBe(root?.traceId);
      if (span !== root) expect(span.parentSpanId).toBe(root?.spanId);
      expect(span.failed).toBe(span.name === 'route write');
      expect(span.resource).toMatchObject({
        'service.name': 'leadergroup',
        'service.version': '1.2.3',
        'service.instance.id': 'a',
        'deployment.environment': 'test',
      });
    }
  });

  it('are sent as protobuf unless the variables say JSON', async () => {
    const bodies: [type: string | undefined, body: Buffer][] = [];
    const server = createServer((request, response) => {
      void buffer(request).then((body) => {
        bodies.push([request.headers['content-type'], body]);
        response.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { traces } = await tracing({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SERVICE_NAME: 'mine' });
    traces?.leaderChanged(CHANGE);
    await traces?.close();
    expect(bodies.map(([type]) => type)).toEqual(['application/x-protobuf']);
    for (const word of ['leader change', 'Consul transaction', 'mail/notifier', 'mine'])
      expect(bodies[0]?.[1].includes(word)).toBe(true);
  });

  it('are not sent by gRPC, and the log says so', async () => {
    const { traces, log } = await tracing({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4317',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    });
    expect(traces).toBeNull();
    expect(JSON.stringify(log)).toContain('OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf or http/json');
  });
});
