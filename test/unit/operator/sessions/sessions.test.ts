import { describe, expect, it } from 'vitest';
import { createSessionManager } from '../../../../src/operator/sessions/sessions.ts';
import { aGroup, aPod } from '../../../kit/fakes/builders.ts';
import { createFakeClock, createFakeRandom, settle } from '../../../kit/fakes/clock.ts';
import { sessionId } from '../../../kit/fakes/ids.ts';
import { createLink } from '../../../kit/model/link.ts';
import { noMetrics } from '../../../kit/model/sinks.ts';
import { createWorldApiServer } from '../../../kit/model/world-api-server.ts';
import { createWorldConsul } from '../../../kit/model/world-consul.ts';

const NODE = 'leadergroup-test';
const KEY = 'default/notifier';
const signal = new AbortController().signal;
const group = aGroup();
const pod = (name: string) => aPod({ name });

function aSessionManager() {
  const clock = createFakeClock();
  const api = createWorldApiServer();
  const consul = createWorldConsul(clock);
  consul.requests.registerNode(NODE);
  const link = createLink('sessionManager', api, consul, () => undefined);
  const woken: string[] = [];
  const sessionManager = createSessionManager({
    consul: link.consul,
    kubernetes: link.kubernetes,
    clock,
    random: createFakeRandom('sessionManager'),
    marginMs: 2000,
    metrics: noMetrics,
    node: NODE,
    wake: (key) => woken.push(key),
  });
  const session = (name: string, overrides = {}) => {
    const id = consul.foreign.openSession({ node: NODE, name, ttlMs: 20_000, lockDelayMs: 1000, ...overrides });
    return consul.requests.sessionInfo(id) ?? expect.fail('no session');
  };
  return {
    clock,
    api,
    consul,
    link,
    sessionManager,
    woken,
    session,
    uids: () => sessionManager.of(KEY).map(({ podUid }) => podUid),
  };
}

