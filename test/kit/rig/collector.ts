/** A collector of traces, for OTLP as JSON over HTTP. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

type Attributes = Readonly<Record<string, string | number>>;

export type CollectedSpan = {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: the first of its trace. */
  readonly parentSpanId: string;
  /** Epoch milliseconds. */
  readonly beginMs: number;
  readonly endMs: number;
  readonly failed: boolean;
  readonly attributes: Attributes;
  readonly resource: Attributes;
};

export type Collector = {
  readonly url: string;
  /** All that have come. */
  spans(): readonly CollectedSpan[];
  [Symbol.asyncDispose](): Promise<void>;
};

type WrittenAttributes = readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];

type Written = {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: WrittenAttributes };
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        readonly name: string;
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId?: string;
        readonly startTimeUnixNano: string;
        readonly endTimeUnixNano: string;
        readonly status?: { readonly code?: number };
        readonly attributes: WrittenAttributes;
      }[];
    }[];
  }[];
};

const ERROR = 2;

export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      if (request.url === '/v1/traces') spans.push(...spansOf(JSON.parse(body) as Written));
      else response.statusCode = 404;
      response.setHeader('Content-Type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: () => spans,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const spansOf = ({ resourceSpans }: Written): readonly CollectedSpan[] =>
  resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans
      .flatMap((scope) => scope.spans)
      .map((span) => ({
        name: span.name,
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? '',
        beginMs: Math.round(Number(span.startTimeUnixNano) / 1e6),
        endMs: Math.round(Number(span.endTimeUnixNano) / 1e6),
        failed: span.status?.code === ERROR,
        attributes: attributesOf(span.attributes),
        resource: attributesOf(resource.attributes),
      })),
  );

const attributesOf = (attributes: WrittenAttributes): Attributes =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      'intValue' in value ? Number(value['intValue']) : String(value['stringValue']),
    ]),
  );
