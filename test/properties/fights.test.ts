/** Somebody else keeps the label as it thinks it should be; the operator keeps its promise, but slows down, and tells. */
import { describe, expect, it } from 'vitest';
import { fencedAnnotation, tokenAnnotation } from '../../src/api/names.ts';
import type { Pod } from '../../src/api/pod.ts';
import { groupKeys } from '../../src/election/keys.ts';
import { AN_HTTP_PROBE, aPod, type GroupOverrides } from '../kit/fakes/builders.ts';
import { switchoverText } from '../kit/fakes/builders-switchover.ts';
import type { Fate } from '../kit/model/link.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import { type Replica, SPACE } from '../kit/model/replica.ts';
import {
  annotateSwitchover,
  endLeadersSession,
  endSessionOnFencing,
  lockedFor,
  seeAndPass,
  tokenOn,
} from '../kit/model/stage.ts';

const KEY = 'leadergroup.dev/role';
const [FENCED, TOKEN] = [fencedAnnotation('notifier'), tokenAnnotation('notifier')];

async function led(group: GroupOverrides = {}): Promise<{ model: Model; owner: Replica }> {
  const model = aModel({ pods: ['a', 'b', 'c'].map((name) => aPod({ name, addresses: [`10.0.0.${name}`] })), group });
  const owner = model.replica('owner');
  await model.own(owner);
  await model.rest(owner);
  return { model, owner };
}

/** Undoes at once, and after every pass again, for so many virtual milliseconds. */
async function fight(model: Model, owner: Replica, undo: () => void, forMs: number): Promise<void> {
  const untilMs = model.clock.nowMs() + forMs;
  while (model.clock.nowMs() < untilMs) {
    undo();
    owner.see.all();
    await model.pass(owner);
    await model.clock.advance(100);
  }
}

const patches = (owner: Replica): number => owner.link.sent.filter(({ operation }) => operation === 'patchPod').length;
const ready = (model: Model) => model.api.group()?.status?.conditions.find(({ type }) => type === 'Ready');

const without = (model: Model, name: string) => () =>
  model.api.foreign.changePod(name, ({ labels: { [KEY]: _gone, ...labels } }) => ({ labels }));
/** As a tool does that writes back what it read when another pod led: the label is off, and the pod fenced. */
const asBeforeItsLead = (model: Model, name: string) => () => {
  without(model, name)();
  model.api.foreign.changePod(name, ({ annotations }) => ({
    annotations: { ...annotations, [FENCED]: 'read-before' },
  }));
};
const withLabel = (model: Model, name: string) => () =>
  model.api.foreign.changePod(name, ({ labels }) => ({ labels: { ...labels, [KEY]: 'leader' } }));

describe('a label that somebody takes off the leader again and again', () => {
  it('is put back at once the first times', async () => {
    const { model, owner } = await led();
    for (let i = 0; i < 3; i += 1) {
      without(model, 'a')();
      owner.see.all();
      await model.pass(owner);
      expect(model.leaders()).toEqual(['a']);
    }
  });

  it('costs a handful of writes and tokens, and the group says who does it', async () => {
    const { model, owner } = await led();
    const before = patches(owner);
    const token = tokenOn(model, 'a');
    await fight(model, owner, without(model, 'a'), 10_000);
    expect(patches(owner) - before).toBeLessThan(10);
    expect(tokenOn(model, 'a') - token).toBeLessThan(10);
    expect(ready(model)).toMatchObject({ status: 'False', reason: 'LabelContested' });
    expect(ready(model)?.message).toContain('pod a');
  });

  it('is not blamed on whoever wrote the pod before: taking a label off leaves no trace', async () => {
    const { model, owner } = await led();
    await fight(model, owner, without(model, 'a'), 3000);
    expect(ready(model)?.message).toContain('audit log');
    expect(ready(model)?.message).not.toContain('kube-controller-manager');
  });

  it('holds up no move of the lock away from a leader that hangs', async () => {
    const { model, owner } = await led({ spec: { leaderProbe: AN_HTTP_PROBE } });
    await fight(model, owner, without(model, 'a'), 5000);
    model.pods.answers('a', 'Timeout');
    const whileItLeads = () => lockedFor(model)?.name === 'a' && without(model, 'a')();
    await fight(model, owner, whileItLeads, 10_000);
    expect(model.leaders()).toEqual(['b']);
  });

  it('is put back for good when the fight is over', async () => {
    const { model, owner } = await led();
    await fight(model, owner, without(model, 'a'), 10_000);
    await fight(model, owner, () => undefined, 70_000);
    expect(model.leaders()).toEqual(['a']);
    expect(ready(model)).toMatchObject({ status: 'True', reason: 'Led' });
    expect(ready(model)?.message).not.toContain('another client');
  });
});

