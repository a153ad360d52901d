import { describe, expect, it } from 'vitest';
import type { EventReason } from '../../../../src/api/event-reasons.ts';
import type { Answer, Failure } from '../../../../src/kubernetes/client/answer.ts';
import type { Request, Transport } from '../../../../src/kubernetes/client/transport.ts';
import { createEventRecorder, type EventOptions } from '../../../../src/kubernetes/events/events.ts';
import type { KubernetesEvent } from '../../../../src/ports/kubernetes.ts';
import { createFakeClock, createFakeRandom, settle, WALL_START_MS } from '../../../kit/fakes/clock.ts';
import { createFakeLog } from '../../../kit/fakes/log.ts';

type Sent = {
  readonly request: Request;
  readonly body: Readonly<Record<string, unknown>>;
  answer(status: number, headers?: Answer['headers']): Promise<void>;
  fail(): Promise<void>;
};

const answered = (status: number, headers: Answer['headers'] = {}): Answer => ({
  kind: 'answered',
  status,
  headers,
  body: '',
});
const cut: Failure = { kind: 'failed', reason: 'cut', timedOut: false, cause: null };

/** Each request waits until the test answers it, unless `status` answers all at once. */
function setUp(more: Partial<EventOptions> & { readonly status?: number } = {}) {
  const clock = createFakeClock();
  const log = createFakeLog();
  const sent: Sent[] = [];
  const send: Transport['send'] = (request, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<Answer | Failure>();
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    const answer = async (outcome: Answer | Failure): Promise<void> => {
      resolve(outcome);
      await settle();
    };
    sent.push({
      request,
      body: request.body?.content as Readonly<Record<string, unknown>>,
      answer: (status, headers) => answer(answered(status, headers)),
      fail: () => answer(cut),
    });
    if (more.status !== undefined) resolve(answered(more.status));
    return promise;
  };
  const transport = {
    send,
    stream: () => Promise.reject(new Error('no')),
    server: () => '',
    close: async () => undefined,
  };
  const recorder = createEventRecorder({
    transport,
    clock,
    random: createFakeRandom('unique', 0),
    log,
    instance: 'operator-1',
    ...more,
  });
  return { clock, log, sent, recorder, last: () => sent.at(-1) as Sent };
}

const anEvent = (overrides: Partial<KubernetesEvent> = {}): KubernetesEvent => ({
  regarding: { kind: 'LeaderGroup', namespace: 'shop', name: 'notifier', uid: 'uid-g', resourceVersion: '5' },
  type: 'Normal',
  reason: 'LeaderElected',
  message: 'notifier-a leads',
  ...overrides,
});

const micro = (wallMs: number): string => `${new Date(wallMs).toISOString().slice(0, -1)}000Z`;

describe('an event', () => {
  it('is created in the namespace of what it is about, as kubectl describe shows it', async () => {
    const { clock, recorder, last } = setUp();
    recorder.emit(anEvent());
    await settle();
    expect(last().request).toMatchObject({
      method: 'POST',
      path: '/apis/events.k8s.io/v1/namespaces/shop/events',
      body: { type: 'application/json' },
    });
    expect(last().body).toEqual({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: expect.stringMatching(/^notifier\.[0-9a-f]{16}$/), namespace: 'shop' },
      regarding: {
        apiVersion: 'leadergroup.dev/v1alpha1',
        kind: 'LeaderGroup',
        namespace: 'shop',
        name: 'notifier',
        uid: 'uid-g',
        resourceVersion: '5',
      },
      eventTime: micro(clock.wallMs()),
      reportingController: 'leadergroup.dev/operator',
      reportingInstance: 'operator-1',
      type: 'Normal',
      reason: 'LeaderElected',
      action: 'LeaderElected',
      note: 'notifier-a leads',
    });
    expect(micro(WALL_START_MS)).toBe('2023-11-14T22:13:20.000000Z');
  });

  it('is one line without control characters, whatever its message says', async () => {
    const { recorder, sent } = setUp({ status: 201 });
    recorder.emit(anEvent({ message: 'held by "x\u001b[2J\u202e"\r\nand more' }));
    await settle();
    expect(sent[0]?.body['note']).toBe('held by "x\uFFFD[2J\uFFFD" and more');
  });

  it('keeps to the limits of the API: the bytes of a note, the length of a name', async () => {
    const { recorder, last } = setUp();
    const regarding = {
      kind: 'Pod',
      namespace: 'shop',
      name: `${'a'.repeat(199)}-${'b'.repeat(50)}`,
      uid: 'u',
      resourceVersion: '1',
    } as const;
    recorder.emit(anEvent({ regarding, message: `x${'😀'.repeat(500)}`, reason: 'R'.repeat(200) as EventReason }));
    await settle();
    const {
      note,
      metadata,
      reason,
      regarding: about,
    } = last().body as Record<string, string> & { metadata: { name: string } };
    expect(note).toBe(`x${'😀'.repeat(255)}`);
    expect(metadata.name).toMatch(/^a{199}\.[0-9a-f]{16}$/);
    expect(reason).toHaveLength(128);
    expect(about).toMatchObject({ apiVersion: 'v1', kind: 'Pod' });
  });

  it('has a name of its own', async () => {
    const { recorder, sent } = setUp({ status: 201 });
    for (const message of ['a', 'b', 'c']) recorder.emit(anEvent({ message }));
    await settle();
    expect(new Set(sent.map(({ body }) => (body['metadata'] as { name: string }).name)).size).toBe(3);
  });
});

