/** Runs one history: the acts, then everything is healed, then the world must come to rest with one leader for each group. */

import { podName } from '../checker/breach.ts';
import { type Breach, check, type History, noLeaderMoved, sentence } from '../checker/checker.ts';
import { type Act, hasLeaderLabel, type Scenario, scenarioOf } from './acts.ts';
import { auditedBreaches } from './audited.ts';
import { createChecks, type SimCounts } from './checks.ts';
import { createMeetings, meetActs } from './coverage.ts';
import type { WireCounts } from './network.ts';
import type { PassingCounts } from './passing.ts';
import { record } from './record.ts';
import { openStage } from './stage.ts';

export type Outcome = {
  readonly seed: number;
  /** What was broken, in words. Empty: every promise was kept. */
  readonly breaches: readonly string[];
  /** The same for the same scenario, always. */
  readonly hash: number;
  readonly steps: number;
  readonly virtualMs: number;
  readonly acts: number;
  readonly counts: SimCounts & WireCounts & PassingCounts;
  /** What it met, each once (coverage.ts). */
  readonly met: readonly string[];
};

/** The API server may be hard to reach for it. */
const isHard = (act: Act): boolean =>
  ['freeze', 'slow', 'outage'].includes(act.act) ||
  (act.act === 'trouble' && act.with === 'kubernetes') ||
  (act.act === 'cut' && act.from === 'kubernetes');

/** For expired sessions (twice 40 s), the longest backoff and what follows from both. */
const HEALED_MS = 120_000;
const LOOK_MS = 5000;
const REST_MS = 12_000;

/** `acts`: others than the seed's own, for a shortened history. */
export async function runHistory(seed: number, acts?: readonly Act[]): Promise<Outcome> {
  const made = scenarioOf(seed);
  const scenario: Scenario = acts === undefined ? made : { ...made, acts };
  const checks = createChecks(scenario);
  const meetings = createMeetings();
  meetActs(scenario, meetings);
  const stage = openStage(scenario, checks.patchSent, meetings);
  checks.begin(stage);
  const written = record(stage, scenario, checks.claimed());
  for (const act of scenario.acts) stage.loop.after(act.atMs, () => stage.do(act));
  const { loop } = stage;
  const late = await play().catch((error: unknown) => [String(error)]);
  const breaches = [...checks.breaches(), ...late, ...checked()];
  return {
    seed,
    breaches,
    hash: written.hash(),
    steps: loop.steps(),
    virtualMs: loop.nowMs(),
    acts: scenario.acts.length,
    counts: { ...checks.counts, ...stage.counts, ...stage.passingCounts },
    met: meetings.all(),
  };

  async function play(): Promise<readonly string[]> {
    await loop.runUntil(scenario.lengthMs);
    stage.heal();
    return await settle();
  }

  /** I9 and I7: each group is led by one, and then nothing is written any more. */
  async function settle(): Promise<readonly string[]> {
    const untilMs = loop.nowMs() + HEALED_MS;
    let quietSinceMs = loop.nowMs();
    let writes = -1;
    while (loop.nowMs() < untilMs) {
      await loop.runUntil(loop.nowMs() + LOOK_MS);
      const now = stage.api.writes() + stage.api.routing.writes() + stage.consul.writes();
      const unsettled = scenario.groups.some(({ name }) => checks.unsettled(name) !== null);
      if (now !== writes || unsettled) quietSinceMs = loop.nowMs();
      writes = now;
      if (loop.nowMs() - quietSinceMs >= REST_MS) return [];
    }
    const why = scenario.groups.flatMap(({ name }) => checks.unsettled(name) ?? []);
    return [
      why.length > 0
        ? `I9: ${HEALED_MS / 1000} s after everything was healed ${why.join('; ')}`
        : 'I7: it does not come to rest',
    ];
  }

  function checked(): readonly string[] {
    const history = written.history();
    const everLed = new Set(
      history.pods.flatMap((event) =>
        event.kind !== 'list' && hasLeaderLabel(scenario.groups, event.pod.labels)
          ? [event.pod.labels['app'] ?? '']
          : [],
      ),
    );
    const leaderless = history.groups.filter(({ name }) => !everLed.has(name)).map(({ name }) => `default/${name}`);
    const refusals = scenario.acts.some(({ act }) => act === 'refuse');
    const sliceRefusals = scenario.acts.some(({ act }) => act === 'deny');
    const sliceSilence = scenario.acts.some(isHard);
    const staleOwners = stage.clocksStood() || scenario.acts.some(({ act }) => act === 'wipe');
    const seen = { toleranceMs: 0, everyKeyState: true, leaderless, staleOwners };
    const { breaches: found } = check(history, { ...seen, refusals, sliceRefusals, sliceSilence });
    const moved = scenario.steady ? healthyMoved(scenario, history, loop.nowMs()) : [];
    return [...[...found, ...moved].map((each) => `checker: ${sentence(each)}`), ...auditedBreaches(history)];
  }
}

/** I8 from each time on at which somebody came to lead: only operators and the API server suffer, and processes that hang. */
function healthyMoved({ groups }: Scenario, history: History, toMs: number): readonly Breach[] {
  const leading = new Set<string>();
  return history.pods.flatMap((event) => {
    if (event.kind === 'list') return [];
    const { uid, labels } = event.pod;
    const leads = hasLeaderLabel(groups, labels) && event.kind !== 'deleted';
    const began = leads && !leading.has(uid);
    if (leads) leading.add(uid);
    else leading.delete(uid);
    const silent = history.silences?.some(
      (silence) => silence.podUid === uid && silence.fromMs <= event.atMs && event.atMs <= silence.toMs,
    );
    if (!began || silent === true) return [];
    return noLeaderMoved(history, { fromMs: event.atMs, toMs }).filter(({ pods }) => pods[0] === podName(event.pod));
  });
}
