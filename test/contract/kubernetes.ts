/** What the operator relies on the API server for, as cases that the simulated and the real one must both pass. */
import { expect, it } from 'vitest';
import type { LeaderGroupStatus, ParsedLeaderGroup } from '../../src/api/leadergroup.ts';
import type { Pod } from '../../src/api/pod.ts';
import { projectPod } from '../../src/kubernetes/objects/pod.ts';
import { type ListPage, type ListWatch, ListWatchError } from '../../src/kubernetes/reflector/list-watch.ts';
import { readWatchEvent, type WatchEvent } from '../../src/kubernetes/reflector/watch-decoder.ts';
import type { Kubernetes, MetadataPatch, WriteOutcome } from '../../src/ports/kubernetes.ts';

export type ContractApiServer = {
  readonly kubernetes: Kubernetes;
  readonly namespace: string;
  readonly pods: ListWatch;
  /** What others do; each resolves when the server has done it. */
  createPod(name: string): Promise<void>;
  removePod(name: string): Promise<void>;
  setReady(name: string, ready: boolean): Promise<void>;
  createGroup(name: string): Promise<void>;
  /** An edit of the spec. */
  pauseGroup(name: string): Promise<void>;
  deleteGroup(name: string): Promise<void>;
  /** What happened so far is no longer served to watches. */
  forget(): Promise<void>;
};

const signal = new AbortController().signal;
const ROLE = 'leadergroup.dev/role';
const TOKEN = 'token.leadergroup.dev/g';

let used = 0;
const freshName = (): string => `contract-${(used += 1)}`;

const label = (value: string | null): MetadataPatch => ({ labels: { [ROLE]: value }, annotations: {} });
const annotation = (value: string | null): MetadataPatch => ({ labels: {}, annotations: { [TOKEN]: value } });

async function podOf({ kubernetes, namespace }: ContractApiServer, name: string): Promise<Pod> {
  const pod = await kubernetes.getPod(namespace, name, signal);
  if (pod === null) throw new Error(`there is no pod ${name}`);
  return pod;
}

async function groupOf({ kubernetes, namespace }: ContractApiServer, name: string) {
  const parsed = await kubernetes.getGroup(namespace, name, signal);
  if (parsed?.kind !== 'valid') throw new Error(`there is no valid group ${name}`);
  return parsed.group;
}

function done<T>(outcome: WriteOutcome<T>): T {
  if (outcome.kind === 'done') return outcome.object;
  throw new Error(`not done: ${JSON.stringify(outcome)}`);
}

const STATUS: LeaderGroupStatus = {
  leader: 'a',
  leaders: [],
  members: 1,
  candidates: 1,
  ineligible: [],
  leaderTransitions: 1,
  recentTransitions: [],
  lockKey: 'k',
  lockedBy: '',
  onConsulLoss: 'Hold',
  observedGeneration: 1,
  conditions: [],
};

