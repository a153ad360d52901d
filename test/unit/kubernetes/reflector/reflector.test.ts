import { afterEach, describe, expect, it } from 'vitest';
import type { Pod } from '../../../../src/api/pod.ts';
import { projectPod } from '../../../../src/kubernetes/objects/pod.ts';
import { ListWatchError, type ListWatchErrorKind } from '../../../../src/kubernetes/reflector/list-watch.ts';
import {
  createReflector,
  type Reflector,
  type ReflectorOptions,
} from '../../../../src/kubernetes/reflector/reflector.ts';
import { createFakeClock, createFakeRandom, settle } from '../../../kit/fakes/clock.ts';
import { createScripted } from '../../../kit/fakes/kubernetes/list-watch.ts';
import { bookmark, event, rawPod } from '../../../kit/fakes/kubernetes/raw.ts';
import { createFakeLog } from '../../../kit/fakes/log.ts';

const unhandled: unknown[] = [];
process.on('unhandledRejection', (error) => unhandled.push(error));

afterEach(async () => {
  await settle();
  expect(unhandled.splice(0)).toEqual([]);
});

function setUp(more: Partial<ReflectorOptions<Pod>> = {}) {
  const clock = createFakeClock();
  const log = createFakeLog();
  const server = createScripted();
  const calls: string[] = [];
  const show = (pod: Pod | null): string => (pod === null ? '-' : `${pod.name}/${pod.uid}@${pod.resourceVersion}`);
  const reflector: Reflector = createReflector({
    kind: 'pods',
    source: server.source,
    project: projectPod,
    handler: {
      changed: (before, after) => void calls.push(`${show(before)} -> ${show(after)}`),
      synced: () => void calls.push('synced'),
    },
    clock,
    random: createFakeRandom('unique', 0),
    log,
    ...more,
  });
  /** What handlers were told since the last time. */
  const told = (): readonly string[] => calls.splice(0);
  return { clock, log, server, reflector, told };
}

/** Listed one pod at version 10, and watching from there. */
async function watching(more: Partial<ReflectorOptions<Pod>> = {}) {
  const world = setUp(more);
  world.reflector.start();
  await settle();
  await world.server.list().answer([rawPod('a')], '10');
  const watch = world.server.watching();
  await watch.open();
  world.told();
  return { ...world, watch };
}

const failure = (kind: ListWatchErrorKind, retryAfterMs: number | null = null): ListWatchError =>
  new ListWatchError(kind, `it is ${kind}`, retryAfterMs);

describe('list', () => {
  it('tells of all objects, then that it is synced, then watches from the list', async () => {
    const { server, reflector, told } = setUp();
    reflector.start();
    await settle();
    expect(reflector.synced()).toBe(false);
    await server.list().answer([rawPod('a'), rawPod('b')], '10');
    expect(told()).toEqual(['- -> a/uid-a@10', '- -> b/uid-b@10', 'synced']);
    expect(reflector.synced()).toBe(true);
    expect(server.log).toEqual(['list', 'watch 10']);
  });

  it('tells nothing before the last page has come', async () => {
    const { clock, server, reflector, told } = setUp();
    reflector.start();
    await settle();
    await server.list().answer([rawPod('a')], '10', 'p2');
    expect(server.log).toEqual(['list']);
    await clock.advance(0);
    await server.list().answer([rawPod('b')], '10', 'p3');
    await clock.advance(0);
    expect(told()).toEqual([]);
    await server.list().answer([rawPod('c')], '10');
    expect(told()).toHaveLength(4);
    expect(server.log).toEqual(['list', 'list after p2', 'list after p3', 'watch 10']);
  });

  it('asks again for a page that did not come, and begins anew when the page has expired', async () => {
    const { clock, server, reflector, told } = setUp();
    reflector.start();
    await settle();
    await server.list().answer([rawPod('a')], '10', 'p2');
    await clock.advance(0);
    await server.list().fail(failure('unreachable'));
    await clock.advance(100);
    await server.list().fail(failure('expired'));
    expect(server.log).toEqual(['list', 'list after p2', 'list after p2']);
    await clock.advance(200);
    await server.list().answer([rawPod('b')], '11');
    expect(server.log.slice(3)).toEqual(['list', 'watch 11']);
    expect(told()).toEqual(['- -> b/uid-b@10', 'synced']);
    expect(reflector.counts()).toMatchObject({ lists: 2, expired: 1, failures: 1 });
  });

  it('has the rest of the process its turn while it tells of many objects', async () => {
    const { clock, server, reflector, told } = setUp();
    reflector.start();
    await settle();
    await server.list().answer(
      Array.from({ length: 1200 }, (_, index) => rawPod(`p${index}`)),
      '10',
    );
    expect(told()).toHaveLength(500);
    await clock.advance(0);
    expect(told()).toHaveLength(701);
  });

  it('believes no list with an object that cannot be read', async () => {
    const { clock, server, told, watch, reflector } = await watching();
    await watch.fail(failure('expired'));
    await clock.advance(100);
    await server.list().answer([{ metadata: { name: 7 } }], '20');
    expect(told()).toEqual([]);
    expect(reflector.problem()?.kind).toBe('malformed');
    await clock.advance(200);
    await server.list().answer([rawPod('a')], '20');
    expect(told()).toEqual([]);
    expect(server.log.at(-1)).toBe('watch 20');
  });
});

