/**
 * Claims of several buckets in one transaction (promise I12): each is made only as it would have been alone, hears once and truly what became of it, and
 * does not suffer for what the others are to blame for.
 */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { SessionId } from '../../src/api/ids.ts';
import { type Commit, createCommits, type Write } from '../../src/operator/claims/commits.ts';
import type { KvEntry, TxnOp } from '../../src/ports/consul.ts';
import { createFakeClock, settle } from '../kit/fakes/clock.ts';
import { createLink, type Fate } from '../kit/model/link.ts';
import { trying } from '../kit/model/seed.ts';
import { createWorldApiServer } from '../kit/model/world-api-server.ts';
import { createWorldConsul, type WorldConsul } from '../kit/model/world-consul.ts';

const BUCKETS = [0, 1, 2] as const;
const GROUPS = [0, 1, 2, 3, 4, 5] as const;
const SERIES = [0, 1, 2] as const;

const bucketKey = (bucket: number): string => `buckets/${bucket}/.lock`;
const lockKey = (group: number): string => `groups/${group}/.lock`;
const seriesKey = (group: number, series: number): string => `claims/${group}/${series}`;

/** `isReport`: whoever leads, and before the others. */
type Wish = { readonly group: number; readonly series: number; readonly isReport: boolean };

type Act =
  | { readonly act: 'write'; readonly wishes: readonly Wish[] }
  | { readonly act: 'loseBucket' | 'regainBucket'; readonly bucket: number }
  | { readonly act: 'moveLock'; readonly group: number }
  | { readonly act: 'moveSeries'; readonly group: number; readonly series: number }
  /** The next transaction meets it; by default they are held, and what comes meanwhile waits and goes together. */
  | { readonly act: 'fate'; readonly fate: Fate }
  | { readonly act: 'deliver' | 'giveUp'; readonly which: number };

const bucket = fc.constantFrom(...BUCKETS);
const group = fc.constantFrom(...GROUPS);
const series = fc.constantFrom(...SERIES);
const wishes = fc.array(fc.record({ group, series, isReport: fc.boolean() }), { minLength: 1, maxLength: 14 });
const fate = fc.constantFrom<Fate>('arrives', 'lost', 'answerLost', 'answerHeld');
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ act: fc.constant('write'), wishes }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constantFrom('loseBucket', 'regainBucket'), bucket }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('moveLock'), group }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('moveSeries'), group, series }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('fate'), fate }) },
  {
    weight: 8,
    arbitrary: fc.record({
      act: fc.constantFrom('deliver', 'deliver', 'deliver', 'giveUp'),
      which: fc.nat({ max: 3 }),
    }),
  },
) as fc.Arbitrary<Act>;

/** Three buckets of one replica. What it knows of locks and series is right when it writes; that it has lost a bucket it does not know. */
function aWorld() {
  const consul = createWorldConsul(createFakeClock());
  const guards = new Map<string, SessionId>();
  let sessions = 0;
  consul.requests.registerNode('node');
  function give(bucket: number): SessionId {
    sessions += 1;
    const key = bucketKey(bucket);
    const name = `session-${sessions}`;
    const session = consul.requests.createSession({ node: 'node', name, ttlMs: 600_000, lockDelayMs: 0 });
    consul.foreign.unlock(key, consul.entry(key)?.session ?? '');
    consul.foreign.lock(key, session, 'bucket');
    return session;
  }
  const regain = (bucket: number): void => void guards.set(bucketKey(bucket), give(bucket));
  const move = (key: string): void => consul.foreign.put(key, `by hand after ${consul.index()}`);
  const version = (key: string) => ({ key, index: consul.entry(key)?.modifyIndex ?? 0 });
  BUCKETS.forEach(regain);
  for (const group of GROUPS) move(lockKey(group));

  let drawn = 0;
  function aWrite({ group, series, isReport }: Wish): Write {
    drawn += 1;
    const key = bucketKey(group % BUCKETS.length);
    const session = guards.get(key) ?? expect.fail(`nobody has ever had ${key}`);
    const lock = isReport ? null : version(lockKey(group));
    return { guard: { key, session }, lock, series: version(seriesKey(group, series)), value: `claim ${drawn}` };
  }
  return { consul, aWrite, regain, lose: give, move };
}

type Entries = { get(key: string): Pick<KvEntry, 'session' | 'modifyIndex'> | undefined };

/** What a write rests on, and whether it is as it was seen. */
function standing({ guard, lock, series }: Write, entries: Entries) {
  const indexOf = (key: string): number => entries.get(key)?.modifyIndex ?? 0;
  return {
    bucketLost: entries.get(guard.key)?.session === guard.session,
    lockMoved: lock === null || indexOf(lock.key) === lock.index,
    seriesMoved: indexOf(series.key) === series.index,
  };
}

