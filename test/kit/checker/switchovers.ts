/** I14: a switchover moves the leader once, as it was asked for, and to a candidate. Read from the records, which say what was handled. */
import { type Breach, type CheckOptions, podName } from './breach.ts';
import { groupKey, type History, type KeyState, type WatchedGroup, type WatchedPod } from './history.ts';

/** A cache may be as far behind: who was a candidate within so long may be thought one. */
const BEHIND_MS = 30_000;
const CANDIDATE = 'leadergroup.dev/candidate';

type Handled = { readonly atMs: number; readonly to: string };
type Seen = { readonly state: KeyState; readonly pod: string; readonly uid: string; readonly handled: Handled | null };

export function switchoversOnce(history: History, options: CheckOptions): readonly Breach[] {
  const known = new Map(history.groups.map((group) => [group.recordKey, group]));
  return [...known.values()].flatMap((group) => ofGroup(history, group, options));
}

function ofGroup(history: History, group: WatchedGroup, options: CheckOptions): readonly Breach[] {
  let before: Seen | null = null;
  let latestMs = Number.NEGATIVE_INFINITY;
  return history.keys.flatMap((state) => {
    const seen = state.key === group.recordKey ? read(state) : null;
    if (seen === null) return [];
    const previous = before;
    before = seen;
    // What comes with another Consul, or was there before anybody looked, nobody has just done.
    const carried = previous === null || previous.state.incarnation !== state.incarnation;
    const isNew = seen.handled !== null && seen.handled.atMs !== previous?.handled?.atMs;
    if (seen.handled === null || carried || !isNew) {
      latestMs = Math.max(latestMs, seen.handled?.atMs ?? latestMs);
      return [];
    }
    const found = wrongIn(history, group, { ...seen, handled: seen.handled, previous, latestMs }, options);
    latestMs = Math.max(latestMs, seen.handled.atMs);
    return found.map(
      (message): Breach => ({
        promise: 'I14',
        group: groupKey(group),
        resourceVersion: null,
        index: state.modifyIndex,
        pods: [podName({ name: seen.pod, uid: seen.uid })],
        message,
      }),
    );
  });
}

type Move = Seen & { readonly handled: Handled; readonly previous: Seen; readonly latestMs: number };

function wrongIn(history: History, group: WatchedGroup, move: Move, options: CheckOptions): readonly string[] {
  const { handled, state, pod, uid, previous, latestMs } = move;
  const name = `the switchover of ${new Date(handled.atMs).toISOString()} to ${handled.to}`;
  const exact = options.everyKeyState === true;
  const asked = history.switchovers?.some(
    ({ namespace, group: of, to, atMs, writtenMs }) =>
      groupKey({ namespace, name: of }) === groupKey(group) &&
      atMs === handled.atMs &&
      (to ?? handled.to) === handled.to &&
      writtenMs <= state.atMs,
  );
  return [
    ...(handled.atMs <= latestMs ? [`${name} was done after a later one, or a second time`] : []),
    ...(asked === false ? [`nobody had asked for ${name}`] : []),
    ...(exact && pod !== handled.to ? [`${name} gave the lock to ${pod}`] : []),
    ...(exact && uid === previous.uid ? [`${name} moved nobody`] : []),
    ...(exact && !wasCandidate(history, uid, state.atMs) ? [`${name} went to a pod that was no candidate`] : []),
  ];
}

/** In some version that it had within so long before. */
function wasCandidate({ pods }: History, uid: string, atMs: number): boolean {
  const versions = pods.flatMap((event): readonly { readonly fromMs: number; readonly pod: WatchedPod | null }[] => {
    if (event.kind === 'list')
      return event.pods.filter((pod) => pod.uid === uid).map((pod) => ({ fromMs: event.atMs, pod }));
    if (event.pod.uid !== uid) return [];
    return [{ fromMs: event.atMs, pod: event.kind === 'deleted' ? null : event.pod }];
  });
  return versions.some(({ fromMs, pod }, at) => {
    const untilMs = versions[at + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
    return pod !== null && fromMs <= atMs && untilMs >= atMs - BEHIND_MS && canLead(pod);
  });
}

const canLead = ({ ready, deleting, phase, annotations }: WatchedPod): boolean =>
  ready && !deleting && phase !== 'Succeeded' && phase !== 'Failed' && annotations[CANDIDATE] !== 'false';

function read(state: KeyState): Seen | null {
  try {
    const { holder, switchover } = JSON.parse(state.value ?? '') as {
      readonly holder: { readonly pod: string; readonly uid: string };
      readonly switchover?: { readonly atMs: number; readonly to: string | null };
    };
    const { atMs, to } = switchover ?? { atMs: 0, to: null };
    return { state, pod: holder.pod, uid: holder.uid, handled: to === null ? null : { atMs, to } };
  } catch {
    return null;
  }
}
