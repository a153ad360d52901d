/** Events, history, metrics and log: each change once, with the type that the registry has for it. */
import { describe, expect, it } from 'vitest';
import { CONDITION_REASONS } from '../../../../src/api/condition-reasons.ts';
import { EVENT_REASONS, type EventReason, READY_EVENTS } from '../../../../src/api/event-reasons.ts';
import type { Plan } from '../../../../src/election/actions.ts';
import type { Observation } from '../../../../src/election/observation.ts';
import { plan } from '../../../../src/election/plan.ts';
import { nothing, ready } from '../../../../src/election/plans.ts';
import { buildStatus } from '../../../../src/election/status.ts';
import type { Fact } from '../../../../src/operator/execute/run.ts';
import { createMemory } from '../../../../src/operator/observe/remember.ts';
import { createAnnouncer } from '../../../../src/operator/report/announce.ts';
import type { KubernetesEvent } from '../../../../src/ports/kubernetes.ts';
import type { LeaderChangeTrace, TimedStep } from '../../../../src/ports/traces.ts';
import { aGroup, aLeader, aPod } from '../../../kit/fakes/builders.ts';
import { anObservation, NOW_MS, observed } from '../../../kit/fakes/builders-election.ts';
import { CHANGING, ROUTED, SAYING } from '../../../kit/fakes/builders-reasons.ts';
import { SWITCHED } from '../../../kit/fakes/builders-switchover.ts';
import { createFakeClock } from '../../../kit/fakes/clock.ts';
import { uidOf } from '../../../kit/fakes/ids.ts';
import { createFakeLog } from '../../../kit/fakes/log.ts';
import { noMetrics } from '../../../kit/model/sinks.ts';

type World = Partial<Observation>;

/** An announcer with what it told; `rests`, `does` and `ends` are what a pass over a group calls it with. */
function anAnnouncer() {
  const traces: LeaderChangeTrace[] = [];
  const events: KubernetesEvent[] = [];
  const counted: (string | number)[] = [];
  const chosen: (string | null)[] = [];
  const given: EventReason[] = [];
  let deferred = 0;
  const log = createFakeLog();
  const clock = createFakeClock(NOW_MS);
  const memory = createMemory();
  const announcer = createAnnouncer({
    clock,
    events: { emit: (event) => void events.push(event) },
    metrics: {
      ...noMetrics,
      electionWon: () => void counted.push('election'),
      handover: (cause) => void counted.push(cause),
      eventGiven: (reason) => void given.push(reason),
      leaderChosen: (by) => void chosen.push(by),
      leaderDeferred: () => {
        deferred += 1;
      },
      demotedByDeadline: () => void counted.push('demotion'),
      failoverSeconds: (seconds) => void counted.push(seconds),
    },
    log,
    traces: { leaderChanged: (trace) => void traces.push(trace) },
  });
  return {
    events,
    traces,
    counted,
    chosen,
    given,
    deferred: () => deferred,
    log,
    memory,
    clock,
    /** Reasons of the events about the group. */
    told: () => events.filter(({ regarding }) => regarding.kind === 'LeaderGroup').map(({ reason }) => reason),
    /** A pass in which the plan's actions brought these facts. */
    does: (world: World, ...facts: readonly Fact[]) => {
      const steps = facts.map((fact) => aStep(fact.kind === 'fenced' ? 'fence' : 'promotion'));
      const o = anObservation(world);
      announcer.executed(o, plan(o), memory, { facts, sinceMs: NOW_MS - 40, decidedMs: NOW_MS - 38, steps });
    },
    /** The pass is over; `planned`: not what the world asks for. */
    rests: (world: World, planned?: Plan) => {
      const o = anObservation(world);
      announcer.passEnded(o, planned ?? plan(o), memory);
    },
    ends: (world: World) => announcer.deleted(anObservation(world)),
  };
}

const aStep = (name: TimedStep['name']): TimedStep => ({ name, beginMs: NOW_MS - 38, endMs: NOW_MS, outcome: 'ok' });

const fenced = (name: string, more: Partial<Extract<Fact, { kind: 'fenced' }>> = {}): Fact => ({
  kind: 'fenced',
  pod: name,
  uid: uidOf(name),
  wasLeader: true,
  token: 4,
  because: 'move',
  ...more,
});
const promoted = (name: string, token = 5): Fact => ({
  kind: 'promoted',
  pod: aLeader(token, { name }),
  token,
  atMs: NOW_MS + 10,
});