describe('the sessions of members', () => {
  it('opens a session that names its pod, with the timing of the spec', async () => {
    const { consul, sessionManager } = aSessionManager();
    await sessionManager.open(aGroup({ spec: { sessionTtlMs: 12_000, lockDelayMs: 3000 } }), pod('a'), signal);
    expect(consul.sessions()).toMatchObject([
      { name: 'default/notifier/uid-of-a', node: NODE, ttlMs: 12_000, lockDelayMs: 3000 },
    ]);
    expect(sessionManager.of(KEY)).toMatchObject([
      { podUid: 'uid-of-a', ttlMs: 12_000, lockDelayMs: 3000, proven: true },
    ]);
  });

  it('keeps what it opens alive', async () => {
    const { clock, consul, sessionManager } = aSessionManager();
    await sessionManager.open(group, pod('a'), signal);
    await clock.advance(200_000);
    expect(consul.sessions()).toHaveLength(1);
    expect(sessionManager.nearestDeadlineMs()).toBeGreaterThan(clock.nowMs() + 15_000);
  });

  it('believes a session from the time before its creation was sent', async () => {
    const { clock, sessionManager, link } = aSessionManager();
    link.decide(() => 'held');
    const opening = sessionManager.open(group, pod('a'), signal);
    const sentMs = clock.nowMs();
    await clock.advance(1500);
    link.held()[0]?.deliver();
    await opening;
    expect(sessionManager.of(KEY)[0]?.deadlineMs).toBe(sentMs + 28_000);
  });

  it('lists sessions oldest first, adopted ones before its own', async () => {
    const { sessionManager, session } = aSessionManager();
    const [first, second] = [session('default/notifier/uid-of-a'), session('default/notifier/uid-of-a')];
    await sessionManager.open(group, pod('a'), signal);
    await sessionManager.adopt(second, signal);
    await sessionManager.adopt(first, signal);
    expect(
      sessionManager
        .of(KEY)
        .map(({ id }) => id)
        .slice(0, 2),
    ).toEqual([first.id, second.id]);
  });

  it('adopts under the session’s own TTL, after a renewal of its own', async () => {
    const { clock, consul, sessionManager, session } = aSessionManager();
    const found = session('default/notifier/uid-of-a');
    await clock.advance(5000);
    expect(await sessionManager.adopt(found, signal)).toBe(true);
    expect(consul.renewedMs(found.id)).toBe(clock.nowMs());
    expect(sessionManager.of(KEY)).toMatchObject([
      { ttlMs: 20_000, lockDelayMs: 1000, deadlineMs: clock.nowMs() + 18_000 },
    ]);
  });

  it('adopts nothing that is not a member’s, not on our node, without a TTL, or gone', async () => {
    const { consul, sessionManager, session } = aSessionManager();
    const gone = session('default/notifier/uid-of-a');
    consul.foreign.endSession(gone.id);
    const others = [
      session('replica/r1'),
      session('consul lock'),
      session('default/notifier/uid-of-a', { node: 'other' }),
      session('default/notifier/uid-of-a', { ttlMs: 0 }),
      gone,
    ];
    for (const other of others) expect(await sessionManager.adopt(other, signal)).toBe(false);
    expect(sessionManager.count()).toBe(0);
  });

  it('adopts once', async () => {
    const { sessionManager, session } = aSessionManager();
    const found = session('default/notifier/uid-of-a');
    await Promise.all([sessionManager.adopt(found, signal), sessionManager.adopt(found, signal)]);
    expect(await sessionManager.adopt(found, signal)).toBe(true);
    expect(sessionManager.count()).toBe(1);
  });

  it('forgets a session that Consul has lost, and wakes its group', async () => {
    const { clock, consul, sessionManager, woken } = aSessionManager();
    await sessionManager.open(group, pod('a'), signal);
    consul.foreign.endSession(consul.sessions()[0]?.id ?? '');
    await clock.advance(20_000);
    expect([sessionManager.count(), woken]).toEqual([0, [KEY]]);
  });

  it('wakes the group when a deadline passes and when Consul answers again', async () => {
    const { clock, consul, sessionManager, link, woken } = aSessionManager();
    consul.expireAfter(2);
    await sessionManager.open(group, pod('a'), signal);
    link.decide(() => 'lost');
    await clock.advance(28_000);
    expect([woken, sessionManager.of(KEY)[0]?.proven]).toEqual([[KEY], false]);
    link.decide(() => 'arrives');
    await clock.advance(1000);
    expect([woken, sessionManager.of(KEY)[0]?.proven]).toEqual([[KEY, KEY], false]);
    sessionManager.prove(sessionId(sessionManager.of(KEY)[0]?.id ?? ''));
    expect(sessionManager.of(KEY)[0]?.proven).toBe(true);
  });

  it('drops a group without a trace: no renewal, no timer, and the sessions are left to themselves', async () => {
    const { clock, consul, sessionManager } = aSessionManager();
    await sessionManager.open(group, pod('a'), signal);
    await sessionManager.open(aGroup({ name: 'other' }), pod('b'), signal);
    sessionManager.drop(KEY);
    expect([sessionManager.of(KEY), sessionManager.keys(), sessionManager.count()]).toEqual([[], ['default/other'], 1]);
    sessionManager.drop('default/other');
    await settle();
    expect([clock.pending(), consul.sessions().length]).toEqual([2, 2]);
  });

  it('keeps what another replica has got alive for a while, which may not know of it yet, and shows it no more', async () => {
    const { clock, consul, sessionManager } = aSessionManager();
    await sessionManager.open(aGroup({ spec: { sessionTtlMs: 10_000 } }), pod('a'), signal);
    sessionManager.leave(KEY);
    expect([sessionManager.of(KEY), sessionManager.keys(), sessionManager.count()]).toEqual([[], [], 0]);
    await clock.advance(19_000);
    expect(consul.sessions()).toHaveLength(1);
    await clock.advance(40_000);
    expect([consul.sessions(), clock.pending()]).toEqual([[], 0]);
  });

  it('ends without a timer, also of what lingers', async () => {
    const { clock, sessionManager, consul } = aSessionManager();
    await sessionManager.open(group, pod('a'), signal);
    await sessionManager.open(aGroup({ name: 'other' }), pod('b'), signal);
    sessionManager.leave('default/other');
    sessionManager.end();
    await settle();
    // The two that are left are Consul's own, which let the sessions expire.
    expect([clock.pending(), consul.sessions().length]).toEqual([2, 2]);
  });

  it('knows of a group of which the first session is just being opened', async () => {
    const { sessionManager, link } = aSessionManager();
    link.decide(() => 'held');
    const opening = sessionManager.open(group, pod('a'), signal);
    expect(sessionManager.keys()).toEqual([KEY]);
    link.held()[0]?.deliver();
    await opening;
    sessionManager.drop(KEY);
    expect(sessionManager.keys()).toEqual([]);
  });

  it('ends with what is being opened', async () => {
    const { sessionManager, link } = aSessionManager();
    link.decide(() => 'held');
    const opening = sessionManager.open(group, pod('a'), signal);
    sessionManager.end();
    link.held()[0]?.deliver();
    await opening;
    expect(sessionManager.count()).toBe(0);
  });

  it('does not keep what was adopted for a group that another replica has got meanwhile', async () => {
    const { consul, sessionManager, link } = aSessionManager();
    await sessionManager.open(group, pod('a'), signal);
    sessionManager.leave(KEY);
    const session = consul.sessions()[0];
    if (session === undefined) throw new Error('there is no session to adopt');
    link.decide(() => 'answerHeld');
    const adopting = sessionManager.adopt(session, signal);
    sessionManager.leave(KEY);
    link.held()[0]?.deliver();
    expect([await adopting, sessionManager.count()]).toEqual([true, 0]);
  });

  it('does not keep what was opened for a group that was dropped meanwhile: it is another replica’s now', async () => {
    const { sessionManager, link } = aSessionManager();
    link.decide(() => 'held');
    const opening = sessionManager.open(group, pod('a'), signal);
    sessionManager.drop(KEY);
    link.held()[0]?.deliver();
    await opening;
    expect(sessionManager.count()).toBe(0);
  });
});

