/** What people do to a group and its pods, and what becomes of leader, label, token, status and keys. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { assertKept, noLeaderMoved, sentence, type WatchedPod, writesBy } from '../kit/checker/checker.ts';
import { type ConditionWish, type Harness, startHarness, tokenOn } from '../kit/rig/harness.ts';

let h: Harness;
let namespace: string;

const ROLE = 'leadergroup.dev/role';
/** Handed over to see that the operator has looked at everything that happened before. */
const CANARY = { namespace: 'default', name: 'canary' };

beforeAll(async () => {
  h = await startHarness();
  await h.group(CANARY.namespace, CANARY.name);
  await h.startOperator();
  await h.led(CANARY.namespace, CANARY.name);
});

beforeEach(async () => {
  namespace = await h.world.namespace('life');
});

afterAll(() => h[Symbol.asyncDispose]());

const statusOf = (group: string) => h.status(namespace, group);

const untilCondition = (group: string, ...wanted: ConditionWish) => h.condition(namespace, group, ...wanted);

const untilGone = (group: string, timeoutMs = 60_000): Promise<boolean> =>
  h.observer.until(() => h.observer.group(namespace, group) === undefined, { timeoutMs, what: `${group} is gone` });

/** Everything that reached the operator before this has been looked at when it resolves. */
async function canaryMoves(): Promise<void> {
  const from = await h.led(CANARY.namespace, CANARY.name);
  await h.world.setReady(CANARY.namespace, from.name, false);
  await h.led(CANARY.namespace, CANARY.name, { not: from.name, minToken: from.token + 1 });
  await h.world.setReady(CANARY.namespace, from.name, true);
}

/** The label and every annotation of the group that a pod carries. */
const tracesOn = ({ labels, annotations }: WatchedPod): readonly string[] =>
  [...Object.keys(labels), ...Object.keys(annotations)].filter((key) => key.includes('leadergroup.dev/'));

const keysOf = async (group: string): Promise<readonly string[]> =>
  (await h.world.consul.entries('leadergroup/'))
    .map(({ key }) => key)
    .filter((key) => key.includes(`/${namespace}/${group}/`));

const sessionsOf = async (group: string) =>
  (await h.world.consul.sessions()).filter(({ name }) => name.startsWith(`${namespace}/${group}/`));

async function kept(): Promise<ReturnType<typeof assertKept>> {
  await h.observer.caughtUp();
  return assertKept(h.observer.history({ namespaces: [namespace] }));
}

const notReady = (name: string): Promise<void> => h.world.setReady(namespace, name, false);

describe('an edited group', () => {
  it('has new sessions and a higher token after a change of its timing, and the label never goes', async () => {
    await h.group(namespace, 'edited');
    const before = await h.led(namespace, 'edited');
    const { atMs } = h.observer.mark('timing edited');
    await h.world.applyGroup({ namespace, name: 'edited', spec: { sessionTTLSeconds: 40, lockDelaySeconds: 5 } });
    const after = await h.led(namespace, 'edited', { minToken: before.token + 1 });
    expect(after.uid).toBe(before.uid);
    await vi.waitFor(async () => {
      const timed = (await sessionsOf('edited')).filter(
        ({ ttl, lockDelayMs }) => ttl === '40s' && lockDelayMs === 5000,
      );
      expect(new Set(timed.map(({ name }) => name)).size).toBe(3);
      expect(timed.map(({ id }) => id)).toContain(h.observer.lock(namespace, 'edited')?.session);
    }, PATIENCE);
    await kept();
    const history = h.observer.history({ namespaces: [namespace] });
    expect(noLeaderMoved(history, { fromMs: atMs, toMs: performance.now() }).map(sentence)).toEqual([]);
  });

  it('that is paused changes nothing although its leader goes, and elects when it goes on', async () => {
    await h.group(namespace, 'halted');
    const before = await h.led(namespace, 'halted');
    await h.world.applyGroup({ namespace, name: 'halted', spec: { paused: true } });
    await untilCondition('halted', 'Paused', 'True', 'PausedBySpec');
    await h.observer.caughtUp();
    const lock = h.observer.lock(namespace, 'halted');
    const { atMs } = h.observer.mark('leader of a paused group deleted');
    await h.world.deletePod(namespace, before.name);
    await canaryMoves();
    await untilCondition('halted', 'Ready', 'False', 'NoCandidate');
    expect(h.observer.lock(namespace, 'halted')).toMatchObject({
      session: lock?.session,
      modifyIndex: lock?.modifyIndex,
    });
    await h.observer.caughtUp();
    const writes = writesBy(h.observer.history({ namespaces: [namespace] }), { fromMs: atMs, toMs: performance.now() });
    expect(writes.filter(({ resource }) => resource === 'pods')).toEqual([]);
    await h.world.applyGroup({ namespace, name: 'halted', spec: { paused: false } });
    const after = await h.led(namespace, 'halted', { not: before.name });
    expect(after.token).toBe(before.token + 1);
    await untilCondition('halted', 'Ready', 'True', 'Led');
    await kept();
  });
});

