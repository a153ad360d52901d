/** Policies, webhooks and limits refuse writes: what they say is told, and no refusal outlives what it was about. */
import { describe, expect, it } from 'vitest';
import type { MetadataPatch } from '../../src/ports/kubernetes.ts';
import { aPod, type GroupOverrides } from '../kit/fakes/builders.ts';
import { settle } from '../kit/fakes/clock.ts';
import type { HeldRequest } from '../kit/model/link.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import type { Replica } from '../kit/model/replica.ts';
import { arrive, stall, timeOut } from '../kit/model/stage.ts';

const KEY = 'leadergroup.dev/role';

async function some(names: readonly string[], group: GroupOverrides = {}) {
  const model = aModel({ pods: names.map((name) => aPod({ name })), group });
  const owner = model.replica('owner');
  await model.own(owner);
  return { model, owner };
}

async function live(model: Model, owner: Replica, forMs: number): Promise<void> {
  const untilMs = model.clock.nowMs() + forMs;
  while (model.clock.nowMs() < untilMs) {
    owner.see.all();
    await owner.hear();
    await model.pass(owner);
    await model.clock.advance(500);
  }
}

const condition = (model: Model, type: string) =>
  model.api.group()?.status?.conditions.find((each) => each.type === type);
const isPromotion = (content: unknown): boolean => JSON.stringify(content).includes(`"${KEY}":"leader"`);
const promotions = (patch: MetadataPatch): boolean => patch.labels[KEY] === 'leader';

describe('a refused promotion', () => {
  it('is told in the words of whoever refuses, with the time of the next try', async () => {
    const { model, owner } = await some(['a', 'b']);
    model.api.refusePatches((_pod, patch) => promotions(patch));
    await live(model, owner, 3000);
    expect(condition(model, 'Ready')).toMatchObject({ status: 'False', reason: 'NoCandidate' });
    expect(condition(model, 'Ready')?.message).toMatch(
      /2 PromotionRefused \(a, b\).*pods is forbidden.*retries at \d{4}-/,
    );
  });

  it('is tried again after thirty seconds at the latest', async () => {
    const { model, owner } = await some(['a', 'b']);
    model.api.refusePatches((_pod, patch) => promotions(patch));
    await live(model, owner, 200_000);
    model.api.refusePatches(null);
    await live(model, owner, 31_000);
    expect(model.leaders()).toHaveLength(1);
  });

  it('is tried again soon when somebody else has changed the pod', async () => {
    const { model, owner } = await some(['a']);
    model.api.refusePatches((_pod, patch) => promotions(patch));
    await live(model, owner, 100_000);
    model.api.refusePatches(null);
    model.api.foreign.changePod('a', ({ labels }) => ({ labels: { ...labels, team: 'x' } }));
    await live(model, owner, 2000);
    expect(model.leaders()).toEqual(['a']);
  });

  it('is tried again soon when the group is edited', async () => {
    const { model, owner } = await some(['a']);
    model.api.refusePatches((_pod, patch) => promotions(patch));
    await live(model, owner, 100_000);
    model.api.refusePatches(null);
    model.api.foreign.changeGroup('notifier', ({ spec }) => ({ spec: { ...spec, failoverDelayMs: 1000 } }));
    await live(model, owner, 2000);
    expect(model.leaders()).toEqual(['a']);
  });

  it('is not tried again for what the operator itself writes', async () => {
    const { model, owner } = await some(['a', 'b']);
    model.api.refusePatches((_pod, patch) => promotions(patch));
    await live(model, owner, 20_000);
    const sent = (): number => owner.link.sent.filter(({ operation }) => operation === 'patchPod').length;
    const before = sent();
    await live(model, owner, 60_000);
    expect(sent() - before).toBeLessThan(12);
  });
});

