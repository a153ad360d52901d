/** Many failovers on the real components: nobody is ever labelled beside another, and how long each takes. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { assertKept, type History, type WatchedPod } from '../kit/checker/checker.ts';
import { openFloor } from '../kit/rig/baseline.ts';
import { type Harness, type Leading, startHarness } from '../kit/rig/harness.ts';
import { consulRest } from '../kit/rig/rest.ts';

let h: Harness;
let namespace: string;

const FAILOVERS = 100;
const GROUPS = Array.from({ length: 10 }, (_, at) => `group-${at}`);
/** What is promised on a quiet machine, and what fails the test on a noisy one. */
const PROMISED_RATIO = 2.5;
const BROKEN_RATIO = 4;

type Failover = { readonly how: string; readonly group: string; readonly from: Leading; readonly startedMs: number };

beforeAll(async () => {
  h = await startHarness();
  namespace = await h.world.namespace('failover');
  await Promise.all(GROUPS.map((name) => h.group(namespace, name)));
  await h.startOperator();
  await Promise.all(GROUPS.map((name) => h.led(namespace, name)));
});

afterAll(() => h[Symbol.asyncDispose]());

it('never shows two leaders, and only rising tokens, over a hundred failovers of ten groups', async () => {
  await using consul = consulRest({ address: h.cluster.consulAddress });
  const floor = await openFloor(h.world, consul, await h.world.namespace('floor'));
  const failovers: Failover[] = [];
  const floors: number[] = [];
  for (let count = 0; count < FAILOVERS; count += 1) {
    const group = GROUPS[count % GROUPS.length] ?? '';
    const way = WAYS[Math.floor(count / GROUPS.length) % WAYS.length] ?? notReady;
    const from = await h.led(namespace, group);
    await sessionsOfAll(group);
    floors.push(await floor.handOver());
    const startedMs = performance.now();
    await way.cause(from.name);
    const next = await h.led(namespace, group, { not: from.name, minToken: from.token + 1 });
    expect(next.token).toBe(from.token + 1);
    failovers.push({ how: way.how, group, from, startedMs });
    await way.undo(from.name, group);
  }
  await h.observer.caughtUp();
  const history = h.observer.history({ namespaces: [namespace] });
  const counts = assertKept(history);
  expect(counts).toMatchObject({ handovers: FAILOVERS, elections: FAILOVERS + GROUPS.length });
  const legs = failovers.map((failover) => legsOf(failover, history));
  const times = legs.map(({ total }) => total);
  const ratio = median(times) / median(floors);
  tell('all', times);
  for (const how of new Set(WAYS.map((way) => way.how)))
    tell(
      how,
      times.filter((_, at) => failovers[at]?.how === how),
    );
  tell('floor (demote PATCH, handover txn, promote PATCH)', floors);
  const unready = legs.filter((_, at) => failovers[at]?.how === notReady.how);
  const [seen, off, moved, label] = [0, 1, 2, 3].map((part) => median(unready.map(({ parts }) => parts[part] ?? 0)));
  console.log(
    `failover: of a leader made not ready, medians: seen after ${ms(seen)}, fenced ${ms(off)}, lock moved ${ms(moved)}, label ${ms(label)}`,
  );
  console.log(
    `failover: ratio of the medians ${ratio.toFixed(2)}, promised: at most ${PROMISED_RATIO} on a quiet machine`,
  );
  expect(ratio).toBeLessThan(BROKEN_RATIO);
});

type Way = {
  readonly how: string;
  cause(pod: string): Promise<void>;
  /** Makes the former leader a candidate again, or another pod under its name. */
  undo(pod: string, group: string): Promise<unknown>;
};

const anew = (pod: string, group: string) => h.world.recreatePod({ namespace, name: pod, labels: { app: group } });

const notReady: Way = {
  how: 'leader made not ready',
  cause: (pod) => h.world.setReady(namespace, pod, false),
  undo: (pod) => h.world.setReady(namespace, pod, true),
};
const deletedAtOnce: Way = {
  how: 'leader deleted with grace 0',
  cause: (pod) => h.world.deletePod(namespace, pod),
  undo: (pod, group) => h.world.pod({ namespace, name: pod, labels: { app: group } }),
};
const deletedWithGrace: Way = {
  how: 'leader deleted with grace',
  cause: (pod) => h.world.deletePod(namespace, pod, 30),
  undo: anew,
};
const WAYS = [notReady, deletedAtOnce, notReady, deletedWithGrace];

/** Every member has its session, as at rest: a failover that must open one first is another test's subject. */
async function sessionsOfAll(group: string): Promise<void> {
  const names = h.observer.pods(namespace).filter(({ labels }) => labels['app'] === group);
  const wanted = names.map(({ uid }) => `${namespace}/${group}/${uid}`);
  await vi.waitFor(async () => {
    const seen = new Set((await h.world.consul.sessions()).map(({ name }) => name));
    expect(wanted.filter((name) => !seen.has(name))).toEqual([]);
  }, PATIENCE);
}

const PATIENCE = { timeout: 10_000, interval: 20 };

type Legs = {
  /** From the API call that caused it to the new leader's label in the observer's own watch. */
  readonly total: number;
  /** The same time in parts: cause seen, former leader fenced, lock moved, label seen. */
  readonly parts: readonly number[];
};

function legsOf({ group, from, startedMs }: Failover, { pods, keys }: History): Legs {
  const later = pods.flatMap((event) => (event.kind !== 'list' && event.atMs > startedMs ? [event] : []));
  const promoted = later.find(({ pod }) => isNext(pod, group, from.uid));
  if (promoted === undefined) throw new Error(`the history lacks the failover of ${group} from ${from.name}`);
  const caused = later.find(({ pod }) => pod.uid === from.uid);
  const fenced = later.find(({ kind, pod }) => pod.uid === from.uid && (kind === 'deleted' || isFenced(pod, group)));
  const moved = keys.find(({ key, atMs }) => atMs > startedMs && key.includes(`/${namespace}/${group}/`));
  const moments = [startedMs, caused?.atMs, fenced?.atMs, moved?.atMs, promoted.atMs];
  const parts = moments.slice(1).map((moment, at) => (moment ?? Number.NaN) - (moments[at] ?? Number.NaN));
  return { total: promoted.atMs - startedMs, parts };
}

const isNext = (pod: WatchedPod, group: string, former: string): boolean =>
  pod.labels['app'] === group && pod.uid !== former && pod.labels['leadergroup.dev/role'] === 'leader';

const isFenced = (pod: WatchedPod, group: string): boolean =>
  pod.annotations[`fenced.leadergroup.dev/${group}`] !== undefined;

const quantile = (values: readonly number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? Number.NaN;

const median = (values: readonly number[]): number => quantile(values, 0.5);

const ms = (value: number | undefined): string => `${value?.toFixed(1)} ms`;

const tell = (what: string, values: readonly number[]): void =>
  console.log(`failover: ${what}: median ${ms(median(values))}, p90 ${ms(quantile(values, 0.9))} (${values.length})`);