describe('a deleted group', () => {
  it('leaves no label and no annotation behind, and no key but that of its last token', async () => {
    await h.group(namespace, 'deleted', { spec: { label: { follower: 'follower' } } });
    const before = await h.led(namespace, 'deleted');
    await notReady(before.name);
    await h.led(namespace, 'deleted', { not: before.name });
    expect(await keysOf('deleted')).toHaveLength(1);
    await h.world.deleteGroup(namespace, 'deleted');
    await untilGone('deleted');
    await kept();
    expect(h.observer.pods(namespace).flatMap(tracesOn)).toEqual([]);
    expect(await keysOf('deleted')).toEqual([expect.stringMatching(/\/deleted\/0\/\.lock$/)]);
  });

  it('is a new one when it is made again under its name', async () => {
    await h.group(namespace, 'twice');
    await h.led(namespace, 'twice');
    const uid = h.observer.group(namespace, 'twice')?.metadata.uid;
    await h.world.deleteGroup(namespace, 'twice');
    await h.world.applyGroup({ namespace, name: 'twice' }).catch(() => undefined);
    await untilGone('twice').catch(() => undefined);
    await h.world.applyGroup({ namespace, name: 'twice' });
    await h.observer.until(() => (h.observer.group(namespace, 'twice')?.metadata.uid ?? uid) !== uid, LIMIT);
    const leader = await h.led(namespace, 'twice');
    await h.observer.until(() => statusOf('twice')?.leaders[0]?.uid === leader.uid, {
      timeoutMs: 60_000,
      what: 'its status names the leader',
    });
    expect(statusOf('twice')?.leaderTransitions).toBe(1);
    await kept();
  });

  it('goes within 15 s while Consul is stopped, with its label, and nobody else is harmed', async () => {
    await Promise.all([h.group(namespace, 'orphan'), h.group(namespace, 'bystander')]);
    const [, bystander] = await Promise.all([h.led(namespace, 'orphan'), h.led(namespace, 'bystander')]);
    const consul = h.cluster.component('consul');
    await consul.stop();
    const startedMs = performance.now();
    await h.world.deleteGroup(namespace, 'orphan');
    await untilGone('orphan', 60_000);
    console.log(`lifecycle: deleted without Consul in ${(performance.now() - startedMs).toFixed(0)} ms`);
    expect(
      h.observer
        .pods(namespace)
        .filter(({ labels }) => labels['app'] === 'orphan')
        .flatMap(tracesOn),
    ).toEqual([]);
    await consul.start();
    await canaryMoves();
    expect(await h.led(namespace, 'bystander')).toMatchObject({ uid: bystander.uid, token: bystander.token });
    await h.world.applyGroup({ namespace, name: 'orphan' });
    await h.led(namespace, 'orphan');
    await kept();
  });

  it('never holds up its namespace, whatever state it is in', async () => {
    await h.group(namespace, 'plain');
    await h.group(namespace, 'halted');
    await h.world.applyGroup({ namespace, name: 'alone' });
    await h.world.applyGroup({ namespace, name: 'barred', spec: { lockKey: 'not/allowed' } });
    await Promise.all([h.led(namespace, 'plain'), h.led(namespace, 'halted')]);
    await h.world.applyGroup({ namespace, name: 'halted', spec: { paused: true } });
    await untilCondition('halted', 'Paused', 'True', 'PausedBySpec');
    await untilCondition('barred', 'Stalled', 'True', 'LockKeyNotAllowed');
    await untilCondition('alone', 'Ready', 'False', 'NoMembers');
    const gone = namespace;
    await h.world.deleteNamespace(gone);
    await vi.waitFor(
      async () => expect((await h.world.rest.send('GET', `/api/v1/namespaces/${gone}`)).status).toBe(404),
      { timeout: 40_000, interval: 200 },
    );
    await canaryMoves();
  });
});