const valuesOf = (ops: readonly TxnOp[]): readonly string[] =>
  ops.flatMap((op) => (op.verb === 'cas' || op.verb === 'set' ? [op.value] : []));

type Sent = { readonly write: Write; readonly heard: Commit[] };

/** What Consul has taken, and what the replica says of it. */
function watched(consul: WorldConsul) {
  const breaches: string[] = [];
  const sent = new Map<string, Sent>();
  const taken = new Set<string>();
  const seen = { transactions: 0, mixed: 0 };
  const must = (isSo: boolean, otherwise: string): void => {
    if (!isSo) breaches.push(otherwise);
  };
  const sentOf = (value: string): Sent => sent.get(value) ?? expect.fail(`${value} was not sent`);

  function made(value: string, before: Entries): void {
    const { write, heard } = sentOf(value);
    must(!taken.has(value), `${value} was made twice`);
    taken.add(value);
    for (const [what, isSo] of Object.entries(standing(write, before))) must(isSo, `${value} was made, though ${what}`);
    const { kind } = heard[0] ?? { kind: 'unknown' };
    must(kind === 'unknown', `${value} was made after it was told ${kind}`);
  }

  function heard(value: string, commit: Commit, wasUnheard: boolean): void {
    const { write, heard: before } = sentOf(value);
    const { kind } = commit;
    const says = `${value} was told ${kind}`;
    must(before.length === 0, `${says}, after ${before[0]?.kind}`);
    before.push(commit);
    must((kind === 'unknown') === wasUnheard, `${says}: its answer was ${wasUnheard ? 'lost' : 'heard'}`);
    must(kind !== 'failed', `${says}, for no reason`);
    must(kind === 'unknown' || (kind === 'committed') === taken.has(value), `${says}, falsely`);
    must(kind !== 'committed' || commit.entry.value === value, `${says} of another`);
    const now: Partial<Record<string, boolean>> = standing(write, consul.now().entries);
    must(now[kind] !== true, `${says}, and it has not`);
  }

  consul.onTxn(({ ops, result, before }) => {
    seen.transactions += 1;
    if (ops.filter(({ verb }) => verb === 'check-session').length > 1) seen.mixed += 1;
    if (result.kind === 'committed') for (const value of valuesOf(ops)) made(value, before);
  });
  return { breaches, sent, seen, heard };
}

async function played(acts: readonly Act[]) {
  const { consul, aWrite, regain, lose, move } = aWorld();
  const watch = watched(consul);
  const link = createLink('O1', createWorldApiServer(), consul, () => undefined);
  const unheard = new Set<string>();
  const fates: Fate[] = [];
  link.decide(() => fates.shift() ?? 'held');
  const txn: typeof link.consul.txn = async (ops, signal) => {
    try {
      return await link.consul.txn(ops, signal);
    } catch (error) {
      for (const value of valuesOf(ops)) unheard.add(value);
      throw error;
    }
  };
  const commits = createCommits({ txn }, () => undefined, new AbortController().signal);

  function write(wish: Wish): void {
    const one = aWrite(wish);
    watch.sent.set(one.value, { write: one, heard: [] });
    void commits.commit(one, wish.isReport).then((commit) => watch.heard(one.value, commit, unheard.has(one.value)));
  }
  for (const each of acts) {
    if (each.act === 'write') each.wishes.forEach(write);
    else if (each.act === 'loseBucket') lose(each.bucket);
    else if (each.act === 'regainBucket') regain(each.bucket);
    else if (each.act === 'moveLock') move(lockKey(each.group));
    else if (each.act === 'moveSeries') move(seriesKey(each.group, each.series));
    else if (each.act === 'fate') fates.push(each.fate);
    else if ('which' in each) link.held()[each.which]?.[each.act]();
    await settle();
  }
  fates.length = 0;
  while (link.held().length > 0) {
    link.held()[0]?.deliver();
    await settle();
  }
  return watch;
}

it('is made as it would have been alone, and told so, whatever the others meet', async () => {
  let mixed = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 3, maxLength: 30 }), async (acts) => {
      const { breaches, sent, seen } = await played(acts);
      expect(breaches).toEqual([]);
      expect([...sent.values()].filter(({ heard }) => heard.length !== 1)).toEqual([]);
      // Each transaction settles one at least.
      expect(seen.transactions).toBeLessThanOrEqual(sent.size);
      mixed += seen.mixed;
    }),
    trying(300),
  );
  expect(mixed).toBeGreaterThan(300);
});
