/**
 * A preferred candidate takes the lead from a leader that is well after its delay, and no sooner, whatever is lost or late of it; one that does not keep the
 * lead takes it less and less often (promise I15).
 */
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { aPod, type GroupOverrides } from '../kit/fakes/builders.ts';
import { ofTier, PREEMPTING } from '../kit/fakes/builders-preemption.ts';
import { switchoverText } from '../kit/fakes/builders-switchover.ts';
import { settle } from '../kit/fakes/clock.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import type { Replica } from '../kit/model/replica.ts';
import { trying } from '../kit/model/seed.ts';
import {
  annotateSwitchover,
  endSessionOnFencing,
  giveUpAll,
  INTERRUPTIONS,
  interruptedPass,
  newOwner,
  ownedAtRest,
  record,
  seeAndPass,
  stall,
  whoLeads,
} from '../kit/model/stage.ts';

let model: Model;

const DELAY_MS = 120_000;
const spec = { ...PREEMPTING, preemption: { policy: 'WhenPreferred', delayMs: DELAY_MS } } as const;

/** a leads; c is preferred, and has been ready since a moment. */
async function ledByA(group: GroupOverrides = {}): Promise<Replica> {
  const pods = [aPod({ name: 'a' }), aPod({ name: 'b' }), aPod({ name: 'c', ...ofTier('large'), ready: false })];
  model = aModel({ group: { ...group, spec: { ...spec, ...group.spec } }, pods });
  const owner = await ownedAtRest(model);
  if (where()[0][0] !== 'a') {
    askFor('a');
    await rest(owner);
  }
  ready('c', true);
  await rest(owner);
  return owner;
}

const where = () => whoLeads(model);
const ready = (name: string, is: boolean): void => model.api.foreign.changePod(name, () => ({ ready: is }));
const askFor = (to: string): void => annotateSwitchover(model, switchoverText(to, -1, model.clock.wallMs()));
const written = (): number => model.api.writes() + model.consul.writes();
const preferred = () => model.api.group()?.status?.conditions.find(({ type }) => type === 'Preferred');
const preemptions = (): number =>
  model.api.group()?.status?.recentTransitions.filter(({ reason }) => reason === 'Preempted').length ?? 0;

/** Without letting time go by but for what is tried again. */
async function rest(owner: Replica): Promise<void> {
  for (let passes = 0; passes < 30; passes += 1) {
    const before = written();
    await owner.hear();
    await seeAndPass(model, owner);
    const again = owner.next()?.kind === 'retry';
    if (again) await model.clock.advance(200);
    if (!again && written() === before) return;
  }
  throw new Error(`${owner.name} does not come to rest`);
}

async function wait(owner: Replica, ms: number): Promise<void> {
  await model.clock.advance(ms);
  await rest(owner);
}

async function nextOwner(): Promise<Replica> {
  const next = await newOwner(model);
  await rest(next);
  return next;
}

afterEach(() => {
  expect(model.promises.breaches).toEqual([]);
});