describe('a list after the first', () => {
  const relisted = async (items: readonly unknown[]) => {
    const world = await watching();
    await world.watch.send(event('ADDED', rawPod('b', { resourceVersion: '11' })));
    world.told();
    await world.watch.fail(failure('expired'));
    await world.clock.advance(100);
    await world.server.list().answer(items, '30');
    return world;
  };

  it('reports an object that went unseen as gone', async () => {
    const { told } = await relisted([rawPod('b', { resourceVersion: '11' })]);
    expect(told()).toEqual(['a/uid-a@10 -> -']);
  });

  it('reports a name used again as a removal, then an addition', async () => {
    const { told } = await relisted([
      rawPod('a', { uid: 'new', resourceVersion: '25' }),
      rawPod('b', { resourceVersion: '11' }),
    ]);
    expect(told()).toEqual(['a/uid-a@10 -> -', '- -> a/new@25']);
  });

  it('reports only what changed, and is not synced a second time', async () => {
    const { told } = await relisted([rawPod('a', { resourceVersion: '26' }), rawPod('b', { resourceVersion: '11' })]);
    expect(told()).toEqual(['a/uid-a@10 -> a/uid-a@26']);
  });

  it('is told to whoever counts', async () => {
    let relists = 0;
    const { clock, server, watch } = await watching({ onRelist: () => void (relists += 1) });
    expect(relists).toBe(0);
    await watch.fail(failure('expired'));
    await clock.advance(100);
    await server.list().answer([], '30');
    expect(relists).toBe(1);
  });
});