export function kubernetesContract(given: () => ContractApiServer): void {
  const test = (name: string, body: (c: ContractApiServer, name: string) => Promise<void>): void =>
    it.concurrent(name, async () => body(given(), freshName()));

  test('a merge patch sets and removes keys, leaves the others, and answers with the new version', async (c, name) => {
    await c.createPod(name);
    const before = await podOf(c, name);
    const led = done(await c.kubernetes.patchPod(before, before.resourceVersion, label('leader'), signal));
    expect(led.labels).toEqual({ ...before.labels, [ROLE]: 'leader' });
    expect(led.resourceVersion).not.toBe(before.resourceVersion);
    const both = done(await c.kubernetes.patchPod(before, null, annotation('7'), signal));
    expect([both.labels[ROLE], both.annotations[TOKEN]]).toEqual(['leader', '7']);
    const off = done(await c.kubernetes.patchPod(before, both.resourceVersion, label(null), signal));
    expect([off.labels, off.annotations[TOKEN]]).toEqual([before.labels, '7']);
    expect(await podOf(c, name)).toEqual(off);
  });

  test('a patch that changes nothing keeps the version, also one that removes what is not there', async (c, name) => {
    await c.createPod(name);
    const before = await podOf(c, name);
    const led = done(await c.kubernetes.patchPod(before, null, label('leader'), signal));
    expect(done(await c.kubernetes.patchPod(before, null, label('leader'), signal)).resourceVersion).toBe(
      led.resourceVersion,
    );
    expect(done(await c.kubernetes.patchPod(before, null, annotation(null), signal)).resourceVersion).toBe(
      led.resourceVersion,
    );
    expect(
      done(await c.kubernetes.patchPod(before, led.resourceVersion, label('leader'), signal)).resourceVersion,
    ).toBe(led.resourceVersion);
  });

  test('a patch at a version that is over is a conflict, and writes nothing', async (c, name) => {
    await c.createPod(name);
    const before = await podOf(c, name);
    await c.setReady(name, false);
    expect((await c.kubernetes.patchPod(before, before.resourceVersion, label('leader'), signal)).kind).toBe(
      'conflict',
    );
    expect((await podOf(c, name)).labels[ROLE]).toBeUndefined();
  });

  test('a patch for a pod that was recreated under its name is a conflict, with a version and without', async (c, name) => {
    await c.createPod(name);
    const before = await podOf(c, name);
    await c.removePod(name);
    await c.createPod(name);
    const now = await podOf(c, name);
    expect(now.uid).not.toBe(before.uid);
    expect((await c.kubernetes.patchPod(before, null, label('leader'), signal)).kind).toBe('conflict');
    expect((await c.kubernetes.patchPod(before, now.resourceVersion, label('leader'), signal)).kind).toBe('conflict');
    expect((await podOf(c, name)).resourceVersion).toBe(now.resourceVersion);
  });

  test('a patch for a pod that is not there says so, as does a read', async (c, name) => {
    await c.createPod(name);
    const before = await podOf(c, name);
    await c.removePod(name);
    expect((await c.kubernetes.patchPod(before, before.resourceVersion, label('leader'), signal)).kind).toBe('gone');
    expect(await c.kubernetes.getPod(c.namespace, name, signal)).toBeNull();
    expect(await c.kubernetes.getGroup(c.namespace, name, signal)).toBeNull();
    expect(await c.kubernetes.getTermination(c.namespace, name, 'operator', signal).catch(() => null)).toBeNull();
  });

  test('finalizers are written under a version; a group with one is deleted only when it is off, and of another generation from the deletion on', async (c, name) => {
    await c.createGroup(name);
    const before = await groupOf(c, name);
    const held = valid(
      done(await c.kubernetes.setFinalizers(before, before.resourceVersion, ['leadergroup.dev/finalizer'], signal)),
    );
    expect(held.finalizers).toEqual(['leadergroup.dev/finalizer']);
    expect((await c.kubernetes.setFinalizers(before, before.resourceVersion, [], signal)).kind).toBe('conflict');
    await c.deleteGroup(name);
    const deleting = await groupOf(c, name);
    expect([deleting.deleting, deleting.generation]).toEqual([true, before.generation + 1]);
    await c.kubernetes.setFinalizers(deleting, deleting.resourceVersion, [], signal);
    expect(await c.kubernetes.getGroup(c.namespace, name, signal)).toBeNull();
    expect((await c.kubernetes.setFinalizers(before, before.resourceVersion, [], signal)).kind).toBe('gone');
  });

  test('a status is replaced under uid and version, and changes neither generation nor anything else', async (c, name) => {
    await c.createGroup(name);
    const before = await groupOf(c, name);
    const told = valid(done(await c.kubernetes.replaceStatus(before, before.resourceVersion, STATUS, signal)));
    expect(told).toMatchObject({
      status: { leader: 'a', leaderTransitions: 1 },
      generation: before.generation,
      spec: before.spec,
    });
    const less = valid(
      done(await c.kubernetes.replaceStatus(told, told.resourceVersion, { ...STATUS, leader: '' }, signal)),
    );
    expect(less.status?.leader).toBe('');
    expect((await c.kubernetes.replaceStatus(told, told.resourceVersion, STATUS, signal)).kind).toBe('conflict');
    const another = { ...less, uid: '00000000-0000-4000-8000-000000000000' };
    expect((await c.kubernetes.replaceStatus(another, less.resourceVersion, STATUS, signal)).kind).toBe('conflict');
    expect((await groupOf(c, name)).resourceVersion).toBe(less.resourceVersion);
  });

  test('an edit of the spec raises the generation', async (c, name) => {
    await c.createGroup(name);
    const before = await groupOf(c, name);
    await c.pauseGroup(name);
    const after = await groupOf(c, name);
    expect([after.generation, after.spec.paused]).toEqual([before.generation + 1, true]);
  });

  test('a list comes in pages of one version, every object once', async (c, name) => {
    const names = [1, 2, 3].map((at) => `${name}-${at}`);
    for (const each of names) await c.createPod(each);
    const pages = await allPages(c.pods, 2);
    expect(pages.length).toBeGreaterThan(1);
    expect(new Set(pages.map(({ resourceVersion }) => resourceVersion)).size).toBe(1);
    const listed = pages.flatMap(({ items }) => items.map((item) => projectPod(item)?.name));
    expect(names.every((each) => listed.filter((found) => found === each).length === 1)).toBe(true);
  });

  test('a watch tells everything since its version in its order; a deletion has a version of its own', async (c, name) => {
    const { resourceVersion } = (await allPages(c.pods, 250))[0] as ListPage;
    await c.createPod(name);
    await c.setReady(name, false);
    const last = await podOf(c, name);
    await c.removePod(name);
    const told = await watched(c.pods, resourceVersion, name, (event) => event.kind === 'removed');
    const versions = told.map((event) =>
      BigInt(event.kind === 'put' ? event.object.resourceVersion : versionOf(event)),
    );
    expect(told[0]?.kind).toBe('put');
    expect(told.at(-1)?.kind).toBe('removed');
    expect(versions).toEqual(versions.toSorted((a, b) => (a < b ? -1 : 1)));
    expect(versions.at(-1)).toBeGreaterThan(BigInt(last.resourceVersion));
  });

  it('a watch from a version that the server has forgotten is refused as expired', async () => {
    await given().forget();
    const refused = await watched(given().pods, '1', 'nobody', () => false).catch((error: unknown) => error);
    expect(refused).toMatchObject({ name: 'ListWatchError', kind: 'expired' });
  });
}

