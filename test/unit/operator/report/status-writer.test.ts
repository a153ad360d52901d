/** When the status is written, and what follows from each answer. The pace itself is status-pace's business. */
import { describe, expect, it } from 'vitest';
import type { LeaderGroup, LeaderGroupStatus, ParsedLeaderGroup } from '../../../../src/api/leadergroup.ts';
import type { Plan } from '../../../../src/election/actions.ts';
import type { Observation } from '../../../../src/election/observation.ts';
import { plan } from '../../../../src/election/plan.ts';
import { nothing } from '../../../../src/election/plans.ts';
import { buildStatus } from '../../../../src/election/status.ts';
import { createMemory } from '../../../../src/operator/observe/remember.ts';
import { timeText } from '../../../../src/operator/report/announce.ts';
import { createStatusWriter, writeInvalidStatus } from '../../../../src/operator/report/status-writer.ts';
import type { WriteOutcome } from '../../../../src/ports/kubernetes.ts';
import { aGroup } from '../../../kit/fakes/builders.ts';
import { anObservation, NOW_MS } from '../../../kit/fakes/builders-election.ts';
import { INVALID, SAYING } from '../../../kit/fakes/builders-reasons.ts';
import { SWITCHED } from '../../../kit/fakes/builders-switchover.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';
import { createFakeLog } from '../../../kit/fakes/log.ts';

type Outcome = WriteOutcome<ParsedLeaderGroup>;
type World = Partial<Observation>;

const { signal } = new AbortController();
const NEWER: LeaderGroup = aGroup({ resourceVersion: '51' });
const DONE: Outcome = { kind: 'done', object: { kind: 'valid', group: NEWER } };

/** An API server that gives this answer to each write. */
function aWriter(outcome: Outcome = DONE, newest: ParsedLeaderGroup | null = null) {
  const written: LeaderGroupStatus[] = [];
  const clock = createFakeClock(NOW_MS);
  const log = createFakeLog();
  const memory = createMemory();
  const kubernetes = {
    replaceStatus: (_: unknown, __: string, status: LeaderGroupStatus) => {
      written.push(status);
      return Promise.resolve(outcome);
    },
    getGroup: () => (newest === null ? Promise.reject(new Error('no answer')) : Promise.resolve(newest)),
  };
  const owed: string[] = [];
  let answers = true;
  const write = createStatusWriter(
    { clock, kubernetes, log, replica: { id: 'operator-a' } },
    { answers: () => answers, owe: (key) => owed.push(key) },
  );
  return {
    written,
    owed,
    away: (isAway: boolean) => {
      answers = !isAway;
    },
    clock,
    log,
    memory,
    /** Milliseconds until it is to be tried again. */
    writes: (world: World, planned?: Plan, othersWait = false) => {
      const o = anObservation(world);
      return write(o, planned ?? plan(o), memory, { othersWait: () => othersWait, signal });
    },
    refuses: (group = INVALID) =>
      writeInvalidStatus({ clock, kubernetes, log, replica: { id: 'operator-a' } }, group, signal),
    /** The group, with the status that fits this world already. */
    settled: (world: World): LeaderGroup => {
      const o = anObservation(world);
      return { ...o.group, status: buildStatus(o, plan(o).verdict, [], timeText(clock)) };
    },
  };
}