describe('a label that somebody takes off a leader again and again while a switchover waits for a grant', () => {
  const probed = { spec: { leaderProbe: AN_HTTP_PROBE } };

  it.each<[string, GroupOverrides, typeof without]>([
    ['', {}, without],
    [', also where a leader probe is asked who may follow', probed, without],
    [', also where it puts an old fence there, too', probed, asBeforeItsLead],
  ])('costs a handful of tokens, and the switchover is done%s', async (_, group, undo) => {
    const { model, owner } = await led(group);
    await fight(model, owner, () => undefined, 3000);
    expect(owner.ask('uid-of-a').kind).toBe('grant');
    const token = tokenOn(model, 'a');
    annotateSwitchover(model, switchoverText('c', -1, model.clock.wallMs()));
    for (let times = 0; times < 30; times += 1) {
      undo(model, 'a')();
      for (let passes = 0; passes < 4; passes += 1) await seeAndPass(model, owner);
      await model.clock.advance(100);
    }
    expect(tokenOn(model, 'a') - token).toBeLessThan(6);
    expect(model.leaders()).toEqual(['c']);
  });
});

describe('a label that somebody puts on a follower again and again', () => {
  it('is taken off a handful of times, and the group says who does it while its leader leads on', async () => {
    const { model, owner } = await led();
    const before = patches(owner);
    await fight(model, owner, withLabel(model, 'b'), 10_000);
    expect(patches(owner) - before).toBeLessThan(10);
    expect(ready(model)).toMatchObject({ status: 'True', reason: 'Led' });
    expect(ready(model)?.message).toContain('field manager kubectl-label');
    await fight(model, owner, () => undefined, 10_000);
    expect(model.leaders()).toEqual(['a']);
  });

  it('does not hold up a handover', async () => {
    const { model, owner } = await led();
    await fight(model, owner, withLabel(model, 'b'), 10_000);
    model.api.foreign.changePod('a', () => ({ ready: false }));
    await model.rest(owner);
    expect(model.leaders()).toHaveLength(1);
    expect(model.leaders()).not.toContain('a');
  });

  it('does not hold up a promotion of that follower that has to be repeated', async () => {
    const { model, owner } = await led();
    await fight(model, owner, withLabel(model, 'b'), 10_000);
    while (model.leaders().includes('b')) await fight(model, owner, () => undefined, 100);
    for (const name of ['a', 'c']) model.api.foreign.changePod(name, () => ({ ready: false }));
    let met = false;
    owner.link.decide(({ operation, about }) => {
      if (!met && operation === 'patchPod' && about === 'b') {
        met = true;
        model.api.foreign.changePod('b', ({ annotations }) => ({ annotations: { ...annotations, other: 'writer' } }));
      }
      return 'arrives';
    });
    owner.see.all();
    await model.pass(owner);
    expect([met, model.leaders()]).toEqual([true, ['b']]);
  });
});

it('an edit of the TTL every few seconds is no fight, though each needs another session and token, and a promotion is lost', async () => {
  const { model, owner } = await led();
  for (let edits = 0; edits < 6; edits += 1) {
    const token = tokenOn(model, 'a');
    let lost = 0;
    owner.link.decide(({ operation }) => (operation === 'patchPod' && lost++ === 0 ? 'lost' : 'arrives'));
    model.api.foreign.changeGroup('notifier', ({ spec }) => ({
      spec: { ...spec, sessionTtlMs: 20_000 + edits * 1000 },
    }));
    await fight(model, owner, () => undefined, 3000);
    expect(tokenOn(model, 'a')).toBeGreaterThan(token);
  }
  expect(ready(model)).toMatchObject({ status: 'True', reason: 'Led' });
  expect(ready(model)?.message).not.toContain('another client');
});

