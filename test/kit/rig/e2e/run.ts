/** Lets one fault after the other befall a story, and measures what its users lost by each. */
import { sentence } from '../../checker/breach.ts';
import type { Interval } from '../../checker/history.ts';
import { noLeaderMoved } from '../../checker/no-failover.ts';
import type { Leading, LedOptions } from '../harness.ts';
import type { Cost } from './costs.ts';
import { missedTicks } from './deliveries.ts';
import type { Fault } from './faults.ts';
import { longestGapMs } from './routing.ts';
import { type Story, TICK_MS } from './story.ts';

/** How many ticks must have been delivered before a fault, while it lasts, and after it is undone. */
const TICKS = 5;
/** A leader where the fault wants one is got by deleting others. */
const TRIES = 10;

export async function befall(story: Story, fault: Fault, deletePod: (pod: string) => Promise<void>): Promise<Cost> {
  const leader = await suitableLeader(story, fault, deletePod);
  await story.delivered(TICKS);
  const fromMs = performance.now();
  const since = new Date();
  const firstTick = tickNow() + 1;
  const undo = await fault.cause(leader.name);
  await story.led(expected(fault, leader));
  await story.delivered(TICKS);
  await undo();
  await story.led();
  if (fault.leads === 'the same') await checkStayed(story, fault, { fromMs, toMs: performance.now() });
  await story.routed();
  const lastTick = tickNow();
  await story.delivered(TICKS);
  const cost = await costOf(story, fault.kind, { fromMs, toMs: performance.now() }, [firstTick, lastTick]);
  return { ...cost, handOverMs: await story.handOverMs(since) };
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

async function suitableLeader(
  story: Story,
  { kind, suits }: Fault,
  deletePod: (pod: string) => Promise<void>,
): Promise<Leading> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const leader = await story.led();
    if (suits === undefined || (await suits(leader.name))) return leader;
    await deletePod(leader.name);
    await story.led({ not: leader.name });
  }
  throw new Error(`no leader suited "${kind}" in ${TRIES} tries`);
}

async function costOf(
  story: Story,
  kind: string,
  interval: Interval,
  [first, last]: readonly [number, number],
): Promise<Omit<Cost, 'handOverMs'>> {
  const gapOf = (connections: 'fresh' | 'kept'): number =>
    longestGapMs(story.clients.find((client) => client.kind === connections)?.answers ?? [], interval);
  const ticksMissed = missedTicks(await story.deliveries(), first, last);
  return { kind, freshGapMs: gapOf('fresh'), keptGapMs: gapOf('kept'), ticksMissed };
}