describe('a refused fencing patch', () => {
  it('ends with its pod: the next one leads at once', async () => {
    const { model, owner } = await some(['a', 'b']);
    await model.rest(owner);
    expect(model.leaders()).toEqual(['a']);
    model.api.refusePatches(({ name }) => name === 'a');
    model.api.foreign.changePod('a', () => ({ ready: false }));
    await live(model, owner, 60_000);
    expect(condition(model, 'Stalled')).toMatchObject({ status: 'True', reason: 'PermissionDenied' });
    model.api.foreign.removePod('a');
    await live(model, owner, 1500);
    expect(model.leaders()).toEqual(['b']);
  });

  it('of a pod that never led does not keep a new group from its first leader', async () => {
    const { model, owner } = await some(['full', 'plain'], { finalizers: [] });
    model.api.refusePatches(({ name }) => name === 'full');
    await live(model, owner, 5000);
    expect(model.leaders()).toEqual(['plain']);
    expect(model.api.group()?.status?.ineligible).toMatchObject([{ count: 1, examples: ['full'] }]);
    expect(model.promises.breaches).toEqual([]);
  });

  it('holds a group up whose record is lost: a promotion of that pod may be under way', async () => {
    const { model, owner } = await some(['a', 'b', 'c']);
    await model.rest(owner);
    model.consul.foreign.wipe();
    const next = model.replica('next');
    model.api.refusePatches(({ name }) => name === 'c');
    await model.own(next);
    await live(model, next, 5000);
    expect(condition(model, 'Stalled')?.status).toBe('True');
    expect(condition(model, 'Stalled')?.message).toContain('writing to pod c');
  });

  it('holds a group up whose first promotion may still arrive: that its answer is lost does not say that it was refused', async () => {
    const { model, owner } = await some(['a', 'b'], { finalizers: [] });
    owner.see.all();
    let late: HeldRequest | undefined;
    owner.link.decide(({ content }) => (isPromotion(content) && late === undefined ? 'held' : 'arrives'));
    owner.pass();
    await settle();
    late = owner.link.held().at(-1);
    if (late === undefined) throw new Error('nobody was promoted');
    const { about } = late.request;
    owner.link.decide(() => 'arrives');
    await timeOut(late);
    model.api.refusePatches(({ name }) => name === about);
    await live(model, owner, 3000);
    model.api.refusePatches(null);
    await arrive(late);
    expect(model.promises.breaches).toEqual([]);
  });

  it.each([
    ['with the record', false],
    ['with Consul wiped', true],
  ])('holds a group up whose finalizer was taken off by hand, %s: it is not its first', async (_how, wiped) => {
    const { model, owner } = await some(['a', 'b', 'c']);
    await model.rest(owner);
    model.api.foreign.changePod('a', () => ({ ready: false }));
    owner.see.all();
    const late = await stall(owner, { operation: 'patchPod', about: 'b' });
    await timeOut(late);
    model.api.foreign.changeGroup('notifier', () => ({ finalizers: [] }));
    if (wiped) model.consul.foreign.wipe();
    const next = model.replica('next');
    await model.own(next);
    model.api.refusePatches(({ name }) => name === 'b');
    await live(model, next, 3000);
    model.api.refusePatches(null);
    await arrive(late);
    expect(model.promises.breaches).toEqual([]);
  });
});

describe("followers' labels that are refused", () => {
  const follower = { key: KEY, leader: 'leader', follower: 'follower' };

  it('are told once for all of them, and not any more when they were written', async () => {
    const { model, owner } = await some(['a', 'b', 'c', 'd'], { spec: { label: follower } });
    await model.rest(owner);
    model.api.refusePatches((_pod, patch) => patch.labels[KEY] === 'follower');
    for (const name of ['b', 'c', 'd'])
      model.api.foreign.changePod(name, ({ labels: { [KEY]: _gone, ...labels } }) => ({ labels }));
    await live(model, owner, 6000);
    expect(condition(model, 'Ready')).toMatchObject({ status: 'True', reason: 'Led' });
    expect(condition(model, 'Ready')?.message).toMatch(/follower \w and 2 more .*pods is forbidden.*retries at/);
    model.api.refusePatches(null);
    await live(model, owner, 35_000);
    expect(model.api.pods().filter(({ labels }) => labels[KEY] === 'follower')).toHaveLength(3);
    expect(condition(model, 'Ready')?.message).not.toContain('refuses');
  });
});
