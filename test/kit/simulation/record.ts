/** Writes a history down while it happens, for the checker, and as one number by which two histories are compared. */

import type { LeaderGroup } from '../../../src/api/leadergroup.ts';
import type { Pod } from '../../../src/api/pod.ts';
import type { Slice } from '../../../src/api/route.ts';
import { groupKeys, parseSessionName } from '../../../src/election/keys.ts';
import type { KvEntry } from '../../../src/ports/consul.ts';
import type {
  ClaimRequest,
  History,
  KeyState,
  PodEvent,
  RouteChange,
  SliceEvent,
  WatchedGroup,
  WatchedPod,
  WatchedSlice,
} from '../checker/checker.ts';
import { SPACE } from '../model/replica.ts';
import type { Change } from '../model/world-api-server.ts';
import { hasReleasingController, type Scenario } from './acts.ts';
import { hashText } from './random.ts';
import type { Stage } from './stage.ts';

export type Record = {
  history(): History;
  /** Of everything that happened to pods, groups and keys, in its order. */
  hash(): number;
  readonly events: { pods: number; keys: number };
};

/** `requests`: of claims, as they are still being made. */
export function record(
  { api, consul, loop, silences, switchovers, promotionAnswers }: Stage,
  scenario: Scenario,
  requests: readonly ClaimRequest[],
): Record {
  const pods: PodEvent[] = [
    { kind: 'list', atMs: 0, resourceVersion: String(api.version()), pods: api.pods().map(watched) },
  ];
  const keys: KeyState[] = [];
  const slices: SliceEvent[] = [];
  const routes: RouteChange[] = [];
  const released = (name: string): boolean => hasReleasingController(scenario, name);
  const groups: WatchedGroup[] = scenario.groups.map(({ name, lockKey }) =>
    watchedGroup(api.group(name), lockKey, released(name)),
  );
  const wanted = new Set(groups.flatMap(({ lockKey, recordKey }) => [lockKey, recordKey]));
  const seen = new Map<string, string>();
  const sessions = new Map<string, { namespace: string; group: string; podUid: string }>();
  let incarnation = 0;
  let highest = 0;
  let hash = scenario.seed;
  const events = { pods: 0, keys: 0 };
  const mix = (text: string): void => {
    hash = hashText(`${hash} ${text}`);
  };

  api.onChange((change, kind) => {
    mix(`${loop.nowMs()} ${JSON.stringify(change)}`);
    if (kind === 'leadergroups') {
      noteIncarnation(change as Change<LeaderGroup>);
      noteElders(change as Change<LeaderGroup>);
    }
    if (kind !== 'pods') return;
    const { before, after, version } = change as { before: Pod | null; after: Pod | null; version: number };
    const pod = after ?? before;
    if (pod === null) return;
    events.pods += 1;
    const how = after === null ? 'deleted' : before === null ? 'added' : 'modified';
    const foreign = !writing;
    pods.push({ kind: how, atMs: loop.nowMs(), resourceVersion: String(version), pod: watched(pod), foreign });
  });

  api.routing.onSlice((change, by) => {
    mix(`${loop.nowMs()} ${JSON.stringify(change)}`);
    const { before, after, version } = change;
    const slice = after ?? before;
    if (slice === null) return;
    const kind = after === null ? 'deleted' : before === null ? 'added' : 'modified';
    const when = { atMs: loop.nowMs(), resourceVersion: String(version) };
    slices.push({ kind, ...when, slice: watchedSlice(slice), foreign: by === null });
  });
  api.routing.onService((change) => {
    mix(`${loop.nowMs()} ${JSON.stringify(change)}`);
    const service = (change.after ?? change.before)?.name;
    if (service !== undefined) noteRoute(service, change.version);
  });

  /** Of two groups that name one Service another may be to act from now on. */
  function noteElders({ before, after, version }: Change<LeaderGroup>): void {
    const route = (after ?? before)?.spec.route ?? null;
    if (route !== null && before?.deleting !== after?.deleting) noteRoute(route.serviceName, version);
  }

  function noteRoute(service: string, version: number): void {
    routes.push({ namespace: 'default', service, resourceVersion: String(version), atMs: loop.nowMs() });
  }

  /** A group that is made anew is another one, for the checker too. */
  function noteIncarnation({ before, after, version }: Change<LeaderGroup>): void {
    const at = groups.findIndex(({ uid }) => uid === before?.uid);
    const known = groups[at];
    if (before !== null && after === null && known !== undefined) groups[at] = { ...known, goneAt: String(version) };
    if (before !== null || after === null) return;
    const lockKey = scenario.groups.find(({ name }) => name === after.name)?.lockKey ?? null;
    groups.push({ ...watchedGroup(after, lockKey, released(after.name)), bornAt: String(version) });
  }

  /** Writes of operators are told of after the change that they made; everything else is somebody else's. */
  let writing = false;
  const { patchPod } = api.requests;
  (api.requests as { patchPod: typeof patchPod }).patchPod = (...args) => {
    writing = true;
    try {
      return patchPod(...args);
    } finally {
      writing = false;
    }
  };

  const textOf = (entry: KvEntry | undefined): string =>
    entry === undefined ? '' : `${entry.session ?? ''} ${entry.modifyIndex} ${entry.value ?? ''}`;

  function keyChanged(key: string, entry: KvEntry | undefined, index: number): void {
    mix(`${loop.nowMs()} ${key} ${textOf(entry)}`);
    events.keys += 1;
    const session = entry?.session ?? null;
    const member = session === null ? null : parseSessionName(consul.nameOf(session));
    if (session !== null && member !== null) sessions.set(session, member);
    const { value = null, modifyIndex = index } = entry ?? {};
    keys.push({ key, exists: entry !== undefined, session, value, modifyIndex, incarnation, atMs: loop.nowMs() });
  }

  /** Each write of a mark. What a wipe takes away nobody writes. */
  const marks: KeyState[] = [];
  consul.onTxn(({ ops, result }) => {
    if (result.kind === 'rejected' || !ops.some(({ key }) => isMark(key))) return;
    const gone = { exists: false, session: null, value: null, modifyIndex: highest, incarnation, atMs: loop.nowMs() };
    for (const { verb, key } of ops) if (verb === 'delete' && isMark(key)) marks.push({ key, ...gone });
    for (const { key, value, modifyIndex } of result.entries) {
      if (!isMark(key)) continue;
      mix(`${loop.nowMs()} ${key} ${modifyIndex} ${value ?? ''}`);
      marks.push({ key, exists: true, session: null, value, modifyIndex, incarnation, atMs: loop.nowMs() });
    }
  });

  consul.onChange(({ entries, removedAt }) => {
    const index = Math.max(removedAt, ...[...entries.values()].map(({ modifyIndex }) => modifyIndex));
    if (index < highest) incarnation += 1;
    highest = index;
    for (const key of wanted) {
      const entry = entries.get(key);
      const text = textOf(entry);
      if ((seen.get(key) ?? '') === text) continue;
      seen.set(key, text);
      keyChanged(key, entry, index);
    }
  });

  const claims = { requests, marks };
  return {
    history: () => ({
      groups,
      pods,
      keys,
      sessions,
      silences: silences(),
      claims,
      switchovers: switchovers(),
      promotionAnswers: promotionAnswers(),
    }),
    hash: () => hash,
    events,
  };
}

