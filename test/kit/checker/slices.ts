/**
 * I11: what a group's EndpointSlices show. Judged for each group uid and address family, in resourceVersion order, over what the operator
 * wrote: slices that others edit are theirs until the operator has written them again.
 *
 * - At every resourceVersion at most one pod; and a slice is made empty.
 * - A pod is shown with a token under which its own session held the lock. These tokens never fall, and no two pods share one; nor does the
 *   token that stands in one slice ever fall.
 * - A slice is emptied with a `fenced` value never used before, and before the operator unlocks whom it shows. Once the operator has unlocked, whom it has unlocked is not shown again
 *   with that token: a plan that leaves the lock with nobody writes the slice first, also one that is empty.
 * - A slice of another group's uid is not taken over.
 * - A handover shows nobody at no resourceVersion. That is judged where the lock passes from one member to another in one transaction, and
 *   both are Ready: the first one for all of its term, from the first resourceVersion that shows it with its token to the first that shows
 *   the second, the second one from when nobody is shown. (A leader that is being deleted may be Ready, one that is gone is not.) Excused is a
 *   term in which somebody else touched the slice, its Service, or the group's route; a group that may be demoted in an outage of
 *   Consul; and where writes were refused for good.
 */
import { type Breach, DEFAULT_TOLERANCE_MS, podName } from './breach.ts';
import { compareVersions, groupKey, type RouteChange, surelyAfter, type WatchedSlice } from './history.ts';
import type { LockState } from './locks.ts';
import { type Case, passings } from './promises.ts';
import type { SliceStep } from './slice-steps.ts';
import type { Step } from './steps.ts';

export type Routed = {
  readonly pods: readonly Step[];
  readonly slices: readonly SliceStep[];
  readonly routes: readonly RouteChange[];
};

/** One resourceVersion of a group's slices of one family, and who is in them after it. */
type View = { readonly step: SliceStep; readonly shown: readonly Shown[] };
type Shown = { readonly uid: string; readonly name: string; readonly token: number };

export function oneEndpoint(checked: Case, routed: Routed): readonly Breach[] {
  const { uid } = checked.trace.group;
  const concerned = routed.slices.filter(({ before, after }) => before?.groupUid === uid || after?.groupUid === uid);
  const families = new Set(concerned.map(({ before, after }) => (after ?? before)?.family));
  return [...families].flatMap((family) => {
    const steps = concerned.filter(({ before, after }) => (after ?? before)?.family === family);
    const views = viewsOf(uid, steps);
    return [
      ...views.flatMap((view) => crowded(checked, view)),
      ...steps.flatMap((step) => wrongly(checked, step)),
      ...tokensFall(checked, steps),
      ...views.flatMap((view, at) => unbacked(checked, view, views[at - 1])),
      ...fences(checked, steps),
      ...leftBehind(checked, views),
      ...gaps(checked, views, routed),
    ];
  });
}

const breach = (checked: Case, step: SliceStep, message: string): Breach => ({
  promise: 'I11',
  group: groupKey(checked.trace.group),
  resourceVersion: step.resourceVersion,
  index: null,
  pods: (step.after?.endpoints ?? []).map((each) => podName({ name: each.podName, uid: each.podUid })),
  message: `slice ${(step.after ?? step.before)?.name}: ${message}`,
});

const nameOf = ({ name, uid }: Shown): string => podName({ name, uid });

const shownBy = (slice: WatchedSlice): readonly Shown[] =>
  slice.endpoints.map(({ podUid: uid, podName: name }) => ({ uid, name, token: slice.token }));

function viewsOf(uid: string, steps: readonly SliceStep[]): readonly View[] {
  const live = new Map<string, WatchedSlice>();
  return steps.map((step) => {
    if (step.before !== null) live.delete(step.before.uid);
    if (step.after?.groupUid === uid) live.set(step.after.uid, step.after);
    return { step, shown: [...live.values()].flatMap(shownBy) };
  });
}

/** What the operator wrote, of this group; null: it is somebody else's doing, or a deletion. */
const ownWrite = (checked: Case, { by, after }: SliceStep): WatchedSlice | null =>
  by === 'operator' && after?.groupUid === checked.trace.group.uid ? after : null;

/** Of the operator's writes only: what others add stands there until it is written again. */
function crowded(checked: Case, { step, shown }: View): readonly Breach[] {
  const written = ownWrite(checked, step);
  if (written === null) return [];
  if (written.endpoints.length > 1) return [breach(checked, step, 'it has more than one address')];
  const own = written.endpoints[0]?.podUid;
  const others = shown.filter((each) => own !== undefined && each.uid !== own);
  if (others.length === 0) return [];
  return [breach(checked, step, `${others.map(nameOf).join(' and ')} stands in another slice of the group at once`)];
}

