/** Nothing that the operator writes may make another controller act without end: labels and the controllers of pods. */
import { describe, expect, it } from 'vitest';
import { FINALIZER } from '../../src/api/names.ts';
import type { OwnerRef, Pod } from '../../src/api/pod.ts';
import type { Workload } from '../../src/ports/kubernetes.ts';
import { aGroup, aPod, aReplicaSet, type GroupOverrides, type PodOverrides } from '../kit/fakes/builders.ts';
import { settle } from '../kit/fakes/clock.ts';
import { aModel, type Model } from '../kit/model/model.ts';
import type { Replica } from '../kit/model/replica.ts';

const KEY = 'leadergroup.dev/role';
const OWNER = aReplicaSet({ name: 'web-abc' });
const selecting: Workload = {
  kind: 'Deployment',
  name: 'web',
  selectorKeys: ['app', KEY],
  templateKeys: ['app', KEY],
  placementKeys: [],
};

const owned = (name: string, more: PodOverrides = {}): Pod =>
  aPod({ name, owner: OWNER, labels: { app: 'notifier', 'pod-template-hash': 'abc' }, ...more });

/**
 * A ReplicaSet controller: whoever lost a label that it selects by is released, and another pod comes, with the label of the template.
 * Returns how many it has made.
 */
function controllerOver(model: Model, template: Readonly<Record<string, string>>): { act(): void; made(): number } {
  let made = 0;
  const act = (): void => {
    for (const pod of model.api.pods()) {
      if (pod.owner === null || Object.entries(template).every(([key, value]) => pod.labels[key] === value)) continue;
      model.api.foreign.changePod(pod.name, () => ({ owner: null }));
      made += 1;
      model.api.foreign.addPod(owned(`made-${made}`, { labels: { ...pod.labels, ...template } }));
    }
  };
  return { act, made: () => made };
}

/** A controller that wants the key to be absent: whoever gets a label is released, unless it is about to go, and another pod comes. */
function refusingTheKey(model: Model, of: OwnerRef = OWNER): { act(): void; made(): number } {
  let made = 0;
  const act = (): void => {
    for (const pod of model.api.pods()) {
      if (pod.owner?.uid !== of.uid || pod.deleting || pod.labels[KEY] === undefined) continue;
      model.api.foreign.changePod(pod.name, () => ({ owner: null }));
      made += 1;
      model.api.foreign.addPod(owned(`made-${made}`, { owner: of }));
    }
  };
  return { act, made: () => made };
}

async function some(group: GroupOverrides = {}, labels: Readonly<Record<string, string>> = {}) {
  const pods = ['a', 'b', 'c'].map((name) =>
    owned(name, { labels: { app: 'notifier', 'pod-template-hash': 'abc', ...labels } }),
  );
  const model = aModel({ pods, group });
  const owner = model.replica('owner');
  await model.own(owner);
  return { model, owner };
}

/** Passes, with the controller acting after each, for so many virtual seconds. */
async function live(model: Model, owner: Replica, controller: { act(): void }, seconds = 60): Promise<void> {
  for (let at = 0; at < seconds; at += 1) {
    owner.see.all();
    await owner.hear();
    await model.pass(owner);
    controller.act();
    await model.clock.advance(1000);
  }
}

const FOLLOWING: GroupOverrides = { spec: { label: { key: KEY, leader: 'leader', follower: 'follower' } } };
const idle = { act: () => undefined };

const podWrites = (replica: Replica): number =>
  replica.link.sent.filter(({ operation }) => operation === 'patchPod').length;
const labelsOf = (model: Model) => Object.fromEntries(model.api.pods().map(({ name, labels }) => [name, labels[KEY]]));
const conditionOf = (model: Model, type: string) =>
  model.api.group()?.status?.conditions.find((each) => each.type === type);