describe('watch', () => {
  it('tells of additions, changes and removals', async () => {
    const { told, watch } = await watching();
    await watch.send(
      event('ADDED', rawPod('b', { resourceVersion: '11' })),
      event('MODIFIED', rawPod('a', { resourceVersion: '12' })),
      event('DELETED', rawPod('b', { resourceVersion: '13' })),
    );
    expect(told()).toEqual(['- -> b/uid-b@11', 'a/uid-a@10 -> a/uid-a@12', 'b/uid-b@11 -> -']);
  });

  it('reports a name used again as a removal, then an addition', async () => {
    const { told, watch } = await watching();
    await watch.send(event('ADDED', rawPod('a', { uid: 'new', resourceVersion: '11' })));
    expect(told()).toEqual(['a/uid-a@10 -> -', '- -> a/new@11']);
  });

  it('leaves the new object of a name alone when the old one is deleted late', async () => {
    const { told, watch } = await watching();
    await watch.send(event('DELETED', rawPod('a', { uid: 'older', resourceVersion: '11' })));
    expect(told()).toEqual([]);
  });

  it('says nothing about a version it has told already', async () => {
    const { told, watch } = await watching();
    await watch.send(event('MODIFIED', rawPod('a')));
    expect(told()).toEqual([]);
  });

  it.each([
    ['least', 0, 290],
    ['most', 0.999_999, 590],
  ])('asks the server to end it after 290 to 590 seconds: %s', async (_, next, seconds) => {
    const { watch } = await watching({ random: createFakeRandom('unique', next) });
    expect(watch.request.timeoutSeconds).toBe(seconds);
  });

  it('goes on from the last bookmark when the server ends it', async () => {
    const { clock, server, watch, told } = await watching();
    await watch.send(bookmark('44'));
    await clock.advance(20_000);
    await watch.close();
    expect(server.log).toEqual(['list', 'watch 10', 'watch 44']);
    expect(told()).toEqual([]);
  });

  it('goes on from the last event when the connection is cut', async () => {
    const { clock, server, watch } = await watching();
    await watch.send(event('MODIFIED', rawPod('a', { resourceVersion: '12' })));
    await watch.fail(new Error('socket hang up'));
    await clock.advance(100);
    expect(server.log).toEqual(['list', 'watch 10', 'watch 12']);
  });

  it('is late by no more than a moment after each of many cuts, as long as something comes between them', async () => {
    const { clock, server, watch: first } = await watching();
    let watch = first;
    for (let version = 11; version < 31; version += 1) {
      await watch.send(bookmark(String(version)));
      await watch.fail(new Error('cut'));
      await clock.advance(100);
      watch = server.watching();
      await watch.open();
    }
    expect(server.log).toHaveLength(22);
  });
});

describe('a version that is no longer served', () => {
  it.each([
    [
      'an event in the stream',
      (watch: Awaited<ReturnType<typeof watching>>['watch']) =>
        watch.send(event('ERROR', { kind: 'Status', code: 410, reason: 'Expired' })),
    ],
    [
      'an event in the stream, then a clean end',
      async (watch: Awaited<ReturnType<typeof watching>>['watch']) => {
        await watch.send(event('ERROR', { kind: 'Status', code: 410, reason: 'Gone' }));
        await watch.close();
      },
    ],
    [
      'the answer to the watch',
      (watch: Awaited<ReturnType<typeof watching>>['watch']) => watch.fail(failure('expired')),
    ],
  ])('is listed anew after %s', async (_, expire) => {
    const { clock, server, watch } = await watching();
    await expire(watch);
    await clock.advance(100);
    expect(server.log).toEqual(['list', 'watch 10', 'list']);
  });

  it('is listed anew at once when the watch had stood for long', async () => {
    const { clock, server, watch } = await watching();
    await clock.advance(60_000);
    await watch.send(event('ERROR', { kind: 'Status', code: 410, reason: 'Expired' }));
    expect(server.log).toEqual(['list', 'watch 10', 'list']);
  });

  it('does not make a tight loop when it is never served', async () => {
    const { clock, server, watch } = await watching();
    await watch.send(event('ERROR', { kind: 'Status', code: 410, reason: 'Expired' }));
    for (let elapsedMs = 0; elapsedMs < 60_000; elapsedMs += 50) {
      await clock.advance(50);
      if (server.log.at(-1) !== 'list' || server.open() === 0) continue;
      await server.list().answer([rawPod('a')], '10');
      await server.watching().send(event('ERROR', { kind: 'Status', code: 410, reason: 'Expired' }));
    }
    expect(server.log.filter((request) => request === 'list').length).toBeLessThan(22);
    expect(server.log.length).toBeGreaterThan(20);
  });

  it('is listed anew when bookmarks show that the server was restored from a backup', async () => {
    const { clock, server, watch, log } = await watching();
    await watch.send(bookmark('9'));
    await clock.advance(100);
    expect(server.log).toEqual(['list', 'watch 10', 'list']);
    expect(log.lines.some(({ message }) => message.includes('older resourceVersion'))).toBe(true);
  });
});