function wrongly(checked: Case, step: SliceStep): readonly Breach[] {
  const written = ownWrite(checked, step);
  if (written === null) return [];
  if (step.before === null)
    return written.endpoints.length > 0 ? [breach(checked, step, 'it was made with an endpoint')] : [];
  const taken = step.before.groupUid !== '' && step.before.groupUid !== written.groupUid;
  return taken ? [breach(checked, step, 'it was of another group and was taken over, not made anew')] : [];
}

function tokensFall(checked: Case, steps: readonly SliceStep[]): readonly Breach[] {
  const written = new Map<string, number>();
  let highest: Shown = { uid: '', name: '', token: 0 };
  return steps.flatMap((step): readonly Breach[] => {
    const { before, after, by } = step;
    if (by === 'foreign' || after === null || after.groupUid !== checked.trace.group.uid) return [];
    const own = written.get(after.uid) ?? 0;
    written.set(after.uid, Math.max(own, after.token));
    const shown = shownBy(after)[0] ?? null;
    // Of what somebody else has written neither more nor less is expected.
    const floor = Math.min(own, before?.token ?? 0);
    const message = after.token < floor ? `its token fell from ${floor} to ${after.token}` : misfit(highest, shown);
    if (shown !== null && shown.token >= highest.token) highest = shown;
    return message === null ? [] : [breach(checked, step, message)];
  });
}

function misfit(highest: Shown, shown: Shown | null): string | null {
  if (shown === null || highest.uid === '') return null;
  if (shown.token < highest.token)
    return `${nameOf(shown)} is shown with token ${shown.token} after token ${highest.token}`;
  const shared = shown.token === highest.token && shown.uid !== highest.uid;
  return shared ? `token ${shown.token} was shown for ${nameOf(highest)} before` : null;
}

/** Whoever is shown had the lock with this token, and has not been unlocked since, unless it was shown all the while. */
function unbacked(checked: Case, view: View, before: View | undefined): readonly Breach[] {
  const written = ownWrite(checked, view.step);
  const now = written === null ? undefined : shownBy(written)[0];
  if (now === undefined || before?.shown.some(({ uid, token }) => uid === now.uid && token === now.token)) return [];
  const message = neverHeld(checked, view.step, now) ?? shownAgain(checked, view, now, before?.shown ?? []);
  return message === null ? [] : [breach(checked, view.step, `${nameOf(now)} is shown ${message}`)];
}

function neverHeld({ locks, options }: Case, step: SliceStep, { uid, token }: Shown): string | null {
  const withToken = locks.filter(({ record }) => record?.token === token);
  const own = withToken.find(({ holder }) => holder === uid);
  if (own === undefined) {
    const unseen = options.everyKeyState !== true && withToken.length === 0;
    return unseen ? null : `with token ${token}, but its session never held the lock with it`;
  }
  const early = surelyAfter(own.state, step, options.toleranceMs ?? DEFAULT_TOLERANCE_MS);
  return early ? `with token ${token} before its session held the lock` : null;
}

function shownAgain({ locks, options }: Case, view: View, now: Shown, before: readonly Shown[]): string | null {
  if (options.sliceRefusals === true || view.shown.length > 1 || before.length > 0) return null;
  const over = unlocked(locks, now);
  const late = over !== undefined && surelyAfter(view.step, over.state, options.toleranceMs ?? DEFAULT_TOLERANCE_MS);
  return late ? `again with token ${now.token} after it was unlocked` : null;
}

/** The state in which the operator has unlocked this one. */
const unlocked = (locks: readonly LockState[], { uid, token }: Shown): LockState | undefined =>
  locks.find((next, at) => {
    const held = locks[at - 1];
    return held?.holder === uid && held.record?.token === token && unlocks(held, next);
  });

/** Unlike a session that ends it writes the record. */
const unlocks = (held: LockState, next: LockState): boolean =>
  next.state.session === null &&
  held.state.incarnation === next.state.incarnation &&
  next.record?.token === held.record?.token &&
  (next.record?.writes ?? 0) > (held.record?.writes ?? 0);

function fences(checked: Case, steps: readonly SliceStep[]): readonly Breach[] {
  const used = new Set<string>();
  return steps.flatMap((step): readonly Breach[] => {
    const { before, after, by } = step;
    if (after === null || after.groupUid !== checked.trace.group.uid) return [];
    const fresh = after.fenced !== '' && !used.has(after.fenced);
    used.add(after.fenced);
    if (by !== 'operator' || before === null || before.endpoints.length === 0 || after.endpoints.length > 0) return [];
    return fresh
      ? []
      : [breach(checked, step, `it was emptied with the fenced value '${after.fenced}', which is not new`)];
  });
}

