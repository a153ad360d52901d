/**
 * The story from end to end: pods on real nodes, the operator as a Deployment from its manifests, a Service in front, and a sink that
 * tells who was heard. Over more than twenty faults nobody is notified twice, and nobody but the leader is heard.
 */
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { assertKept } from '../kit/checker/checker.ts';
import { type Cost, tableOf } from '../kit/rig/e2e/costs.ts';
import { acceptedOfNonLeaders } from '../kit/rig/e2e/deliveries.ts';
import { faultsOf, isWanted } from '../kit/rig/e2e/faults.ts';
import { longestLateMs, reignsOf, unexplained, wrongAnswers, wrongSpells } from '../kit/rig/e2e/routing.ts';
import { befall } from '../kit/rig/e2e/run.ts';
import { openSite, type Site } from '../kit/rig/e2e/site.ts';
import { GROUP, openStory, type Story, TICK_MS } from '../kit/rig/e2e/story.ts';
import { acceptedPerTick } from '../kit/rig/notifiers.ts';
import { describeOnRealNodes, MACHINE_TIMEOUT_MS } from '../kit/rig/real-node.ts';

/** Images may have to be built, and another checkout's tests may have the machine's real nodes. */
const SITE_TIMEOUT_MS = MACHINE_TIMEOUT_MS + 300_000;

describeOnRealNodes('a notifier on real nodes', () => {
  let site: Site;

  beforeAll(async () => {
    site = await openSite();
  }, SITE_TIMEOUT_MS);

  // Undefined where it could not start.
  afterAll(() => (site as Site | undefined)?.[Symbol.asyncDispose]());

  const open = async (namespace: string, elected: boolean): Promise<Story> => {
    const story = await openStory(site, namespace, elected);
    onTestFinished(() => story[Symbol.asyncDispose]());
    return story;
  };

  it('without LeaderGroup delivers a tick once for each replica', { timeout: 180_000 }, async () => {
    const story = await open('without', false);
    // A busy machine may keep a process from a tick, so not of every tick, and not of ticks in a row.
    const often = async (): Promise<void> => {
      const counts = [...acceptedPerTick(await story.deliveries()).values()];
      expect(Math.max(...counts)).toBe(3);
      expect(counts.filter((count) => count === 3).length).toBeGreaterThanOrEqual(12);
    };
    await vi.waitFor(often, { timeout: 120_000, interval: 200 });
    await site.kubectl.must(['delete', 'namespace', 'without', '--wait=false']);
  });

  it('with it delivers none twice and hears nobody but the leader, whatever happens', {
    timeout: 1_200_000,
  }, async () => {
    const story = await open('story', true);
    const deletePod = async (pod: string): Promise<void> =>
      void (await site.kubectl.must(['-n', story.namespace, 'delete', 'pod', pod]));
    const costs: Cost[] = [];
    for (const fault of faultsOf(site, story)) {
      for (let time = 0; await isWanted(fault, time); time += 1) {
        const cost = await befall(story, fault, deletePod);
        costs.push(cost);
        const gaps = `${Math.round(cost.freshGapMs)} ms, kept ${Math.round(cost.keptGapMs)} ms`;
        console.log(`e2e: ${fault.kind}: longest gap ${gaps}; ${cost.ticksMissed} ticks missed`);
      }
    }
    const history = await story.history();
    const group = history.groups.find(({ name }) => name === GROUP);
    if (group === undefined) throw new Error('the observer has not seen the group');
    const reigns = reignsOf(history, group);
    const deliveries = await story.deliveries();
    const count = (verdict: string): number => deliveries.filter((delivery) => delivery.verdict === verdict).length;
    const twice = [...acceptedPerTick(deliveries)].filter(([, times]) => times > 1);
    const answersOf = (kind: 'fresh' | 'kept') => story.clients.find((client) => client.kind === kind)?.answers ?? [];
    const wrong = (kind: 'fresh' | 'kept') => wrongAnswers(answersOf(kind), reigns, 0);
    console.log(
      [
        `e2e: ${costs.length} faults, ${reigns.length} reigns; deliveries accepted ${count('accepted')}, ` +
          `refused by token ${count('refused-by-token')}, refused by tick ${count('refused-by-tick')}`,
        `e2e: answers of others than the leader: new connections ${wrong('fresh').length}, kept one ${wrong('kept').length}`,
        `e2e: new connections went on to a former leader for ${Math.round(longestLateMs(wrong('fresh'), reigns))} ms at most`,
        ...wrongSpells(wrong('kept'), reigns).map((spell) => `e2e: kept connection: ${spell}`),
        tableOf(costs, TICK_MS),
      ].join('\n'),
    );
    expect(costs.length).toBeGreaterThanOrEqual(20);
    expect(twice).toEqual([]);
    expect(acceptedOfNonLeaders(deliveries, reigns)).toEqual([]);
    expect(wrongSpells(unexplained(wrong('fresh'), answersOf('fresh'), reigns), reigns)).toEqual([]);
    // The woken leaders' late deliveries.
    expect(count('refused-by-token')).toBeGreaterThan(0);
    assertKept(history);
  });
});
