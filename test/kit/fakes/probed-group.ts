/**
 * One replica with one group that has a leader probe, in virtual time: real prober, real plan. Its process may stand still, as one whose event loop is
 * blocked: timers and questions are served when it goes on.
 */
import type { LeaderProbe } from '../../../src/api/leader-probe.ts';
import type { TransitionStatus } from '../../../src/api/leadergroup.ts';
import { judgedBefore, judgementOf } from '../../../src/election/judgement.ts';
import type { Observation } from '../../../src/election/observation.ts';
import { plan } from '../../../src/election/plan.ts';
import { buildStatus } from '../../../src/election/status.ts';
import { createHeard, type Heard } from '../../../src/operator/gate/heard.ts';
import { createProber, type Prober } from '../../../src/operator/probe/prober.ts';
import { A_GATE_PROBE, aGroup, aLeader, aPod } from './builders.ts';
import { anObservation, aSession, heldBy, observed } from './builders-election.ts';
import { uidOf, wallMs } from './ids.ts';

const KEY = 'default/notifier';
const WALL_SECONDS = 1_700_000_000;

type Event = { readonly atMs: number; readonly order: number; readonly inside: boolean; readonly run: () => void };

export type ProbedGroup = ReturnType<typeof aProbedGroup>;

export function aProbedGroup({
  members = ['a', 'b', 'c'],
  probe = A_GATE_PROBE,
}: {
  readonly members?: readonly string[];
  readonly probe?: LeaderProbe;
} = {}) {
  const events = new Set<Event>();
  const history: TransitionStatus[] = [];
  const replaced: { readonly atMs: number; readonly from: string; readonly to: string }[] = [];
  let group = aGroup({ spec: { leaderProbe: probe } });
  const state = { blind: null as string | null, leader: members[0] ?? 'a', ready: new Set(members) };
  let nowMs = 1_000_000;
  let stalledUntilMs = 0;
  let order = 0;
  const startMs = nowMs;

  function after(delayMs: number, run: () => void, inside = false): () => void {
    order += 1;
    const event = { atMs: nowMs + Math.max(0, delayMs), order, inside, run };
    events.add(event);
    return () => void events.delete(event);
  }

  const clock = {
    nowMs: () => nowMs,
    wallMs: () => wallMs(WALL_SECONDS * 1000 + nowMs - startMs),
    after: (delayMs: number, run: () => void) => after(delayMs, run, true),
  };
  const heard: Heard = createHeard((key) => prober.window(key));
  const prober: Prober = createProber({
    clock,
    random: { next: () => 0 },
    sight: { blind: () => state.blind, blindToAddresses: () => state.blind, confirm: () => Promise.resolve(true) },
    promotionAnswered: () => undefined,
    ownNode: () => null,
    http: { get: () => Promise.resolve(null) },
    wake: () => pass(),
    arrivals: heard.arrivals,
  });

  function observe(): Observation {
    const pods = members.map((name) => {
      const more = { name, addresses: [`10.0.0.${members.indexOf(name)}`], ready: state.ready.has(name) };
      return observed(name === state.leader ? aLeader(4 + replaced.length, more) : aPod(more));
    });
    const wallSeconds = WALL_SECONDS + (nowMs - startMs) / 1000;
    const sessions = members.map((name) => aSession(name, { deadlineMs: nowMs + 20_000 }));
    const now = { nowMs, wallSeconds, lockDeadlineMs: nowMs + 20_000 };
    const view = prober.view(KEY, probe, history, {
      nowMs,
      uids: members.map(uidOf),
      judgedBefore: judgedBefore(group),
    });
    return anObservation({
      ...now,
      group,
      pods,
      sessions,
      lock: heldBy(state.leader, 4 + replaced.length),
      probe: view,
    });
  }

  function pass(): void {
    const o = observe();
    prober.seen(o);
    const planned = plan(o);
    const now = new Date(o.wallSeconds * 1000).toISOString();
    const status = { ...buildStatus(o, planned.verdict, [], now), recentTransitions: history };
    group = { ...group, status };
    if (planned.cause !== 'LeaderUnresponsive' || planned.kind !== 'transition') return;
    const to = planned.lock.transaction.to?.pod.name ?? '';
    replaced.push({ atMs: nowMs - startMs, from: state.leader, to });
    history.unshift({
      time: now,
      from: state.leader,
      to,
      reason: planned.cause,
      token: 5,
      fromUID: '',
      chosenBy: '',
      durationMilliseconds: 1,
    });
    state.leader = to;
    pass();
  }

  /** Time passes. */
  function run(ms: number): void {
    const untilMs = nowMs + ms;
    for (;;) {
      const dueMs = ({ atMs, inside }: Event): number => (inside ? Math.max(atMs, stalledUntilMs) : atMs);
      const [next] = [...events].toSorted((a, b) => dueMs(a) - dueMs(b) || a.order - b.order);
      if (next === undefined || dueMs(next) > untilMs) break;
      events.delete(next);
      nowMs = Math.max(nowMs, dueMs(next));
      next.run();
    }
    nowMs = untilMs;
  }

  /** A question of the member reaches this process, which serves it once it does not stand still. */
  const ask = (name: string): void => void after(0, () => heard.note(KEY, uidOf(name), nowMs), true);

  /** Asks again and again, the next time after what `everyMs` gives; until that gives null. */
  function asks(name: string, everyMs: () => number | null, firstMs = 0): void {
    const again = (): void => {
      const nextMs = everyMs();
      if (nextMs === null) return;
      ask(name);
      after(nextMs, again);
    };
    after(firstMs, again);
  }

  pass();
  return {
    state,
    replaced,
    run,
    pass,
    ask,
    asks,
    at: (ms: number, act: () => void) => void after(ms, act),
    nowMs: () => nowMs - startMs,
    stall: (ms: number) => {
      stalledUntilMs = Math.max(stalledUntilMs, nowMs + ms);
    },
    /** Another replica has the bucket, and this one gets it back. */
    moved: () => {
      prober.drop(KEY);
      heard.dropped(KEY);
      pass();
    },
    /** The spec was edited. */
    edited: () => {
      group = { ...group, generation: group.generation + 1 };
      pass();
    },
    judgement: () => judgementOf(observe()),
    counts: prober.counts,
    pending: () => events.size,
  };
}