const isMark = (key: string): boolean => key.includes('/claims/');

const watched = (pod: Pod): WatchedPod => ({
  namespace: pod.namespace,
  name: pod.name,
  uid: pod.uid,
  resourceVersion: pod.resourceVersion,
  labels: pod.labels,
  annotations: pod.annotations,
  phase: pod.phase,
  ready:
    pod.conditions.length === 0
      ? pod.ready
      : pod.runningSinceMs !== null && pod.conditions.every(({ isTrue }) => isTrue),
  deleting: pod.deleting,
  restarts: pod.restarts,
});

function watchedGroup(
  group: ReturnType<Stage['api']['group']>,
  lockKey: string | null,
  labelsStay: boolean,
): WatchedGroup {
  if (group === null) throw new Error('a group of the scenario is not there');
  const keys = groupKeys(SPACE, group, lockKey);
  return {
    namespace: group.namespace,
    name: group.name,
    uid: group.uid,
    selector: group.spec.selector,
    labelKey: group.spec.label.key,
    leaderValue: group.spec.label.leader,
    followerValue: group.spec.label.follower,
    lockKey: keys.lock,
    recordKey: keys.record ?? keys.lock,
    labelsStay,
    mayDemote: group.spec.onConsulLoss === 'Demote',
    probed: group.spec.leaderProbe !== null,
    asksFirst: group.spec.beforePromotion?.onFailure ?? null,
    anyOrder: group.spec.scaleDown === 'AnyOrder',
  };
}

const watchedSlice = (slice: Slice): WatchedSlice => ({
  namespace: slice.namespace,
  name: slice.name,
  uid: slice.uid,
  resourceVersion: slice.resourceVersion,
  family: slice.family,
  service: slice.service,
  groupUid: slice.group.uid,
  token: slice.token,
  fenced: slice.fenced,
  endpoints:
    slice.endpoint === null
      ? []
      : [{ address: slice.endpoint.address, podUid: slice.endpoint.pod.uid, podName: slice.endpoint.pod.name }],
});