const versionOf = (event: WatchEvent<Pod>): string => ('resourceVersion' in event ? event.resourceVersion : '0');

function valid(parsed: ParsedLeaderGroup) {
  if (parsed.kind === 'valid') return parsed.group;
  throw new Error('the group is not valid');
}

async function allPages(source: ListWatch, limit: number): Promise<readonly ListPage[]> {
  const pages: ListPage[] = [];
  for (let after: string | null = null; ; ) {
    const page: ListPage = await source.list({ limit, after }, signal);
    pages.push(page);
    if (page.next === null) return pages;
    after = page.next;
  }
}

/** Events about one pod, until one of them is the last. An ERROR event is thrown as the refusal that it is. */
async function watched(
  source: ListWatch,
  resourceVersion: string,
  name: string,
  isLast: (event: WatchEvent<Pod>) => boolean,
): Promise<readonly WatchEvent<Pod>[]> {
  const stop = new AbortController();
  const told: WatchEvent<Pod>[] = [];
  try {
    for await (const batch of source.watch({ resourceVersion, timeoutSeconds: 30 }, stop.signal)) {
      told.push(...batch.flatMap((raw) => eventAbout(raw, name)));
      const last = told.findIndex(isLast);
      if (last >= 0) return told.slice(0, last + 1);
    }
    return told;
  } finally {
    stop.abort();
  }
}

function eventAbout(raw: unknown, name: string): readonly WatchEvent<Pod>[] {
  const event = readWatchEvent(raw, projectPod);
  if (event?.kind === 'error') throw new ListWatchError(event.expired ? 'expired' : 'refused', event.message);
  return event !== null && concerns(event, name) ? [event] : [];
}

const concerns = (event: WatchEvent<Pod>, name: string): boolean =>
  (event.kind === 'put' || event.kind === 'removed') && event.key.endsWith(`/${name}`);