describe('a controller that selects by the label key', () => {
  const templates = [{ [KEY]: 'leader' }, { [KEY]: 'standby' }];

  it.each(templates)('is never written against, and the group says whose selector it is: %j', async (template) => {
    const { model, owner } = await some({}, template);
    model.api.foreign.setWorkload(OWNER.uid, selecting);
    await live(model, owner, controllerOver(model, template));
    expect(podWrites(owner)).toBe(0);
    expect(conditionOf(model, 'Stalled')).toMatchObject({ status: 'True', reason: 'LabelInWorkloadSelector' });
    expect(conditionOf(model, 'Ready')?.message).toContain(`Deployment web selects its pods by the label key ${KEY}`);
  });

  it('that comes to a led group stops it: nothing more is written', async () => {
    const { model, owner } = await some();
    await model.rest(owner);
    const before = podWrites(owner);
    const other = aReplicaSet({ name: 'other-abc' });
    model.api.foreign.setWorkload(other.uid, { ...selecting, name: 'other' });
    model.api.foreign.addPod(owned('d', { owner: other, labels: { app: 'notifier', [KEY]: 'leader' } }));
    await live(model, owner, { act: () => undefined });
    expect(podWrites(owner)).toBe(before);
    expect(model.leaders()).toContain('a');
  });

  it('stops a group no longer than it selects, also where a leader that is no member any more has another controller', async () => {
    const { model, owner } = await some();
    await live(model, owner, idle, 10);
    model.api.foreign.setWorkload(OWNER.uid, selecting);
    model.api.foreign.changePod('a', () => ({ owner: aReplicaSet({ name: 'web-before' }) }));
    owner.kill();
    const next = model.replica('next');
    await model.own(next);
    await live(model, next, idle, 10);
    expect(conditionOf(model, 'Stalled')?.status).toBe('True');
    model.api.foreign.changePod('a', () => ({ phase: 'Failed', ready: false }));
    model.api.foreign.setWorkload(OWNER.uid, { ...selecting, selectorKeys: ['app'], templateKeys: ['app'] });
    await live(model, next, idle, 120);
    expect([conditionOf(model, 'Stalled')?.status, model.leaders()]).toEqual(['False', ['b']]);
  });

  it('is told also where Consul went before: who leads keeps the label, against the wish to demote', async () => {
    const { model, owner } = await some({ spec: { onConsulLoss: 'Demote' } });
    await model.rest(owner);
    owner.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
    owner.believe('lapsed');
    const other = aReplicaSet({ name: 'other-abc' });
    model.api.foreign.setWorkload(other.uid, { ...selecting, name: 'other' });
    model.api.foreign.addPod(owned('d', { owner: other }));
    model.api.foreign.changePod('a', () => ({ owner: other }));
    await live(model, owner, { act: () => undefined });
    expect(model.leaders()).toEqual(['a']);
    expect(conditionOf(model, 'Stalled')).toMatchObject({ status: 'True', reason: 'LabelInWorkloadSelector' });
  });

  it('that is gone is not waited for by people: where another one cannot be read they are told to edit the spec', async () => {
    const { model, owner } = await some();
    const other = aReplicaSet({ name: 'other-abc' });
    model.api.foreign.setWorkload(OWNER.uid, selecting);
    model.api.foreign.setWorkload(other.uid, 'unreadable');
    model.api.foreign.addPod(owned('x', { owner: other }));
    await live(model, owner, idle, 10);
    for (const name of ['a', 'b', 'c']) model.api.foreign.removePod(name);
    model.api.foreign.setWorkload(OWNER.uid, 'gone');
    await live(model, owner, idle, 120);
    expect(conditionOf(model, 'Stalled')?.message).toContain('edit the spec of the LeaderGroup to resume');
    model.api.foreign.changeGroup('notifier', ({ spec }) => ({ spec: { ...spec, failoverDelayMs: 1000 } }));
    await live(model, owner, idle, 10);
    expect(model.leaders()).toEqual(['x']);
  });

  it('does not hold up a deletion: labels stay, and the group goes', async () => {
    const { model, owner } = await some({}, templates[0]);
    model.api.foreign.setWorkload(OWNER.uid, selecting);
    const controller = controllerOver(model, templates[0] ?? {});
    await live(model, owner, controller, 5);
    model.api.foreign.deleteGroup('notifier');
    await live(model, owner, controller, 5);
    expect(model.api.group()).toBeNull();
    expect(controller.made()).toBe(0);
  });

  it('that kept the label on a pod which left the group: the next group of the name knows it as its own', async () => {
    const { model, owner } = await some();
    await model.rest(owner);
    model.api.foreign.setWorkload(OWNER.uid, selecting);
    model.api.foreign.changePod('a', ({ labels }) => ({ labels: { ...labels, app: 'another' } }));
    owner.kill();
    const next = model.replica('next');
    await model.own(next);
    await live(model, next, idle, 10);
    expect(conditionOf(model, 'Stalled')).toMatchObject({ status: 'True', reason: 'LabelInWorkloadSelector' });

    model.api.foreign.deleteGroup('notifier');
    await live(model, next, idle, 10);
    expect(model.api.group()).toBeNull();
    expect(labelsOf(model)['a']).toBe('leader');

    model.api.foreign.setWorkload(OWNER.uid, { ...selecting, selectorKeys: ['app'], templateKeys: ['app'] });
    model.api.foreign.addGroup(aGroup({ uid: 'second', finalizers: [] }));
    await live(model, next, idle, 120);
    expect(labelsOf(model)).toMatchObject({ a: undefined, b: 'leader' });
  });

  it('that kept the label stalls the next group of the name, whatever that selects, until the pod is gone', async () => {
    const { model, owner } = await some();
    await model.rest(owner);
    owner.kill();
    model.api.foreign.setWorkload(OWNER.uid, selecting);
    const next = model.replica('next');
    await model.own(next);
    await live(model, next, idle, 10);
    model.api.foreign.deleteGroup('notifier');
    await live(model, next, idle, 10);

    const another = aReplicaSet({ name: 'other-abc' });
    model.api.foreign.setWorkload(another.uid, { ...selecting, name: 'other', selectorKeys: ['app'] });
    for (const name of ['x', 'y']) model.api.foreign.addPod(owned(name, { owner: another, labels: { app: 'other' } }));
    const selector = { matchLabels: { app: 'other' }, matchExpressions: [] };
    model.api.foreign.addGroup(aGroup({ uid: 'second', finalizers: [], spec: { selector } }));
    await live(model, next, idle, 120);
    expect(conditionOf(model, 'Stalled')).toMatchObject({ status: 'True', reason: 'LabelInWorkloadSelector' });
    expect(labelsOf(model)).toMatchObject({ a: 'leader', x: undefined, y: undefined });

    for (const name of ['a', 'b', 'c']) model.api.foreign.removePod(name);
    await live(model, next, idle, 10);
    expect(labelsOf(model)).toEqual({ x: 'leader', y: undefined });
  });
});

