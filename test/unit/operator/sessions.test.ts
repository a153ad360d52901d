import { describe, expect, it } from 'vitest';
import { createSessionKeeper } from '../../../src/operator/sessions.ts';
import { aGroup, aPod } from '../../support/builders.ts';
import { createFakeClock, createFakeRandom, settle } from '../../support/model/fake-clock.ts';
import { createLink } from '../../support/model/link.ts';
import { noMetrics } from '../../support/model/sinks.ts';
import { createWorldApiServer } from '../../support/model/world-api-server.ts';
import { createWorldConsul } from '../../support/model/world-consul.ts';

const NODE = 'leadergroup-test';
const KEY = 'default/notifier';
const signal = new AbortController().signal;
const group = aGroup();
const pod = (name: string) => aPod({ name });

function aKeeper() {
  const clock = createFakeClock();
  const api = createWorldApiServer();
  const consul = createWorldConsul(clock);
  consul.requests.registerNode(NODE);
  const link = createLink('keeper', api, consul, () => undefined);
  const woken: string[] = [];
  const keeper = createSessionKeeper({
    consul: link.consul,
    kubernetes: link.kubernetes,
    clock,
    random: createFakeRandom('keeper'),
    marginMs: 2000,
    metrics: noMetrics,
    node: NODE,
    wake: (key) => woken.push(key),
  });
  const session = (name: string, overrides = {}) => {
    const id = consul.foreign.openSession({ node: NODE, name, ttlMs: 20_000, lockDelayMs: 1000, ...overrides });
    return consul.requests.sessionInfo(id) ?? expect.fail('no session');
  };
  return { clock, api, consul, link, keeper, woken, session, uids: () => keeper.of(KEY).map(({ podUid }) => podUid) };
}

