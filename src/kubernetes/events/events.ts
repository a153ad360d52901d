/**
 * Events as `kubectl describe` shows them (events.k8s.io/v1). They are for people: what cannot be written soon is dropped
 * and counted, and nothing ever waits for them.
 */
import type { Clock, Random } from '../../ports/clock.ts';
import type { EventSink, KubernetesEvent } from '../../ports/kubernetes.ts';
import type { Log } from '../../ports/log.ts';
import type { Answer, Failure } from '../client/answer.ts';
import { retryAfterMs, wordsOf } from '../client/answer.ts';
import { createRateLimit } from '../client/rate-limit.ts';
import { adviceOnRight, isMissingRight } from '../client/rights.ts';
import type { Request, Transport } from '../client/transport.ts';
import { EVENTS, pathOf } from '../objects/resources.ts';
import { eventBody, eventName, seriesBody } from './event-body.ts';
import { createEventSeries, type Series } from './event-series.ts';

export type EventRecorder = EventSink & {
  /** How many were lost: the queue was full, or the API server took them neither time. */
  dropped(): number;
  /** Takes no more; resolves when all that waits has been written, or when the signal is aborted, which drops the rest. */
  close(signal: AbortSignal): Promise<void>;
};

export type EventOptions = {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Which replica speaks: the pod's name. */
  readonly instance: string;
  /** Events that wait at most. 1,000 by default; the oldest is dropped for the newest. */
  readonly maxWaiting?: number;
};

const MAX_WAITING = 1_000;
const MAX_IN_FLIGHT = 2;
const RATE = { perSecond: 20, burst: 100 };
const TIMEOUT_MS = 5_000;
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;
/** Between two lines in the log about dropped events. */
const COMPLAINT_MS = 60_000;

type Verdict = 'written' | 'gone' | 'again' | 'refused';

export function createEventRecorder(options: EventOptions): EventRecorder {
  const { transport, clock, random, log, instance, maxWaiting = MAX_WAITING } = options;
  const known = createEventSeries(clock, () => random.unique());
  const rate = createRateLimit(RATE, clock);
  const waiting: Series[] = [];
  const closing = new AbortController();
  const idle = Promise.withResolvers<void>();
  let closed = false;
  let inFlight = 0;
  let dropped = 0;
  let warnedMs = Number.NEGATIVE_INFINITY;

  function emit(event: KubernetesEvent): void {
    if (closed) return;
    const series = known.note(event);
    if (series.state !== 'idle') return;
    enqueue(series);
    if (waiting.length > maxWaiting) drop(waiting.shift(), 'too many events are waiting');
    pump();
  }

  function enqueue(series: Series): void {
    series.state = 'waiting';
    waiting.push(series);
  }

  function drop(series: Series | undefined, reason: string): void {
    if (series === undefined) return;
    series.state = 'idle';
    if (!series.created) known.forget(series);
    dropped += 1;
    if (clock.nowMs() - warnedMs < COMPLAINT_MS) return;
    warnedMs = clock.nowMs();
    log.warn({ dropped, reason }, 'events were dropped');
  }

  function pump(): void {
    while (inFlight < MAX_IN_FLIGHT && waiting.length > 0 && rate.take(pump)) {
      const series = waiting.shift();
      if (series !== undefined) void work(series);
    }
    if (closed && inFlight === 0 && waiting.length === 0) idle.resolve();
  }

  /** Never rejects. */
  async function work(series: Series): Promise<void> {
    inFlight += 1;
    series.state = 'writing';
    try {
      await write(series);
    } catch (error) {
      drop(series, error instanceof Error ? error.message : String(error));
    } finally {
      inFlight -= 1;
      pump();
    }
  }

  /** Twice at most. A second try after an unknown outcome meets its own event: that is a success. */
  async function write(series: Series): Promise<void> {
    for (const isLast of [false, true]) {
      const count = series.count;
      const answer = await transport.send(requestOf(series), closing.signal);
      const verdict = verdictOf(answer, series.created);
      if (verdict === 'written') {
        series.created = true;
        series.state = 'idle';
        if (series.count > count) enqueue(series);
        return;
      }
      if (verdict === 'refused' || isLast) {
        drop(series, answer.kind === 'failed' ? answer.reason : refusalOf(answer, series));
        return;
      }
      if (verdict === 'gone') known.renew(series);
      else await clock.sleep(pauseMs(answer), closing.signal);
    }
  }

  const requestOf = (series: Series): Request => {
    const { namespace } = series.event.regarding;
    const measured = { timeoutMs: TIMEOUT_MS, pool: 'brief', resource: EVENTS.plural } as const;
    if (series.created) {
      const path = pathOf(EVENTS, { namespace, name: eventName(series) });
      const body = { type: 'application/merge-patch+json', content: seriesBody(series) };
      return { method: 'PATCH', path, body, verb: 'patch', ...measured };
    }
    const body = { type: 'application/json', content: eventBody(series, instance) };
    return { method: 'POST', path: pathOf(EVENTS, { namespace, name: null }), body, verb: 'create', ...measured };
  };

  return {
    emit,
    dropped: () => dropped,
    close: async (signal) => {
      closed = true;
      const abort = (): void => {
        while (waiting.length > 0) drop(waiting.shift(), 'the operator is stopping');
        closing.abort(signal.reason);
        pump();
      };
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) abort();
      pump();
      await idle.promise;
      rate.end();
      signal.removeEventListener('abort', abort);
    },
  };
}

const refusalOf = (answer: Answer, { created }: Series): string =>
  `${wordsOf(answer)}${isMissingRight(answer) ? adviceOnRight({ verb: created ? 'patch' : 'create', resource: EVENTS }) : ''}`;

/** `gone`: the API server forgets events after an hour, so an old series cannot be continued. */
function verdictOf(answer: Answer | Failure, created: boolean): Verdict {
  if (answer.kind === 'failed') return 'again';
  const { status } = answer;
  if (status >= 200 && status < 300) return 'written';
  if (status === 409) return created ? 'again' : 'written';
  if (status === 404 && created) return 'gone';
  return status === 429 || status >= 500 ? 'again' : 'refused';
}

const pauseMs = (answer: Answer | Failure): number =>
  answer.kind === 'failed' ? RETRY_MS : Math.min(Math.max(RETRY_MS, retryAfterMs(answer) ?? 0), MAX_RETRY_MS);
