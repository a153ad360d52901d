/** Tells a history step by step, for tests of the checker: each act is one resourceVersion or one index, 10 ms later. */

import { podUid } from '../fakes/ids.ts';
import {
  groupKey,
  type History,
  type KeyState,
  type PodChange,
  type PodEvent,
  type RouteChange,
  type SessionMember,
  type SliceAddress,
  type SliceChange,
  type SliceEvent,
  type WatchedGroup,
  type WatchedPod,
  type WatchedSlice,
} from './history.ts';

export function aWatchedGroup(overrides: Partial<WatchedGroup> = {}): WatchedGroup {
  const name = overrides.name ?? 'notifier';
  const namespace = overrides.namespace ?? 'default';
  const lockKey = overrides.lockKey ?? `leadergroup/test/groups/00/${namespace}/${name}/0/.lock`;
  return {
    namespace,
    name,
    uid: `uid-of-${name}`,
    selector: { matchLabels: { app: name }, matchExpressions: [] },
    labelKey: 'leadergroup.dev/role',
    leaderValue: 'leader',
    followerValue: null,
    lockKey,
    recordKey: lockKey,
    ...overrides,
  };
}

export const aWatchedPod = (overrides: Partial<WatchedPod> & { readonly name: string }): WatchedPod => ({
  namespace: 'default',
  uid: podUid(`uid-${overrides.name}`),
  resourceVersion: '1',
  labels: { app: 'notifier' },
  annotations: {},
  phase: 'Running',
  ready: true,
  deleting: false,
  ...overrides,
});

const SLICE = 'web-leadergroup-ipv4';

export const aWatchedSlice = (overrides: Partial<WatchedSlice> = {}): WatchedSlice => ({
  namespace: 'default',
  name: SLICE,
  uid: 'uid-of-slice',
  resourceVersion: '1',
  family: 'IPv4',
  service: 'web',
  groupUid: 'uid-of-notifier',
  token: 0,
  fenced: '',
  endpoints: [],
  ...overrides,
});

/** Of a pod of the story, by its name there. */
export const anAddress = (uid: string): SliceAddress => ({
  address: `address-of-${uid}`,
  podUid: uid.startsWith('uid-') ? uid : `uid-${uid}`,
  podName: uid,
});

type Change = {
  readonly labels?: Readonly<Record<string, string | null>>;
  readonly annotations?: Readonly<Record<string, string | null>>;
  readonly ready?: boolean;
  readonly phase?: WatchedPod['phase'];
  readonly restarts?: number;
};
type Marks = Partial<Pick<PodChange, 'writer' | 'foreign' | 'earliestMs'>>;

function patched(
  map: Readonly<Record<string, string>>,
  patch: Readonly<Record<string, string | null>> = {},
): Record<string, string> {
  const kept = Object.entries({ ...map, ...patch }).filter((entry): entry is [string, string] => entry[1] !== null);
  return Object.fromEntries(kept);
}

export type Story = ReturnType<typeof aStory>;

