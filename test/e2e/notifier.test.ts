/**
 * The story from end to end: pods on real nodes, the operator as a Deployment from its manifests, a Service in front, and a sink that
 * tells who was heard. Over dozens of faults, with each way to notice that a leader fails, nobody is notified twice, nobody but the leader is
 * heard, and no leader is moved without a reason.
 */
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { assertKept } from '../kit/checker/checker.ts';
import { claimsTable, doubled, type Hit, type Judged, lossesText, lost, seriesOf } from '../kit/rig/e2e/claimed.ts';
import { type Cost, tableOf, unreadyIn, withoutReason } from '../kit/rig/e2e/costs.ts';
import { type CronJobs, openCronJobs } from '../kit/rig/e2e/cronjob.ts';
import { acceptedLate, acceptedOfNonLeaders } from '../kit/rig/e2e/deliveries.ts';
import { deletion, departures, failures, handovers, rollingUpdate, scaling } from '../kit/rig/e2e/faults.ts';
import { cutOff, drain, faultsOfOperator, partitionsOfOperator, rollOperator } from '../kit/rig/e2e/faults-of-all.ts';
import { GOALS } from '../kit/rig/e2e/goals.ts';
import { handoverTable } from '../kit/rig/e2e/handover.ts';
import { openLeaseStory } from '../kit/rig/e2e/lease.ts';
import { ALONE, timesOr } from '../kit/rig/e2e/long.ts';
import { GROUP } from '../kit/rig/e2e/names.ts';
import { longestLateMs, type Reign, reignsOf, unexplained, wrongAnswers, wrongSpells } from '../kit/rig/e2e/routing.ts';
import { befallAll, groupOf } from '../kit/rig/e2e/run.ts';
import { layOutPrograms, type Programs } from '../kit/rig/e2e/schedulers.ts';
import { openSite, type Site } from '../kit/rig/e2e/site.ts';
import {
  OTHER_NODE,
  openStory,
  openUncheckedSink,
  SAFE_NODE,
  type Story,
  type StoryOptions,
  TICK_MS,
} from '../kit/rig/e2e/story.ts';
import { acceptedPerTick } from '../kit/rig/notifiers.ts';
import { describeOnRealNodes, MACHINE_TIMEOUT_MS } from '../kit/rig/real-node.ts';

// Of each kind one befalls each notifier; for more, E2E_TIMES: the whole run of the tests is to end in time.
const TIMES = timesOr(1);
/** The same pods, hit by the same faults, send these to a sink that refuses nothing. */
const CLAIMED = [
  { by: 'loop', mode: 'AtMostOnce', tickMs: 200 },
  { by: 'loop', mode: 'AtMostOnce', tickMs: 1000 },
  { by: 'loop', mode: 'AtLeastOnce', tickMs: 1000 },
  { by: 'node-cron', mode: 'AtMostOnce', tickMs: 1000 },
  { by: 'node-cron', mode: 'AtLeastOnce', tickMs: 1000 },
  { by: 'APScheduler', mode: 'AtMostOnce', tickMs: 1000 },
  { by: 'APScheduler', mode: 'AtLeastOnce', tickMs: 1000 },
] as const;
const LEASED = [
  { by: 'loop', mode: 'Lease', tickMs: 200 },
  { by: 'loop', mode: 'Lease', tickMs: 1000 },
  { by: 'node-cron', mode: 'Lease', tickMs: 1000 },
  { by: 'APScheduler', mode: 'Lease', tickMs: 1000 },
] as const;
const WITHOUT = [
  { by: 'node-cron', mode: 'Nothing', tickMs: 1000 },
  { by: 'APScheduler', mode: 'Nothing', tickMs: 1000 },
] as const;
/**
 * Without E2E_TIMES only one of the three notifiers has the other schedulers in its pods: with them in all, the integration tests that run beside
 * this wait half a minute for the processor.
 */
const ofLoop = <S extends { readonly by: string }>(all: readonly S[]): readonly S[] =>
  all.filter(({ by }) => by === 'loop');
/** Images may have to be built, and another checkout's tests may have the machine's real nodes. */
const SITE_TIMEOUT_MS = MACHINE_TIMEOUT_MS + 300_000;