describe('errors', () => {
  it('closes after an ERROR event other than 410, and goes on where it was', async () => {
    const { clock, server, watch, reflector } = await watching();
    await watch.send(
      event('MODIFIED', rawPod('a', { resourceVersion: '12' })),
      event('ERROR', { kind: 'Status', code: 500, reason: 'InternalError', message: 'decoding failed' }),
    );
    expect(watch.ended()).toBe(true);
    expect(reflector.counts().errorEvents).toBe(1);
    await clock.advance(100);
    expect(server.log).toEqual(['list', 'watch 10', 'watch 12']);
  });

  it('waits as long as an ERROR event asks', async () => {
    const { clock, server, watch } = await watching();
    await watch.send(
      event('ERROR', { kind: 'Status', code: 429, reason: 'TooManyRequests', details: { retryAfterSeconds: 7 } }),
    );
    await clock.advance(6_999);
    expect(server.log).toHaveLength(2);
    await clock.advance(1);
    expect(server.log).toEqual(['list', 'watch 10', 'watch 10']);
  });

  it('lists anew when the same version ends in an error twice', async () => {
    const { clock, server, watch } = await watching();
    const error = event('ERROR', { kind: 'Status', code: 500, reason: 'InternalError' });
    await watch.send(error);
    await clock.advance(100);
    await server.watching().send(error);
    await clock.advance(200);
    expect(server.log).toEqual(['list', 'watch 10', 'watch 10', 'list']);
  });

  it.each(['unreachable', 'denied', 'refused', 'notInstalled'] as const)(
    'keeps trying when a list is %s, up to 5 s apart',
    async (kind) => {
      const problems: (string | null)[] = [];
      const { clock, server, reflector, log } = setUp({
        onProblem: (problem) => void problems.push(problem?.kind ?? null),
      });
      reflector.start();
      await settle();
      const times: number[] = [];
      for (let tries = 0; tries < 10; tries += 1) {
        await server.list().fail(failure(kind));
        const beforeMs = clock.nowMs();
        while (server.open() === 0) await clock.advance(50);
        times.push(clock.nowMs() - beforeMs);
      }
      expect(times).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000]);
      expect(problems).toEqual([kind]);
      expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
      await server.list().answer([], '10');
      await server.watching().open();
      expect(problems).toEqual([kind, null]);
      expect(reflector.problem()).toBeNull();
    },
  );

  it('says so again when the problem becomes another', async () => {
    const problems: (string | null)[] = [];
    const { clock, server, reflector } = setUp({ onProblem: (problem) => void problems.push(problem?.kind ?? null) });
    reflector.start();
    await settle();
    await server.list().fail(failure('unreachable'));
    await clock.advance(100);
    await server.list().fail(failure('notInstalled'));
    await clock.advance(200);
    await server.list().fail(failure('notInstalled'));
    expect(problems).toEqual(['unreachable', 'notInstalled']);
  });

  it('waits as long as the server asks, but not for ever', async () => {
    const { clock, server, reflector } = setUp();
    reflector.start();
    await settle();
    await server.list().fail(failure('unreachable', 30_000));
    await clock.advance(29_999);
    expect(server.open()).toBe(0);
    await clock.advance(1);
    await server.list().fail(failure('unreachable', 1e12));
    await clock.advance(60_000);
    expect(server.open()).toBe(1);
  });

  it.each(['unreachable', 'denied'] as const)(
    'goes on from the last version, and later, when a watch is %s',
    async (kind) => {
      const { clock, server, watch } = await watching();
      await watch.fail(new Error('cut'));
      await clock.advance(100);
      await server.watching().fail(failure(kind));
      await clock.advance(200);
      await server.watching().fail(failure(kind));
      await clock.advance(399);
      expect(server.open()).toBe(0);
      await clock.advance(1);
      expect(server.log).toEqual(['list', 'watch 10', 'watch 10', 'watch 10', 'watch 10']);
    },
  );

  it('keeps what it knows when the kind is no longer installed', async () => {
    const { clock, server, watch, told, reflector } = await watching();
    await watch.fail(failure('notInstalled'));
    await clock.advance(100);
    await server.list().fail(failure('notInstalled'));
    expect(reflector.problem()?.kind).toBe('notInstalled');
    expect(told()).toEqual([]);
  });
});