describe('a controller whose selector can be edited', () => {
  const clear = { ...selecting, selectorKeys: ['app'], templateKeys: ['app'] };

  async function edited(workload: Workload | 'unreadable') {
    const { model, owner } = await some({}, { [KEY]: 'leader' });
    model.api.foreign.setWorkload(OWNER.uid, clear);
    await live(model, owner, idle, 10);
    model.api.foreign.setWorkload(OWNER.uid, workload);
    const controller = controllerOver(model, { [KEY]: 'leader' });
    await live(model, owner, controller, 100);
    return { model, owner, made: controller.made() };
  }

  it.each([selecting, 'unreadable'] as const)(
    'is read anew once it releases a pod that we wrote: nothing more is written, %o',
    async (workload) => {
      const { model, owner, made } = await edited(workload);
      const written = podWrites(owner);
      // By the edit itself: the two that had lost the label of the new selector.
      expect(made).toBe(2);
      expect(conditionOf(model, 'Stalled')).toMatchObject({ status: 'True', reason: 'LabelInWorkloadSelector' });
      await live(model, owner, idle, 100);
      expect(podWrites(owner)).toBe(written);
    },
  );

  it('is read once more for each pod that is orphaned on purpose, and the group goes on', async () => {
    const { model, owner } = await some();
    await live(model, owner, idle, 10);
    const reads = (): number => owner.link.sent.filter(({ operation }) => operation === 'getWorkload').length;
    const before = reads();
    model.api.foreign.changePod('a', () => ({ owner: null }));
    await live(model, owner, idle, 100);
    expect([reads() - before, conditionOf(model, 'Stalled')?.status]).toEqual([1, 'False']);
  });
});

