import { describe, expect, it } from 'vitest';
import type { Access, AccessReader } from '../../../../src/kubernetes/client/access.ts';
import { createCredentials } from '../../../../src/kubernetes/client/credentials.ts';
import { createFakeClock, settle } from '../../../kit/fakes/clock.ts';
import { createFakeLog } from '../../../kit/fakes/log.ts';

const signal = new AbortController().signal;
const tls = { ca: undefined, cert: undefined, key: undefined, servername: undefined, insecure: false };
const access = (token: string): Access => ({
  server: new URL('https://a'),
  proxy: null,
  tls,
  headers: { authorization: token },
});

/** Each reading waits until the test answers it. */
function setUp() {
  const clock = createFakeClock();
  const readings: PromiseWithResolvers<Access>[] = [];
  let opened = 0;
  const open = async (): Promise<AccessReader> => {
    opened += 1;
    return () => {
      const reading = Promise.withResolvers<Access>();
      readings.push(reading);
      return reading.promise;
    };
  };
  const credentials = createCredentials({ open, clock, log: createFakeLog() });
  const token = async (): Promise<unknown> => (await credentials.current(signal)).headers['authorization'];
  const answer = async (value: string | Error): Promise<void> => {
    const reading = readings.at(-1);
    if (value instanceof Error) reading?.reject(value);
    else reading?.resolve(access(value));
    await settle();
  };
  return { clock, credentials, token, answer, readings: () => readings.length, opened: () => opened };
}

async function ready() {
  const world = setUp();
  const first = world.token();
  await settle();
  await world.answer('one');
  await first;
  return world;
}

describe('credentials', () => {
  it('are read once for all who ask at the same time', async () => {
    const { token, answer, readings } = setUp();
    const all = Array.from({ length: 20 }, token);
    await settle();
    await answer('one');
    expect(await Promise.all(all)).toEqual(Array.from({ length: 20 }, () => 'one'));
    expect(readings()).toBe(1);
  });

  it('are read again after 30 s, without anybody waiting for it', async () => {
    const { clock, token, answer, readings } = await ready();
    await clock.advance(29_999);
    expect(await token()).toBe('one');
    expect(readings()).toBe(1);
    await clock.advance(1);
    expect(await token()).toBe('one');
    expect(readings()).toBe(2);
    await answer('two');
    expect(await token()).toBe('two');
  });

  it('are waited for when the last ones are five minutes old', async () => {
    const { clock, token, answer } = await ready();
    await clock.advance(300_000);
    const late = token();
    await settle();
    await answer('two');
    expect(await late).toBe('two');
  });

  it('stay in use when a plugin fails', async () => {
    const { clock, token, answer, readings } = await ready();
    await clock.advance(300_000);
    const late = token();
    await settle();
    await answer(new Error('the plugin failed'));
    expect(await late).toBe('one');
    expect(await token()).toBe('one');
    expect(readings()).toBe(2);
    await clock.advance(2_000);
    void token();
    await settle();
    expect(readings()).toBe(3);
  });

  it('are not asked of a plugin again and again when it fails at the start', async () => {
    const { clock, token, answer, readings } = setUp();
    const first = token();
    await settle();
    await Promise.all([expect(first).rejects.toThrow('the plugin failed'), answer(new Error('the plugin failed'))]);
    await expect(token()).rejects.toThrow('the plugin failed');
    expect(readings()).toBe(1);
    await clock.advance(2_000);
    const second = token();
    await settle();
    await answer('one');
    expect(await second).toBe('one');
  });

  it('are given up after 10 s', async () => {
    const { clock, token } = setUp();
    const first = expect(token()).rejects.toThrow('took more than 10000 ms');
    await clock.advance(10_000);
    await first;
    expect(clock.pending()).toBe(0);
  });

  it('are not waited for by who has been aborted', async () => {
    const { credentials } = setUp();
    const controller = new AbortController();
    const waiting = expect(credentials.current(controller.signal)).rejects.toThrow('enough');
    controller.abort(new Error('enough'));
    await waiting;
  });
});

describe('credentials after a 401', () => {
  const used = access('one');

  it('are opened from scratch, and given if they are others', async () => {
    const { credentials, answer, opened, token } = await ready();
    const renewed = credentials.renewed(used, signal);
    await settle();
    expect(opened()).toBe(2);
    await answer('two');
    expect((await renewed)?.headers).toEqual({ authorization: 'two' });
    expect(await token()).toBe('two');
  });

  it('are null if they are the same', async () => {
    const { credentials, answer } = await ready();
    const renewed = credentials.renewed(used, signal);
    await settle();
    await answer('one');
    expect(await renewed).toBeNull();
  });

  it('are null if they cannot be read', async () => {
    const { credentials, answer, token } = await ready();
    const renewed = credentials.renewed(used, signal);
    await settle();
    await answer(new Error('no'));
    expect(await renewed).toBeNull();
    expect(await token()).toBe('one');
  });

  it('are read once for all who were refused, and not again at once', async () => {
    const { clock, credentials, answer, readings } = await ready();
    const all = Array.from({ length: 20 }, () => credentials.renewed(used, signal));
    await settle();
    await answer('one');
    expect(await Promise.all(all)).toEqual(Array.from({ length: 20 }, () => null));
    expect(await credentials.renewed(used, signal)).toBeNull();
    expect(readings()).toBe(2);
    await clock.advance(2_000);
    void credentials.renewed(used, signal);
    await settle();
    expect(readings()).toBe(3);
  });

  it('are those that another has read meanwhile', async () => {
    const { credentials, readings } = await ready();
    expect((await credentials.renewed(access('zero'), signal))?.headers).toEqual({ authorization: 'one' });
    expect(readings()).toBe(1);
  });
});