describe('members', () => {
  it('that are all gone leave a group ScaledToZero, which elects with a higher token when they are back', async () => {
    await h.group(namespace, 'scaled');
    const before = await h.led(namespace, 'scaled');
    await Promise.all([0, 1, 2].map((at) => h.world.deletePod(namespace, `scaled-${at}`)));
    await untilCondition('scaled', 'Ready', 'True', 'ScaledToZero');
    expect(statusOf('scaled')).toMatchObject({ leader: '', leaders: [], members: 0, candidates: 0 });
    await h.world.pods(namespace, 'scaled', 3);
    const after = await h.led(namespace, 'scaled');
    expect(after.token).toBeGreaterThan(before.token);
    await kept();
  });

  it('with the annotation candidate=false never lead, also not the one that led', async () => {
    await h.group(namespace, 'excluded', { pods: 2 });
    const first = await h.led(namespace, 'excluded');
    const exclude = (name: string) =>
      h.world.patchPod(namespace, name, { metadata: { annotations: { 'leadergroup.dev/candidate': 'false' } } });
    await exclude(first.name);
    const second = await h.led(namespace, 'excluded', { not: first.name });
    expect(second.token).toBe(first.token + 1);
    await exclude(second.name);
    await untilCondition('excluded', 'Ready', 'False', 'NoCandidate');
    expect(h.observer.leaders(namespace, 'excluded')).toEqual([]);
    expect(statusOf('excluded')?.ineligible).toEqual([
      { reason: 'Excluded', count: 2, examples: ['excluded-0', 'excluded-1'] },
    ]);
    await kept();
  });

  it('lead only after they have been ready for minReadySeconds, and the leader is not asked again', async () => {
    const { atMs } = h.observer.mark('pods become ready');
    await h.group(namespace, 'patient', { pods: 2, spec: { minReadySeconds: 3 } });
    await h.observer.until(() => statusOf('patient')?.ineligible.some(({ reason }) => reason === 'MinReadySeconds'), {
      timeoutMs: 3_000,
      what: 'the status says what is waited for',
    });
    const first = await h.led(namespace, 'patient');
    // The condition's time has whole seconds: what it says may be almost one second earlier than it was.
    expect(performance.now() - atMs).toBeGreaterThan(2_000);
    await notReady(first.name);
    const second = await h.led(namespace, 'patient', { not: first.name });
    expect(second.token).toBe(first.token + 1);
    await kept();
  });

  it('of a group with failoverDelaySeconds are waited for that long when the leader is not ready', async () => {
    await h.group(namespace, 'lenient', { pods: 2, spec: { failoverDelaySeconds: 3 } });
    const first = await h.led(namespace, 'lenient');
    const blip = h.observer.mark('a short trouble');
    await notReady(first.name);
    await canaryMoves();
    await h.world.setReady(namespace, first.name, true);
    await canaryMoves();
    await h.observer.caughtUp();
    expect(writesBy(h.observer.history(), { fromMs: blip.atMs, toMs: performance.now() }).filter(isPodHere)).toEqual(
      [],
    );
    const { atMs } = h.observer.mark('a long trouble');
    await notReady(first.name);
    await h.led(namespace, 'lenient', { not: first.name });
    expect(performance.now() - atMs).toBeGreaterThan(2_900);
    await kept();
  });

  it('that follow carry the follower label, newcomers too, and change it with the leader', async () => {
    const label = { key: 'example.com/role', leader: 'writer', follower: 'reader' };
    await h.group(namespace, 'labelled', { spec: { label } });
    const roles = (): Readonly<Record<string, string | undefined>> =>
      Object.fromEntries(h.observer.pods(namespace).map(({ name, labels }) => [name, labels[label.key]]));
    const untilRoles = (leader: string, count: number) =>
      h.observer.until(
        () => {
          const now = Object.entries(roles());
          return now.length === count && now.every(([name, role]) => role === (name === leader ? 'writer' : 'reader'));
        },
        { timeoutMs: 60_000, what: `${leader} is the writer, the other ${count - 1} are readers` },
      );
    const first = await h.led(namespace, 'labelled');
    await untilRoles(first.name, 3);
    await h.world.pod({ namespace, name: 'labelled-3', labels: { app: 'labelled' } });
    await untilRoles(first.name, 4);
    await notReady(first.name);
    const second = await h.led(namespace, 'labelled', { not: first.name });
    await untilRoles(second.name, 4);
    await kept();
  });

  it('made anew under their names, as a StatefulSet does, never have what the former one carried', async () => {
    await h.group(namespace, 'stateful', { pods: 2 });
    const uids = new Set<string>();
    for (let round = 0; round < 10; round += 1) {
      const leader = await h.led(namespace, 'stateful');
      uids.add(leader.uid);
      await h.world.recreatePod({ namespace, name: leader.name, labels: { app: 'stateful' } });
      await h.observer.until(
        () => {
          const [next] = h.observer.leaders(namespace, 'stateful');
          return next !== undefined && next.uid !== leader.uid && (tokenOn(next, 'stateful') ?? 0) > leader.token;
        },
        { timeoutMs: 60_000, what: `a leader after ${leader.name}(${leader.uid.slice(0, 8)})` },
      );
    }
    expect(uids.size).toBe(10);
    const { handovers } = await kept();
    expect(handovers).toBe(10);
    const born = h.observer.history({ namespaces: [namespace] }).pods.filter(({ kind }) => kind === 'added');
    expect(born.flatMap((event) => (event.kind === 'added' ? tracesOn(event.pod) : []))).toEqual([]);
  });
});