describe('a controller that may not be read', () => {
  it.each([{ [KEY]: 'leader' }, { [KEY]: 'standby' }])('makes one pod and no more: %j', async (template) => {
    const { model, owner } = await some({}, template);
    model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
    const controller = controllerOver(model, template);
    await live(model, owner, controller, 300);
    expect(controller.made()).toBe(1);
    expect(conditionOf(model, 'Stalled')).toMatchObject({ status: 'True', reason: 'LabelInWorkloadSelector' });
  });

  it('stays left alone by an operator that has just started', async () => {
    const template = { [KEY]: 'leader' };
    const { model, owner } = await some({}, template);
    model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
    const controller = controllerOver(model, template);
    await live(model, owner, controller);
    owner.kill();
    const next = model.replica('next');
    await model.own(next);
    await live(model, next, controller);
    expect(controller.made()).toBe(1);
  });

  it('stays left alone by one that has just started when the released pod is gone, too', async () => {
    const template = { [KEY]: 'leader' };
    const { model, owner } = await some({}, template);
    model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
    const controller = controllerOver(model, template);
    await live(model, owner, controller);
    owner.kill();
    for (const pod of model.api.pods()) if (pod.owner === null) model.api.foreign.removePod(pod.name);
    const next = model.replica('next');
    await model.own(next);
    await live(model, next, controller);
    expect(controller.made()).toBe(1);
  });

  it('does not keep a group from its leader where it does not select by the key', async () => {
    const { model, owner } = await some();
    model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
    const controller = controllerOver(model, { app: 'notifier' });
    await live(model, owner, controller, 10);
    expect(model.leaders()).toEqual(['a']);
    model.api.foreign.changePod('a', () => ({ ready: false }));
    await live(model, owner, controller, 10);
    expect(model.leaders()).toEqual(['b']);
    expect(conditionOf(model, 'Stalled')?.status).toBe('False');
  });

  it.each([3, 20])(
    'does not keep a group from its leader where the API server fails slowly, for %i of them',
    async (count) => {
      const names = Array.from({ length: count }, (_, at) => `w${at}`);
      const model = aModel({ pods: names.map((name) => owned(name, { owner: aReplicaSet({ name: `${name}-abc` }) })) });
      const owner = model.replica('owner');
      await model.own(owner);
      owner.link.decide(({ operation }) => (operation === 'getWorkload' ? 'held' : 'arrives'));
      for (let at = 0; at < 40 && model.leaders().length === 0; at += 1) {
        owner.see.all();
        owner.pass();
        await model.clock.advance(1500);
        for (const request of owner.link.held()) request.drop();
        await settle();
      }
      expect(model.leaders()).toHaveLength(1);
    },
  );

  it('does not keep followers from their label, nor a led group from Led, when the operator has just started', async () => {
    const { model, owner } = await some(FOLLOWING);
    model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
    const controller = controllerOver(model, { app: 'notifier' });
    await live(model, owner, controller, 10);
    owner.kill();
    for (const name of ['d', 'e']) model.api.foreign.addPod(owned(name));
    const next = model.replica('next');
    await model.own(next);
    await live(model, next, controller, 30);
    expect(labelsOf(model)).toEqual({ a: 'leader', b: 'follower', c: 'follower', d: 'follower', e: 'follower' });
    expect(conditionOf(model, 'Ready')).toMatchObject({ status: 'True', reason: 'Led' });
  });

  it('does not hold up a deletion by an operator that has just started: every label comes off', async () => {
    const { model, owner } = await some(FOLLOWING);
    model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
    const controller = controllerOver(model, { app: 'notifier' });
    await live(model, owner, controller, 10);
    owner.kill();
    model.api.foreign.deleteGroup('notifier');
    const next = model.replica('next');
    await model.own(next);
    await live(model, next, controller, 30);
    expect([model.api.group(), labelsOf(model)]).toEqual([null, { a: undefined, b: undefined, c: undefined }]);
  });

  it.each([false, true])(
    'makes one pod and no more, however often it is scaled to zero and back (the operator restarts meanwhile: %s)',
    async (restarts) => {
      const { model, owner } = await some({}, { [KEY]: 'standby' });
      model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
      const controller = controllerOver(model, { [KEY]: 'standby' });
      await live(model, owner, controller, 20);
      let working = owner;
      for (let round = 0; round < 3; round += 1) {
        for (const pod of model.api.pods()) model.api.foreign.removePod(pod.name);
        await live(model, working, controller, 5);
        expect(conditionOf(model, 'Ready')).toMatchObject({ status: 'False', reason: 'NoMembers' });
        expect(conditionOf(model, 'Stalled')).toMatchObject({ status: 'True', reason: 'LabelInWorkloadSelector' });
        if (restarts) {
          working.kill();
          working = model.replica(`next-${round}`);
          await model.own(working);
          await live(model, working, controller, 5);
        }
        const labels = { app: 'notifier', 'pod-template-hash': 'abc', [KEY]: 'standby' };
        for (const name of ['a', 'b', 'c']) model.api.foreign.addPod(owned(`${name}${round}`, { labels }));
        await live(model, working, controller, 20);
      }
      expect(controller.made()).toBe(1);
    },
  );

  it('that is gone for good with its pods keeps no other from the group, once that has been read', async () => {
    const { model, owner } = await some({}, { [KEY]: 'standby' });
    model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
    await live(model, owner, controllerOver(model, { [KEY]: 'standby' }), 20);
    for (const pod of model.api.pods()) model.api.foreign.removePod(pod.name);
    await live(model, owner, idle, 5);
    model.api.foreign.addPod(owned('x', { owner: aReplicaSet({ name: 'other-abc' }) }));
    await live(model, owner, idle, 5);
    expect([conditionOf(model, 'Stalled')?.status, model.leaders()]).toEqual(['False', ['x']]);
  });

  /** Its pods carry nothing that tells who made them. */
  async function bareOnes() {
    const bare = (name: string): Pod => owned(name, { labels: { app: 'notifier', [KEY]: 'leader' } });
    const model = aModel({ pods: ['a', 'b', 'c'].map(bare) });
    const owner = model.replica('owner');
    await model.own(owner);
    model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
    const controller = controllerOver(model, { [KEY]: 'leader' });
    return { model, owner, controller };
  }

  it('makes one pod and no more, although it leaves no mark on its pods', async () => {
    const { model, owner, controller } = await bareOnes();
    await live(model, owner, controller, 300);
    expect(controller.made()).toBe(1);
  });

  it('makes one pod and no more, although no answer to a patch arrives and it leaves no mark on its pods', async () => {
    const { model, owner, controller } = await bareOnes();
    owner.link.decide(({ operation }) => (operation === 'patchPod' ? 'answerLost' : 'arrives'));
    await live(model, owner, controller, 100);
    expect(controller.made()).toBe(1);
  });

  /** Beside a workload that is read: pods of another one that may not be, and that wants the key to be absent. */
  async function withFollowersOf(other: OwnerRef) {
    const { model, owner } = await some(FOLLOWING);
    await live(model, owner, idle, 10);
    model.api.foreign.setWorkload(other.uid, 'unreadable');
    for (const name of ['x', 'y', 'z']) model.api.foreign.addPod(owned(name, { owner: other }));
    return { model, owner, controller: refusingTheKey(model, other) };
  }

  it('makes one pod and no more of followers, of which a patch leaves no annotation, although no answer arrives', async () => {
    const { model, owner, controller } = await withFollowersOf(aReplicaSet({ name: 'other-abc' }));
    owner.link.decide(({ operation }) => (operation === 'patchPod' ? 'answerLost' : 'arrives'));
    await live(model, owner, controller, 100);
    expect(controller.made()).toBe(1);
  });

  it('stops nothing by a pod that was orphaned after its label was refused: nothing was written', async () => {
    const { model, owner } = await withFollowersOf(aReplicaSet({ name: 'other-abc' }));
    model.api.refusePatches((pod) => pod.name === 'x');
    await live(model, owner, idle, 10);
    model.api.foreign.changePod('x', () => ({ owner: null }));
    await live(model, owner, idle, 10);
    expect(conditionOf(model, 'Stalled')?.status).toBe('False');
  });

  describe('is tried by a pod that', () => {
    const withFollowers = (model: Model): void =>
      model.api.foreign.changeGroup('notifier', ({ spec }) => ({
        spec: { ...spec, label: { ...spec.label, follower: 'follower' } },
      }));

    /** Its leader is the trial, and has just been promoted; from now on followers are to have a label, too. */
    async function promoted() {
      const { model, owner } = await some();
      for (const name of ['d', 'e']) model.api.foreign.addPod(owned(name));
      model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
      for (let at = 0; at < 20 && model.leaders().length === 0; at += 1) {
        owner.see.all();
        await model.pass(owner);
        if (model.leaders().length === 0) await model.clock.advance(300);
      }
      expect(model.leaders()).toEqual(['a']);
      withFollowers(model);
      return { model, owner, controller: refusingTheKey(model) };
    }

    it('goes before its controller has acted: that shows nothing, and the next one is tried', async () => {
      const { model, owner, controller } = await promoted();
      model.api.foreign.removePod('a');
      await live(model, owner, controller);
      expect([controller.made(), conditionOf(model, 'Stalled')?.status]).toEqual([1, 'True']);
    });

    it('is about to go: that shows nothing either', async () => {
      const { model, owner, controller } = await promoted();
      model.api.foreign.changePod('a', () => ({ deleting: true, ready: false }));
      await live(model, owner, idle, 2);
      await live(model, owner, controller);
      expect([controller.made(), conditionOf(model, 'Stalled')?.status]).toEqual([1, 'True']);
    });

    it('is about to go, with the label that it was given: its controller does not look at it any more', async () => {
      const { model, owner, controller } = await withFollowersOf(aReplicaSet({ name: 'other-abc' }));
      const tried = (): readonly string[] => ['x', 'y', 'z'].filter((name) => labelsOf(model)[name] !== undefined);
      await live(model, owner, idle, 1);
      expect(tried()).toEqual(['x']);
      model.api.foreign.changePod('x', () => ({ deleting: true, ready: false }));
      await live(model, owner, idle, 3);
      expect(tried()).toEqual(['x']);
      await live(model, owner, controller);
      expect([tried(), controller.made()]).toEqual([['x', 'y'], 1]);
    });

    it('was released, which a watch that hangs does not show: a read of the pod does', async () => {
      const { model, owner, controller } = await promoted();
      owner.see.all();
      controller.act();
      for (let at = 0; at < 10; at += 1) {
        await model.clock.advance(1000);
        await owner.hear();
        await model.pass(owner);
        controller.act();
      }
      expect(controller.made()).toBe(1);
    });

    it('was never written, for its patch was lost: that shows nothing', async () => {
      const { model, owner } = await some();
      model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
      const lost: string[] = [];
      owner.link.decide(({ operation, about, content }) => {
        const loses = operation === 'patchPod' && lost.length === 0 && JSON.stringify(content).includes('"leader"');
        if (loses) lost.push(about);
        return loses ? 'lost' : 'arrives';
      });
      const sent = (): number => lost.length;
      while (sent() === 0) {
        owner.see.all();
        await model.pass(owner);
        if (sent() === 0) await model.clock.advance(300);
      }
      model.api.foreign.changePod('a', () => ({ ready: false }));
      await live(model, owner, idle, 4);
      expect([lost, model.leaders()]).toEqual([['a'], []]);
      await live(model, owner, idle, 10);
      expect(model.leaders()).toEqual(['b']);
    });

    it('is read once: a controller that has kept it is tried no more', async () => {
      const { model, owner } = await promoted();
      await live(model, owner, idle, 10);
      expect(labelsOf(model)).toEqual({ a: 'leader', b: 'follower', c: 'follower', d: 'follower', e: 'follower' });
      const reads = (): number => owner.link.sent.filter(({ operation }) => operation === 'getPod').length;
      expect(reads()).toBe(1);
      model.api.foreign.addPod(owned('f'));
      await live(model, owner, idle, 3);
      expect([labelsOf(model)['f'], reads()]).toEqual(['follower', 1]);
    });

    it('goes each time unseen: the pauses grow, so that a day costs fifteen pods', async () => {
      const { model, owner } = await some({}, { [KEY]: 'standby' });
      model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
      const controller = controllerOver(model, { [KEY]: 'standby' });
      const act = (): void => {
        controller.act();
        for (const pod of model.api.pods()) if (pod.owner === null) model.api.foreign.removePod(pod.name);
      };
      await live(model, owner, { act }, 50);
      expect(controller.made()).toBe(4);
      expect(conditionOf(model, 'Ready')?.message).toContain('a pause that grows');
      await live(model, owner, { act }, 450);
      expect(controller.made()).toBe(7);
    });

    it('went unseen before holds a group up for some seconds only, whose controllers do not select by the key', async () => {
      const { model, owner } = await promoted();
      model.api.foreign.removePod('a');
      await live(model, owner, idle, 10);
      expect(labelsOf(model)).toEqual({ b: 'leader', c: 'follower', d: 'follower', e: 'follower' });
    });
  });

  it('is read again, and the stop ends by itself when it does not select by the key', async () => {
    const { model, owner } = await some();
    model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
    const idle = { act: () => undefined };
    await live(model, owner, idle, 10);
    model.api.foreign.changePod('a', () => ({ owner: null }));
    await live(model, owner, idle, 10);
    expect(conditionOf(model, 'Stalled')).toMatchObject({ status: 'True', reason: 'LabelInWorkloadSelector' });
    model.api.foreign.setWorkload(OWNER.uid, { ...selecting, selectorKeys: ['app'], templateKeys: ['app'] });
    await live(model, owner, idle, 120);
    expect(conditionOf(model, 'Stalled')?.status).toBe('False');
  });

  it('makes no other pod when the stopped group is deleted: that raises its generation, and is no edit', async () => {
    const { model, owner } = await some({}, { [KEY]: 'leader' });
    model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
    const controller = controllerOver(model, { [KEY]: 'leader' });
    await live(model, owner, controller);
    const before = model.api.group()?.generation ?? 0;
    model.api.foreign.changeGroup('notifier', () => ({ finalizers: ['a.tool/keeps-it', FINALIZER] }));
    model.api.foreign.deleteGroup('notifier');
    expect(model.api.group()?.generation).toBe(before + 1);
    await live(model, owner, controller);
    expect([model.api.group()?.finalizers, controller.made()]).toEqual([['a.tool/keeps-it'], 1]);
  });

  it('makes no other pod when the stopped group is deleted, though every pod that it released is gone', async () => {
    const { model, owner } = await some({}, { [KEY]: 'leader' });
    model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
    const controller = controllerOver(model, { [KEY]: 'leader' });
    await live(model, owner, controller);
    for (const pod of model.api.pods()) if (pod.owner === null) model.api.foreign.removePod(pod.name);
    model.api.foreign.deleteGroup('notifier');
    await live(model, owner, controller);
    expect([model.api.group(), controller.made()]).toEqual([null, 1]);
  });

  it('does not stop a group any more that was edited since', async () => {
    const { model, owner } = await some();
    model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
    const idle = { act: () => undefined };
    await live(model, owner, idle, 10);
    model.api.foreign.changePod('a', () => ({ owner: null }));
    await live(model, owner, idle, 10);
    model.api.foreign.changeGroup('notifier', ({ spec }) => ({ spec: { ...spec, failoverDelayMs: 1000 } }));
    await live(model, owner, idle, 10);
    expect(conditionOf(model, 'Stalled')?.status).toBe('False');
  });

  it('makes one pod and no more, also while the status cannot be written and each released pod is removed at once', async () => {
    const { model, owner } = await some({}, { [KEY]: 'standby' });
    model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
    const controller = controllerOver(model, { [KEY]: 'standby' });
    const act = (): void => {
      controller.act();
      // It is seen as released, and then it is gone.
      owner.see.all();
      void owner.hear();
    };
    owner.link.decide(({ operation }) => (operation === 'replaceStatus' ? 'lost' : 'arrives'));
    const removing = async (): Promise<void> => {
      await live(model, owner, { act }, 2);
      for (const pod of model.api.pods()) if (pod.owner === null) model.api.foreign.removePod(pod.name);
    };
    for (let at = 0; at < 20; at += 1) await removing();
    expect(controller.made()).toBe(1);
  });

  it('makes one pod for each edit, and no more, although it adopts again what it has released', async () => {
    const { model, owner } = await some();
    model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
    const refusing = refusingTheKey(model);
    const act = (): void => {
      for (const pod of model.api.pods())
        if (pod.owner === null && pod.labels[KEY] === undefined)
          model.api.foreign.changePod(pod.name, () => ({ owner: OWNER }));
      refusing.act();
    };
    const fail = async (): Promise<void> => {
      const [leader = ''] = model.leaders();
      model.api.foreign.changePod(leader, () => ({ ready: false }));
      await live(model, owner, { act }, 20);
      model.api.foreign.changePod(leader, () => ({ ready: true }));
      await live(model, owner, { act }, 20);
    };
    await live(model, owner, { act }, 20);
    for (let edits = 1; edits <= 3; edits += 1) {
      expect(refusing.made()).toBe(edits);
      const failoverDelayMs = 1000 * edits;
      model.api.foreign.changeGroup('notifier', ({ spec }) => ({ spec: { ...spec, failoverDelayMs } }));
      await live(model, owner, { act }, 20);
      await fail();
    }
    for (let failure = 0; failure < 6; failure += 1) await fail();
    expect([refusing.made(), conditionOf(model, 'Stalled')?.status]).toEqual([4, 'True']);
  });

  it('stops a group, which is said also where the verification for the gate fails', async () => {
    const { model, owner } = await some();
    model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
    await live(model, owner, idle, 10);
    owner.kill();
    model.api.foreign.changePod('c', () => ({ owner: null }));
    const next = model.replica('next');
    await model.own(next);
    next.link.decide(({ operation }) => (operation === 'txn' ? 'lost' : 'arrives'));
    next.see.all();
    next.ask('uid-of-a');
    await live(model, next, idle, 15);
    expect(conditionOf(model, 'Ready')?.reason).toBe('LabelInWorkloadSelector');
    expect(conditionOf(model, 'Stalled')?.status).toBe('True');
  });

  it('stops nothing by a pod that had no controller when it was written: fencing it was not why', async () => {
    const { model, owner } = await some();
    model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
    model.api.foreign.addPod(owned('debugged', { owner: null }));
    await live(model, owner, idle, 10);
    expect([conditionOf(model, 'Stalled')?.status, model.leaders().length]).toEqual(['False', 1]);
  });

  it('makes one more pod for an edit, and no more, also while the status cannot be written', async () => {
    const { model, owner } = await some({}, { [KEY]: 'standby' });
    model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
    const controller = controllerOver(model, { [KEY]: 'standby' });
    await live(model, owner, controller);
    expect(controller.made()).toBe(1);
    owner.link.decide(({ operation }) => (operation === 'replaceStatus' ? 'lost' : 'arrives'));
    model.api.foreign.changeGroup('notifier', ({ spec }) => ({ spec: { ...spec, failoverDelayMs: 1000 } }));
    await live(model, owner, controller);
    expect(controller.made()).toBe(2);
  });
});