/** Whoever has the lock taken from it, so that nobody has it, is taken out of the slice before. */
function leftBehind({ trace, locks, options }: Case, views: readonly View[]): readonly Breach[] {
  if (options.sliceRefusals === true || options.sliceSilence === true || views.length === 0) return [];
  const toleranceMs = options.toleranceMs ?? DEFAULT_TOLERANCE_MS;
  return locks.flatMap((held, at): readonly Breach[] => {
    const next = locks[at + 1];
    if (next === undefined || held.holder === null || !unlocks(held, next)) return [];
    const last = views.findLastIndex(({ step }) => !surelyAfter(step, next.state, 0));
    const [view, after] = [views[last], views[last + 1]];
    const shown = view?.shown.find(({ uid, token }) => uid === held.holder && token === held.record?.token);
    if (view === undefined || shown === undefined || view.step.by !== 'operator') return [];
    const stood =
      surelyAfter(next.state, view.step, toleranceMs) &&
      (after === undefined || surelyAfter(after.step, next.state, toleranceMs));
    if (!stood) return [];
    const message = `slice ${slice(view.step)?.name}: ${nameOf(shown)} was unlocked while it was shown`;
    const where = { resourceVersion: view.step.resourceVersion, index: next.state.modifyIndex, pods: [nameOf(shown)] };
    return [{ promise: 'I11', group: groupKey(trace.group), ...where, message }];
  });
}

function gaps(checked: Case, views: readonly View[], routed: Routed): readonly Breach[] {
  const { group } = checked.trace;
  const { refusals = false, sliceRefusals = false } = checked.options;
  if (group.mayDemote === true || group.labelsStay === true || refusals || sliceRefusals) return [];
  return passings(checked).flatMap(({ from, to, held, state }): readonly Breach[] => {
    if (!inOneGo(checked, held, state)) return [];
    const shows = (uid: string, token: number | undefined) => (view: View) =>
      view.shown.some((each) => each.uid === uid && each.token === token);
    const begin = views.findIndex(shows(from, held.record?.token));
    const end = views.findIndex(shows(to, state.record?.token));
    if (begin === -1 || end < begin) return [];
    const term = views.slice(begin, end + 1);
    const nobody = term.find(({ shown }) => shown.length === 0);
    if (nobody === undefined || excused(term, routed)) return [];
    const ready = readyIn(term, from, routed.pods) && readyIn(term.slice(term.indexOf(nobody)), to, routed.pods);
    if (!ready) return [];
    return [breach(checked, nobody.step, 'it shows nobody between two members that are Ready')];
  });
}

/** The lock was handed from the one to the other, and was nobody's in between. */
const inOneGo = ({ locks, options }: Case, held: LockState, next: LockState): boolean =>
  locks.indexOf(next) === locks.indexOf(held) + 1 &&
  held.state.incarnation === next.state.incarnation &&
  (options.everyKeyState === true || (next.record?.writes ?? 0) - (held.record?.writes ?? 0) === 1);

function within(resourceVersion: string, term: readonly View[]): boolean {
  const [first, last] = [term[0], term.at(-1)];
  if (first === undefined || last === undefined) return false;
  return (
    compareVersions(resourceVersion, first.step.resourceVersion) >= 0 &&
    compareVersions(resourceVersion, last.step.resourceVersion) <= 0
  );
}

function excused(term: readonly View[], { routes }: Routed): boolean {
  const services = new Set(term.map(({ step }) => `${slice(step)?.namespace}/${slice(step)?.service}`));
  return (
    term.some(({ step }) => step.by !== 'operator') ||
    routes.some((each) => services.has(`${each.namespace}/${each.service}`) && within(each.resourceVersion, term))
  );
}

const slice = ({ before, after }: SliceStep): WatchedSlice | null => after ?? before;

/** Whether the pod is there and Ready at each resourceVersion of the term. */
function readyIn(term: readonly View[], uid: string, pods: readonly Step[]): boolean {
  const from = term[0]?.step.resourceVersion ?? '0';
  let before = false;
  for (const step of pods) {
    const change = step.changes.find(({ pod }) => pod.uid === uid);
    if (change === undefined) continue;
    const ready = change.after?.ready === true;
    if (compareVersions(step.resourceVersion, from) < 0) before = ready;
    else if (!ready && within(step.resourceVersion, term)) return false;
  }
  return before;
}

export type SliceCounts = {
  /** Writes of slices by the operator that changed something. */
  readonly writes: number;
  /** Of these, such as put one pod in the place of another. */
  readonly switches: number;
};

export function sliceCounts(steps: readonly SliceStep[]): SliceCounts {
  const written = steps.filter(({ by }) => by === 'operator');
  const switched = written.filter(({ before, after }) => {
    const [was, is] = [before?.endpoints[0]?.podUid, after?.endpoints[0]?.podUid];
    return was !== undefined && is !== undefined && was !== is;
  });
  return { writes: written.length, switches: switched.length };
}