describe('the session that holds the lock', () => {
  it('is renewed more often than the others, whichever it is by now, also one that was adopted as a spare', async () => {
    const { sessionManager, consul, clock, link } = aSessionManager();
    for (const name of ['a', 'b']) await sessionManager.open(group, pod(name), signal);
    const ids = sessionManager.of(KEY).map(({ id }) => id);
    const [a = null, b = null] = ids;
    const sent = (): readonly number[] =>
      ids.map((id) => link.sent.filter(({ operation, about }) => operation === 'renewSession' && about === id).length);
    /** How much more often a was renewed than b. */
    const lead = ([ofA = 0, ofB = 0]: readonly number[]): number => ofA - ofB;
    sessionManager.holds(KEY, a);
    await clock.advance(60_000);
    const whileA = lead(sent());
    sessionManager.holds(KEY, b);
    await clock.advance(60_000);
    expect(whileA).toBeGreaterThan(0);
    expect(lead(sent())).toBeLessThan(whileA);
    expect(consul.sessions()).toHaveLength(2);
  });
});

describe('a session that nobody needs', () => {
  it('is destroyed when its pod is gone', async () => {
    const { consul, sessionManager } = aSessionManager();
    await sessionManager.open(group, pod('a'), signal);
    await sessionManager.retire(sessionId(sessionManager.of(KEY)[0]?.id ?? ''), signal);
    expect([sessionManager.count(), consul.sessions()]).toEqual([0, []]);
  });

  it('is destroyed when its pod’s name is another pod’s', async () => {
    const { api, consul, sessionManager } = aSessionManager();
    api.foreign.addPod(aPod({ name: 'a', uid: 'second' }));
    await sessionManager.open(group, pod('a'), signal);
    await sessionManager.retire(sessionId(sessionManager.of(KEY)[0]?.id ?? ''), signal);
    expect(consul.sessions()).toEqual([]);
  });

  it('is only left to expire while its pod lives: a destroy cannot be fenced', async () => {
    const { api, clock, consul, sessionManager } = aSessionManager();
    api.foreign.addPod(pod('a'));
    await sessionManager.open(group, pod('a'), signal);
    await sessionManager.retire(sessionId(sessionManager.of(KEY)[0]?.id ?? ''), signal);
    expect([sessionManager.count(), consul.sessions().length]).toEqual([0, 1]);
    await clock.advance(30_000);
    expect(consul.sessions()).toEqual([]);
  });

  it('is left to expire when it was adopted: its name holds no pod’s name to ask for', async () => {
    const { consul, sessionManager, session } = aSessionManager();
    const found = session('default/notifier/uid-of-a');
    await sessionManager.adopt(found, signal);
    await sessionManager.retire(found.id, signal);
    expect([sessionManager.count(), consul.sessions().length]).toEqual([0, 1]);
  });
});

describe('openings whose answers are lost', () => {
  const members = Array.from({ length: 20 }, (_, at) => pod(`p${at}`));

  async function attempts(given: ReturnType<typeof aSessionManager>, times: number): Promise<void> {
    given.link.decide(({ operation }) => (operation === 'createSession' ? 'answerLost' : 'arrives'));
    for (let time = 0; time < times; time += 1) {
      const without = members.filter(({ uid }) => !given.uids().includes(uid));
      await Promise.all(
        without.map((member) => given.sessionManager.open(group, member, signal).catch(() => undefined)),
      );
      await given.clock.advance(5000);
    }
  }

  it('leave one session for each member, which is taken, however often they are repeated', async () => {
    const given = aSessionManager();
    await attempts(given, 10);
    expect(given.consul.sessions()).toHaveLength(members.length);
    expect(new Set(given.uids())).toEqual(new Set(members.map(({ uid }) => uid)));
  });

  it('are looked up with one request for all of them', async () => {
    const given = aSessionManager();
    await attempts(given, 2);
    expect(given.link.sent.filter(({ operation }) => operation === 'listSessions')).toHaveLength(1);
  });

  it('are not repeated while it cannot be found out what they left', async () => {
    const given = aSessionManager();
    await attempts(given, 1);
    given.link.decide(() => 'lost');
    for (const member of members)
      await expect(given.sessionManager.open(group, member, signal)).rejects.toThrow('no answer');
    expect(given.consul.sessions()).toHaveLength(members.length);
  });

  it('are not looked up for a group that is another replica’s by then', async () => {
    const given = aSessionManager();
    await attempts(given, 1);
    given.link.decide(({ operation }) => (operation === 'listSessions' ? 'answerHeld' : 'arrives'));
    const opening = given.sessionManager.open(group, pod('p0'), signal).catch(() => undefined);
    given.sessionManager.leave(KEY);
    for (const request of given.link.held()) request.deliver();
    await opening;
    expect(given.uids().length).toBeLessThanOrEqual(1);
    expect(given.link.sent.filter(({ operation }) => operation === 'renewSession')).toEqual([]);
  });
});