describe('with Demote a Consul outage takes the label off, also where somebody orphaned a pod whose controllers select by another key', () => {
  const orphaned = async () => {
    const { model, owner } = await some({ spec: { onConsulLoss: 'Demote' } });
    await live(model, owner, idle, 10);
    model.api.foreign.changePod('c', () => ({ owner: null }));
    await live(model, owner, idle, 10);
    expect(conditionOf(model, 'Stalled')?.status).toBe('False');
    return { model, owner };
  };
  const cutOff = (replica: Replica): void => replica.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));

  it('by a replica that starts while Consul is away', async () => {
    const { model, owner } = await orphaned();
    owner.kill();
    const next = model.replica('next');
    cutOff(next);
    await live(model, next, idle, 30);
    expect(model.leaders()).toEqual([]);
  });

  it('by a replica that never owned the bucket, and reads no controller before', async () => {
    const { model, owner } = await orphaned();
    const other = model.replica('other');
    other.believe('notOwned');
    await live(model, other, idle, 70);
    expect(other.link.sent.filter(({ operation }) => operation === 'getWorkload')).toEqual([]);
    owner.kill();
    cutOff(other);
    await live(model, other, idle, 30);
    expect(model.leaders()).toEqual([]);
  });
});

describe('a Consul outage, of a replica that has just started', () => {
  async function cutOff(template: Readonly<Record<string, string>>, workload: Workload | 'unreadable') {
    const { model, owner } = await some({ spec: { onConsulLoss: 'Demote' } }, template);
    owner.kill();
    model.api.foreign.setWorkload(OWNER.uid, workload);
    const controller = controllerOver(model, { [KEY]: 'leader' });
    const next = model.replica('next');
    next.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
    await live(model, next, controller, 60);
    return { next, made: controller.made() };
  }

  it.each([selecting, 'unreadable'] as const)(
    'takes no label off pods that have it from their template and whose controller selects by it: %o',
    async (workload) => {
      const { next, made } = await cutOff({ [KEY]: 'leader' }, workload);
      expect([podWrites(next), made]).toEqual([0, 0]);
    },
  );

  it('takes it off them where their controller selects by another key', async () => {
    const { next } = await cutOff({ [KEY]: 'leader' }, { ...selecting, selectorKeys: ['app'] });
    expect(podWrites(next)).toBe(3);
  });

  it('takes it off whoever was promoted, although the controller may not be read: two leaders are worse than a pod too many', async () => {
    const { model, owner } = await some({ spec: { onConsulLoss: 'Demote' } });
    await model.rest(owner);
    owner.kill();
    model.api.foreign.setWorkload(OWNER.uid, 'unreadable');
    const next = model.replica('next');
    next.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
    await live(model, next, idle, 30);
    expect([model.leaders(), podWrites(next)]).toEqual([[], 1]);
  });

  it('reads controllers before the deadline, and not where labels stay', async () => {
    for (const onConsulLoss of ['Demote', 'Hold'] as const) {
      const { model, owner } = await some({ spec: { onConsulLoss } });
      await model.rest(owner);
      owner.kill();
      const next = model.replica('next');
      next.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
      await live(model, next, idle, 1);
      const reads = next.link.sent.filter(({ operation }) => operation === 'getWorkload').length;
      expect([onConsulLoss, reads, model.leaders()]).toEqual([onConsulLoss, onConsulLoss === 'Demote' ? 1 : 0, ['a']]);
    }
  });
});