describe('the same event again', () => {
  it('raises a count instead of making another object', async () => {
    const { clock, recorder, sent, last } = setUp({ status: 201 });
    recorder.emit(anEvent());
    await clock.advance(599_000);
    recorder.emit(anEvent());
    await clock.advance(599_000);
    recorder.emit(anEvent());
    await settle();
    expect(sent.map(({ request }) => request.method)).toEqual(['POST', 'PATCH', 'PATCH']);
    const [first] = sent as [Sent];
    const { name } = first.body['metadata'] as { name: string };
    expect(last().request).toMatchObject({
      path: `/apis/events.k8s.io/v1/namespaces/shop/events/${name}`,
      body: { type: 'application/merge-patch+json' },
    });
    expect(last().body).toEqual({ series: { count: 3, lastObservedTime: micro(clock.wallMs()) } });
  });

  it('is another object after ten minutes', async () => {
    const { clock, recorder, sent } = setUp({ status: 201 });
    recorder.emit(anEvent());
    await clock.advance(600_000);
    recorder.emit(anEvent());
    await settle();
    expect(sent.map(({ request }) => request.method)).toEqual(['POST', 'POST']);
  });

  it.each([
    ['object', { regarding: { ...anEvent().regarding, uid: 'other' } }],
    ['reason', { reason: 'LeaderLost' }],
    ['message', { message: 'notifier-b leads' }],
    ['type', { type: 'Warning' }],
  ] as const)('is another one with another %s', async (_, overrides) => {
    const { recorder, sent } = setUp({ status: 201 });
    recorder.emit(anEvent());
    recorder.emit(anEvent(overrides));
    await settle();
    expect(sent.map(({ request }) => request.method)).toEqual(['POST', 'POST']);
  });

  it('is only counted while the first one is on its way, and patched once after it', async () => {
    const { recorder, sent, last } = setUp();
    for (let times = 0; times < 50; times += 1) recorder.emit(anEvent());
    await settle();
    expect(sent).toHaveLength(1);
    await last().answer(201);
    expect(sent).toHaveLength(2);
    expect(last().body).toMatchObject({ series: { count: 50 } });
  });

  it('is a new object when the API server has forgotten the old one', async () => {
    const { recorder, sent, last } = setUp();
    recorder.emit(anEvent());
    await last().answer(201);
    recorder.emit(anEvent());
    await last().answer(404);
    expect(sent.map(({ request }) => request.method)).toEqual(['POST', 'PATCH', 'POST']);
    expect(last().body['metadata']).not.toEqual(sent[0]?.body['metadata']);
    expect(last().body['series']).toBeUndefined();
  });
});