describeOnRealNodes('a notifier on real nodes', () => {
  let site: Site;
  let programs: Programs;

  beforeAll(async () => {
    programs = await layOutPrograms();
    site = await openSite();
    await openUncheckedSink(site);
  }, SITE_TIMEOUT_MS);

  // Undefined where it could not start.
  afterAll(async () => {
    await (site as Site | undefined)?.[Symbol.asyncDispose]();
    await (programs as Programs | undefined)?.[Symbol.asyncDispose]();
  });

  const open = async (options: StoryOptions): Promise<Story> => {
    const story = await openStory(site, options);
    onTestFinished(() => story[Symbol.asyncDispose]());
    return story;
  };

  it('without LeaderGroup delivers a tick once for each replica', { timeout: 180_000 }, async () => {
    const story = await open({
      namespace: 'without',
      elected: false,
      schedules: seriesOf('without', WITHOUT),
      programs,
    });
    // A busy machine may keep a process from a tick, so not of every tick, and not of ticks in a row.
    const often = async (): Promise<void> => {
      const loop = [...acceptedPerTick(await story.deliveries()).values()];
      const others = (await story.claimed()).map(({ fates }) => fates.map(({ times }) => times));
      for (const counts of [loop, ...others]) {
        expect(Math.max(...counts)).toBe(3);
        expect(counts.filter((count) => count === 3).length).toBeGreaterThanOrEqual(12);
      }
    };
    await vi.waitFor(often, { timeout: 120_000, interval: 200 });
    await site.kubectl.must(['delete', 'namespace', 'without', '--wait=false']);
  });

  it('with it delivers none twice and hears nobody but the leader, whatever happens', {
    timeout: 7_200_000,
  }, async () => {
    const httpGet = { path: '/ready', port: 8080 };
    const cronJobs = await openCronJobs(site, programs);
    const byAll = (namespace: string) => ({ namespace, schedules: seriesOf(namespace, CLAIMED), programs });
    const claiming = (namespace: string) =>
      ALONE ? byAll(namespace) : { namespace, schedules: seriesOf(namespace, ofLoop(CLAIMED)) };
    const owned = (node: string, prefix: string): Promise<string> => site.ownedFrom(node, prefix, GROUP);
    const [story, gate, http, ...bystanders] = await Promise.all([
      open(byAll('story')),
      open({ ...claiming(await owned(SAFE_NODE, 'gate')), leaderProbe: { gate: {} } }),
      open({ ...claiming(await owned(SAFE_NODE, 'http')), leaderProbe: { httpGet } }),
      // Nothing befalls their leaders, only the replica that owns them.
      open({ namespace: await owned(OTHER_NODE, 'still-gate'), leaderProbe: { gate: {} }, bystander: true }),
      open({ namespace: await owned(OTHER_NODE, 'still-http'), leaderProbe: { httpGet }, bystander: true }),
    ]);
    const stories = [story, gate, http];
    const costs: Cost[] = [];
    const leased: Leased = { hits: [], sent: [] };
    const befall = async (hit: readonly Story[], ...faults: Parameters<typeof befallAll>[1]): Promise<void> =>
      void costs.push(...(await befallAll(hit, faults)));
    const eachOf = (of: Story, times: number) => [
      ...failures(site, of, times),
      ...departures(site, of, times),
      ...handovers(site, of, times),
    ];
    const lanes = [
      () => befall([story], ...eachOf(story, ALONE ? TIMES : 1), scaling(site, story, 1)),
      () => befall([gate], ...eachOf(gate, TIMES)),
      () => befall([http], ...eachOf(http, TIMES)),
      () => byLease(site, leased, programs),
    ];
    if (ALONE) for (const lane of lanes) await lane();
    else await Promise.all(lanes.map((lane) => lane()));
    // Kubernetes itself notices it after most of a minute, so once where there is no probe.
    await befall(stories, cutOff(site, stories, 1));
    await befall([gate, http], cutOff(site, stories, TIMES - 1));
    await befall(stories, drain(site, stories, TIMES));
    await befall(stories, ...faultsOfOperator(site, stories), ...partitionsOfOperator(site, stories));
    await befall(stories, rollOperator(site, ['LEADERGROUP_GATE_VALIDITY_MILLISECONDS', '500']));
    gate.probeBy({ gate: {}, periodMilliseconds: 250 });
    const hangs = failures(site, gate, TIMES).filter(({ probed }) => probed === true);
    const quick = await befallAll([gate], hangs);
    costs.push(...quick.map((cost) => ({ ...cost, setting: 'gate, 250 ms, grants of 500 ms' })));
    console.log([tableOf(costs, TICK_MS), handoverTable(costs, GOALS)].join('\n\n'));
    for (const each of bystanders) expect((await reignsIn(each)).map(({ untilMs }) => untilMs)).toEqual([Infinity]);
    for (const each of stories) await judge(each, costs);
    const claimed = (await Promise.all(stories.map((each) => each.claimed()))).flat();
    console.log(claimsTable([...claimed, ...leased.sent], [...costs, ...leased.hits]));
    for (const each of claimed) for (const loss of lossesText(each)) console.log(`e2e: ${loss}`);
    for (const each of claimed) judgeClaims(each);
    await judgeCronJobs(cronJobs);
  });
});

