/** A token that somebody gave to the operator, and its end. */
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Caller } from '../../../src/consul/caller.ts';
import { createTokenEnd } from '../../../src/consul/token-end.ts';
import type { Answer } from '../../../src/consul/transport.ts';
import { ConsulError } from '../../../src/ports/consul.ts';
import { createFakeClock } from '../../kit/fakes/clock.ts';
import { createFakeLog } from '../../kit/fakes/log.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Of the server: hours from ours. */
const SERVER_NOW = Date.parse('2020-01-01T00:00:00Z');

type Token = { readonly accessor: string; readonly livesMs: number | null; readonly leftMs: number };

const at = (ms: number): string => new Date(ms).toISOString();

function answerFor({ accessor, livesMs, leftMs }: Token, sinceMs: number): Answer {
  const nowMs = SERVER_NOW + sinceMs;
  const endsMs = SERVER_NOW + leftMs;
  const times = livesMs === null ? {} : { CreateTime: at(endsMs - livesMs), ExpirationTime: at(endsMs) };
  const headers = { date: new Date(nowMs).toUTCString() };
  return { kind: 'answered', status: 200, headers, text: JSON.stringify({ AccessorID: accessor, ...times }) };
}

async function setUp(token: Token, tokenFile: string | null = null) {
  const clock = createFakeClock();
  const log = createFakeLog();
  const beganMs = clock.nowMs();
  const world = { token, refusal: null as number | null, silent: false, asked: 0 };
  const call: Caller = async ({ read, expected, what, write }) => {
    world.asked += 1;
    if (world.silent) throw new ConsulError('unreachable', 'silence');
    const given: Answer =
      world.refusal === null
        ? answerFor(world.token, clock.nowMs() - beganMs)
        : { kind: 'answered', status: world.refusal, headers: {}, text: 'ACL not found' };
    if (given.status !== 200 && expected?.(given) !== true) throw new ConsulError('denied', given.text);
    return read(given, { what, write, address: '', rule: null });
  };
  const end = new AbortController();
  onTestFinished(() => end.abort());
  const tokenEnd = createTokenEnd({ tokenFile, clock, log }, call);
  const watching = tokenEnd.watch(end.signal);
  await clock.advance(0);
  const said = (): readonly string[] => log.lines.map(({ level, fields }) => `${level} ${String(fields['accessor'])}`);
  return { tokenEnd, clock, log, world, said, end, watching };
}

const LONG = { accessor: 'a', livesMs: 100 * HOUR_MS, leftMs: 100 * HOUR_MS };

describe('a token that was given to the operator', () => {
  it('has the end that Consul says, counted on our own clock whatever the wall clocks say', async () => {
    const { tokenEnd, clock } = await setUp(LONG);
    expect(tokenEnd.life()?.leftMs).toBe(100 * HOUR_MS);
    await clock.advance(HOUR_MS);
    expect(tokenEnd.life()?.leftMs).toBe(99 * HOUR_MS);
  });

  it('is told of once below a quarter of its life, and once more near its end', async () => {
    const { said, clock, log } = await setUp({ ...LONG, leftMs: 26 * HOUR_MS });
    expect(said()).toEqual([]);
    await clock.advance(HOUR_MS + MINUTE_MS);
    await clock.advance(HOUR_MS);
    expect(said()).toEqual(['warn a']);
    expect(log.lines[0]?.fields['remedy']).toContain('CONSUL_HTTP_TOKEN_FILE');
    await clock.advance(20 * HOUR_MS);
    expect(said()).toEqual(['warn a', 'error a']);
  });

  it('in a file is to be replaced there, which is seen within a minute', async () => {
    const { said, clock, log, world, tokenEnd } = await setUp({ ...LONG, leftMs: HOUR_MS }, '/vault/token');
    expect(said()).toEqual(['error a']);
    expect(log.lines[0]?.fields['remedy']).toContain('/vault/token');
    world.token = { accessor: 'b', livesMs: HOUR_MS, leftMs: HOUR_MS };
    await clock.advance(MINUTE_MS);
    expect(tokenEnd.life()?.leftMs).toBe(59 * MINUTE_MS);
    expect(said()).toEqual(['error a']);
  });

  it('without an end has none, nor has no token at all', async () => {
    const { tokenEnd, clock, world, said } = await setUp({ ...LONG, livesMs: null });
    expect(tokenEnd.life()).toBeNull();
    world.refusal = 401;
    await clock.advance(MINUTE_MS);
    expect([tokenEnd.life(), said()]).toEqual([null, []]);
  });

  it('that has ended, or that nobody answers for, keeps the end that was known', async () => {
    const { tokenEnd, clock, world } = await setUp({ ...LONG, leftMs: 2 * MINUTE_MS });
    world.silent = true;
    await clock.advance(MINUTE_MS);
    world.silent = false;
    world.refusal = 403;
    await clock.advance(2 * MINUTE_MS);
    expect(tokenEnd.life()?.leftMs).toBe(-MINUTE_MS);
    expect(world.asked).toBe(4);
  });

  it('is not asked about any more once told to end', async () => {
    const { clock, world, end, watching } = await setUp(LONG);
    end.abort();
    await watching;
    await clock.advance(HOUR_MS);
    expect(world.asked).toBe(1);
  });
});