describe('an event that is not taken', () => {
  it('is sent again once, under the same name, and has arrived when that name is taken', async () => {
    const { clock, recorder, sent, last } = setUp();
    recorder.emit(anEvent());
    await last().fail();
    await clock.advance(999);
    expect(sent).toHaveLength(1);
    await clock.advance(1);
    expect(last().body).toEqual(sent[0]?.body);
    await last().answer(409);
    expect(sent).toHaveLength(2);
    expect(recorder.dropped()).toBe(0);
  });

  it('is dropped after the second time, and the next one like it is an object of its own', async () => {
    const { clock, log, recorder, sent, last } = setUp();
    recorder.emit(anEvent());
    await last().answer(503);
    await clock.advance(1_000);
    await last().answer(503);
    expect(recorder.dropped()).toBe(1);
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { dropped: 1 } }]);
    recorder.emit(anEvent());
    await settle();
    expect(sent.map(({ request }) => request.method)).toEqual(['POST', 'POST', 'POST']);
  });

  it('is dropped at once when it will never be taken', async () => {
    const { clock, recorder, sent, last } = setUp();
    recorder.emit(anEvent());
    await last().answer(403);
    await clock.advance(60_000);
    expect(recorder.dropped()).toBe(1);
    expect(sent).toHaveLength(1);
  });

  it('waits as long as the server asks', async () => {
    const { clock, recorder, sent, last } = setUp();
    recorder.emit(anEvent());
    await last().answer(429, { 'retry-after': '5' });
    await clock.advance(4_999);
    expect(sent).toHaveLength(1);
    await clock.advance(1);
    expect(sent).toHaveLength(2);
  });
});

describe('many events', () => {
  const emitMany = (recorder: ReturnType<typeof setUp>['recorder'], count: number): void => {
    for (let index = 0; index < count; index += 1) recorder.emit(anEvent({ message: `message ${index}` }));
  };

  it('are sent two at a time', async () => {
    const { recorder, sent } = setUp();
    emitMany(recorder, 10);
    await settle();
    expect(sent).toHaveLength(2);
    await sent[0]?.answer(201);
    expect(sent).toHaveLength(3);
  });

  it('push out the oldest that wait, which are counted and told once a minute', async () => {
    const { log, recorder, sent } = setUp({ maxWaiting: 5 });
    emitMany(recorder, 20);
    expect(recorder.dropped()).toBe(13);
    expect(log.lines).toHaveLength(1);
    await sent[0]?.answer(201);
    expect(sent.at(-1)?.body['note']).toBe('message 15');
  });

  it('are sent no faster than twenty a second after the first hundred', async () => {
    const { clock, recorder, sent } = setUp({ status: 201 });
    emitMany(recorder, 200);
    await settle();
    await clock.advance(0);
    await eventuallyAll(() => sent.length >= 100);
    expect(sent).toHaveLength(100);
    await clock.advance(1_000);
    expect(sent).toHaveLength(120);
    await clock.advance(10_000);
    expect(sent).toHaveLength(200);
  });

  const eventuallyAll = async (condition: () => boolean): Promise<void> => {
    for (let turns = 0; turns < 100 && !condition(); turns += 1) await settle();
  };
});

describe('close', () => {
  it('waits for what is on its way, and takes no more', async () => {
    const { clock, recorder, sent, last } = setUp();
    recorder.emit(anEvent());
    const closed = recorder.close(new AbortController().signal);
    recorder.emit(anEvent({ message: 'too late' }));
    await last().answer(201);
    await closed;
    expect(sent).toHaveLength(1);
    expect(clock.pending()).toBe(0);
  });

  it('drops what is not written when the signal is aborted', async () => {
    const { clock, recorder } = setUp();
    for (const message of ['a', 'b', 'c', 'd']) recorder.emit(anEvent({ message }));
    const controller = new AbortController();
    const closed = recorder.close(controller.signal);
    await settle();
    controller.abort();
    await closed;
    expect(recorder.dropped()).toBe(4);
    expect(clock.pending()).toBe(0);
  });

  it('does not wait for its turn when it is aborted already', async () => {
    const { clock, recorder } = setUp({ status: 201 });
    for (let index = 0; index < 200; index += 1) recorder.emit(anEvent({ message: `message ${index}` }));
    await recorder.close(AbortSignal.abort());
    expect(clock.pending()).toBe(0);
  });

  it('is done at once when nothing waits', async () => {
    const { clock, recorder } = setUp();
    await recorder.close(new AbortController().signal);
    expect(clock.pending()).toBe(0);
  });
});