/** Pods are named by their uid without its prefix: `story.pod('a')` makes pod a with uid uid-a. */
export function aStory(groups: readonly WatchedGroup[] = [aWatchedGroup()]) {
  const group = groups[0] ?? aWatchedGroup();
  const pods = new Map<string, WatchedPod>();
  const events: PodEvent[] = [];
  const keys: KeyState[] = [];
  const sessions = new Map<string, SessionMember>();
  const slices: SliceEvent[] = [];
  const routes: RouteChange[] = [];
  const standing = new Map<string, WatchedSlice>();
  let [nowMs, version, index, incarnation, fences, writes] = [0, 0, 0, 0, 0, 0];
  const tick = (): number => (nowMs += 10);

  const emit = (kind: PodChange['kind'], next: Omit<WatchedPod, 'resourceVersion'>, marks: Marks = {}): void => {
    const resourceVersion = String(++version);
    const pod = { ...next, resourceVersion };
    if (kind === 'deleted') pods.delete(pod.uid);
    else pods.set(pod.uid, pod);
    events.push({ kind, resourceVersion, pod, atMs: tick(), ...marks });
  };
  const current = (uid: string): WatchedPod => {
    const pod = pods.get(`uid-${uid}`) ?? pods.get(uid);
    if (pod === undefined) throw new Error(`the story has no pod ${uid}`);
    return pod;
  };
  const write = (uid: string, change: Change, marks: Marks = {}): void => {
    const pod = current(uid);
    const labels = patched(pod.labels, change.labels);
    const annotations = patched(pod.annotations, change.annotations);
    const { ready = pod.ready, phase = pod.phase, restarts } = change;
    const now = { ...pod, ...(restarts === undefined ? {} : { restarts }), labels, annotations, ready, phase };
    emit('modified', now, marks);
  };
  const entry = (state: Partial<KeyState>): void => {
    const base = { key: group.lockKey, exists: true, session: null, value: null, incarnation };
    keys.push({ ...base, modifyIndex: ++index, atMs: tick(), ...state });
  };

  const emitSlice = (kind: SliceChange['kind'], next: WatchedSlice, foreign: boolean): void => {
    const slice = { ...next, resourceVersion: String(++version) };
    if (kind === 'deleted') standing.delete(slice.name);
    else standing.set(slice.name, slice);
    slices.push({ kind, resourceVersion: slice.resourceVersion, slice, foreign, atMs: tick() });
  };
  /** Made when it is not there; of the first group, for its Service `web`. */
  const writeSlice = (change: Partial<WatchedSlice>, foreign: boolean): void => {
    const present = standing.get(change.name ?? SLICE);
    const made = { ...aWatchedSlice({ groupUid: group.uid }), uid: `uid-of-slice-${version}` };
    emitSlice(present === undefined ? 'added' : 'modified', { ...(present ?? made), ...change }, foreign);
  };

  return {
    group,
    now: (): number => nowMs,
    tick,
    /** Of a write to another key. */
    nextIndex: () => ({ modifyIndex: ++index, incarnation, atMs: tick() }),
    /** A watch begins with what is there. A second list is a gap. */
    list: (...listed: readonly WatchedPod[]): void => {
      const all = listed.length > 0 ? listed : [...pods.values()];
      pods.clear();
      for (const pod of all) pods.set(pod.uid, pod);
      events.push({ kind: 'list', resourceVersion: String(++version), pods: all, atMs: tick() });
    },
    pod: (name: string, overrides: Partial<WatchedPod> = {}, marks: Marks = {}): void =>
      emit('added', aWatchedPod({ name, ...overrides }), marks),
    write,
    promote: (uid: string, token: number | string | null, of: WatchedGroup = group, marks: Marks = {}): void =>
      write(
        uid,
        {
          labels: { [of.labelKey]: of.leaderValue },
          annotations: {
            [`token.leadergroup.dev/${of.name}`]: token === null ? null : String(token),
            [`since.leadergroup.dev/${of.name}`]: 'now',
            [`fenced.leadergroup.dev/${of.name}`]: null,
          },
        },
        marks,
      ),
    fence: (uid: string, of: WatchedGroup = group, fenced: string = `guard-${++fences}`): void =>
      write(uid, {
        labels: { [of.labelKey]: of.followerValue },
        annotations: { [`fenced.leadergroup.dev/${of.name}`]: fenced },
      }),
    remove: (uid: string): void => emit('deleted', current(uid)),
    /** The operator writes the slice. */
    slice: (change: Partial<WatchedSlice> = {}): void => writeSlice(change, false),
    show: (uid: string, token: number, change: Partial<WatchedSlice> = {}): void =>
      writeSlice({ token, endpoints: [anAddress(uid)], ...change }, false),
    empty: (fenced: string = `slice-guard-${++fences}`, change: Partial<WatchedSlice> = {}): void =>
      writeSlice({ endpoints: [], fenced, ...change }, false),
    editSlice: (change: Partial<WatchedSlice>): void => writeSlice(change, true),
    removeSlice: (foreign = false, name: string = SLICE): void => {
      const present = standing.get(name);
      if (present === undefined) throw new Error(`the story has no slice ${name}`);
      emitSlice('deleted', present, foreign);
    },
    listSlices: (...listed: readonly WatchedSlice[]): void => {
      standing.clear();
      for (const each of listed) standing.set(each.name, each);
      slices.push({ kind: 'list', resourceVersion: String(++version), slices: listed, atMs: tick() });
    },
    /** Somebody changes the Service. */
    service: (service = 'web'): void =>
      void routes.push({ namespace: group.namespace, service, resourceVersion: String(++version), atMs: tick() }),
    ready: (uid: string, ready: boolean): void => write(uid, { ready }),
    /** The member's session holds the lock, with this token in the record. */
    lock: (uid: string, token: number, of: WatchedGroup = group, overrides: Partial<KeyState> = {}): void => {
      const podUid = uid.startsWith('uid-') ? uid : `uid-${uid}`;
      const session = `session-${podUid}-${of.name}`;
      sessions.set(session, { namespace: of.namespace, group: of.name, podUid });
      const value = JSON.stringify({ v: 1, groupUid: of.uid, holder: { uid: podUid }, token, writes: writes++ });
      if (of.recordKey !== of.lockKey) {
        keys.push({
          key: of.recordKey,
          exists: true,
          session: null,
          value,
          modifyIndex: index + 1,
          incarnation,
          atMs: nowMs,
        });
      }
      entry({ key: of.lockKey, session, value, ...overrides });
    },
    /** A state of the lock that nobody saw: only the record's counter tells of it. */
    unseen: (): void => {
      writes += 1;
    },
    /** The session ended or unlocked: the record stays. */
    free: (of: WatchedGroup = group): void =>
      entry({ key: of.lockKey, value: keys.findLast((state) => state.key === of.lockKey)?.value ?? null }),
    external: (of: WatchedGroup = group): void => entry({ key: of.lockKey, session: 'session-of-a-external' }),
    /** Consul comes back without its data: indexes begin anew. */
    wipe: (): void => {
      [incarnation, index] = [incarnation + 1, 0];
      entry({ exists: false });
    },
    /** Consul comes back with an older state of the lock. */
    restore: (state: KeyState | undefined): void => {
      if (state === undefined) throw new Error('nothing to restore');
      incarnation += 1;
      index = state.modifyIndex;
      keys.push({ ...state, incarnation, atMs: tick() });
    },
    states: (): readonly KeyState[] => [...keys],
    history: (overrides: Partial<History> = {}): History => ({
      groups,
      pods: events,
      keys,
      sessions,
      slices,
      routes,
      ...overrides,
    }),
    names: (): readonly string[] => groups.map(groupKey),
  };
}