it('pods of another workload that come with the label while Consul is away keep it where that selects by it', async () => {
  const { model, owner } = await some({ spec: { onConsulLoss: 'Demote' } });
  await live(model, owner, idle, 10);
  owner.link.decide(({ to }) => (to === 'consul' ? 'lost' : 'arrives'));
  const other = aReplicaSet({ name: 'other-abc' });
  model.api.foreign.setWorkload(other.uid, { ...selecting, name: 'other' });
  for (const name of ['x', 'y'])
    model.api.foreign.addPod(owned(name, { owner: other, labels: { app: 'notifier', [KEY]: 'leader' } }));
  await live(model, owner, idle, 60);
  expect(labelsOf(model)).toMatchObject({ x: 'leader', y: 'leader' });
});

it('pods that were orphaned all together, with no controller left, stop nothing', async () => {
  const { model, owner } = await some();
  await model.rest(owner);
  for (const name of ['a', 'b', 'c']) model.api.foreign.changePod(name, () => ({ owner: null }));
  await live(model, owner, { act: () => undefined }, 5);
  expect(conditionOf(model, 'Stalled')?.status).toBe('False');
});

it('controllers are read before there is a hurry, and never again at rest', async () => {
  const { model, owner } = await some();
  await model.rest(owner);
  const reads = (): number => owner.link.sent.filter(({ operation }) => operation === 'getWorkload').length;
  const before = reads();
  model.api.foreign.changePod('a', () => ({ ready: false }));
  await model.rest(owner);
  await live(model, owner, { act: () => undefined }, 120);
  expect([model.leaders(), before, reads()]).toEqual([['b'], 1, 1]);
});

it('a pod that has the label from its template was no leader before', async () => {
  const { model, owner } = await some({}, { [KEY]: 'leader' });
  await model.rest(owner);
  const transitions = model.api.group()?.status?.recentTransitions ?? [];
  expect(transitions.map(({ from }) => from)).toEqual(['']);
});