describe('two groups over the same pods', () => {
  const olderThanTheNext = async (group: string): Promise<void> => {
    const raw = await h.world.readGroup(namespace, group);
    const { creationTimestamp } = (raw?.metadata ?? {}) as { readonly creationTimestamp?: string };
    const made = Date.parse(creationTimestamp ?? '');
    // creationTimestamp has whole seconds.
    await delay(Math.max(0, made + 1_050 - Date.now()));
  };
  const shared = { selector: { matchLabels: { app: 'shared' } } };

  it('leave them to the older; the younger is Stalled, writes nothing, and elects when the older is deleted', async () => {
    await h.world.pods(namespace, 'shared', 3);
    await h.world.applyGroup({ namespace, name: 'older', spec: shared });
    const leader = await h.led(namespace, 'older');
    await olderThanTheNext('older');
    await h.world.applyGroup({ namespace, name: 'younger', spec: shared });
    const { message } = await untilCondition('younger', 'Stalled', 'True', 'SelectorOverlap');
    expect(message).toMatch(/older.*Delete one of the two/s);
    await canaryMoves();
    const marks = h.observer.pods(namespace).flatMap(({ annotations }) => Object.keys(annotations));
    expect(marks.filter((key) => key.endsWith('/younger'))).toEqual([]);
    expect(await h.led(namespace, 'older')).toMatchObject({ uid: leader.uid, token: leader.token });
    await h.world.deleteGroup(namespace, 'older');
    await untilGone('older');
    await h.led(namespace, 'younger');
    await untilCondition('younger', 'Stalled', 'False', 'NotStalled');
    const left = h.observer.pods(namespace).flatMap(({ annotations }) => Object.keys(annotations));
    expect(left.filter((key) => key.endsWith('/older'))).toEqual([]);
  });

  it('that come to overlap by a label put on a pod: the younger gives up its leader, and takes up again after', async () => {
    await h.world.applyGroup({ namespace, name: 'older', spec: { selector: { matchLabels: { team: 'x' } } } });
    await h.world.pod({ namespace, name: 'x', labels: { team: 'x' } });
    await h.led(namespace, 'older');
    await olderThanTheNext('older');
    await h.group(namespace, 'younger', { pods: 2 });
    const leader = await h.led(namespace, 'younger');
    await h.world.patchPod(namespace, leader.name, { metadata: { labels: { team: 'x' } } });
    await untilCondition('younger', 'Stalled', 'True', 'SelectorOverlap');
    await h.observer.until(() => h.observer.lock(namespace, 'younger')?.session === null, LIMIT);
    // The older group owns the label on this pod by now, and takes it off as a stray one.
    await h.observer.until(() => h.observer.pod(namespace, leader.name)?.labels[ROLE] === undefined, LIMIT);
    expect((await h.led(namespace, 'older')).name).toBe('x');
    await h.world.patchPod(namespace, leader.name, { metadata: { labels: { team: null } } });
    const again = await h.led(namespace, 'younger');
    expect(again.token).toBeGreaterThan(leader.token);
    await untilCondition('younger', 'Stalled', 'False', 'NotStalled');
  });
});