describe('a preferred candidate', () => {
  it.each([{}, { spec: { lockKey: 'shared/cron' } }])(
    'takes the lead after its delay, and people see why: %j',
    async (group) => {
      const owner = await ledByA(group);
      await wait(owner, DELAY_MS - 1000);
      expect([where(), preferred()?.reason]).toEqual([[['a'], 'a'], 'Waiting']);
      await wait(owner, 1000);
      expect([where(), preferred()?.status]).toEqual([[['c'], 'c'], 'True']);
      expect(model.api.group()?.status?.recentTransitions[0]).toMatchObject({
        from: 'a',
        to: 'c',
        reason: 'Preempted',
      });
      expect(record(model)?.preempted).toMatchObject({ level: 0, leads: true });
    },
  );

  it('is waited for without a write, and leads without one', async () => {
    const owner = await ledByA();
    const before = written();
    for (let seconds = 1; seconds < 120; seconds += 1) await wait(owner, 1000);
    expect(written()).toBe(before);
    await wait(owner, 1000);
    expect(where()).toEqual([['c'], 'c']);
    const after = written();
    await wait(owner, 1_000_000);
    expect(written()).toBe(after);
  });

  it('wakes the group when its time has come', async () => {
    const owner = await ledByA();
    await wait(owner, 50_000);
    expect(owner.next()).toEqual({ kind: 'after', delayMs: 70_000 });
  });

  it('does not take the lead by a cache that does not show yet that the group is paused', async () => {
    const owner = await ledByA();
    await model.clock.advance(DELAY_MS);
    model.api.foreign.changeGroup('notifier', ({ generation, ...group }) => ({
      generation: generation + 1,
      spec: { ...group.spec, paused: true },
    }));
    for (let passes = 0; passes < 5; passes += 1) await model.pass(owner);
    await rest(owner);
    expect(where()).toEqual([['a'], 'a']);
  });

  it('does not take the lead while Consul has fallen silent unnoticed', async () => {
    const owner = await ledByA();
    await model.clock.advance(DELAY_MS);
    owner.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
    await model.pass(owner);
    expect(model.leaders()).toEqual(['a']);
  });

  it('waits for its turn at rest', async () => {
    const owner = await ledByA();
    await model.clock.advance(DELAY_MS);
    for (const group of ['x', 'y', 'z']) owner.turns.take(group);
    await rest(owner);
    expect([where(), owner.next()]).toEqual([[['a'], 'a'], { kind: 'after', delayMs: 3000 }]);
    await wait(owner, 3000);
    expect(where()).toEqual([['c'], 'c']);
  });

  it('waits anew under another owner, which has not seen it wait', async () => {
    const owner = await ledByA();
    await wait(owner, DELAY_MS - 5000);
    const next = await nextOwner();
    await wait(next, DELAY_MS - 5000);
    expect(where()).toEqual([['a'], 'a']);
    await wait(next, 5000);
    expect(where()).toEqual([['c'], 'c']);
  });

  it('does not take the lead from whom a switchover has put there, until that one is lost', async () => {
    const owner = await ledByA();
    await wait(owner, DELAY_MS);
    askFor('b');
    await wait(owner, 2000);
    expect([where(), preferred()?.reason]).toEqual([[['b'], 'b'], 'Pinned']);
    await wait(owner, 20 * DELAY_MS);
    const next = await nextOwner();
    await wait(next, 20 * DELAY_MS);
    expect(where()).toEqual([['b'], 'b']);
    ready('b', false);
    await rest(next);
    expect(where()).toEqual([['c'], 'c']);
  });

  it('waits for a grant of the gate, and takes no grant away that is good', async () => {
    const owner = await ledByA();
    await model.clock.advance(DELAY_MS - 500);
    expect(owner.ask('uid-of-a').kind).toBe('grant');
    await model.clock.advance(500);
    await seeAndPass(model, owner);
    expect(model.leaders()).toEqual(['a']);
    await model.clock.advance(2000);
    await rest(owner);
    expect(where()).toEqual([['c'], 'c']);
  });

  it.each(INTERRUPTIONS)(
    'leads in the end, whatever is %s of it, though the bucket gets another owner meanwhile',
    async (fate) => {
      let met = true;
      for (let at = 0; met; at += 1) {
        const owner = await ledByA();
        await model.clock.advance(DELAY_MS);
        owner.see.all();
        met = await interruptedPass(owner, at, fate);
        await giveUpAll(owner);
        const next = await nextOwner();
        for (const held of owner.link.held()) held.deliver();
        await settle();
        await rest(next);
        expect([at, where()[0].length]).toEqual([at, 1]);
        for (let passes = 0; passes < 4; passes += 1) await wait(next, DELAY_MS);
        expect([at, ...where()]).toEqual([at, ['c'], 'c']);
        expect(model.promises.breaches).toEqual([]);
      }
    },
  );

  it('is handed the lead once, though two replicas believe that they own the bucket', async () => {
    const first = await ledByA();
    await model.clock.advance(DELAY_MS);
    first.see.all();
    const fencing = await stall(first, { operation: 'patchPod', about: 'a' }, 'answerHeld');
    const second = model.replica('O2');
    await model.own(second, { unnoticed: true });
    await rest(second);
    fencing.deliver();
    await settle();
    await rest(second);
    expect(where()[0]).toHaveLength(1);
    for (let passes = 0; passes < 3; passes += 1) await wait(second, DELAY_MS);
    expect(where()).toEqual([['c'], 'c']);
    expect(model.promises.promotions.filter(({ pod }) => pod === 'c')).toHaveLength(1);
  });

  it('that is made anew under its name while the leader is being told waits for its own delay', async () => {
    const owner = await ledByA();
    await model.clock.advance(DELAY_MS);
    owner.see.all();
    model.api.foreign.removePod('c');
    model.api.foreign.addPod(aPod({ name: 'c', uid: 'second', ...ofTier('large') }));
    await rest(owner);
    await wait(owner, DELAY_MS - 1000);
    expect(where()[0]).toEqual(['a']);
  });

  it('is tried again after another delay, where the fencing patch is not answered', async () => {
    const owner = await ledByA();
    await model.clock.advance(DELAY_MS);
    let tries = 0;
    owner.link.decide(({ operation, about }) => {
      if (operation !== 'patchPod' || about !== 'a') return 'arrives';
      tries += 1;
      return 'lost';
    });
    for (let passes = 0; passes < 5; passes += 1) {
      await seeAndPass(model, owner);
      await model.clock.advance(1000);
    }
    expect([tries, model.leaders()]).toEqual([1, ['a']]);
  });

  it('costs the leader its label once in a delay, where the handover fails again and again', async () => {
    const owner = await ledByA();
    endSessionOnFencing(model, 'a', 'c');
    const before = model.promises.demotions.length;
    for (let seconds = 0; seconds < 3 * (DELAY_MS / 1000); seconds += 5) await wait(owner, 5000);
    expect(where()[0]).toHaveLength(1);
    expect(model.promises.demotions.length - before).toBeLessThanOrEqual(3);
  });
});

describe('a pair of which the preferred one fails whenever it leads', () => {
  it('preempts at most twice in ten minutes, though the operator is restarted after each failure', async () => {
    let owner = await ledByA();
    for (let seconds = 0; seconds < 600; seconds += 1) {
      if (where()[1] === 'c') {
        ready('c', false);
        await rest(owner);
        owner.kill();
        owner = await nextOwner();
        ready('c', true);
      }
      await wait(owner, 1000);
    }
    expect(preemptions()).toBeGreaterThan(0);
    expect(preemptions()).toBeLessThanOrEqual(2);
  });

  it('preempts at most twice in ten minutes, however its readiness flaps', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ up: fc.integer({ min: 1, max: 400 }), down: fc.integer({ min: 1, max: 60 }) }), {
          minLength: 4,
          maxLength: 12,
        }),
        async (flaps) => {
          const owner = await ledByA();
          let left = 600;
          for (const { up, down } of flaps.flatMap((flap) => [flap, flap])) {
            for (const [is, seconds] of [
              [true, up],
              [false, down],
            ] as const) {
              ready('c', is);
              for (let at = 0; at < seconds && left > 0; at += 5, left -= 5) await wait(owner, 5000);
            }
          }
          expect(preemptions()).toBeLessThanOrEqual(2);
          expect(model.promises.breaches).toEqual([]);
        },
      ),
      trying(15),
    );
  });
});