describe('the status of a group', () => {
  it('is written when it differs, and not again when it is as it should be', async () => {
    const { written, writes, settled } = aWriter();
    expect(await writes({})).toBeNull();
    expect(written).toMatchObject([{ leader: 'a' }]);
    expect(await writes({ group: settled({}) })).toBeNull();
    expect(written).toHaveLength(1);
  });

  it('stays as it was where nothing was learnt, unless a change of leader is to be told', async () => {
    const { written, memory, writes } = aWriter();
    await writes({}, nothing('another replica owns the bucket'));
    expect(written).toEqual([]);
    const change = { time: '2026-01-02T03:04:05Z', from: 'a', to: 'b', reason: 'LeaderGone', token: 5 };
    memory.learn({ kind: 'transition', transition: { ...change, fromUID: '', chosenBy: '', durationMilliseconds: 1 } });
    await writes({}, nothing('another replica owns the bucket'));
    expect(written).toMatchObject([{ recentTransitions: [change], conditions: [] }]);
  });

  it('waits for an API server that is away, without trying, and is owed', async () => {
    const { written, owed, away, writes } = aWriter();
    away(true);
    expect(await writes({})).toBeNull();
    expect([written, owed]).toEqual([[], ['default/notifier']]);
    away(false);
    await writes({});
    expect(written).toHaveLength(1);
  });

  it('waits for its pace, and says how long', async () => {
    const { written, memory, writes, settled } = aWriter();
    memory.learn({
      kind: 'statusWritten',
      group: null,
      outage: null,
      writesMs: [NOW_MS - 1000],
      droppedSwitchover: null,
    });
    const group = settled({});
    const o = anObservation();
    expect(await writes({ group, pods: o.pods.slice(0, 2) })).toBe(4000);
    expect(written).toEqual([]);
  });

  it('that was written is remembered, and the changes that it told are told no more', async () => {
    const { memory, writes } = aWriter();
    const transition = {
      from: '',
      to: 'a',
      reason: 'FirstElection',
      token: 4,
      fromUID: '',
      chosenBy: '',
      durationMilliseconds: 1,
    };
    memory.learn({ kind: 'transition', transition: { time: '2026-01-02T03:04:05Z', ...transition } });
    await writes({});
    expect(memory.now).toMatchObject({ transitions: [], statusWritesMs: [NOW_MS], newerGroup: NEWER });
  });

  it('is not sent again and again where a CRD of an earlier version drops the word of a switchover', async () => {
    const world = SWITCHED.NotACandidate;
    const taken = aGroup({ ...world.group, status: { ...buildStatus(world, plan(world).verdict, [], '') } });
    const { lastSwitchover: _dropped, ...status } = taken.status ?? ({} as never);
    const told = aWriter({ kind: 'done', object: { kind: 'valid', group: aGroup({ ...taken, status }) } });
    await told.writes(world);
    await told.writes({ ...world, group: aGroup({ ...taken, status }) });
    expect(told.written).toHaveLength(1);
    expect(told.written[0]?.lastSwitchover).toMatchObject({ result: 'Refused' });
  });

  it('says who wrote it, and what failed last and who met it', async () => {
    const { written, memory, writes } = aWriter();
    memory.learn({ kind: 'actionFailed', error: { time: '2026-01-02T03:04:05Z', message: 'Consul did not answer' } });
    await writes({});
    expect(written).toMatchObject([
      {
        writtenBy: 'operator-a',
        lastError: { time: '2026-01-02T03:04:05Z', replica: 'operator-a', message: 'Consul did not answer' },
      },
    ]);
  });

  it('is not written for that alone: not by a new owner, nor for a failure that is over', async () => {
    const { written, memory, writes, settled } = aWriter();
    const group = settled({});
    const status = group.status === null ? null : { ...group.status, writtenBy: 'operator-b' };
    memory.learn({ kind: 'actionFailed', error: { time: '2026-01-02T03:04:05Z', message: 'Consul did not answer' } });
    expect([await writes({ group: { ...group, status } }), written]).toEqual([null, []]);
  });

  it('keeps what failed under an earlier owner', async () => {
    const { written, writes, settled } = aWriter();
    const group = settled({});
    const lastError = { time: '2026-01-02T03:04:05Z', replica: 'operator-b', message: 'no' };
    const status = group.status === null ? null : { ...group.status, members: 9, writtenBy: 'operator-b', lastError };
    await writes({ group: { ...group, status } });
    expect(written).toMatchObject([{ writtenBy: 'operator-a', lastError }]);
  });

  it('of a group that is gone is nobody’s business', async () => {
    const { log, writes } = aWriter({ kind: 'gone' });
    expect([await writes({}), log.lines]).toEqual([null, []]);
  });

  it('is put off while other groups wait, if there is anything to write', async () => {
    const { written, writes, settled } = aWriter();
    expect([await writes({}, undefined, true), written.length]).toEqual(['putOff', 0]);
    expect(await writes({ group: settled({}) }, undefined, true)).toBeNull();
    expect([await writes({}), written.length]).toEqual([null, 1]);
  });

  it('is tried again at once after a conflict, from the newest object, be it known or not', async () => {
    const conflict = { kind: 'conflict', message: 'the object has been modified' } as const;
    const known = aWriter(conflict, { kind: 'valid', group: NEWER });
    expect([await known.writes({}), known.memory.now.newerGroup]).toEqual([1, NEWER]);
    const unknown = aWriter(conflict);
    expect([await unknown.writes({}), unknown.memory.now.newerGroup]).toEqual([1, null]);
    const another = aWriter(conflict, { kind: 'valid', group: aGroup({ uid: 'another' }) });
    expect([await another.writes({}), another.memory.now.newerGroup]).toEqual([1, null]);
  });

  it.each<Extract<Outcome, { kind: 'refused' | 'unknown' }>>([
    { kind: 'refused', status: 422, message: 'no' },
    { kind: 'unknown', message: 'no answer' },
  ])('that was not written is tried again after five seconds, with a warning ($kind)', async (outcome) => {
    const { log, memory, writes } = aWriter(outcome);
    expect(await writes({})).toBe(5000);
    expect(log.lines).toMatchObject([
      { level: 'warn', fields: { group: 'default/notifier', reason: outcome.message } },
    ]);
    expect(memory.now.statusWritesMs).toEqual([]);
  });

  it('is not written over by a replica that Consul does not answer, once another one has said otherwise', async () => {
    const { written, memory, writes, settled } = aWriter();
    await writes(SAYING.ConsulUnreachable);
    expect([memory.now.outageReported, written.length]).toEqual([written[0]?.conditions[0]?.message, 1]);
    const led = settled({});
    expect(await writes({ ...SAYING.ConsulUnreachable, group: led })).toBeNull();
    expect(written).toHaveLength(1);
    await writes({ group: aGroup() });
    expect(memory.now.outageReported).toBeNull();
  });

  it('is not written over by each of two replicas again and again where one hears nothing of Consul and the other is denied', async () => {
    const silent = aWriter();
    const denied = aWriter();
    const cutOff = SAYING.ConsulUnreachable;
    const refused = { ...cutOff, consulDeniesAll: true };
    await silent.writes(cutOff);
    await denied.writes({ ...refused, group: aGroup({ ...cutOff.group, status: silent.written[0] ?? null }) });
    expect(denied.written).toHaveLength(1);
    const shown = aGroup({ ...cutOff.group, status: denied.written[0] ?? null });
    for (const each of [silent, denied]) await each.clock.advance(60_000);
    await silent.writes({ ...cutOff, group: shown });
    await denied.writes({ ...refused, group: shown });
    expect([silent.written.length, denied.written.length]).toEqual([1, 1]);
  });

  it('follows what this replica itself finds out of the outage', async () => {
    const { written, writes } = aWriter();
    await writes(SAYING.ConsulUnreachable);
    const group = aGroup({ ...SAYING.ConsulUnreachable.group, status: written[0] ?? null });
    expect(await writes({ ...SAYING.ConsulUnreachable, consulDeniesAll: true, group })).toBe(5000);
  });
});

describe('the status of a group that cannot be acted on', () => {
  it('says what to change, and is not written again', async () => {
    const { written, refuses } = aWriter();
    expect(await refuses()).toBe(true);
    expect(written[0]?.conditions).toMatchObject([
      {
        type: 'Ready',
        status: 'False',
        reason: 'InvalidSpec',
        message: expect.stringContaining('selector is missing'),
      },
      { type: 'Reconciling', status: 'False', reason: 'InvalidSpec' },
      { type: 'Stalled', status: 'True', reason: 'InvalidSpec' },
    ]);
    expect(await refuses({ ...INVALID, status: written[0] ?? null })).toBe(true);
    expect(written).toHaveLength(1);
  });

  it('is tried again when its outcome is not known, and is not when it was refused, with a warning', async () => {
    expect(await aWriter({ kind: 'unknown', message: 'no answer' }).refuses()).toBe(false);
    const { log, refuses } = aWriter({ kind: 'refused', status: 422, message: 'no' });
    expect([await refuses(), log.lines[0]?.message]).toEqual([true, 'the API server refused the status']);
  });
});