const unled: World = { pods: [observed(aPod({ name: 'b' }))] };
const contested = (by: string | null, contest = { notBeforeMs: 0, overAtMs: NOW_MS + 1, by }): World => ({
  pods: [observed(aLeader(4, { name: 'a' }), { contest })],
});
const inTemplate: World = {
  pods: [
    observed(aLeader(4, { name: 'a' }), {
      owner: { kind: 'clear', workload: 'Deployment web', template: true, placement: false },
    }),
  ],
};

type Told = ReturnType<typeof anAnnouncer>;
const reason =
  (name: keyof typeof READY_EVENTS) =>
  ({ rests }: Told): void =>
    rests(SAYING[name]);

/** What must happen for each event to be given. The compiler asks for a row when the registry gets a new one. */
const GIVEN: Readonly<Record<EventReason, (told: Told) => void>> = {
  LeaderElected: ({ does }) => does(CHANGING.FirstElection, promoted('b', 1)),
  LeaderHandedOver: ({ does }) => does(CHANGING.LeaderNotReady, fenced('a'), promoted('b')),
  SwitchoverRefused: ({ rests }) => rests(SWITCHED.Paused),
  LeaderLost: ({ does, rests }) => {
    does(CHANGING.LeaderNotReady, fenced('a'));
    rests(unled);
  },
  LeaderUnresponsive: ({ does }) => does(CHANGING.LeaderUnresponsive, fenced('a'), promoted('b')),
  LeaderDeferred: ({ does }) => {
    does(CHANGING.LeaderNotReady, fenced('a'), promoted('b', 5));
    does(CHANGING.LeaderNotReady, fenced('a'), promoted('b', 6));
  },
  LabelContested: ({ rests }) => rests(contested('kubectl')),
  LabelInPodTemplate: ({ rests }) => rests(inTemplate),
  LabelSelectedByOthers: ({ rests }) => rests({ labelReaders: ['NetworkPolicy web'] }),
  LabelsLeft: ({ ends }) => ends({}),
  LeaderRetained: ({ ends }) => ends({ group: aGroup({ deleting: true, spec: { deletionPolicy: 'Retain' } }) }),
  FormerLeaderEvicted: ({ does }) => does({}, { kind: 'evicted', pod: 'a', kept: null }),
  FormerLeaderKept: ({ does }) => does({}, { kind: 'evicted', pod: 'a', kept: 'the budget says no' }),
  NotRouted: ({ rests }) => rests(ROUTED.ServiceNotFound),
  WriteRefused: ({ does }) => does({}, { kind: 'refused', pod: 'a', message: 'the policy says no' }),
  LedElsewhere: reason('LedElsewhere'),
  NoCandidate: reason('NoCandidate'),
  BeforePromotionFailed: reason('BeforePromotionFailed'),
  ConsulUnreachable: reason('ConsulUnreachable'),
  LockDelay: reason('LockDelay'),
  Deleting: reason('Deleting'),
  SelectorOverlap: reason('SelectorOverlap'),
  LockKeyNotAllowed: reason('LockKeyNotAllowed'),
  KeyConflict: reason('KeyConflict'),
  NodesNotReadable: reason('NodesNotReadable'),
  LabelInWorkloadSelector: reason('LabelInWorkloadSelector'),
  PermissionDenied: reason('PermissionDenied'),
};

describe('an event', () => {
  it.each(Object.entries(GIVEN))('is given once, of the type that the registry has for it: %s', (name, happen) => {
    const told = anAnnouncer();
    happen(told);
    const found = told.events.filter(({ reason, regarding }) => reason === name && regarding.kind === 'LeaderGroup');
    expect(found).toMatchObject([
      { type: EVENT_REASONS[name as EventReason].type, regarding: { namespace: 'default', uid: 'uid-of-notifier' } },
    ]);
    expect(found[0]?.message).toMatch(/\w{3}/);
    expect(told.given.filter((reason) => reason === name)).toHaveLength(1);
  });

  it('of a group that verify has made is not counted: nobody is to be called for what fails on purpose', () => {
    const { does, events, given } = anAnnouncer();
    does({ group: aGroup({ isVerification: true }) }, { kind: 'evicted', pod: 'a', kept: null });
    expect([events.length, given]).toEqual([1, []]);
  });

  it('is a warning where it tells of a reason with which Ready is False, and only there', () => {
    for (const [name, { type }] of Object.entries(READY_EVENTS))
      expect([name, type]).toEqual([name, name in CONDITION_REASONS.Ready.True ? 'Normal' : 'Warning']);
  });
});