describe('the session keeper', () => {
  it('opens a session that names its pod, with the timing of the spec', async () => {
    const { consul, keeper } = aKeeper();
    await keeper.open(aGroup({ spec: { sessionTtlMs: 12_000, lockDelayMs: 3000 } }), pod('a'), signal);
    expect(consul.sessions()).toMatchObject([
      { name: 'default/notifier/uid-of-a', node: NODE, ttlMs: 12_000, lockDelayMs: 3000 },
    ]);
    expect(keeper.of(KEY)).toMatchObject([{ podUid: 'uid-of-a', ttlMs: 12_000, lockDelayMs: 3000, proven: true }]);
  });

  it('keeps what it opens alive', async () => {
    const { clock, consul, keeper } = aKeeper();
    await keeper.open(group, pod('a'), signal);
    await clock.advance(200_000);
    expect(consul.sessions()).toHaveLength(1);
    expect(keeper.nearestDeadlineMs()).toBeGreaterThan(clock.nowMs() + 15_000);
  });

  it('believes a session from the time before its creation was sent', async () => {
    const { clock, keeper, link } = aKeeper();
    link.decide(() => 'held');
    const opening = keeper.open(group, pod('a'), signal);
    const sentMs = clock.nowMs();
    await clock.advance(1500);
    link.held()[0]?.deliver();
    await opening;
    expect(keeper.of(KEY)[0]?.deadlineMs).toBe(sentMs + 28_000);
  });

  it('lists sessions oldest first, adopted ones before its own', async () => {
    const { keeper, session } = aKeeper();
    const [first, second] = [session('default/notifier/uid-of-a'), session('default/notifier/uid-of-a')];
    await keeper.open(group, pod('a'), signal);
    await keeper.adopt(second, signal);
    await keeper.adopt(first, signal);
    expect(
      keeper
        .of(KEY)
        .map(({ id }) => id)
        .slice(0, 2),
    ).toEqual([first.id, second.id]);
  });

  it('adopts under the session’s own TTL, after a renewal of its own', async () => {
    const { clock, consul, keeper, session } = aKeeper();
    const found = session('default/notifier/uid-of-a');
    await clock.advance(5000);
    expect(await keeper.adopt(found, signal)).toBe(true);
    expect(consul.renewedMs(found.id)).toBe(clock.nowMs());
    expect(keeper.of(KEY)).toMatchObject([{ ttlMs: 20_000, lockDelayMs: 1000, deadlineMs: clock.nowMs() + 18_000 }]);
  });

  it('adopts nothing that is not a member’s, not on our node, without a TTL, or gone', async () => {
    const { consul, keeper, session } = aKeeper();
    const gone = session('default/notifier/uid-of-a');
    consul.foreign.endSession(gone.id);
    const others = [
      session('replica/r1'),
      session('consul lock'),
      session('default/notifier/uid-of-a', { node: 'other' }),
      session('default/notifier/uid-of-a', { ttlMs: 0 }),
      gone,
    ];
    for (const other of others) expect(await keeper.adopt(other, signal)).toBe(false);
    expect(keeper.count()).toBe(0);
  });

  it('adopts once', async () => {
    const { keeper, session } = aKeeper();
    const found = session('default/notifier/uid-of-a');
    await Promise.all([keeper.adopt(found, signal), keeper.adopt(found, signal)]);
    expect(await keeper.adopt(found, signal)).toBe(true);
    expect(keeper.count()).toBe(1);
  });

  it('forgets a session that Consul has lost, and wakes its group', async () => {
    const { clock, consul, keeper, woken } = aKeeper();
    await keeper.open(group, pod('a'), signal);
    consul.foreign.endSession(consul.sessions()[0]?.id ?? '');
    await clock.advance(10_000);
    expect([keeper.count(), woken]).toEqual([0, [KEY]]);
  });

  it('wakes the group when a deadline passes and when Consul answers again', async () => {
    const { clock, consul, keeper, link, woken } = aKeeper();
    consul.expireAfter(2);
    await keeper.open(group, pod('a'), signal);
    link.decide(() => 'lost');
    await clock.advance(28_000);
    expect([woken, keeper.of(KEY)[0]?.proven]).toEqual([[KEY], false]);
    link.decide(() => 'arrives');
    await clock.advance(1000);
    expect([woken, keeper.of(KEY)[0]?.proven]).toEqual([[KEY, KEY], false]);
    keeper.prove(keeper.of(KEY)[0]?.id ?? '');
    expect(keeper.of(KEY)[0]?.proven).toBe(true);
  });

  it('drops a group without a trace: no renewal, no timer, and the sessions are left to themselves', async () => {
    const { clock, consul, keeper } = aKeeper();
    await keeper.open(group, pod('a'), signal);
    await keeper.open(aGroup({ name: 'other' }), pod('b'), signal);
    keeper.drop(KEY);
    expect([keeper.of(KEY), keeper.keys(), keeper.count()]).toEqual([[], ['default/other'], 1]);
    keeper.drop('default/other');
    await settle();
    expect([clock.pending(), consul.sessions().length]).toEqual([2, 2]);
  });

  it('keeps what another replica has got alive for a while, which may not know of it yet, and shows it no more', async () => {
    const { clock, consul, keeper } = aKeeper();
    await keeper.open(aGroup({ spec: { sessionTtlMs: 10_000 } }), pod('a'), signal);
    keeper.leave(KEY);
    expect([keeper.of(KEY), keeper.keys(), keeper.count()]).toEqual([[], [], 0]);
    await clock.advance(19_000);
    expect(consul.sessions()).toHaveLength(1);
    await clock.advance(40_000);
    expect([consul.sessions(), clock.pending()]).toEqual([[], 0]);
  });

  it('ends without a timer, also of what lingers', async () => {
    const { clock, keeper, consul } = aKeeper();
    await keeper.open(group, pod('a'), signal);
    await keeper.open(aGroup({ name: 'other' }), pod('b'), signal);
    keeper.leave('default/other');
    keeper.end();
    await settle();
    // The two that are left are Consul's own, which let the sessions expire.
    expect([clock.pending(), consul.sessions().length]).toEqual([2, 2]);
  });

  it('knows of a group of which the first session is just being opened', async () => {
    const { keeper, link } = aKeeper();
    link.decide(() => 'held');
    const opening = keeper.open(group, pod('a'), signal);
    expect(keeper.keys()).toEqual([KEY]);
    link.held()[0]?.deliver();
    await opening;
    keeper.drop(KEY);
    expect(keeper.keys()).toEqual([]);
  });

  it('ends with what is being opened', async () => {
    const { keeper, link } = aKeeper();
    link.decide(() => 'held');
    const opening = keeper.open(group, pod('a'), signal);
    keeper.end();
    link.held()[0]?.deliver();
    await opening;
    expect(keeper.count()).toBe(0);
  });

  it('does not keep what was adopted for a group that another replica has got meanwhile', async () => {
    const { consul, keeper, link } = aKeeper();
    await keeper.open(group, pod('a'), signal);
    keeper.leave(KEY);
    const session = consul.sessions()[0];
    if (session === undefined) throw new Error('there is no session to adopt');
    link.decide(() => 'answerHeld');
    const adopting = keeper.adopt(session, signal);
    keeper.leave(KEY);
    link.held()[0]?.deliver();
    expect([await adopting, keeper.count()]).toEqual([true, 0]);
  });

  it('does not keep what was opened for a group that was dropped meanwhile: it is another replica’s now', async () => {
    const { keeper, link } = aKeeper();
    link.decide(() => 'held');
    const opening = keeper.open(group, pod('a'), signal);
    keeper.drop(KEY);
    link.held()[0]?.deliver();
    await opening;
    expect(keeper.count()).toBe(0);
  });
});

