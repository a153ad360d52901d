/**
 * An upgrade and the way back, on the real components: twenty groups of every kind, led by an operator of one version, whose replicas are replaced one by one by those of
 * another, and these by those of the first. The checker reads the whole history.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { check, type History, noLeaderMoved, sentence, writesBy } from '../../checker/checker.ts';
import { type Claimers, startClaimers } from '../faults/claimers.ts';
import { startMembers } from '../faults/members.ts';
import { type Harness, type Leading, startHarness } from '../harness.ts';
import { claimerPlans, GROUPS, KINDS, makeGroups, memberPlans, ofKind, serviceOf } from './groups.ts';
import { createReplicas, type Version } from './replicas.ts';

export type UpgradeReport = {
  /** Sentences. Empty: all was kept. */
  readonly breaches: readonly string[];
  /** What was seen, for people. */
  readonly words: readonly string[];
};

const REPLICAS = 3;
/** So that the members of probed groups are known to keep their rhythm, and a few ticks are claimed, in each state. */
const BETWEEN_MS = 15_000;
const LED_MS = 60_000;
const ASK_AGAIN_MS = 250;
const DONE_MS = 60_000;
/** Twenty groups are elected at once, and the observer hears of their locks late. */
const TOLERANCE_MS = 15_000;

/** Rejects where it does not get through; whatever it started has ended then. */
export async function runUpgrade(from: Version, to: Version, say: (line: string) => void): Promise<UpgradeReport> {
  const begunMs = performance.now();
  const tell = (line: string): void =>
    say(`${((performance.now() - begunMs) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  await using h = await startHarness();
  const namespace = await h.world.namespace('upgrade');
  await h.world.ensureNamespace('leadergroup-system');
  await makeGroups(h, namespace);
  const replicas = createReplicas(h, { LEADERGROUP_LOCK_KEYS: JSON.stringify([{ namespaces: ['*'], prefix: 'rig' }]) });
  await replicas.start(from, REPLICAS);
  const uidOf = async (name: string): Promise<string | null> =>
    (await h.world.readPod(namespace, name).catch(() => null))?.metadata.uid ?? null;
  await using members = await startMembers({ namespace, members: memberPlans(), replicas: replicas.urls, uidOf });
  await using claimers = startClaimers({ namespace, plans: claimerPlans(), replicas: replicas.urls, uidOf });
  const before = await allLed(h, namespace);
  await untilShown(h, namespace, before);
  tell(
    `${GROUPS.length} groups are led by ${REPLICAS} replicas of ${from.name}: ${KINDS.map((kind) => `${ofKind(kind).length} ${kind}`).join(', ')}`,
  );
  await delay(BETWEEN_MS);
  const beginning = h.observer.mark('the upgrade begins');
  for (const version of [to, from]) {
    await replicas.replaceAll(version, (count) => tell(`${count} of ${REPLICAS} replicas are of ${version.name}`));
    await delay(BETWEEN_MS);
  }
  await h.observer.caughtUp(30_000);
  const interval = { fromMs: beginning.atMs, toMs: performance.now() };
  const after = await allLed(h, namespace);
  const during = h.observer.history({ namespaces: [namespace] });
  const moved = [
    ...noLeaderMoved(during, interval).map(sentence),
    ...othersLead(before, after),
    ...(await notShown(h, namespace, after)),
  ];
  tell(
    `back at ${from.name}: ${moved.length === 0 ? 'no leader has moved, no token is another' : `${moved.length} have`}`,
  );
  await served(h, namespace, after);
  tell('a leader of each kind is replaced when it is not ready any more');
  const undone = await claimers.finish(DONE_MS);
  const kept = keptSeries(claimers);
  await h.observer.caughtUp(30_000);
  const { breaches, counts } = check(withClaims(claimers, h.observer.history({ namespaces: [namespace] })), {
    toleranceMs: TOLERANCE_MS,
  });
  return {
    breaches: [
      ...moved,
      ...breaches.map(sentence),
      ...members.breaches,
      ...undone,
      ...kept.missing,
      ...replicas.errors(),
    ],
    words: [
      `writes of the operators to Kubernetes while replicas were replaced: ${writesBy(during, interval).length}`,
      `grants to members of probed groups: ${members.counts.grants}; acts by claims: ${claimers.counts.acts}; series that went on: ${kept.count}`,
      `in the history: ${JSON.stringify({ ...counts, groups: counts.groups.length })}`,
    ],
  };
}

const allLed = (h: Harness, namespace: string): Promise<readonly Leading[]> =>
  Promise.all(GROUPS.map(({ name }) => h.led(namespace, name, { timeoutMs: LED_MS })));

const othersLead = (before: readonly Leading[], after: readonly Leading[]): readonly string[] =>
  before.flatMap(({ uid, name, token }, at) => {
    const now = after[at];
    if (now?.uid === uid && now.token === token) return [];
    return [
      `I8: ${name} led with token ${token} before, and ${now?.name ?? 'nobody'} does with ${now?.token ?? 'none'} afterwards`,
    ];
  });

async function untilShown(h: Harness, namespace: string, leaders: readonly Leading[]): Promise<void> {
  for (const untilMs = performance.now() + LED_MS; ; await delay(ASK_AGAIN_MS)) {
    const wrong = await notShown(h, namespace, leaders);
    if (wrong.length === 0) return;
    if (performance.now() > untilMs) throw new Error(wrong.join('\n'));
  }
}

/** Whose Service shows another pod than the leader. */
async function notShown(h: Harness, namespace: string, leaders: readonly Leading[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const group of ofKind('route')) {
    const leader = leaders[GROUPS.indexOf(group)];
    const pod = await h.world.readPod(namespace, leader?.name ?? '');
    const shown = (await h.world.endpointAddresses(namespace, serviceOf(group))).join();
    const { podIP = '' } = (pod?.['status'] ?? {}) as { readonly podIP?: string };
    if (shown !== podIP)
      found.push(
        `I11: Service ${serviceOf(group)} shows ${shown || 'nobody'}, and ${leader?.name ?? ''} leads at ${podIP}`,
      );
  }
  return found;
}

/** The first group of each kind gets another leader when its own is not ready. */
async function served(h: Harness, namespace: string, leaders: readonly Leading[]): Promise<void> {
  for (const kind of KINDS) {
    const group = GROUPS.findIndex((each) => each.kind === kind);
    const { name = '' } = leaders[group] ?? {};
    await h.world.setReady(namespace, name, false);
    await h.led(namespace, GROUPS[group]?.name ?? '', { not: name, timeoutMs: LED_MS });
    await h.world.setReady(namespace, name, true);
  }
}

/** The series in which something was given in each third of the time: before, during and after. */
function keptSeries({ requests, plans }: Claimers) {
  const first = requests[0]?.sentMs ?? 0;
  const length = (requests.at(-1)?.sentMs ?? 0) - first;
  const missing = plans.flatMap(({ group }) => {
    const given = requests.filter((each) => each.group === group && each.told?.status === 201);
    const thirds = new Set(given.map(({ sentMs }) => Math.floor((3 * (sentMs - first)) / (length + 1))));
    return thirds.size === 3
      ? []
      : [
          `I12: the series of ${group} did not go on: it was given something in ${thirds.size} of three thirds of the time`,
        ];
  });
  return { missing, count: plans.length - missing.length };
}

const withClaims = ({ requests }: Claimers, history: History): History => ({
  ...history,
  claims: { requests, marks: history.keys.filter(({ key }) => key.includes('/claims/')) },
});
