/** Blocking reads, and whether Consul answers. */

import { describe, expect, it } from 'vitest';
import { trackContact } from '../../../src/operator/connectivity/consul-connectivity.ts';
import { watchPrefix } from '../../../src/operator/locks/prefix-watch.ts';
import { type Consul, ConsulError, type KvSnapshot } from '../../../src/ports/consul.ts';
import { createFakeClock, createFakeRandom, settle } from '../../kit/fakes/clock.ts';
import { sessionId } from '../../kit/fakes/ids.ts';
import { createLink } from '../../kit/model/link.ts';
import { createWorldApiServer } from '../../kit/model/world-api-server.ts';
import { createWorldConsul } from '../../kit/model/world-consul.ts';

function aWatch(prefix = 'k/') {
  const clock = createFakeClock();
  const consul = createWorldConsul(clock);
  const link = createLink('watch', createWorldApiServer(), consul, () => undefined);
  const stop = new AbortController();
  const seen: { keys: readonly string[]; rebuilt: boolean }[] = [];
  const errors: unknown[] = [];
  const onSnapshot = ({ entries }: KvSnapshot, rebuilt: boolean): void => {
    seen.push({ keys: entries.map(({ key }) => key), rebuilt });
  };
  const ports = { consul: link.consul, clock, random: createFakeRandom('watch', 0) };
  const onError = (error: unknown): void => void errors.push(error);
  const ended = watchPrefix(ports, prefix, { onSnapshot, onError }, stop.signal);
  return { clock, consul, link, seen, errors, stop, ended };
}

describe('the watch of a prefix', () => {
  it('delivers what is there, then each change', async () => {
    const { consul, seen } = aWatch();
    await settle();
    consul.foreign.put('k/a', '1');
    await settle();
    consul.foreign.put('elsewhere', '1');
    await settle();
    expect(seen.map(({ keys }) => keys)).toEqual([[], ['k/a']]);
  });

  it('at rest reads once in twenty seconds', async () => {
    const { clock, link } = aWatch();
    await clock.advance(61_000);
    expect(link.sent).toHaveLength(4);
  });

  it('starts over after an error with growing delay, reading at once what is there', async () => {
    const { clock, consul, link, seen, errors } = aWatch();
    await settle();
    link.decide(() => 'lost');
    consul.foreign.put('k/a', '1');
    await clock.advance(1000);
    expect(errors.length).toBeGreaterThanOrEqual(3);
    expect(errors.length).toBeLessThan(6);
    link.decide(() => 'arrives');
    await clock.advance(2000);
    expect(seen.at(-1)?.keys).toEqual(['k/a']);
  });

  it('tells when Consul was rebuilt: its index has fallen', async () => {
    const { clock, consul, seen } = aWatch();
    for (const key of ['k/a', 'k/b']) consul.foreign.put(key, '1');
    await settle();
    consul.foreign.wipe();
    await clock.advance(30_000);
    expect(seen.at(-1)?.keys).toEqual([]);
    expect(seen.filter(({ rebuilt }) => rebuilt)).toHaveLength(1);
  });

  it('ends when it is stopped, also in the middle of a read or a pause', async () => {
    for (const fate of ['arrives', 'lost'] as const) {
      const { clock, link, stop, ended } = aWatch();
      link.decide(() => fate);
      await settle();
      stop.abort();
      await expect(ended).resolves.toBeUndefined();
      expect(clock.pending()).toBe(0);
    }
  });
});