describe('kubectl', () => {
  it('tells who leads, since when, with which token and why', async () => {
    await h.group(namespace, 'told');
    const first = await h.led(namespace, 'told');
    await h.world.deletePod(namespace, first.name);
    const leader = await h.led(namespace, 'told', { not: first.name });
    const { message } = await h.observer.until(() => {
      const found = statusOf('told')?.conditions.find(({ type }) => type === 'Ready');
      return found?.message.startsWith(leader.name) === true && found;
    }, LIMIT);
    expect(message).toMatch(
      new RegExp(
        `^${leader.name} leads since \\d{4}-\\d\\d-\\d\\dT.*Z with token ${leader.token} \\(cause: Leader(Gone|Terminating)\\)`,
      ),
    );
    expect(statusOf('told')).toMatchObject({
      leader: leader.name,
      leaders: [
        {
          slot: 0,
          pod: leader.name,
          uid: leader.uid,
          node: 'node-1',
          token: leader.token,
          sessionID: h.observer.lock(namespace, 'told')?.session,
        },
      ],
      members: 2,
      candidates: 2,
      leaderTransitions: 2,
      onConsulLoss: 'Hold',
      recentTransitions: [
        {
          from: first.name,
          to: leader.name,
          reason: expect.stringMatching(/^Leader(Gone|Terminating)$/),
          token: leader.token,
        },
        { from: '', to: first.name, reason: 'FirstElection', token: first.token },
      ],
    });
    await h.observer.until(
      () => {
        const reasons = new Set(h.observer.events(namespace).map((event) => event['reason']));
        return reasons.has('LeaderElected') && reasons.has('LeaderHandedOver');
      },
      { timeoutMs: 60_000, what: 'events LeaderElected and LeaderHandedOver' },
    );
    const described = await h.kubectl.must(['-n', namespace, 'describe', 'lg', 'told']);
    expect(described).toContain(message);
    expect(described).toMatch(/Events:\n(?:.*\n)*.*LeaderHandedOver .*leads with token/);
    const [header, row] = (await h.kubectl.must(['-n', namespace, 'get', 'lg', 'told', '-o', 'wide'])).split('\n');
    expect(header).toMatch(/^NAME +LEADER +SINCE +CANDIDATES +READY +REASON +AGE +TOKEN +NODE +LOCK/);
    expect(row).toMatch(
      new RegExp(`^told +${leader.name} +\\d+s +2 +True +Led +\\d+s +${leader.token} +node-1 +leadergroup/`),
    );
    const pod = await h.kubectl.must(['-n', namespace, 'describe', 'pod', leader.name]);
    expect(pod).toMatch(/LeaderElected .*leads LeaderGroup told/);
  });
});

it('sessions of groups and pods that are gone are gone too, at the latest when they expire', async () => {
  const spec = { sessionTTLSeconds: 10 };
  await Promise.all(['deleted', 'edited', 'shrunk'].map((name) => h.group(namespace, name, { spec })));
  await Promise.all(['deleted', 'edited', 'shrunk'].map((name) => h.led(namespace, name)));
  await h.world.deleteGroup(namespace, 'deleted');
  await h.world.applyGroup({ namespace, name: 'edited', spec: { sessionTTLSeconds: 20 } });
  const leader = await h.led(namespace, 'shrunk');
  const others = ['shrunk-0', 'shrunk-1', 'shrunk-2'].filter((name) => name !== leader.name);
  for (const name of others) await h.world.deletePod(namespace, name);
  await vi.waitFor(
    async () => {
      expect(await sessionsOf('deleted')).toEqual([]);
      expect((await sessionsOf('edited')).map(({ ttl }) => ttl)).toEqual(['20s', '20s', '20s']);
      expect((await sessionsOf('shrunk')).map(({ name }) => name)).toEqual([`${namespace}/shrunk/${leader.uid}`]);
    },
    { timeout: 30_000, interval: 500 },
  );
});

const PATIENCE = { timeout: 60_000, interval: 50 };
const LIMIT = { timeoutMs: 60_000, what: 'the state that the test names' };
const isPodHere = ({ resource, ...write }: { readonly resource: string; readonly namespace: string }): boolean =>
  resource === 'pods' && write.namespace === namespace;
