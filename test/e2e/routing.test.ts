/**
 * A Service leads to the leader on real nodes, once by the label and once by an EndpointSlice that is written for it, with kube-proxy set as users
 * have it. What a handover costs its clients is printed side by side. One after the other: kube-proxy has one runner for all Services.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assertKept } from '../kit/checker/checker.ts';
import { churn } from '../kit/rig/e2e/churn.ts';
import { deletion, handovers, rollingUpdate, stopLater } from '../kit/rig/e2e/faults.ts';
import { timesOr } from '../kit/rig/e2e/long.ts';
import { type RouteCost, routeTable } from '../kit/rig/e2e/route-table.ts';
import { befallAll } from '../kit/rig/e2e/run.ts';
import { openSite, type Site } from '../kit/rig/e2e/site.ts';
import { openStory, type Story } from '../kit/rig/e2e/story.ts';
import { leftOf, startVerify, tracesOf, verified } from '../kit/rig/e2e/verify.ts';
import { describeOnRealNodes, MACHINE_TIMEOUT_MS } from '../kit/rig/real-node.ts';

/** kube-proxy's default. */
const PROXY_PERIOD_MS = 1000;
const CHURN_MS = 300;
const TIMES = timesOr(3);
/** So many ticks before and after each: longer than kube-proxy's period, so that the next one meets it at rest. */
const TICKS = 4;

describeOnRealNodes('a route to the leader', () => {
  let site: Site;

  beforeAll(async () => {
    site = await openSite({ proxyPeriodMs: PROXY_PERIOD_MS });
  }, MACHINE_TIMEOUT_MS + 300_000);

  // Undefined where it could not start.
  afterAll(() => (site as Site | undefined)?.[Symbol.asyncDispose]());

  it('goes from the last leader to the next in one write, and never back', { timeout: 7_200_000 }, async () => {
    const costs: RouteCost[] = [];
    for (const by of ['label', 'route'] as const) {
      await using story = await openStory(site, { namespace: by, by, ordinary: true });
      await story.routed();
      const before = story.shown().length;
      for (const cost of await handoversOf(site, story)) costs.push({ ...cost, by });
      // Each of them is ready when the next one is to lead, so by a route the Service always has one.
      if (by === 'route')
        expect(
          story
            .shown()
            .slice(before)
            .filter(({ pods }) => pods.length !== 1),
        ).toEqual([]);
      assertKept(await story.history());
      // Until its Services have gone, they change.
      await site.kubectl.must(['delete', 'namespace', by, '--timeout=120s']);
    }
    console.log(routeTable(costs));
    for (const { kind, handover } of costs) {
      expect([kind, handover?.staleAnswers, typeof handover?.answeredMs]).toEqual([kind, 0, 'number']);
    }
  });

  describe('kubectl leadergroup verify', () => {
    const NAMESPACE = 'verified';
    const GONE = { timeout: 60_000, interval: 500 };

    beforeAll(async () => {
      const restricted = { 'pod-security.kubernetes.io/enforce': 'restricted' };
      const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: restricted } };
      await site.kubectl.must(['apply', '-f', '-'], JSON.stringify(namespace));
    });

    it('finds nothing on an ordinary cluster, by label and by slice, and leaves nothing', {
      timeout: 300_000,
    }, async () => {
      const run = startVerify(site, NAMESPACE);
      const { code, out, err } = await run.ended;
      console.log(`$ kubectl leadergroup verify -n ${NAMESPACE}\n${err}${out}`);
      expect({ code, out, err }).toMatchObject({ code: 0 });
      expect(out).toMatch(/^Verified\.$/m);
      expect(await leftOf(site, NAMESPACE)).toEqual([]);
      await expect.poll(() => tracesOf(site, NAMESPACE), GONE).toEqual([]);
    });

    it('leaves nothing once the end of its Job has come, killed in the middle', { timeout: 300_000 }, async () => {
      const { child, ended, says } = startVerify(site, NAMESPACE, '--timeout', '30s');
      await says('Measuring while nothing happens.');
      child.kill('SIGKILL');
      await ended;
      expect(await leftOf(site, NAMESPACE)).not.toEqual([]);
      expect(await tracesOf(site, NAMESPACE)).not.toEqual([]);
      await expect.poll(() => leftOf(site, NAMESPACE), GONE).toEqual([]);
      await expect.poll(() => tracesOf(site, NAMESPACE), GONE).toEqual([]);
    });

    it('finds a minSyncPeriod of 10 s, and says which page helps', { timeout: 300_000 }, async () => {
      await site.cluster.setProxyPeriod(10_000);
      const { code, result } = await verified(site, NAMESPACE, '--faults', 'delete');
      console.log(`e2e: verify at a minSyncPeriod of 10 s: ${JSON.stringify(result)}`);
      expect([code, result.verdict, result.findings.map(({ id }) => id)]).toEqual([
        4,
        'Found',
        ['proxy-min-sync-period'],
      ]);
      expect(result.faults[0]?.proxyMs.label).toBeGreaterThan(5_000);
      expect(await leftOf(site, NAMESPACE)).toEqual([]);
    });
  });
});

async function handoversOf(site: Site, story: Story): Promise<readonly Omit<RouteCost, 'by'>[]> {
  const costs: Omit<RouteCost, 'by'>[] = [];
  const befall = async (others: string, ...faults: Parameters<typeof befallAll>[1]): Promise<void> => {
    for (const cost of await befallAll([story], faults, TICKS)) costs.push({ ...cost, others });
  };
  const few = Math.ceil(TIMES / 2);
  const each = [...handovers(site, story, TIMES), deletion(site, story, few)];
  await befall('never', ...each, rollingUpdate(site, story, 1));
  {
    await using _ = await churn(site.world.rest, story.namespace, CHURN_MS);
    await befall(`every ${CHURN_MS} ms`, ...each);
  }
  // The ordinary Service over the same pods changes when a pod begins to end, so what follows waits its period.
  await stopLater(site, story, PROXY_PERIOD_MS + 1000);
  const { kind, ...later } = deletion(site, story, few);
  await befall('never', { ...later, kind: `${kind}, which goes on for ${PROXY_PERIOD_MS + 1000} ms` });
  return costs;
}
