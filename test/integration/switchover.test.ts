/** Switchovers on the real components, in a row and under load: none breaks a promise, none is done twice. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LeaderGroupStatus } from '../../src/api/leadergroup.ts';
import { assertKept, type History, type PodChange, type SwitchoverRequest } from '../kit/checker/checker.ts';
import { type Harness, startHarness, tokenOn } from '../kit/rig/harness.ts';

const ANNOTATION = 'leadergroup.dev/switchover';
/** Thirty seconds must be between the times of two switchovers of a group, and none may be more than a minute ahead: three fit into the first minute of a group. */
const APART_MS = 30_000;
const OF_EACH = 3;
const GROUPS = Array.from({ length: 17 }, (_, at) => `group-${at}`);
/** Their leaders fail all the while. */
const RESTLESS = Array.from({ length: 4 }, (_, at) => `restless-${at}`);
const PATIENCE_MS = 15_000;

let h: Harness;
let namespace: string;
const requests: SwitchoverRequest[] = [];

beforeAll(async () => {
  h = await startHarness();
  namespace = await h.world.namespace('switchover');
  await Promise.all([...GROUPS, ...RESTLESS].map((name) => h.group(namespace, name)));
  await h.startOperator();
  await Promise.all([...GROUPS, ...RESTLESS].map((name) => h.led(namespace, name)));
});

afterAll(() => h[Symbol.asyncDispose]());

/** Uids. */
type Move = { readonly group: string; readonly from: string; readonly to: string; readonly token: number };

type Last = NonNullable<LeaderGroupStatus['lastSwitchover']>;

const lastOf = (group: string): Promise<Last> =>
  h.observer.until((view) => lastIn(view.group(namespace, group)?.status), {
    timeoutMs: PATIENCE_MS,
    what: `a switchover of ${group}`,
  });

const lastIn = (status: unknown): Last | undefined => (status as LeaderGroupStatus | undefined)?.lastSwitchover;

async function ask(group: string, to: string, atMs: number): Promise<void> {
  const at = new Date(atMs).toISOString();
  requests.push({ namespace, group, to, atMs, writtenMs: performance.now() });
  await h.world.annotateGroup(namespace, group, { [ANNOTATION]: `to=${to} at=${at}` });
}

/** The status of this very request. */
const resultOf = (group: string, atMs: number): Promise<Last> =>
  h.observer.until(
    (view) => {
      const last = lastIn(view.group(namespace, group)?.status);
      return last !== undefined && Date.parse(last.at) === atMs && last;
    },
    { timeoutMs: PATIENCE_MS, what: `what became of the switchover of ${group}` },
  );

it('moves the lead fifty times in a row, each time to the pod that was named, while other groups fail over', async () => {
  const load = new AbortController();
  const restless = Promise.all(RESTLESS.map((name) => failOver(name, load.signal)));
  const firstMs = new Map(GROUPS.map((name) => [name, Date.now()]));
  const moved: Move[] = [];
  for (let round = 0; round < OF_EACH; round += 1) {
    for (const group of GROUPS) {
      const from = await h.led(namespace, group);
      const to = otherThan(group, from.name, round);
      const atMs = (firstMs.get(group) ?? 0) + round * APART_MS;
      await ask(group, to, atMs);
      const next = await h.led(namespace, group, { not: from.name, minToken: from.token + 1 });
      expect([next.name, next.token]).toEqual([to, from.token + 1]);
      expect(await resultOf(group, atMs)).toMatchObject({ to, result: 'Moved' });
      moved.push({ group, from: from.uid, to: next.uid, token: next.token });
    }
  }
  load.abort();
  await restless;
  await h.observer.caughtUp();
  const history = h.observer.history({ namespaces: [namespace] });
  const counts = assertKept({ ...history, switchovers: requests });
  expect(moved.length).toBeGreaterThanOrEqual(50);
  expect(counts.handovers).toBeGreaterThanOrEqual(moved.length);
  tellGaps(moved.map((move) => gapOf(history, move)));
});

it('does none again that is put back, and none that is older than the last', async () => {
  const [group = ''] = GROUPS;
  const before = await h.led(namespace, group);
  const [first, second] = requests.filter((request) => request.group === group);
  if (first === undefined || second === undefined) throw new Error('nothing was asked for before');
  for (const { to, atMs } of [second, first, second]) {
    await h.world.annotateGroup(namespace, group, { [ANNOTATION]: null });
    await h.world.annotateGroup(namespace, group, { [ANNOTATION]: `to=${to} at=${new Date(atMs).toISOString()}` });
  }
  await h.atRest();
  expect(await h.led(namespace, group)).toMatchObject({ uid: before.uid, token: before.token });
  expect((await lastOf(group)).result).toBe('Moved');
});

it('refuses one to a pod that cannot lead, says why, and does not do it later', async () => {
  const group = 'strict';
  await h.group(namespace, group);
  const before = await h.led(namespace, group);
  const to = otherThan(group, before.name, 0);
  await h.world.setReady(namespace, to, false);
  await h.observer.until((view) => view.pods(namespace).some(({ name, ready }) => name === to && !ready), {
    timeoutMs: PATIENCE_MS,
    what: `${to} not ready`,
  });
  // A time after that of the group's creation, which has whole seconds.
  const atMs = Date.now() + 2000;
  await ask(group, to, atMs);
  expect(await resultOf(group, atMs)).toMatchObject({ to, result: 'Refused', reason: 'NotACandidate' });
  await h.world.setReady(namespace, to, true);
  await h.atRest();
  expect(await h.led(namespace, group)).toMatchObject({ uid: before.uid, token: before.token });
});

function otherThan(group: string, leader: string, round: number): string {
  const others = [0, 1, 2].map((at) => `${group}-${at}`).filter((name) => name !== leader);
  return others[round % others.length] ?? leader;
}

async function failOver(group: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { name } = await h.led(namespace, group);
    await h.world.setReady(namespace, name, false);
    await h.led(namespace, group, { not: name });
    await h.world.setReady(namespace, name, true);
    await delay(50);
  }
}

/** Milliseconds in which nobody carried the label, as a watch has seen it. */
function gapOf({ pods }: History, { group, from, to, token }: Move): number {
  const changes = pods.flatMap((event) => (event.kind === 'list' ? [] : [event]));
  const labelled = ({ pod }: PodChange): boolean => pod.labels['leadergroup.dev/role'] === 'leader';
  const on = changes.findIndex((each) => each.pod.uid === to && labelled(each) && tokenOn(each.pod, group) === token);
  const led = changes.slice(0, on).findLastIndex((each) => each.pod.uid === from && labelled(each));
  const off = changes.slice(led + 1).find((each) => each.pod.uid === from && !labelled(each));
  const promoted = changes[on];
  if (promoted === undefined || off === undefined) throw new Error(`the history lacks a switchover of ${group}`);
  return promoted.atMs - off.atMs;
}

function tellGaps(gaps: readonly number[]): void {
  const sorted = gaps.toSorted((a, b) => a - b);
  const at = (part: number): string => (sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN).toFixed(1);
  console.log(`switchover: nobody labelled for ${at(0.5)} ms (median), ${at(0.9)} ms (p90), of ${gaps.length}`);
}
