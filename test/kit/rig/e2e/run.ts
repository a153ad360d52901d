/** Lets one fault after the other befall stories, and measures what their users lost by each. */
import { sentence } from '../../checker/breach.ts';
import type { History, Interval, WatchedGroup } from '../../checker/history.ts';
import { noLeaderMoved } from '../../checker/no-failover.ts';
import type { Leading, LedOptions } from '../harness.ts';
import type { Cost } from './costs.ts';
import { missedTicks } from './deliveries.ts';
import { type Caused, type Fault, isWanted } from './faults.ts';
import { handoverAfter } from './handover.ts';
import { GROUP } from './names.ts';
import { longestGapMs, reignsOf } from './routing.ts';
import { type Story, TICK_MS } from './story.ts';

/** How many ticks must have been delivered before a fault, while it lasts, and after it is undone. */
const TICKS = 5;

/** All of these, as often as they are wanted. Resolves with what each cost. `ticks`: see TICKS. */
export async function befallAll(
  stories: readonly Story[],
  faults: readonly Fault[],
  ticks = TICKS,
): Promise<readonly Cost[]> {
  const costs: Cost[] = [];
  for (const fault of faults) {
    for (let time = 0; await isWanted(fault, time); time += 1) {
      const found = await befall(stories, fault, ticks);
      costs.push(...found);
      for (const cost of found) console.log(`e2e: ${cost.setting}: ${cost.kind}: ${inWords(cost)}`);
    }
  }
  return costs;
}

function inWords({ freshGapMs, keptGapMs, ticksMissed, handover }: Cost): string {
  const gaps = `longest gap ${Math.round(freshGapMs)} ms, kept ${Math.round(keptGapMs)} ms; ${ticksMissed} ticks missed`;
  if (handover === null) return gaps;
  const { labelOffMs, labelOnMs, slicedMs, answeredMs } = handover;
  const steps = [labelOffMs, labelOnMs, slicedMs, answeredMs].map((ms) => (ms === undefined ? '?' : Math.round(ms)));
  return `${gaps}; label off, on, sliced, answered after ${steps.join(', ')} ms`;
}

/** One fault that befalls all of these at the same time. */
async function befall(stories: readonly Story[], fault: Fault, ticks: number): Promise<readonly Cost[]> {
  const watched = await Promise.all(stories.map((story) => begin(story, fault, ticks)));
  const askedMs = performance.now();
  const since = new Date();
  const caused = await fault.cause(watched.map(({ leader }) => leader));
  await Promise.all(
    watched.map(async ({ story, leader }) => {
      await story.led(expected(fault, leader));
      await story.delivered(ticks);
    }),
  );
  await caused.undo();
  return await Promise.all(watched.map((each) => end(each, fault, { askedMs, since, caused, ticks })));
}

type Begun = {
  readonly story: Story;
  readonly leader: Leading;
  /** The leader may have been chosen for the fault since. */
  readonly fromMs: number;
  readonly firstTick: number;
};

async function begin(story: Story, { probed = false, from }: Fault, ticks: number): Promise<Begun> {
  const fromMs = performance.now();
  if (probed && story.setting !== 'none') await story.renew();
  const leader = from === undefined ? await story.led() : await story.leadFrom(from);
  await story.routed();
  await story.delivered(ticks);
  return { story, leader, fromMs, firstTick: tickNow() + 1 };
}

type During = {
  readonly askedMs: number;
  readonly since: Date;
  readonly caused: Caused;
  readonly ticks: number;
};

async function end({ story, leader, fromMs, firstTick }: Begun, fault: Fault, during: During): Promise<Cost> {
  const { askedMs, since, caused, ticks } = during;
  await story.led();
  if (fault.leads === 'the same') await checkStayed(story, fault, { fromMs: askedMs, toMs: performance.now() });
  await story.routed();
  const lastTick = tickNow();
  await story.delivered(ticks);
  const history = await story.history();
  const interval = { fromMs: askedMs, toMs: performance.now() };
  const gapOf = (client: 'fresh' | 'kept'): number => longestGapMs(story.answers(client), interval);
  const causeMs = fault.seenMs?.(history, leader, askedMs) ?? caused.atMs ?? askedMs;
  const reigns = reignsOf(history, groupOf(history));
  return {
    kind: fault.kind,
    namespace: story.namespace,
    setting: story.setting,
    freshGapMs: gapOf('fresh'),
    keptGapMs: gapOf('kept'),
    ticksMissed: missedTicks(await story.deliveries(), firstTick, lastTick),
    handOverMs: await story.handOverMs(since),
    handover: handoverAfter(causeMs, { reigns, shown: story.shown(), answers: story.answers('fresh') }),
    during: { fromMs, toMs: interval.toMs },
  };
}

export function groupOf({ groups }: History): WatchedGroup {
  const group = groups.find(({ name }) => name === GROUP);
  if (group === undefined) throw new Error('the observer has not seen the group');
  return group;
}

function expected({ leads }: Fault, { name, token }: Leading): LedOptions {
  switch (leads) {
    case 'another':
      return { not: name };
    case 'a new reign':
      return { minToken: token + 1 };
    case 'the same':
    case 'somebody':
      return {};
  }
}

/** Throws if the label was taken off a leader that stayed ready: nothing was wrong with it, so nothing should have moved (I8). */
async function checkStayed(story: Story, { kind }: Fault, interval: Interval): Promise<void> {
  const moved = noLeaderMoved(await story.history(), interval);
  if (moved.length > 0) throw new Error([`${kind}:`, ...moved.map(sentence)].join('\n'));
}

const tickNow = (): number => Math.round(Date.now() / TICK_MS);