it.each<Fate>(['arrives', 'answerLost'])(
  'that the operator itself fences its leader for moves that come to nothing is no fight (each fencing patch: %s)',
  async (fate) => {
    const { model, owner } = await led();
    endSessionOnFencing(model, 'a', 'c');
    for (let moves = 0; moves < 6; moves += 1) {
      const token = tokenOn(model, 'a');
      owner.link.decide(({ operation, about }) => (operation === 'patchPod' && about === 'a' ? fate : 'arrives'));
      annotateSwitchover(model, switchoverText('c', -1, model.clock.wallMs()));
      await seeAndPass(model, owner);
      await seeAndPass(model, owner);
      annotateSwitchover(model, null);
      owner.link.decide(() => 'arrives');
      await fight(model, owner, () => undefined, 2000);
      expect(model.leaders()).toEqual(['a']);
      expect(tokenOn(model, 'a')).toBeGreaterThan(token);
    }
    expect(ready(model)?.message).not.toContain('another client');
  },
);

describe('whatever else somebody undoes again and again', () => {
  const unmarked = ({ annotations }: Pod): Partial<Pod> => ({
    annotations: Object.fromEntries(Object.entries(annotations).filter(([key]) => !key.endsWith('/notifier'))),
  });
  const follower = { spec: { label: { key: KEY, leader: 'leader', follower: 'follower' } } };

  it.each<[string, GroupOverrides, (model: Model) => () => void]>([
    ["the leader's annotations", {}, (model) => () => model.api.foreign.changePod('a', unmarked)],
    [
      "the leader's label and annotations together",
      {},
      (model) => () => {
        model.api.foreign.changePod('a', unmarked);
        without(model, 'a')();
      },
    ],
    ["the leader's label, with an old fence put there", {}, (model) => asBeforeItsLead(model, 'a')],
    [
      "the leader's label and token, as both were when another pod led",
      {},
      (model) => () => {
        asBeforeItsLead(model, 'a')();
        model.api.foreign.changePod('a', ({ annotations }) => ({
          annotations: { ...annotations, [TOKEN]: '0' },
        }));
      },
    ],
    ["a follower's label", follower, (model) => without(model, 'b')],
  ])('%s: it is put right a handful of times, and told', async (_what, group, undo) => {
    const { model, owner } = await led(group);
    const before = patches(owner);
    await fight(model, owner, undo(model), 10_000);
    expect(patches(owner) - before).toBeLessThan(10);
    expect(ready(model)?.message).toContain('another client');
  });

  it('a label in a group that is led elsewhere: it is taken off a handful of times, and told', async () => {
    const { model, owner } = await led({ spec: { lockKey: 'shared/x' } });
    endLeadersSession(model);
    const group = model.api.group();
    if (group === null) throw new Error('the group is gone');
    const { openSession, lock } = model.consul.foreign;
    const session = openSession({ node: 'elsewhere', name: 'consul lock', ttlMs: 0, lockDelayMs: 0 });
    lock(groupKeys(SPACE, group, 'shared/x').lock, session, null);
    await model.rest(owner);
    expect(model.leaders()).toEqual([]);
    const before = patches(owner);
    await fight(model, owner, withLabel(model, 'b'), 10_000);
    expect(patches(owner) - before).toBeLessThan(10);
    expect(ready(model)).toMatchObject({ reason: 'LedElsewhere' });
    expect(ready(model)?.message).toContain('field manager kubectl-label');
  });
});

it('externalHolders who pass a shared lock on among themselves cost no write', async () => {
  const { model, owner } = await led({ spec: { lockKey: 'shared/x' } });
  endLeadersSession(model);
  const key = 'shared/x/.lock';
  const { openSession, lock, unlock } = model.consul.foreign;
  const [one, two] = [1, 2].map(() =>
    openSession({ node: 'elsewhere', name: 'consul lock', ttlMs: 0, lockDelayMs: 0 }),
  );
  lock(key, one ?? '', null);
  await model.rest(owner);
  expect(model.leaders()).toEqual([]);
  const before = patches(owner);
  for (const [from, to] of Array.from({ length: 20 }, (_, turn) => (turn % 2 === 0 ? [one, two] : [two, one]))) {
    unlock(key, from ?? '');
    lock(key, to ?? '', null);
    await model.rest(owner);
  }
  expect(patches(owner) - before).toBe(0);
});

it('that a fight is over is told by time alone: no event says so', async () => {
  const { model, owner } = await led();
  await fight(model, owner, withLabel(model, 'b'), 3000);
  owner.see.all();
  for (let passes = 0; passes < 10; passes += 1) {
    await owner.hear();
    await model.pass(owner);
    const next = owner.next();
    if (next?.kind !== 'after') break;
    await model.clock.advance(next.delayMs);
    owner.see.all();
  }
  expect(ready(model)?.message).not.toContain('another client');
});