describe('what cannot be read', () => {
  it.each([
    ['no object', 'text'],
    ['an unknown type', event('SURPRISE', rawPod('b'))],
    ['no type', { object: rawPod('b') }],
    ['an object without a name', event('ADDED', { metadata: { uid: 'x', resourceVersion: '11' } })],
    ['an object without a uid', event('MODIFIED', rawPod('a', { uid: null, resourceVersion: '11' }))],
    ['a deletion of nobody', event('DELETED', {})],
    [
      'a deletion of no object in particular',
      event('DELETED', { metadata: { namespace: 'shop', name: 'a', resourceVersion: '12' } }),
    ],
    ['a bookmark without a version', event('BOOKMARK', { metadata: {} })],
    ['an error that is no Status', event('ERROR', { oops: true })],
  ])('closes the watch and changes nothing: %s', async (_, raw) => {
    const { clock, server, watch, told, reflector } = await watching();
    await watch.send(bookmark('11'), raw, event('DELETED', rawPod('a', { resourceVersion: '12' })));
    expect(told()).toEqual([]);
    expect(watch.ended()).toBe(true);
    expect(reflector.counts().malformed).toBe(1);
    await clock.advance(100);
    expect(server.log.at(-1)).toBe('watch 11');
  });

  it('is listed around when it comes twice', async () => {
    const { clock, server, watch } = await watching();
    await watch.send('nonsense');
    await clock.advance(100);
    await server.watching().send('nonsense');
    await clock.advance(200);
    expect(server.log).toEqual(['list', 'watch 10', 'watch 10', 'list']);
  });

  it('is one problem, told once, until something can be read again', async () => {
    const problems: (string | null)[] = [];
    const { clock, server, watch } = await watching({
      onProblem: (problem) => void problems.push(problem?.kind ?? null),
    });
    await watch.send('nonsense');
    await clock.advance(100);
    const second = server.watching();
    await second.open();
    expect(problems).toEqual(['malformed']);
    await second.send(bookmark('11'));
    expect(problems).toEqual(['malformed', null]);
  });
});

describe('silence', () => {
  it('gives a watch up after 90 s without a byte, and goes on from the last version', async () => {
    const { clock, server, watch, reflector } = await watching();
    await clock.advance(50_000);
    await watch.send();
    await clock.advance(89_999);
    expect(watch.ended()).toBe(false);
    await clock.advance(1);
    expect(watch.ended()).toBe(true);
    expect(reflector.counts().stalls).toBe(1);
    expect(server.log).toEqual(['list', 'watch 10', 'watch 10']);
  });

  it('lists anew after two silent watches in a row: a restored server may know nothing of the version', async () => {
    const { clock, server } = await watching();
    await clock.advance(90_000);
    await server.watching().open();
    await clock.advance(90_000);
    expect(server.log).toEqual(['list', 'watch 10', 'watch 10', 'list']);
  });

  it('gives up a server that does not answer: a list after 30 s, a watch after 10 s', async () => {
    const { clock, server, reflector } = setUp();
    reflector.start();
    await settle();
    server.list();
    await clock.advance(30_000);
    expect(server.open()).toBe(0);
    expect(reflector.problem()?.message).toContain('no answer within 30000 ms');
    await clock.advance(100);
    await server.list().answer([], '10');
    await clock.advance(10_000);
    expect(server.open()).toBe(0);
    await clock.advance(200);
    expect(server.log).toEqual(['list', 'list', 'watch 10', 'watch 10']);
  });

  it('is seen by whoever asks for the last contact', async () => {
    const { clock, reflector, watch } = await watching();
    const first = reflector.lastContactMs();
    expect(first).toBe(clock.nowMs());
    await clock.advance(30_000);
    expect(reflector.lastContactMs()).toBe(first);
    await watch.send();
    expect(reflector.lastContactMs()).toBe(clock.nowMs());
  });
});

