import { describe, expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';

function aLog(level: 'debug' | 'info' | 'warn' | 'error' = 'debug') {
  const texts: string[] = [];
  const log = createLog({ level, destination: () => ({ write: (text) => void texts.push(text) }) });
  return { log, lines: () => texts.map((text) => JSON.parse(text) as Record<string, unknown>), texts };
}

describe('a log line', () => {
  it('is one JSON object with level, time, fields and message, and nothing else', () => {
    const { log, lines, texts } = aLog();
    log.info({ group: 'shop/notifier', token: 7 }, 'leader elected');
    expect(lines()).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        group: 'shop/notifier',
        token: 7,
        message: 'leader elected',
      },
    ]);
    expect(texts[0]).toMatch(/^[^\n]*\n$/);
  });

  it('has its message as it is, whatever signs are in it', () => {
    const { log, lines } = aLog();
    log.warn({ a: 1 }, '%s %d 100%\nnext');
    expect(lines()[0]).toMatchObject({ level: 'warn', message: '%s %d 100%\nnext' });
  });

  it('tells an error with its kind, stack and cause', () => {
    const { log, lines } = aLog();
    const cause = new Error('ECONNREFUSED');
    log.error({ error: Object.assign(new Error('no Consul', { cause }), { kind: 'unreachable' }) }, 'failed');
    expect(lines()[0]).toMatchObject({
      error: {
        message: 'no Consul',
        kind: 'unreachable',
        stack: expect.any(String),
        cause: { message: 'ECONNREFUSED' },
      },
    });
  });

  it('survives fields that no JSON can hold', () => {
    const { log, lines } = aLog();
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    log.info({ circle, big: 3_304_740_253_564_472_344n, nothing: undefined }, 'odd');
    expect(lines()[0]).toMatchObject({ message: 'odd', circle: { self: '[Circular]' } });
  });

  it.each([
    ['debug', ['debug', 'info', 'warn', 'error']],
    ['info', ['info', 'warn', 'error']],
    ['warn', ['warn', 'error']],
    ['error', ['error']],
  ] as const)('is written at level %s or above', (level, written) => {
    const { log, lines } = aLog(level);
    for (const each of ['debug', 'info', 'warn', 'error'] as const) log[each]({}, each);
    expect(lines().map((line) => line['level'])).toEqual(written);
  });
});
