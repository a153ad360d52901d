import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MemberSession, Observation, ObservedPod } from '../../../src/election/observation.ts';
import { leftOver, unsuited } from '../../../src/election/sessions.ts';
import { aLeader, aPod } from '../../kit/fakes/builders.ts';
import { anObservation, aSession, freeAfter, observed } from '../../kit/fakes/builders-election.ts';

/** Each as good as its name comes early. */
const ready = (name: string): ObservedPod => observed(aPod({ name }));
const notReady = (name: string): ObservedPod => observed(aPod({ name, ready: false }));
const led = (name: string): ObservedPod => observed(aLeader(4, { name }));

const names = (count: number): readonly string[] => Array.from({ length: count }, (_, at) => `p${100 + at}`);

/** Of a group that `a` leads. */
const group = (pods: readonly ObservedPod[], sessions: readonly string[], more: Partial<Observation> = {}) =>
  anObservation({ pods: [led('a'), ...pods], sessions: ['a', ...sessions].map((name) => aSession(name)), ...more });

const openedIn = (o: Observation): readonly string[] => unsuited(o).map(({ name }) => name);
const endedIn = (o: Observation): readonly string[] => leftOver(o).map((id) => id.replace('session-of-', ''));

describe('the sessions that are opened ahead of a handover', () => {
  it('are two, however many candidates there are', () => {
    expect(openedIn(group(names(300).map(ready), []))).toEqual(['p100', 'p101']);
  });

  it('are none while a pod that has one is not ready for a moment', () => {
    expect(openedIn(group([ready('b'), notReady('c'), ready('d')], ['b', 'c']))).toEqual([]);
  });

  it('are one more where the best candidate has none: it leads next', () => {
    expect(openedIn(group([ready('b'), ready('c'), ready('d')], ['c', 'd']))).toEqual(['b']);
  });

  it('are no fewer because of one of a pod that terminates, or that nobody wants', () => {
    const terminating = observed(aPod({ name: 'b', deleting: true }));
    const excluded = observed(aPod({ name: 'c', annotations: { 'leadergroup.dev/candidate': 'false' } }));
    expect(openedIn(group([terminating, excluded, ready('d'), ready('e')], ['b', 'c']))).toEqual(['d', 'e']);
  });
});

describe('the sessions that are given up', () => {
  it('are the worst of more than two, never that of the leader', () => {
    expect(endedIn(group([ready('b'), ready('c'), notReady('d'), ready('e')], ['b', 'c', 'd', 'e']))).toEqual([
      'd',
      'e',
    ]);
  });

  it('are none of a pod that terminates while there is room: it may still lead for a moment', () => {
    const terminating = observed(aPod({ name: 'b', deleting: true }));
    expect(endedIn(group([terminating, ready('c')], ['b', 'c']))).toEqual([]);
    expect(endedIn(group([terminating, ready('c'), ready('d')], ['b', 'c', 'd']))).toEqual(['b']);
  });

  it('are none of three while nobody has the lock', () => {
    const free = (sessions: readonly string[]): Observation =>
      anObservation({
        pods: names(5).map(ready),
        sessions: sessions.map((name) => aSession(name)),
        lock: freeAfter('p100'),
      });
    expect(endedIn(free(['p100', 'p101', 'p104']))).toEqual([]);
    expect(endedIn(free(['p100', 'p101', 'p102', 'p104']))).toEqual(['p104']);
  });

  it('are none while the lock is unknown: one of them may hold it', () => {
    expect(endedIn(group([], ['gone'], { lock: null }))).toEqual([]);
  });
});

describe('sessions of any group', () => {
  const state = fc.constantFrom('ready', 'notReady', 'deleting', 'finished', 'excluded', 'gone');
  const member = fc.record({
    state,
    session: fc.constantFrom('none', 'suiting', 'older', 'both'),
    holds: fc.boolean(),
  });
  const pod = (name: string, of: string): ObservedPod[] => {
    const shapes: Readonly<Record<string, ObservedPod>> = {
      ready: ready(name),
      notReady: notReady(name),
      deleting: observed(aPod({ name, deleting: true })),
      finished: observed(aPod({ name, phase: 'Succeeded' }), { member: false }),
      excluded: observed(aPod({ name, annotations: { 'leadergroup.dev/candidate': 'false' } })),
    };
    return [shapes[of] ?? []].flat();
  };
  const sessionsOf = (name: string, kind: string): MemberSession[] => [
    ...(kind === 'older' || kind === 'both' ? [aSession(name, { id: `older-of-${name}`, ttlMs: 10_000 })] : []),
    ...(kind === 'suiting' || kind === 'both' ? [aSession(name)] : []),
  ];

  const observation = fc.array(member, { maxLength: 8 }).map((members) => {
    const named = members.map((each, at) => ({ ...each, name: `p${at}` }));
    const holder = named.find(({ holds, session }) => holds && session !== 'none');
    const sessions = named.flatMap(({ name, session }) => sessionsOf(name, session));
    const holding = sessions.find(({ podUid }) => podUid === aSession(holder?.name ?? '').podUid) ?? null;
    const lock = { ...freeAfter(holder?.name ?? 'p0'), session: holding?.id ?? null };
    return anObservation({ pods: named.flatMap((each) => pod(each.name, each.state)), sessions, lock });
  });

  const after = (o: Observation): Observation => {
    const ended = new Set(leftOver(o));
    const opened = unsuited(o).map(({ name }) => aSession(name, { id: `new-of-${name}` }));
    return { ...o, sessions: [...o.sessions.filter(({ id }) => !ended.has(id)), ...opened] };
  };

  /** One more while the timing of the holder's is being changed. */
  const most = (o: Observation): number => (o.sessions.some(({ id }) => id === o.lock?.session) ? 4 : 3);

  it('come to rest at three or fewer, with one for the next leader, and the lock’s is never given up', () => {
    fc.assert(
      fc.property(observation, (o) => {
        // What has been opened may make another one superfluous; then all is done.
        const rest = after(after(o));
        expect(unsuited(rest)).toEqual([]);
        expect(leftOver(rest)).toEqual([]);
        expect(rest.sessions.length).toBeLessThanOrEqual(most(rest));
        expect(leftOver(o)).not.toContain(o.lock?.session);
      }),
    );
  });
});