describe('handlers', () => {
  it.each([
    [
      'throws',
      () => {
        throw new Error('a defect');
      },
    ],
    ['rejects', () => Promise.reject(new Error('a defect'))],
  ])('does not end when one %s, in a list or in a watch', async (_, fail) => {
    const handler = { changed: fail, synced: fail } as unknown as ReflectorOptions<Pod>['handler'];
    const { server, reflector, log } = setUp({ handler });
    reflector.start();
    await settle();
    await server.list().answer([rawPod('a')], '10');
    const watch = server.watching();
    await watch.send(event('MODIFIED', rawPod('a', { resourceVersion: '11' })), bookmark('12'));
    expect(watch.ended()).toBe(false);
    expect(reflector.counts().handlerErrors).toBe(3);
    expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(3);
  });

  it('does not end when a listener of problems or a projection throws', async () => {
    const fail = (): never => {
      throw new Error('a defect');
    };
    const { clock, server, reflector } = setUp({ onProblem: fail, project: fail });
    reflector.start();
    await settle();
    await server.list().answer([rawPod('a')], '10');
    await clock.advance(100);
    expect(server.log).toEqual(['list', 'list']);
    expect(reflector.problem()?.kind).toBe('malformed');
  });
});

describe('start and stop', () => {
  it('runs one loop however often it is started', async () => {
    const { server, reflector } = setUp();
    reflector.start();
    reflector.start();
    await settle();
    expect(server.log).toEqual(['list']);
  });

  it('leaves nothing open when it is stopped in a list', async () => {
    const { clock, server, reflector, told } = setUp();
    reflector.start();
    await settle();
    await reflector.stop();
    expect(server.open()).toBe(0);
    expect(clock.pending()).toBe(0);
    await clock.advance(600_000);
    expect(server.log).toEqual(['list']);
    expect(told()).toEqual([]);
  });

  it('leaves nothing open when it is stopped between two tries', async () => {
    const { clock, server, reflector } = setUp();
    reflector.start();
    await settle();
    await server.list().fail(failure('unreachable'));
    await reflector.stop();
    expect(clock.pending()).toBe(0);
    await clock.advance(600_000);
    expect(server.log).toEqual(['list']);
  });

  it('leaves nothing open when it is stopped in a watch', async () => {
    const { clock, server, reflector, watch, told } = await watching();
    await reflector.stop();
    expect(watch.ended()).toBe(true);
    expect(clock.pending()).toBe(0);
    await clock.advance(600_000);
    expect(server.log).toEqual(['list', 'watch 10']);
    expect(told()).toEqual([]);
  });

  it('calls no handler after a handler has stopped it', async () => {
    const calls: string[] = [];
    const world = setUp({
      handler: {
        changed: (_, after) => {
          calls.push(after?.name ?? '-');
          void world.reflector.stop();
        },
        synced: () => void calls.push('synced'),
      },
    });
    world.reflector.start();
    await settle();
    await world.server.list().answer([rawPod('a'), rawPod('b')], '10');
    expect(calls).toEqual(['a']);
    expect(world.server.log).toEqual(['list']);
  });

  it('calls no handler for the rest of what came at once, either', async () => {
    const calls: string[] = [];
    const world = await watching({
      handler: {
        changed: (_, after) => {
          calls.push(after?.name ?? '-');
          if (after?.name === 'b') void world.reflector.stop();
        },
        synced: () => undefined,
      },
    });
    const added = (name: string, resourceVersion: string) => event('ADDED', rawPod(name, { resourceVersion }));
    await world.watch.send(added('b', '11'), added('c', '12'));
    expect(calls).toEqual(['a', 'b']);
    expect(world.watch.ended()).toBe(true);
  });

  it('does not start after it was stopped', async () => {
    const { server, reflector } = setUp();
    await reflector.stop();
    reflector.start();
    await settle();
    expect(server.log).toEqual([]);
  });
});