describe('whether Consul answers', () => {
  it('is judged by time without any answer: silent from the first failure until one is answered', async () => {
    const clock = createFakeClock();
    const consul = createWorldConsul(clock);
    const link = createLink('contact', createWorldApiServer(), consul, () => undefined);
    const told: boolean[] = [];
    const contact = trackContact(link.consul, clock, (silent) => told.push(silent));
    const ask = () => contact.consul.readKeys([], AbortSignal.abort()).catch(() => undefined);
    await ask();
    expect([contact.outageSinceMs(), told]).toEqual([null, []]);
    link.decide(() => 'lost');
    const sinceMs = clock.nowMs();
    await ask();
    await clock.advance(1999);
    await ask();
    expect([contact.outageSinceMs(), told]).toEqual([null, []]);
    await clock.advance(1);
    expect([contact.outageSinceMs(), told]).toEqual([sinceMs, [true]]);
    link.decide(() => 'arrives');
    await ask();
    expect([contact.outageSinceMs(), told]).toEqual([null, [true, false]]);
  });

  it.each([
    ['denied', false],
    ['refused', false],
    ['busy', false],
    ['unreachable', true],
    ['unknown', true],
  ] as const)('%s counts as silence: %s', async (kind, silent) => {
    const clock = createFakeClock();
    const consul = {
      readKeys: () => Promise.reject(new ConsulError(kind, 'no')),
    } as Partial<Consul> as Consul;
    const contact = trackContact(consul, clock, () => undefined);
    await contact.consul.readKeys([], AbortSignal.abort()).catch(() => undefined);
    await clock.advance(2000);
    expect(contact.outageSinceMs() !== null).toBe(silent);
  });

  it.each([
    ['waited for a connection of our own', new ConsulError('busy', 'no')],
    ['has no token, since the login is refused', new ConsulError('denied', 'no', { unasked: true })],
  ])('is judged by answers alone: a request that was never sent, for it %s, is none', async (_, unsent) => {
    const clock = createFakeClock();
    const errors = [new ConsulError('unreachable', 'no'), unsent, unsent];
    let asked = 0;
    const consul = {
      readKeys: () => Promise.reject(errors[asked++] ?? unsent),
    } as Partial<Consul> as Consul;
    const contact = trackContact(consul, clock, () => undefined);
    while (asked < errors.length) {
      await contact.consul.readKeys([], AbortSignal.abort()).catch(() => undefined);
      await clock.advance(700);
    }
    expect(contact.outageSinceMs()).not.toBeNull();
  });

  it('denies everything once it has answered nothing else for two seconds, and not after any other answer', async () => {
    const clock = createFakeClock();
    const denied = new ConsulError('denied', 'ACL not found');
    let answer: () => Promise<readonly null[]> = () => Promise.reject(denied);
    let told = 0;
    const consul = { readKeys: () => answer() } as Partial<Consul> as Consul;
    const contact = trackContact(consul, clock, () => undefined, {
      denialChanged: () => {
        told += 1;
      },
    });
    const ask = () => contact.consul.readKeys([], AbortSignal.abort()).catch(() => undefined);
    await ask();
    await clock.advance(1999);
    expect(contact.deniesAll()).toBe(false);
    await ask();
    await clock.advance(1);
    expect([contact.deniesAll(), told]).toEqual([true, 0]);
    await ask();
    await ask();
    expect(told).toBe(1);
    answer = () => Promise.resolve([]);
    await ask();
    expect(contact.deniesAll()).toBe(false);
    answer = () => Promise.reject(denied);
    await ask();
    await clock.advance(2000);
    await ask();
    expect(told).toBe(2);
  });

  it('denies nothing that it does not answer: one request was denied, and then it fell silent', async () => {
    const clock = createFakeClock();
    let kind: 'denied' | 'unreachable' = 'denied';
    const consul = { readKeys: () => Promise.reject(new ConsulError(kind, 'no')) } as Partial<Consul> as Consul;
    const contact = trackContact(consul, clock, () => undefined);
    const ask = () => contact.consul.readKeys([], AbortSignal.abort()).catch(() => undefined);
    await ask();
    kind = 'unreachable';
    await ask();
    await clock.advance(5000);
    expect(contact.deniesAll()).toBe(false);
  });

  it('denies everything still where it falls silent between denials, for a minute without an answer, and not once it has done anything', async () => {
    const clock = createFakeClock();
    let answer: 'denied' | 'unreachable' | 'done' = 'denied';
    const consul = {
      readKeys: () => (answer === 'done' ? Promise.resolve([]) : Promise.reject(new ConsulError(answer, 'no'))),
    } as Partial<Consul> as Consul;
    const told: boolean[] = [];
    const denialChanged = (denies: boolean): void => void told.push(denies);
    const contact = trackContact(consul, clock, () => undefined, { denialChanged });
    const afterAnswers = async (...answers: readonly (typeof answer)[]): Promise<readonly boolean[]> => {
      const denies: boolean[] = [];
      for (const each of answers) {
        answer = each;
        await contact.consul.readKeys([], AbortSignal.abort()).catch(() => undefined);
        await clock.advance(2500);
        denies.push(contact.deniesAll());
      }
      return denies;
    };
    const flaps = await afterAnswers('denied', 'denied', 'unreachable', 'denied', 'unreachable', 'unreachable');
    expect(flaps).toEqual([true, true, true, true, true, true]);
    await clock.advance(54_999);
    expect([contact.deniesAll(), told]).toEqual([true, [true]]);
    await clock.advance(1);
    expect([contact.deniesAll(), told]).toEqual([false, [true, false]]);
    expect(await afterAnswers('denied', 'done', 'unreachable')).toEqual([true, false, false]);
    expect(await afterAnswers('denied', 'unreachable')).toEqual([true, false]);
  });

  it('one right that is missing is not taken for all while nothing else is asked, for Consul is asked then', async () => {
    const clock = createFakeClock();
    const told: boolean[] = [];
    const consul = {
      renewSession: () => Promise.reject(new ConsulError('denied', 'no')),
      readKeys: () => Promise.resolve([]),
    } as Partial<Consul> as Consul;
    const contact = trackContact(consul, clock, () => undefined, {
      ask: ({ readKeys }) => readKeys([], AbortSignal.abort()),
      denialChanged: (denies) => void told.push(denies),
    });
    for (let seconds = 0; seconds < 30; seconds += 1) {
      await contact.consul.renewSession(sessionId('s'), AbortSignal.abort()).catch(() => undefined);
      await clock.advance(1000);
      expect([seconds, contact.deniesAll()]).toEqual([seconds, false]);
    }
    expect(told).toEqual([]);
  });

  it('one request that fails again and again while nothing else is asked is told to nobody, for Consul is asked then', async () => {
    const clock = createFakeClock();
    const told: boolean[] = [];
    const consul = {
      readKeys: () => Promise.resolve([]),
      txn: () => Promise.reject(new ConsulError('unknown', '500')),
    } as Partial<Consul> as Consul;
    const { signal } = new AbortController();
    const contact = trackContact(consul, clock, (silent) => told.push(silent), {
      ask: ({ readKeys }) => readKeys([], signal),
    });
    for (let at = 0; at < 10; at += 1) {
      await contact.consul.txn([], signal).catch(() => undefined);
      await clock.advance(5000);
    }
    expect([told, contact.outageSinceMs(), clock.pending()]).toEqual([[], null, 0]);
  });

  it('a request that is cut among others that are answered is told to nobody', async () => {
    const clock = createFakeClock();
    const told: boolean[] = [];
    const consul = {
      renewSession: () => Promise.resolve('renewed'),
      readPrefix: () => Promise.reject(new ConsulError('unreachable', 'cut')),
    } as Partial<Consul> as Consul;
    const contact = trackContact(consul, clock, (silent) => told.push(silent));
    const { signal } = new AbortController();
    for (let at = 0; at < 20; at += 1) {
      await contact.consul.readPrefix('p', { index: 1, waitMs: 1 }, signal).catch(() => undefined);
      await clock.advance(1500);
      await contact.consul.renewSession(sessionId('s'), signal);
    }
    expect([told, contact.outageSinceMs(), clock.pending()]).toEqual([[], null, 0]);
  });
});