describe('a session that nobody needs', () => {
  it('is destroyed when its pod is gone', async () => {
    const { consul, keeper } = aKeeper();
    await keeper.open(group, pod('a'), signal);
    await keeper.retire(keeper.of(KEY)[0]?.id ?? '', signal);
    expect([keeper.count(), consul.sessions()]).toEqual([0, []]);
  });

  it('is destroyed when its pod’s name is another pod’s', async () => {
    const { api, consul, keeper } = aKeeper();
    api.foreign.addPod(aPod({ name: 'a', uid: 'second' }));
    await keeper.open(group, pod('a'), signal);
    await keeper.retire(keeper.of(KEY)[0]?.id ?? '', signal);
    expect(consul.sessions()).toEqual([]);
  });

  it('is only left to expire while its pod lives: a destroy cannot be fenced', async () => {
    const { api, clock, consul, keeper } = aKeeper();
    api.foreign.addPod(pod('a'));
    await keeper.open(group, pod('a'), signal);
    await keeper.retire(keeper.of(KEY)[0]?.id ?? '', signal);
    expect([keeper.count(), consul.sessions().length]).toEqual([0, 1]);
    await clock.advance(30_000);
    expect(consul.sessions()).toEqual([]);
  });

  it('is left to expire when it was adopted: its name holds no pod’s name to ask for', async () => {
    const { consul, keeper, session } = aKeeper();
    const found = session('default/notifier/uid-of-a');
    await keeper.adopt(found, signal);
    await keeper.retire(found.id, signal);
    expect([keeper.count(), consul.sessions().length]).toEqual([0, 1]);
  });
});

describe('openings whose answers are lost', () => {
  const members = Array.from({ length: 20 }, (_, at) => pod(`p${at}`));

  async function attempts(given: ReturnType<typeof aKeeper>, times: number): Promise<void> {
    given.link.decide(({ operation }) => (operation === 'createSession' ? 'answerLost' : 'arrives'));
    for (let time = 0; time < times; time += 1) {
      const without = members.filter(({ uid }) => !given.uids().includes(uid));
      await Promise.all(without.map((member) => given.keeper.open(group, member, signal).catch(() => undefined)));
      await given.clock.advance(5000);
    }
  }

  it('leave one session for each member, which is taken, however often they are repeated', async () => {
    const given = aKeeper();
    await attempts(given, 10);
    expect(given.consul.sessions()).toHaveLength(members.length);
    expect(new Set(given.uids())).toEqual(new Set(members.map(({ uid }) => uid)));
  });

  it('are looked up with one request for all of them', async () => {
    const given = aKeeper();
    await attempts(given, 2);
    expect(given.link.sent.filter(({ operation }) => operation === 'listSessions')).toHaveLength(1);
  });

  it('are not repeated while it cannot be found out what they left', async () => {
    const given = aKeeper();
    await attempts(given, 1);
    given.link.decide(() => 'lost');
    for (const member of members) await expect(given.keeper.open(group, member, signal)).rejects.toThrow('no answer');
    expect(given.consul.sessions()).toHaveLength(members.length);
  });

  it('are not looked up for a group that is another replica’s by then', async () => {
    const given = aKeeper();
    await attempts(given, 1);
    given.link.decide(({ operation }) => (operation === 'listSessions' ? 'answerHeld' : 'arrives'));
    const opening = given.keeper.open(group, pod('p0'), signal).catch(() => undefined);
    given.keeper.leave(KEY);
    for (const request of given.link.held()) request.deliver();
    await opening;
    expect(given.uids().length).toBeLessThanOrEqual(1);
    expect(given.link.sent.filter(({ operation }) => operation === 'renewSession')).toEqual([]);
  });
});