describe('a change of leader', () => {
  it('is one event on the group with who, token, cause and duration, and one on the pod that leads', () => {
    const { events, does } = anAnnouncer();
    does(CHANGING.LeaderNotReady, fenced('a'), promoted('b'));
    expect(events.map(({ regarding, reason, message }) => [regarding.kind, regarding.name, reason, message])).toEqual([
      [
        'LeaderGroup',
        'notifier',
        'LeaderHandedOver',
        'b leads with token 5 (LeaderNotReady; previous leader: a; took 50 ms)',
      ],
      ['Pod', 'b', 'LeaderElected', 'leads LeaderGroup notifier with token 5 (LeaderNotReady)'],
    ]);
  });

  it('says by what the next leader was chosen where there was a choice, in the event, the history and the metric', () => {
    const { events, memory, chosen, does } = anAnnouncer();
    const pods = ['a', 'b', 'c'].map((name) =>
      observed(aPod({ name, ready: name !== 'a' }), { cordoned: name === 'c' }),
    );
    does({ ...CHANGING.LeaderNotReady, pods }, fenced('a'), promoted('b'));
    expect(events[0]?.message).toContain('previous leader: a; chosen by: NodeStays;');
    expect(memory.now.transitions).toMatchObject([{ from: 'a', fromUID: uidOf('a'), to: 'b', chosenBy: 'NodeStays' }]);
    expect(chosen).toEqual(['NodeStays']);
  });

  it('is counted as an election and by its cause, and measured from the event that led to it', () => {
    const { counted, does } = anAnnouncer();
    does(CHANGING.LeaderNotReady, fenced('a'), promoted('b'));
    expect(counted).toEqual(['election', 0.05, 'LeaderNotReady']);
  });

  it('of a throwaway group, whose leaders fail on purpose, is told and counted by nothing', () => {
    const { counted, chosen, does, told } = anAnnouncer();
    const world = { ...CHANGING.LeaderNotReady, group: aGroup({ isVerification: true }) };
    does(world, fenced('a'), promoted('b'));
    expect([counted, chosen, told()]).toEqual([[], [], ['LeaderHandedOver']]);
  });

  it('from nobody is no handover', () => {
    const { counted, does, told } = anAnnouncer();
    does(CHANGING.FirstElection, promoted('b', 1));
    expect([counted, told()]).toEqual([['election', 0.05], ['LeaderElected']]);
  });

  it.each(['LeaderGone', 'SessionLost', 'RecordLost'] as const)('stands in the history with its cause: %s', (cause) => {
    const { memory, does } = anAnnouncer();
    does(CHANGING[cause], promoted('b'));
    expect(memory.now.transitions).toMatchObject([{ to: 'b', reason: cause, token: 5, durationMilliseconds: 50 }]);
  });

  it('to the pod that leads already, as when its label is put right, is only logged', () => {
    const { events, counted, log, memory, does } = anAnnouncer();
    const status = buildStatus(anObservation(), ready('Led'), [], '2026-01-02T03:04:05Z');
    does({ ...CHANGING.LabelRestored, group: aGroup({ status }) }, promoted('a'));
    expect([events, counted, memory.now.transitions]).toEqual([[], [], []]);
    expect(log.lines).toMatchObject([{ message: 'leader promoted', fields: { pod: 'a', reason: 'LabelRestored' } }]);
  });

  it('keeps the last ten that the status does not show yet', () => {
    const { memory, does } = anAnnouncer();
    for (let token = 1; token <= 12; token += 1) does(CHANGING.LeaderNotReady, fenced('a'), promoted('b', token));
    expect(memory.now.transitions.map(({ token }) => token)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });
});

describe('a leader that fails', () => {
  it('again and again is told of once it has done so twice in a row, with how long others go first', () => {
    const { events, deferred, does } = anAnnouncer();
    const told = () => events.filter(({ reason }) => reason === 'LeaderDeferred').map(({ message }) => message);
    does(CHANGING.LeaderNotReady, fenced('a'), promoted('b', 5));
    expect([told(), deferred()]).toEqual([[], 1]);
    does(CHANGING.LeaderNotReady, fenced('a'), promoted('b', 6));
    expect([told(), deferred()]).toEqual([
      ['a has failed as the leader 2 times in a row (LeaderNotReady); for 60 s it leads only if nobody else can'],
      2,
    ]);
  });

  it('and nobody follows has failed as well', () => {
    const { memory, deferred, does, rests } = anAnnouncer();
    does(CHANGING.LeaderNotReady, fenced('a'));
    rests(unled, nothing('no candidate'));
    expect(memory.now.transitions).toMatchObject([{ fromUID: uidOf('a'), to: '', chosenBy: '' }]);
    does(CHANGING.LeaderLost, promoted('b'));
    expect(deferred()).toBe(1);
  });

  it('is none where it was drained, deleted or asked for it', () => {
    const { deferred, does } = anAnnouncer();
    for (const cause of ['LeaderTerminating', 'LeaderGone', 'LeaderResigned', 'LeaderExcluded'] as const)
      does(CHANGING[cause], fenced('a'), promoted('b'));
    expect(deferred()).toBe(0);
  });
});

describe('the loss of a leader', () => {
  it('is told when the pass is over and nobody has followed, once, with the token it led with', () => {
    const { memory, told, does, rests } = anAnnouncer();
    does(CHANGING.LeaderNotReady, fenced('a'));
    expect(told()).toEqual([]);
    rests(unled, nothing('no candidate'));
    rests(unled, nothing('no candidate'));
    expect(told()).toEqual(['LeaderLost']);
    expect(memory.now.transitions).toMatchObject([{ from: 'a', to: '', reason: 'LeaderNotReady', token: 4 }]);
  });

  it('that was told is no handover when somebody follows later', () => {
    const { counted, told, does, rests } = anAnnouncer();
    does(CHANGING.LeaderNotReady, fenced('a'));
    rests(unled, nothing('no candidate'));
    does(CHANGING.LeaderLost, promoted('b'));
    expect(told()).toEqual(['LeaderLost', 'LeaderElected']);
    expect(counted).not.toContain('LeaderNotReady');
  });

  it('is none where a leader carries the label when the pass is over', () => {
    const { memory, told, does, rests } = anAnnouncer();
    does(CHANGING.LeaderNotReady, fenced('a'));
    rests({});
    expect([told(), memory.now.change]).toEqual([[], null]);
  });

  it('is none of a pod that did not lead, or was labelled by somebody else', () => {
    const { told, does, rests } = anAnnouncer();
    does(CHANGING.LeaderNotReady, fenced('b', { wasLeader: false }), fenced('c', { because: 'stray' }));
    rests(unled, nothing('no candidate'));
    expect(told()).toEqual([]);
  });

  it('at the deadline of the lock is counted as a demotion', () => {
    const { counted, does, rests } = anAnnouncer();
    does(CHANGING.ConsulUnreachable, fenced('a', { because: 'outage' }));
    rests({ ...CHANGING.ConsulUnreachable, ...unled });
    expect(counted).toEqual(['demotion']);
  });

  it('with its group has the cause GroupDeleted', () => {
    const { memory, does, rests } = anAnnouncer();
    const deleting = { group: aGroup({ deleting: true }) };
    does(deleting, fenced('a', { because: 'deletion' }));
    rests({ ...deleting, ...unled }, nothing('another replica owns the bucket'));
    expect(memory.now.transitions).toMatchObject([{ from: 'a', to: '', reason: 'GroupDeleted' }]);
  });
});

describe('a reason of Ready', () => {
  it('is told when it begins, and again when it has been another one', () => {
    const { told, rests } = anAnnouncer();
    for (const name of ['NoCandidate', 'NoCandidate', 'LockDelay', 'NoCandidate'] as const) rests(SAYING[name]);
    expect(told()).toEqual(['NoCandidate', 'LockDelay', 'NoCandidate']);
  });

  it('that the status has already is not told by a process that has just started', () => {
    const { told, rests } = anAnnouncer();
    const o = anObservation(SAYING.NoCandidate);
    const status = buildStatus(o, plan(o).verdict, [], '2026-01-02T03:04:05Z');
    rests({ ...SAYING.NoCandidate, group: aGroup({ status }) });
    expect(told()).toEqual([]);
  });

  it.each(['Led', 'Electing', 'ScaledToZero', 'NoMembers'] as const)(
    'is no event where others tell it better: %s',
    (name) => {
      const { events, rests } = anAnnouncer();
      rests(SAYING[name]);
      expect(events).toEqual([]);
    },
  );

  it('is not told where nothing was learnt', () => {
    const { events, memory, rests } = anAnnouncer();
    rests({}, nothing('another replica owns the bucket'));
    expect([events, memory.now.reportedReason]).toEqual([[], null]);
  });
});

describe('a contested label', () => {
  it('is told once for each fight, when it is known who fights', () => {
    const { told, rests } = anAnnouncer();
    rests(contested(null), nothing(''));
    expect(told()).toEqual([]);
    for (let pass = 0; pass < 2; pass += 1) rests(contested('kubectl'), nothing(''));
    expect(told()).toEqual(['LabelContested']);
    rests({}, nothing(''));
    rests(contested('kubectl'), nothing(''));
    expect(told()).toEqual(['LabelContested', 'LabelContested']);
  });
});

describe('what was warned of', () => {
  const fought = (names: readonly string[]): World => ({
    pods: names.map((name) => observed(aPod({ name }), { contest: { notBeforeMs: 0, overAtMs: NOW_MS + 1, by: 'x' } })),
  });
  const names = Array.from({ length: 600 }, (_, at) => `pod-${at}`);

  it('is not kept for good of pods that come and go', () => {
    const { memory, rests } = anAnnouncer();
    for (const name of names) rests(fought([name]), nothing(''));
    expect(memory.now.warned.size).toBeLessThanOrEqual(257);
  });

  it('is told once, of however many at a time', () => {
    const { told, rests } = anAnnouncer();
    for (let pass = 0; pass < 3; pass += 1) rests(fought(names), nothing(''));
    expect(told()).toHaveLength(600);
  });
});

describe('a warning about the label key', () => {
  it('is given once for each incarnation of the group', () => {
    const { told, rests } = anAnnouncer();
    for (let pass = 0; pass < 3; pass += 1) rests(inTemplate);
    expect(told()).toEqual(['LabelInPodTemplate']);
  });

  it('is the business of the owner of the bucket', () => {
    const { told, rests } = anAnnouncer();
    rests({ ...inTemplate, ownership: { kind: 'notOwned' } });
    expect(told()).toEqual([]);
  });
});

describe('labels that are left on pods of a deleted group', () => {
  const leaders = (...names: readonly string[]): World => ({
    pods: names.map((name) => observed(aLeader(4, { name }))),
  });

  it('are told with three names at most, and how to take them off', () => {
    const { events, ends } = anAnnouncer();
    ends(leaders('a', 'b', 'c', 'd'));
    expect(events[0]?.message).toMatch(
      /a, b, c and 1 more .* still carry leadergroup\.dev\/role=leader\. .*kubectl label pod NAME leadergroup\.dev\/role-$/,
    );
  });

  it('are not told where there are none', () => {
    const { events, ends } = anAnnouncer();
    ends(unled);
    expect(events).toEqual([]);
  });

  it('are not to be taken off by hand where a controller would release the pod and make another', () => {
    const { events, ends } = anAnnouncer();
    ends({ ...leaders('a'), labelStop: { message: 'Deployment web selects its pods by the label key' } });
    expect(events[0]?.message).toContain('but a still carries leadergroup.dev/role=leader. A controller selects by');
    // Of what was said before, part is about a group that is no more: its spec cannot be edited.
    expect(events[0]?.message).not.toContain('Deployment web selects');
  });
});

describe('the trace of a change of leader', () => {
  const stepsOf = (traces: readonly LeaderChangeTrace[]) => traces.map(({ steps }) => steps.map(({ name }) => name));

  it('has the steps of all plans until somebody leads, and when it was noticed first', () => {
    const { does, traces } = anAnnouncer();
    does(CHANGING.LeaderNotReady, fenced('a'));
    expect(traces).toEqual([]);
    does({}, promoted('b'));
    expect(traces).toMatchObject([
      {
        group: 'default/notifier',
        reason: 'LeaderNotReady',
        from: 'a',
        to: 'b',
        token: 5,
        noticedMs: NOW_MS - 40,
        decidedMs: NOW_MS - 38,
      },
    ]);
    expect(stepsOf(traces)).toEqual([['fence', 'promotion']]);
  });

  it('has nothing of a change that was over before', () => {
    const { does, rests, traces } = anAnnouncer();
    does({}, fenced('a', { because: 'stray' }));
    rests({ pods: [observed(aLeader(4, { name: 'a' }))] });
    does(CHANGING.FirstElection, promoted('b', 1));
    expect(stepsOf(traces)).toEqual([['promotion']]);
  });
});