async function reignsIn(story: Story): Promise<readonly Reign[]> {
  const history = await story.history();
  return reignsOf(history, groupOf(history));
}

type Leased = { hits: readonly Hit[]; sent: readonly Judged[] };

/** What the same schedules lose, and send twice, with a Lease in the application. For comparison: nothing is expected of it. */
async function byLease(site: Site, leased: Leased, programs: Programs): Promise<void> {
  await using story = await openLeaseStory(site, seriesOf('lease', ALONE ? LEASED : ofLoop(LEASED)), programs);
  const faults = [...failures(site, story, 1), deletion(site, story, 1), rollingUpdate(site, story, 1)];
  leased.hits = await story.befall(faults);
  leased.sent = await story.sent();
}

/** The sink has refused nothing: what came twice was sent twice. Each of them was sent by one replica after the other. */
function judgeClaims({ series, fates }: Judged): void {
  const byPods = new Set(fates.flatMap(({ pods }) => pods));
  console.log(
    `e2e: ${series.name}: ${fates.length} ticks by ${byPods.size} pods, lost ${lost(fates).length}, sent twice ${doubled(fates).length}`,
  );
  expect(byPods.size).toBeGreaterThan(3);
  const broken = series.mode === 'AtMostOnce' ? doubled(fates) : lost(fates);
  expect([series.name, broken]).toEqual([series.name, []]);
}

/** Its controller has begun ticks again whose pods had failed after they had sent: with a claim they found nothing to do. */
async function judgeCronJobs(cronJobs: CronJobs): Promise<void> {
  const [[claimed, plain], ended] = [await cronJobs.sent(), await cronJobs.ended()];
  const [fates = [], without = []] = [claimed?.fates, plain?.fates];
  console.log(
    `e2e: CronJob: ${fates.length} ticks, lost ${lost(fates).length}, sent twice ${doubled(fates).length}; pods that failed ${ended.failed}, ` +
      `that found it done ${ended.succeeded}; without claims ${without.length} ticks, sent twice or more ${doubled(without).length}`,
  );
  expect(fates.length).toBeGreaterThan(2);
  expect(doubled(fates)).toEqual([]);
  expect(ended.succeeded).toBeGreaterThan(0);
  expect(doubled(without).length).toBeGreaterThan(0);
}

/** What no fault may lead to, whatever it costs. */
async function judge(story: Story, costs: readonly Cost[]): Promise<void> {
  const [history, reigns] = [await story.history(), await reignsIn(story)];
  const deliveries = await story.deliveries();
  const count = (verdict: string): number => deliveries.filter((delivery) => delivery.verdict === verdict).length;
  const twice = [...acceptedPerTick(deliveries)].filter(([, times]) => times > 1);
  const wrong = (kind: 'fresh' | 'kept') => wrongAnswers(story.answers(kind), reigns, 0);
  const own = costs.filter(({ namespace }) => namespace === story.namespace);
  console.log(
    [
      `e2e: ${story.setting}: ${own.length} faults, ${reigns.length} reigns; deliveries accepted ${count('accepted')}, ` +
        `refused by token ${count('refused-by-token')}, refused by tick ${count('refused-by-tick')}; ` +
        `accepted while another led already: ${acceptedLate(deliveries, reigns).length}`,
      `e2e: answers of others than the leader: new connections ${wrong('fresh').length}, kept one ${wrong('kept').length}`,
      `e2e: new connections went on to a former leader for ${Math.round(longestLateMs(wrong('fresh'), reigns))} ms at most`,
      ...wrongSpells(wrong('kept'), reigns).map((spell) => `e2e: kept connection: ${spell}`),
    ].join('\n'),
  );
  expect(twice).toEqual([]);
  expect(acceptedOfNonLeaders(deliveries, reigns)).toEqual([]);
  expect(wrongSpells(unexplained(wrong('fresh'), story.answers('fresh'), reigns), reigns)).toEqual([]);
  expect(withoutReason(reigns, own, unreadyIn(history))).toEqual([]);
  // The woken leaders' late deliveries.
  expect(count('refused-by-token')).toBeGreaterThan(0);
  assertKept(history);
}
